"""token: what programs use the API with."""

from __future__ import annotations

import time

from .session import Session
from .text import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


def create(session: Session, arguments: Namespace) -> int:
    """Make one, and print it."""
    made = session.client.post("/v1/tokens", {"name": arguments.name, "role": arguments.role})
    return session.answer(made, [made["token"]])


def list_all(session: Session, arguments: Namespace) -> int:
    """List tokens."""
    found = session.client.get("/v1/tokens")
    rows = [["NAME", "ROLE", "MADE"]]
    rows += [[t["name"], t["role"], time.strftime("%Y-%m-%d", time.localtime(t["made"]))] for t in found["tokens"]]
    return session.answer(found, table(rows, "no tokens: make one with token create"))


def delete(session: Session, arguments: Namespace) -> int:
    """Delete one."""
    left = session.client.post("/v1/tokens/delete", {"name": arguments.name})
    return session.answer(left, [f"deleted token {arguments.name}"])
