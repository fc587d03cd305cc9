"""The routes. Each only reads a request, calls the engine, and shows what it says."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .. import __version__
from ..create import read_request, resources
from ..documents import read_documents
from ..engine import Engine
from ..errors import Fault, GatewayError, Invalid
from ..intake import Options
from ..jobs import Jobs
from ..model import Resource
from ..status import Status
from ..step import Cell

Kind = Literal["gateway", "share", "user", "group"]


class Strict(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class RequestOptions(Strict):
    """What may be added to a request."""

    force: bool = Field(False, description="do it although a check advises against it")
    destroy_data: bool = Field(False, description="remove the data too")
    allow_paths: list[str] = Field([], description="further directories below which sources may lie; root only")

    def engine(self) -> Options:
        """For the engine."""
        return Options(self.force, self.destroy_data, tuple(self.allow_paths))


class Desired(Strict):
    """Resources, as objects or as the text of YAML or JSON documents; or the short form of one share."""

    resources: list[dict[str, Any]] = []
    text: str = ""
    create: dict[str, Any] | None = None
    options: RequestOptions = RequestOptions()


class Target(Strict):
    """A resource by name."""

    kind: Kind
    name: str = Field(max_length=200)


class Removal(Strict):
    """Resources to remove."""

    targets: list[Target] = Field(min_length=1)
    options: RequestOptions = RequestOptions()


class Accepted(Strict):
    """The job that does it."""

    job: str


class Problem(Strict):
    """Why not."""

    error: str
    what: str
    cause: str
    hint: str
    undone: list[str]
    left: list[str]
    faults: list[dict[str, Any]]
    exit_code: int


PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in {
        400: "not JSON",
        403: "the caller is not root",
        404: "no such resource",
        409: "the world is not as the request assumes",
        422: "faults in the request, each with its field",
        500: "it failed and was set back",
        503: "something needed is away",
    }.items()
}


def make(engine: Engine) -> FastAPI:
    """The application of one engine."""
    app = FastAPI(title="pve-smbgateway", version=__version__, responses=PROBLEMS, docs_url=None, redoc_url=None)
    jobs, status = Jobs(), Status(engine)
    app.state.engine, app.state.status = engine, status
    _errors(app)
    _reading(app, engine, status)
    _changing(app, engine, jobs)
    _following(app, jobs)
    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(GatewayError)
    def known(request: Request, error: GatewayError) -> Response:
        return JSONResponse(error.to_json(), error.status)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        faults = [Fault(".".join(map(str, d["loc"][1:])), d["msg"]) for d in error.errors()]
        status = 400 if any(d["type"] == "json_invalid" for d in error.errors()) else 422
        return JSONResponse(Invalid.of(faults).to_json(), status)

    @app.middleware("http")
    async def root_only(request: Request, call_next: Any) -> Response:
        # The socket is root's alone; its peer is asked all the same (SO_PEERCRED, unix(7)).
        if request.scope.get("peer_uid", 0) != 0:
            return JSONResponse(GatewayError("refused", "the caller is not root").to_json(), 403)
        response: Response = await call_next(request)
        return response


def _reading(app: FastAPI, engine: Engine, status: Status) -> None:
    @app.get("/v1/version")
    def version() -> dict[str, str]:
        return status.version()

    @app.get("/v1/resources")
    def show_all(kind: Kind | None = None) -> dict[str, Any]:
        world = engine.site.world()
        kinds = [kind] if kind else ["gateway", "user", "group", "share"]
        return {"resources": [show_record(record) for each in kinds for record in world.table(each).values()]}

    @app.get("/v1/resources/{kind}/{key:path}")
    def show(kind: Kind, key: str) -> dict[str, Any]:
        return show_record(engine.site.world().find(kind, key))

    @app.get("/v1/shares")
    def shares() -> dict[str, Any]:
        return {"shares": status.shares()}

    @app.get("/v1/status")
    def overview() -> dict[str, Any]:
        return status.overview()

    @app.get("/v1/status/gateway/{name}")
    def gateway(name: str) -> dict[str, Any]:
        return status.gateway(name)

    @app.get("/v1/status/share/{key:path}")
    def share(key: str) -> dict[str, Any]:
        return status.share(key)

    @app.post("/v1/plan")
    def plan(desired: Desired) -> dict[str, Any]:
        cells = engine.plan(_items(desired, engine), desired.options.engine())
        return {"cells": [show_cell(cell) for cell in cells]}


def _changing(app: FastAPI, engine: Engine, jobs: Jobs) -> None:
    @app.post("/v1/apply", status_code=202)
    def apply(desired: Desired) -> Accepted:
        items, options = _items(desired, engine), desired.options.engine()
        return Accepted(job=jobs.start(_title(items), lambda tell: engine.apply(items, options, tell)).id)

    @app.post("/v1/create", status_code=202)
    def create(request: dict[str, Any]) -> Accepted:
        options = _options(request.pop("options", {}))
        items = resources(read_request(request), engine.site.world(), engine.site.node)
        return Accepted(job=jobs.start(_title(items), lambda tell: engine.apply(items, options, tell)).id)

    @app.post("/v1/remove", status_code=202)
    def remove(removal: Removal) -> Accepted:
        names = [(target.kind, target.name) for target in removal.targets]
        options = removal.options.engine()
        title = "delete " + ", ".join(f"{kind} {name}" for kind, name in names)
        return Accepted(job=jobs.start(title, lambda tell: engine.remove(names, options, tell)).id)


def _following(app: FastAPI, jobs: Jobs) -> None:
    @app.get("/v1/jobs")
    def all_jobs() -> dict[str, Any]:
        wanted = ("id", "title", "state", "started")
        return {"jobs": [{name: job.show()[name] for name in wanted} for job in jobs.all()]}

    @app.get("/v1/jobs/{identity}")
    def job(identity: str) -> dict[str, Any]:
        return jobs.get(identity).show()

    @app.get("/v1/jobs/{identity}/events", response_class=StreamingResponse)
    def events(identity: str, last_event_id: Annotated[int, Header(ge=0)] = 0) -> StreamingResponse:
        stream = jobs.stream(jobs.get(identity), last_event_id)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _options(body: object) -> Options:
    try:
        return RequestOptions.model_validate(body).engine()
    except ValidationError as error:
        raise Invalid.of(
            [Fault("options." + ".".join(map(str, d["loc"])), d["msg"]) for d in error.errors()]
        ) from error


def _items(desired: Desired, engine: Engine) -> list[Any]:
    """The resources of a request, from whichever of its forms."""
    items: list[Any] = [*desired.resources, *read_documents(desired.text)]
    if desired.create is not None:
        items += resources(read_request(desired.create), engine.site.world(), engine.site.node)
    if not items:
        raise Invalid.of([Fault("resources", "the request names no resource")])
    return items


def _title(items: list[Any]) -> str:
    names = [f"{item.get('kind')} {item.get('name')}" for item in items if isinstance(item, dict)]
    return "apply " + (", ".join(names) if len(names) <= 3 else f"{len(names)} resources")


def show_record(record: Resource) -> dict[str, Any]:
    """A record as `apply` accepts it; a password is never in it."""
    return record.model_dump(mode="json")


def show_cell(cell: Cell) -> dict[str, Any]:
    """A cell of plan and drift."""
    return asdict(cell)
