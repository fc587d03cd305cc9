"""snapshot: take, list, delete, restore."""

from __future__ import annotations

import time

from . import text
from .client import quote
from .follow import run
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


def create(session: Session, arguments: Namespace) -> int:
    """Take one."""
    share = arguments.name
    return run(session, "/v1/snapshots/create", {"share": share}, f"taking a snapshot of share {share}")


def list_all(session: Session, arguments: Namespace) -> int:
    """List those of a share, oldest first; times are local ones."""
    found = session.client.get(f"/v1/snapshots/{quote(arguments.name)}")
    rows = [["NAME", "TAKEN", "BY"]]
    for one in found["snapshots"]:
        rows.append([one["name"], time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one["taken"])), one["by"]])
    return session.answer(found, text.table(rows, "no snapshots"))


def delete(session: Session, arguments: Namespace) -> int:
    """Delete one."""
    return _named(session, arguments, "delete", "deleting")


def restore(session: Session, arguments: Namespace) -> int:
    """Put the data of a share back to one."""
    return _named(session, arguments, "restore", "restoring")


def _named(session: Session, arguments: Namespace, verb: str, doing: str) -> int:
    body = {"share": arguments.name, "name": arguments.snapshot}
    title = f"{doing} snapshot {arguments.snapshot} of share {arguments.name}"
    return run(session, f"/v1/snapshots/{verb}", body, title)
