"""The routes. Each only reads a request, calls the engine, and shows what it says.

Answers are made by hand: checked against their models, as the framework would, a list of 10,000 shares takes seconds.
"""

import functools
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Header
from fastapi.responses import Response, StreamingResponse
from fastapi.routing import APIRoute

from .. import __version__, notify, retention
from ..create import read_request, resources
from ..documents import read_documents
from ..engine import Engine
from ..errors import Fault, Invalid
from ..fields import cut
from ..jobs import Jobs
from ..model import AnyResource, Resource
from ..monitor import Monitor
from ..places import offers
from ..status import Status
from ..step import Cell
from ..versions import Versions
from . import bodies
from .answers import PROBLEMS, Answer, add_problems
from .bodies import Accepted, CreateBody, Desired, Kind, Removal
from .checkups import add_checkup
from .choosing import add_choices
from .clusters import add_clusters
from .door import Asked, add_door
from .machines import add_machines
from .pages import add_pages
from .quotas import add_quotas
from .receivers import add_receivers
from .schema import document

ABOUT = """\
The engine of one node, on a unix socket that belongs to root. Resources are stated, not edited: `apply` makes the world
as they say. A change is a job: the answer 202 says that the request is checked; the job's events tell the rest.
"""
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "server-sent events `progress` (Progress), then `done` (ResultView) or `failed` (Problem)",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "the job has ended, and the header Last-Event-ID names its last event"},
}


class Undescribed(APIRoute):
    """A route without the models of its answers, which only describe them, and take 20 MiB in all."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        super().__init__(path, endpoint, **settings | {"response_model": None, "responses": None})


def make(engine: Engine, monitor: Monitor | None = None, described: bool = False) -> FastAPI:
    """The application of one engine; one that is `described` is made where the document is asked for."""
    app = FastAPI(
        title="pve-smbgateway", version=__version__, description=ABOUT, license_info={"name": "AGPL-3.0-or-later"},
        responses=PROBLEMS, docs_url=None, redoc_url=None,
        generate_unique_id_function=_route_name, default_response_class=Answer,
    )  # fmt: skip
    app.router.route_class = APIRoute if described else Undescribed
    jobs, status, site = Jobs(), Status(engine), engine.site
    courier = notify.make(site.store, site.paths, site.host, site.node)
    monitor = monitor or Monitor(engine, courier)
    app.state.engine, app.state.status, app.state.jobs = engine, status, jobs
    app.state.courier, app.state.monitor = courier, monitor
    app.openapi = functools.cache(lambda: document(make(engine, monitor, described=True)))  # type: ignore[method-assign]
    add_door(app, site)
    add_problems(app)
    _records(app, engine, status)
    _places(app, engine)
    _state(app, status)
    _changing(app, engine, jobs)
    _snapshots(app, Versions(engine), jobs)
    _following(app, jobs)
    add_checkup(app, site)
    add_choices(app, engine)
    add_clusters(app, engine)
    add_machines(app, engine, jobs)
    add_receivers(app, courier, site.node)
    add_quotas(app, monitor)
    add_pages(app)
    return app


def _route_name(route: APIRoute) -> str:
    return route.name


def _records(app: FastAPI, engine: Engine, status: Status) -> None:
    @app.get("/v1/version", response_model=bodies.Version, summary="Versions of the engine and of Samba")
    def version() -> Response:
        return Answer(status.version())

    @app.get("/v1/resources", response_model=bodies.Resources, summary="All records, as `apply` accepts them")
    def show_all(kind: Kind | None = None) -> Response:
        world = engine.site.world()
        kinds = [kind] if kind else ["gateway", "user", "group", "share", "receiver"]
        return Answer({"resources": [show_record(record) for each in kinds for record in world.table(each).values()]})

    @app.get("/v1/resources/{kind}/{key:path}", response_model=AnyResource, summary="One record")
    def show(kind: Kind, key: str) -> Response:
        """A share is named by GATEWAY/NAME, or by NAME where only one gateway has it."""
        return Answer(show_record(engine.site.world().find(kind, key)))


def _places(app: FastAPI, engine: Engine) -> None:
    @app.get("/v1/places", response_model=bodies.Places, summary="Where a new share could lie, but on the root disk")
    def places(name: str) -> Response:
        site = engine.site
        return Answer(
            {"places": [offer._asdict() for offer in offers(site.host, site.paths.roots, name, site.proxmox)]}
        )


def _state(app: FastAPI, status: Status) -> None:
    @app.get("/v1/shares", response_model=bodies.Shares, summary="All shares in short, from records alone")
    def shares() -> Response:
        return Answer({"shares": status.shares()})

    @app.get("/v1/status", response_model=bodies.Overview, summary="The gateways of this node and what differs")
    def overview() -> Response:
        return Answer(status.overview())

    @app.get("/v1/status/gateway/{name}", response_model=bodies.GatewayStatus, summary="One gateway")
    def gateway(name: str) -> Response:
        return Answer(status.gateway(name))

    @app.get("/v1/status/share/{key:path}", response_model=bodies.ShareStatus, summary="One share and who has it open")
    def share(key: str) -> Response:
        return Answer(status.share(key))

    @app.get("/v1/status/gateway/{name}/log", response_model=bodies.LogLines, summary="The end of a gateway's log")
    def log(name: str) -> Response:
        return Answer({"lines": status.log(name)})

    @app.post("/v1/clients/disconnect", response_model=bodies.ShareStatus, summary="Close a share for one client")
    def disconnect(client: bodies.ClientName) -> Response:
        """Files it has open are closed; it may come again. Answers with the share as it is then."""
        status.disconnect(client.share, client.id)
        return share(client.share)


def _changing(app: FastAPI, engine: Engine, jobs: Jobs) -> None:
    @app.post("/v1/plan", response_model=bodies.Cells, summary="What an apply would change; touches nothing")
    def plan(desired: Desired, caller: Asked) -> Response:
        planned = engine.plan(_items(desired, engine), desired.options.engine(caller))
        return Answer({"cells": [show_cell(cell) for cell in planned.cells], "warnings": planned.warnings})

    @app.post("/v1/apply", response_model=Accepted, status_code=202, summary="Make the world as resources say")
    def apply(desired: Desired, caller: Asked) -> Response:
        """All or nothing: what fails is set back."""
        items, options = _items(desired, engine), desired.options.engine(caller)
        return _accepted(jobs, _title(items), lambda tell: engine.apply(items, options, tell), stoppable=True)

    @app.post("/v1/create", response_model=Accepted, status_code=202, summary="Make one share, in short")
    def create(request: CreateBody, caller: Asked) -> Response:
        """Stands for `apply` of the share, and of a gateway where there is none for it."""
        items, options = resources(request, engine.site), request.options.engine(caller)
        return _accepted(jobs, _title(items), lambda tell: engine.apply(items, options, tell), stoppable=True)

    @app.post("/v1/remove", response_model=Accepted, status_code=202, summary="Remove resources")
    def remove(removal: Removal, caller: Asked) -> Response:
        """Data stays, unless the option `destroy_data` is set."""
        names = [(target.kind, target.name) for target in removal.targets]
        title, options = _named("delete", [f"{kind} {name}" for kind, name in names]), removal.options.engine(caller)
        return _accepted(jobs, title, lambda tell: engine.remove(names, options, tell), stoppable=True)


def _snapshots(app: FastAPI, versions: Versions, jobs: Jobs) -> None:
    @app.get("/v1/snapshots/{key:path}", response_model=bodies.SnapshotRows, summary="Snapshots of a share")
    def snapshots(key: str) -> Response:
        """Oldest first. A share is named by GATEWAY/NAME, or by NAME where only one gateway has it."""
        return Answer({"snapshots": [show_snapshot(name) for name in versions.all(key)]})

    @app.post("/v1/snapshots/create", response_model=Accepted, status_code=202, summary="Take a snapshot")
    def take(request: bodies.ShareName) -> Response:
        """It stays until it is deleted by name."""
        return _accepted(jobs, f"snapshot of {request.share}", lambda tell: versions.take(request.share, tell))

    @app.post("/v1/snapshots/delete", response_model=Accepted, status_code=202, summary="Delete a snapshot")
    def drop(request: bodies.SnapshotName) -> Response:
        title = f"delete {request.name} of {request.share}"
        return _accepted(jobs, title, lambda tell: versions.drop(request.share, request.name, tell))

    @app.post("/v1/snapshots/restore", response_model=Accepted, status_code=202, summary="Restore a snapshot")
    def restore(request: bodies.SnapshotName) -> Response:
        """In place. Clients are shut out meanwhile, and what is there now is kept as a snapshot."""
        title = f"restore {request.name} of {request.share}"
        return _accepted(jobs, title, lambda tell: versions.restore(request.share, request.name, tell))


def _following(app: FastAPI, jobs: Jobs) -> None:
    @app.get("/v1/jobs", response_model=bodies.JobRows, summary="The jobs that run, and the last 200")
    def all_jobs() -> Response:
        wanted = ("id", "title", "state", "started")
        shown = [job.show() for job in jobs.all()]
        return Answer({"jobs": [{name: job[name] for name in wanted} for job in shown]})

    @app.get("/v1/jobs/{identity}", response_model=bodies.JobView, summary="One job, with its events so far")
    def job(identity: str) -> Response:
        return Answer(jobs.get(identity).show())

    @app.post("/v1/jobs/{identity}/stop", response_model=Accepted, status_code=202, summary="Stop a job")
    def stop(identity: str) -> Response:
        """After the step it is at; what it did is set back. What takes or restores snapshots, or destroys, goes on."""
        jobs.get(identity).stop()
        return Answer({"job": identity}, 202)

    @app.get("/v1/jobs/{identity}/events", response_class=StreamingResponse, responses=STREAM, summary="Follow a job")
    async def events(identity: str, last_event_id: Annotated[int, Header(ge=0)] = 0) -> Response:
        """Resumes after the event that the header Last-Event-ID names, and ends with the job."""
        job = jobs.get(identity)
        if job.state != "running" and last_event_id >= len(job.events):
            return Response(status_code=204)  # an EventSource, which comes again after each end, then leaves
        stream = jobs.stream(job, last_event_id)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _accepted(jobs: Jobs, title: str, work: Any, stoppable: bool = False) -> Response:
    return Answer({"job": jobs.start(title, work, stoppable).id}, 202)


def _items(desired: Desired, engine: Engine) -> list[Any]:
    """The resources of a request, from whichever of its forms."""
    items: list[Any] = [*desired.resources, *read_documents(desired.text)]
    if desired.create is not None:
        items += resources(read_request(desired.create), engine.site)
    if not items:
        raise Invalid.of([Fault("resources", "the request names no resource")])
    if len(items) > bodies.MOST:
        raise Invalid.of([Fault("text", f"more than {bodies.MOST} resources", "make several requests of them")])
    return items


def _title(items: list[Any]) -> str:
    return _named(
        "apply", [f"{cut(item.get('kind'))} {cut(item.get('name'))}" for item in items if isinstance(item, dict)]
    )


def _named(verb: str, names: list[str]) -> str:
    return f"{verb} {', '.join(names)}" if len(names) <= 3 else f"{verb} {len(names)} resources"


def show_record(record: Resource) -> dict[str, Any]:
    """A record as `apply` accepts it; a password is never in it."""
    return record.model_dump(mode="json")


def show_snapshot(name: str) -> dict[str, Any]:
    """A snapshot of ours, by what its name says."""
    by = "schedule" if name.startswith(f"{retention.SCHEDULED}-") else "hand"
    return {"name": name, "taken": retention.moment(name), "by": by, "version": retention.version(name)}


def show_cell(cell: Cell) -> dict[str, Any]:
    """A cell of plan and drift."""
    return asdict(cell)
