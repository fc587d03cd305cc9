"""gateway: the servers themselves."""

from __future__ import annotations

from .follow import run
from .people import absent
from .problem import usage
from .session import Session
from .shares import change, gateways_table, of_container, remove, show_one
from .text import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

PROTOCOLS = {"2.1": "SMB2_10", "3.0": "SMB3_00", "3.1.1": "SMB3_11"}


def create(session: Session, arguments: Namespace) -> int:
    """Make a gateway."""
    absent(session, "gateway", arguments.name)
    record = {"kind": "gateway", "name": arguments.name, "mode": {"kind": arguments.mode}}
    return change(session, arguments, changed(record, arguments), "creating")


def update(session: Session, arguments: Namespace) -> int:
    """Change a gateway."""
    record = session.client.record("gateway", arguments.name)
    if changed(record, arguments) == record:
        raise usage("update wants at least one change", f"see {session.command('gateway update --help')}")
    return change(session, arguments, changed(record, arguments))


def named(arguments: Namespace) -> dict[str, Any]:
    """The fields that options name, those of the mode apart."""
    names = ("hardened", "allow_guests", "discovery", "workgroup")
    found = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if arguments.minimum_protocol is not None:
        found["minimum_protocol"] = PROTOCOLS[arguments.minimum_protocol]
    return found


def changed(record: dict[str, Any], arguments: Namespace) -> dict[str, Any]:
    """A record with what the options say."""
    kept = record["mode"] if arguments.mode in (None, record["mode"]["kind"]) else {"kind": arguments.mode}
    mode = {**kept, **of_container(arguments)}
    if arguments.address is not None:
        own = {"lxc": "address", "vm": "address" if mode.get("bridge") else "listen"}.get(mode["kind"])
        mode |= {own: arguments.address[-1]} if own else {"addresses": arguments.address}
    if arguments.port is not None:
        mode["port"] = arguments.port
    return {**record, "mode": mode, **named(arguments)}


def start(session: Session, arguments: Namespace) -> int:
    """Let a gateway run."""
    return _enable(session, arguments, True, "starting")


def stop(session: Session, arguments: Namespace) -> int:
    """Stop a gateway until it is started."""
    return _enable(session, arguments, False, "stopping")


def _enable(session: Session, arguments: Namespace, enabled: bool, doing: str) -> int:
    record = {**session.client.record("gateway", arguments.name), "enabled": enabled}
    return run(session, "/v1/apply", {"resources": [record]}, f"{doing} gateway {arguments.name}")


def restart(session: Session, arguments: Namespace) -> int:
    """Start a gateway anew."""
    return run(session, "/v1/gateways/restart", {"gateway": arguments.name}, f"restarting gateway {arguments.name}")


def upgrade(session: Session, arguments: Namespace) -> int:
    """Give a gateway a newer system."""
    body = {"gateway": arguments.name, "template": arguments.template}
    return run(session, "/v1/gateways/upgrade", body, f"upgrading gateway {arguments.name}")


def delete(session: Session, arguments: Namespace) -> int:
    """Delete a gateway."""
    return remove(session, arguments, "gateway")


def show(session: Session, arguments: Namespace) -> int:
    """Print a gateway as `apply` accepts it."""
    return show_one(session, "gateway", arguments.name)


def list_all(session: Session, arguments: Namespace) -> int:
    """List gateways."""
    found = session.client.get("/v1/resources?kind=gateway")
    return session.answer(found, table(gateways_table(found["resources"]), "no gateways"))
