"""What gateways run in: templates, and a new start."""

import time
from typing import Annotated, Literal

from fastapi import FastAPI
from pydantic import Field
from starlette.responses import Response

from ..convergence import Result, Tell
from ..engine import Engine
from ..fields import Path as FilePath
from ..guests.template import Recipe, Template
from ..jobs import Jobs
from ..upgrade import Upgrade
from .answers import Answer
from .bodies import Accepted, Strict

Url = Annotated[str, Field(max_length=200, pattern=r"^(https?|file|copy)://?[!-~]+$")]


class TemplateBody(Strict):
    """What to make a template of: a Debian, by mmdebstrap, or a file that was made so."""

    mode: Literal["lxc", "vm"] = Field("lxc", description="for containers, or the disk of virtual machines")
    suite: str = Field("trixie", pattern=r"^[a-z]{1,40}$", description="of Debian")
    mirror: Url = Recipe.mirror
    security: Url | Literal[""] = Field(Recipe.security, description="archive of security updates; empty: none")
    output: FilePath | None = Field(None, description="keep it as a file here, for other nodes")
    file: FilePath | None = Field(None, description="take this file instead of building")


class TemplateRow(Strict):
    """A template."""

    name: str
    mode: Literal["lxc", "vm"]
    samba: str = Field(description="version of the package; empty where nobody knows")
    made: int = Field(description="Unix time")
    gateways: list[str] = Field(description="who has it")


class TemplateRows(Strict):
    """The templates of this node, oldest first."""

    templates: list[TemplateRow]


class GatewayNamed(Strict):
    """A gateway by name."""

    gateway: str = Field(max_length=40)


class UpgradeBody(GatewayNamed):
    """A gateway, and what its root is to be."""

    template: str = Field("", max_length=255, description="the newest where it is left out")


def add_machines(app: FastAPI, engine: Engine, jobs: Jobs) -> None:
    """Add the routes."""
    _templates(app, engine, jobs)

    @app.post("/v1/gateways/restart", response_model=Accepted, status_code=202, summary="Start a gateway anew")
    def restart(request: GatewayNamed) -> Response:
        """With the machine that it runs in; its clients lose their connections."""
        engine.site.world().find("gateway", request.gateway)
        job = jobs.start(f"restart gateway {request.gateway}", lambda tell: engine.restart(request.gateway, tell))
        return Answer({"job": job.id}, 202)

    @app.post("/v1/gateways/upgrade", response_model=Accepted, status_code=202, summary="Give a gateway a newer system")
    def upgrade(request: UpgradeBody) -> Response:
        """Its root is replaced, or its packages are upgraded; data, users and SID stay, and all shares are proved."""
        upgrades = Upgrade(engine)
        upgrades.check(request.gateway)
        work = lambda tell: upgrades.run(request.gateway, request.template, tell)  # noqa: E731
        return Answer({"job": jobs.start(f"upgrade gateway {request.gateway}", work).id}, 202)


def _templates(app: FastAPI, engine: Engine, jobs: Jobs) -> None:
    @app.get("/v1/templates", response_model=TemplateRows, summary="What guests can be made of")
    def templates() -> Response:
        gateways = engine.site.world().gateways.values()
        users = [(g.name, getattr(g.mode, "template", "") or getattr(g.mode, "image", "")) for g in gateways]
        found: list[tuple[str, Template]] = [("lxc", each) for each in engine.site.templates.all()]
        found += [("vm", each) for each in engine.site.images.all()]
        rows = [{"name": t.name, "mode": mode, "samba": t.samba, "made": t.made} for mode, t in found]
        return Answer({"templates": [r | {"gateways": [g for g, t in users if t == r["name"]]} for r in rows]})

    @app.post("/v1/templates", response_model=Accepted, status_code=202, summary="Make a template")
    def make_template(body: TemplateBody) -> Response:
        recipe = Recipe(body.suite, body.mirror, body.security)

        def work(tell: Tell) -> Result:
            tell("request", "checked", 0)
            started = time.monotonic()
            places = engine.site.images if body.mode == "vm" else engine.site.templates
            made = places.bring(body.file) if body.file else places.build(recipe, body.output or "")
            tell(f"template {made.name}", f"created, Samba {made.samba}", time.monotonic() - started)
            return Result()

        title = "import a template" if body.file else f"build a template of {body.suite}"
        return Answer({"job": jobs.start(title, work).id}, 202)
