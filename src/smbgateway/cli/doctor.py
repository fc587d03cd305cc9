"""doctor: what the gateways need on this machine; works without the engine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator

from .. import __version__
from ..checkup import checkup, mend
from ..finding import Finding
from ..host import Node
from ..installation import this_node
from ..owners import explain
from ..paths import Paths
from ..store import FileStore
from ..world import World
from .problem import UNAVAILABLE, Problem
from .session import Session
from .text import clean, counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

BRIEF = 5.0  # seconds for an engine to say that it is there
FEW = 3  # names of what differs: status has them all
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def run(session: Session, arguments: Namespace) -> int:
    """Check everything; exit status 3 where something needed is away."""
    if arguments.owner is not None:
        return owner(session, arguments.owner)
    found = [*mended(session, arguments.fix), *look(session)]
    failed = any(each.state == "fail" for each in found)
    body = {"findings": [vars(each) for each in found]}
    lines = [each for finding in found for each in told(finding)]
    return session.answer(body, [*lines, verdict(found)], UNAVAILABLE if failed else 0)


def owner(session: Session, number: int) -> int:
    """Who a number is; exit status 1 where it is none of ours."""
    told = explain(World.of(FileStore(Paths(os.path.abspath(session.root)))), number)
    lines = told or [f"{number} is no number of a gateway: getent passwd {number}"]
    return session.answer({"owner": number, "told": told}, lines, 0 if told else 1)


def mended(session: Session, wanted: bool) -> Iterator[Finding]:
    """What could be set right, with --fix."""
    if wanted and not os.geteuid():
        yield from mend(Paths(os.path.abspath(session.root)), Node(), this_node())


def look(session: Session) -> Iterator[Finding]:
    """All findings: of the machine, of what lies on it, of the engine."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "an unknown system")
    yield Finding("machine", "ok", f"pve-smbgateway {__version__}, Python {sys.version.split()[0]}, {system}")
    if os.geteuid():
        yield Finding("machine", "fail", "not root", "all that is to be looked at is root's alone: use sudo")
        return
    try:
        version, away = session.client.get("/v1/version", BRIEF), None
    except Problem as error:
        version, away = {}, error.body
    yield from checkup(Paths(os.path.abspath(session.root)), Node(), version.get("node") or this_node())
    if away:
        yield Finding("engine", "fail", f"{away['what']}: {away['cause']}", away["hint"])
    else:
        yield from engine(session, version)


def engine(session: Session, version: dict[str, Any]) -> Iterator[Finding]:
    """Whether the engine is of this version, and what it says of its gateways."""
    if version["version"] == __version__:
        yield Finding("engine", "ok", f"engine {__version__} on node {version['node']}")
    else:
        what = f"the engine is version {version['version']}, this command {__version__}"
        yield Finding("engine", "warn", what, "restart it: systemctl restart pve-smbgateway")
    for gateway in session.client.get("/v1/status")["gateways"]:
        if gateway["drift"]:
            names = ", ".join(cell["name"] for cell in gateway["drift"][:FEW])
            count = counted(len(gateway["drift"]), "thing")
            what = f"gateway {gateway['name']}: {count} not as recorded: {names}"
            yield Finding("engine", "warn", what, f"look: {session.command('status')}")


def told(finding: Finding) -> list[str]:
    """For a person: what was found, and below it what to do."""
    hint = [f"{'':<6}{clean(finding.hint)}"] if finding.hint else []
    return [f"{MARKS[finding.state]}  {clean(finding.text)}", *hint]


def verdict(found: Iterable[Finding]) -> str:
    """The last line."""
    states = [each.state for each in found]
    failed, warned = states.count("fail"), states.count("warn")
    if failed:
        return f"{failed} to mend before shares can be served"
    return f"ready, {warned} to know of" if warned else "all is well"
