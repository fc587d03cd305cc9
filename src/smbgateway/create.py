"""The short way: a flat request ("a share called docs, natively, from there") as the resources it stands for."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import Fault, Invalid
from .model import parse_source
from .world import World


class CreateRequest(BaseModel):
    """What `create` of the CLI, the wizard and the storage plugin send. Values are checked as those of resources."""

    model_config = ConfigDict(extra="forbid")

    name: str
    mode: Literal["native"] | None = None
    gateway: str | None = None
    source: str | None = None
    path: str | None = None
    quota: str | int | None = None
    access: dict[str, str] = {}
    purpose: str = "general"
    grace: int | None = None
    comment: str = ""
    guest: str | None = None
    encryption: str = "default"
    hidden: bool = False
    addresses: list[str] = []
    port: int | None = None


def read_request(body: object) -> CreateRequest:
    """Validate the outer form. Raises Invalid."""
    try:
        return CreateRequest.model_validate(body)
    except ValidationError as error:
        faults = [Fault(".".join(map(str, d["loc"])), d["msg"]) for d in error.errors()]
        raise Invalid.of(faults) from error


def resources(request: CreateRequest, world: World, node: str) -> list[dict[str, Any]]:
    """The resources of a request: the share, and the gateway where a new one is needed. Raises Invalid."""
    gateway, new = _gateway(request, world, node)
    if any(share.gateway == gateway and share.name == request.name for share in world.shares.values()):
        raise Invalid.of([Fault("name", f"share {request.name} is there already", "change it with update")])
    purpose: dict[str, Any] = {"kind": request.purpose}
    if request.grace is not None:
        purpose["grace"] = request.grace
    share = {
        "kind": "share",
        "name": request.name,
        "gateway": gateway,
        "source": _source(request),
        "quota": request.quota,
        "purpose": purpose,
        **request.model_dump(include={"access", "comment", "guest", "encryption", "hidden"}),
    }
    return [*new, share]


def _source(request: CreateRequest) -> dict[str, str]:
    if bool(request.source) == bool(request.path):
        problem = "both source and path are given" if request.source else "no source is given"
        hint = "one of: --source KIND:SPEC (image:/srv/docs.img, zfs:tank/docs, btrfs:/pool/docs), --path DIRECTORY"
        raise Invalid.of([Fault("source", problem, hint)])
    try:
        return parse_source(request.source) if request.source else {"kind": "directory", "path": str(request.path)}
    except ValueError as error:
        raise Invalid.of([Fault("source", str(error))]) from error


def _gateway(request: CreateRequest, world: World, node: str) -> tuple[str, list[dict[str, Any]]]:
    """The gateway's name, and its resource where it does not exist. Without a name: this node's one native gateway."""
    if request.gateway and request.gateway in world.gateways:
        _refuse_changes(request)
        return request.gateway, []
    mode: dict[str, Any] = {"kind": request.mode or "native", "addresses": request.addresses}
    if request.port is not None:
        mode["port"] = request.port
    here = [gateway.name for gateway in world.gateways.values() if gateway.mode.node == node]
    if not request.gateway and not request.addresses and request.port is None:
        if len(here) == 1:
            return here[0], []
        if here:
            raise Invalid.of([Fault("gateway", "this node has several gateways", f"name one: {', '.join(here)}")])
    name = request.gateway or default_name(node)
    return name, [{"kind": "gateway", "name": name, "mode": mode}]


def default_name(node: str) -> str:
    """The name of a node's native gateway: the node's own, as far as it is one for a gateway."""
    name = re.sub(r"[^a-z0-9-]", "-", node.lower()).strip("-0123456789")
    return name[:40].rstrip("-") or "native"


def _refuse_changes(request: CreateRequest) -> None:
    hint = "change the gateway itself: gateway update"
    given = {"addresses": request.addresses, "port": request.port}
    faults = [Fault(name, f"gateway {request.gateway} exists", hint) for name, value in given.items() if value]
    if faults:
        raise Invalid.of(faults)
