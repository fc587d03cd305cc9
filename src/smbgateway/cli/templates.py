"""template: what containers and virtual machines are made of."""

from __future__ import annotations

import os
import time

from .follow import run
from .session import Session
from .text import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


def build(session: Session, arguments: Namespace) -> int:
    """Build one."""
    body: dict[str, Any] = {"suite": arguments.suite, "mode": arguments.mode}
    for name in ("mirror", "security"):
        if url := getattr(arguments, name) or os.environ.get(f"PVE_SMBGATEWAY_{name.upper()}"):
            body[name] = "" if url == "none" else url
    if arguments.output:
        body["output"] = os.path.abspath(arguments.output)
    return run(session, "/v1/templates", body, f"building a template of {arguments.suite}")


def bring(session: Session, arguments: Namespace) -> int:
    """Make one of a file."""
    return run(
        session,
        "/v1/templates",
        {"file": os.path.abspath(arguments.file), "mode": arguments.mode},
        f"importing {arguments.file}",
    )


def list_all(session: Session, arguments: Namespace) -> int:
    """List templates."""
    found = session.client.get("/v1/templates")
    rows = [["NAME", "MODE", "SAMBA", "MADE", "GATEWAYS"]]
    for each in found["templates"]:
        made = time.strftime("%Y-%m-%d", time.localtime(each["made"]))
        rows.append([each["name"], each["mode"], each["samba"] or "?", made, ", ".join(each["gateways"]) or "-"])
    return session.answer(found, table(rows, "no templates: make one with template build"))
