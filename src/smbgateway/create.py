"""The short way: a flat request ("a share called docs, natively, from there") as the resources it stands for."""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import Fault, GatewayError, Invalid, NotFound
from .installation import Installation
from .model import examine, explained, parse_source
from .places import at, offers
from .proxmox.storages import Storages
from .sizes import show_size
from .world import World

CONTAINER = ("bridge", "router", "vlan", "mtu", "memory", "swap", "cores")  # fields of a guest


class CreateRequest(BaseModel):
    """What `create` of the CLI, the wizard and the storage plugin send. Values are checked as those of resources."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str
    mode: Literal["native", "lxc", "vm"] | None = None
    gateway: str | None = None
    source: str | None = None
    path: str | None = None
    quota: str | int | None = None
    snapshots: dict[str, Any] = {}
    access: dict[str, str] = {}
    purpose: str = "general"
    grace: int | None = None
    comment: str = ""
    guest: str | None = None
    encryption: str = "default"
    hidden: bool = False
    storage: bool = False
    addresses: list[str] = []
    port: int | None = None
    bridge: str | None = None
    router: str | None = None
    vlan: int | None = None
    mtu: int | None = None
    memory: str | int | None = None
    swap: str | int | None = None
    cores: int | None = None


def read_request(body: object) -> CreateRequest:
    """Validate the outer form. Raises Invalid."""
    try:
        request = CreateRequest.model_validate(body)
    except ValidationError as error:
        faults = [explained(detail, CreateRequest, detail["loc"]) for detail in error.errors()]
    else:
        return request
    raise Invalid.of(faults)


def resources(request: CreateRequest, site: Installation) -> list[dict[str, Any]]:
    """The resources of a request: the share, and the gateway where a new one is needed.

    Raises Invalid with every fault that can be told at this point, those of the share's own fields included.
    """
    faults: list[Fault] = []
    world = site.world()
    gateway, new = _gateway(request, world, site.node, faults)
    source = _source(request, site, faults)
    if f"{gateway}/{request.name}" in world.shares:
        faults.append(Fault("name", f"share {request.name} is there already", "change it with update"))
    share: dict[str, Any] = {"kind": "share", "name": request.name, "gateway": gateway, "source": source}
    share |= {"quota": request.quota, "purpose": _purpose(request)}
    share |= request.model_dump(include={"snapshots", "access", "comment", "guest", "encryption", "hidden", "storage"})
    if faults:
        known = {f"share.{request.name}.source", f"share.{request.name}.gateway"}
        _, more = examine([share])
        raise Invalid.of([*faults, *(f for f in more if not f.field.startswith(tuple(known)))])
    return [*new, share]


def _purpose(request: CreateRequest) -> dict[str, Any]:
    return {"kind": request.purpose} | ({} if request.grace is None else {"grace": request.grace})


def _source(request: CreateRequest, site: Installation, faults: list[Fault]) -> dict[str, str]:
    if bool(request.source) == bool(request.path):
        both = request.source and "both source and path are given"
        faults.append(Fault("source", both or "no source is given", _proposal(request, site)))
        return {}
    try:
        place = request.source or at(site.host, str(request.path), request.quota is not None)
        return _on_node(request, site, parse_source(place))
    except ValueError as error:
        faults.append(Fault("source", str(error)))
    except GatewayError as error:
        faults.append(Fault("source", error.reason, error.hint))
    return {}


def _on_node(request: CreateRequest, site: Installation, source: dict[str, str]) -> dict[str, str]:
    """The source; of a storage of Proxmox VE, where the gateway is native, the place on the node that it stands for."""
    if source["kind"] != "storage" or _mode_of(request, site) != "native" or site.proxmox is None:
        return source
    storages = Storages(site.proxmox)
    known = ", ".join(storages.all())
    if source["storage"] not in storages.all():
        raise NotFound(f"this node has no storage {source['storage']}", hint=f"it has {known}")
    place = storages.place(source["storage"], request.name, request.quota is not None)
    return parse_source(place) if place else source


def _mode_of(request: CreateRequest, site: Installation) -> str:
    """The mode of the gateway that the share will have."""
    gateway = site.world().gateways.get(request.gateway or "")
    return gateway.mode.kind if gateway else request.mode or "native"


def _proposal(request: CreateRequest, site: Installation) -> str:
    """The places with most free space; that of the root disk is only a form to fill in."""
    mode, known = _mode_of(request, site), offers(site.host, site.paths.roots, request.name, site.proxmox)
    fitting = [offer for offer in known if mode in offer.modes]
    found = [f"{o.source} ({show_size(o.free)} free, {o.where})" for o in fitting[:3]]
    forms = "--source KIND:SPEC (image:/srv/docs.img, zfs:tank/docs, btrfs:/pool/docs), --path DIRECTORY"
    return (
        f"most space is at {', '.join(found)}: --source KIND:SPEC, or --path DIRECTORY" if found else f"one of: {forms}"
    )


def _gateway(request: CreateRequest, world: World, node: str, faults: list[Fault]) -> tuple[str, list[dict[str, Any]]]:
    """The gateway's name, and its resource where it does not exist. Without a name: this node's one native gateway."""
    if request.gateway and request.gateway in world.gateways:
        faults += _changes(request)
        return request.gateway, []
    if request.mode in ("lxc", "vm"):  # one isolated server for each share, unless a gateway is named
        name = request.gateway or _name(request.name) or "smb"
        if name in world.gateways:
            faults.append(Fault("gateway", f"gateway {name} exists", "add the share to it, or name another: --gateway"))
        return name, [{"kind": "gateway", "name": name, "mode": _mode(request)}]
    here = [g.name for g in world.gateways.values() if g.mode.node == node and g.mode.kind == "native"]
    if not request.gateway and not request.addresses and request.port is None:
        if len(here) == 1:
            return here[0], []
        if here:
            faults.append(Fault("gateway", "this node has several gateways", f"name one: {', '.join(here)}"))
    name = request.gateway or default_name(node)
    return name, [{"kind": "gateway", "name": name, "mode": _mode(request)}]


def _mode(request: CreateRequest) -> dict[str, Any]:
    """The mode of a new gateway; what does not belong to it is told by the model."""
    mode: dict[str, Any] = {"kind": request.mode or "native", **_given(request)}
    if request.mode in ("lxc", "vm"):
        own = "listen" if request.mode == "vm" and request.bridge is None else "address"
        return mode | ({own: request.addresses[0]} if len(request.addresses) == 1 else {})
    return mode | {"addresses": request.addresses}


def _given(request: CreateRequest) -> dict[str, Any]:
    fields = request.model_dump(include={"port", *CONTAINER})
    return {name: value for name, value in fields.items() if value is not None}


def default_name(node: str) -> str:
    """The name of a node's native gateway: the node's own, as far as it is one for a gateway."""
    return _name(node) or "native"


def _name(word: str) -> str:
    """A word as the name of a gateway, as far as it is one."""
    return re.sub(r"[^a-z0-9-]", "-", word.lower()).lstrip("-0123456789")[:40].rstrip("-")


def _changes(request: CreateRequest) -> list[Fault]:
    hint = "change the gateway itself: gateway update"
    given = {"addresses": request.addresses, **_given(request)}
    return [Fault(name, f"gateway {request.gateway} exists", hint) for name, value in given.items() if value]
