"""notify: who is told of shares that fill."""

from __future__ import annotations

import sys
import time

from . import text
from .people import absent, apply
from .problem import usage
from .session import Session
from .shares import remove, show_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

FAILED = 1


def create(session: Session, arguments: Namespace) -> int:
    """Make a receiver."""
    absent(session, "receiver", arguments.name)
    record = {"kind": "receiver", "name": arguments.name, "way": way(arguments), "least": arguments.least}
    if arguments.secret_stdin:
        record["password"] = sys.stdin.readline().rstrip("\r\n")
    return apply(session, record, "creating")


def way(arguments: Namespace) -> dict[str, Any]:
    """The way that options name. Raises Problem."""
    given = {name: getattr(arguments, name) for name in ("sender", "server", "port", "login")}
    if arguments.mail:
        return {"kind": "mail", "to": arguments.mail, "security": arguments.security, **given}
    if strange := [name for name, value in given.items() if value]:
        raise usage(f"--{strange[0]} is of mail only")
    if arguments.webhook:
        return {"kind": "webhook", "url": arguments.webhook}
    return {"kind": "proxmox" if arguments.proxmox else "journal"}


def delete(session: Session, arguments: Namespace) -> int:
    """Delete a receiver."""
    return remove(session, arguments, "receiver")


def show(session: Session, arguments: Namespace) -> int:
    """Print a receiver as `apply` accepts it."""
    return show_one(session, "receiver", arguments.name)


def list_all(session: Session, arguments: Namespace) -> int:
    """List receivers with what waits for them; exit status 1 where one cannot be told."""
    found = session.client.get("/v1/receivers")
    rows = [["NAME", "WAY", "FROM", "WAITING", "STATE"]]
    rows += [[r["name"], r["way"], r["least"], str(r["waiting"]), state(r)] for r in found["receivers"]]
    amiss = any(receiver["failures"] for receiver in found["receivers"])
    return session.answer(found, text.table(rows, "no receivers"), FAILED if amiss else 0)


def state(receiver: dict[str, Any]) -> str:
    """How it stands with a receiver."""
    if not receiver["enabled"]:
        return "disabled"
    if receiver["failures"]:
        again = max(receiver["next"] - time.time(), 0)
        return f"FAILED {text.counted(receiver['failures'], 'time')}: {receiver['error']}; again in {again:.0f} s"
    lost = f"{text.counted(receiver['dropped'], 'notice')} dropped" if receiver["dropped"] else ""
    return ", ".join(part for part in (receiver["error"] or "ok", lost) if part)


def test(session: Session, arguments: Namespace) -> int:
    """Tell receivers that this is a test; exit status 1 where it did not reach one."""
    found = session.client.post("/v1/receivers/test", {"name": arguments.name})
    lines = [text.step(result["name"], result["error"] or "told") for result in found["results"]]
    return session.answer(found, lines, FAILED if any(result["error"] for result in found["results"]) else 0)
