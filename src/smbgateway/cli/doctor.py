"""doctor: what the gateway needs on this machine; works without the engine."""

from __future__ import annotations

import glob
import os
import shutil
import sys
from collections.abc import Iterable, Iterator

from .. import __version__
from ..host import ENVIRONMENT, PACKAGES
from ..paths import Paths
from .problem import UNAVAILABLE, Problem
from .session import Session
from .text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

NEEDED = ("smbd", "net", "pdbedit", "smbclient", "tdbbackup", "setfacl", "setfattr", "nsenter")
OPTIONAL = {"mkfs.xfs": "image sources", "btrfs": "btrfs sources", "zfs": "zfs sources"}
LIBRARIES = {  # one file of each, where Debian's packages put it
    "samba-vfs-modules": "/usr/lib/*/samba/vfs/acl_xattr.so",
    "libnss-extrausers": "/usr/lib*/**/libnss_extrausers.so.2",
    "samba (samba-dcerpcd)": "/usr/lib*/**/samba-dcerpcd",
}
MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


class Finding:
    """One line of the doctor's: `ok`, `warn` (something will not work) or `fail` (nothing will)."""

    def __init__(self, state: str, text: str, hint: str = "") -> None:
        self.state, self.text, self.hint = state, text, hint

    def line(self) -> str:
        """For a person."""
        return f"{MARKS[self.state]}  {clean(self.text)}" + (f": {clean(self.hint)}" if self.hint else "")


def run(session: Session, arguments: Namespace) -> int:
    """Check everything; exit status 3 where something needed is away."""
    found = [*machine(), *programs(), *libraries(), *store(Paths(session.root)), *engine(session)]
    body = {"findings": [{"state": each.state, "text": each.text, "hint": each.hint} for each in found]}
    failed = any(each.state == "fail" for each in found)
    return session.answer(body, [*(each.line() for each in found), verdict(found)], UNAVAILABLE if failed else 0)


def verdict(found: Iterable[Finding]) -> str:
    """The last line."""
    states = [each.state for each in found]
    failed, warned = states.count("fail"), states.count("warn")
    if failed:
        return f"{failed} to mend before shares can be served"
    return f"ready, {warned} to know of" if warned else "all is well"


def machine() -> Iterator[Finding]:
    """Who runs this, and on what."""
    yield Finding("ok", f"pve-smbgateway {__version__}, Python {sys.version.split()[0]}")
    if os.geteuid():
        yield Finding("fail", "not root", "the engine's socket is root's alone: use sudo")


def programs() -> Iterator[Finding]:
    """Each program that is run, in the path that the engine uses."""
    for name in (*NEEDED, *OPTIONAL):
        where = shutil.which(name, path=ENVIRONMENT["PATH"])
        use = f", for {OPTIONAL[name]}" if name in OPTIONAL else ""
        state = "warn" if name in OPTIONAL else "fail"
        yield (
            Finding("ok", f"{name}{use}")
            if where
            else Finding(state, f"{name} is not installed{use}", f"apt install {PACKAGES[name]}")
        )


def libraries() -> Iterator[Finding]:
    """What Samba loads."""
    for name, pattern in LIBRARIES.items():
        if any(glob.iglob(pattern, recursive=True)):
            yield Finding("ok", name)
        else:
            yield Finding("fail", f"{name} is not installed", f"apt install {name.split()[0]}")


def store(paths: Paths) -> Iterator[Finding]:
    """Whether records can be written; made by the engine's first start."""
    for name, folder in (("records", paths.config), ("secrets", paths.priv), ("state", paths.state)):
        made = folder
        while not os.path.exists(made):
            made = os.path.dirname(made)
        if os.access(made, os.W_OK):
            yield Finding("ok", f"{name} in {folder}" + ("" if made == folder else " (not made yet)"))
        else:
            yield Finding("fail", f"{made} cannot be written", "on Proxmox VE: without quorum (pvecm status)")


def engine(session: Session) -> Iterator[Finding]:
    """Whether the engine answers, and is of this version."""
    try:
        found: dict[str, Any] = session.client.get("/v1/version", 5.0)
    except Problem as error:
        yield Finding("fail", f"{error.body['what']}: {error.body['cause']}", error.body["hint"])
        return
    if found["version"] == __version__:
        yield Finding("ok", f"engine {found['version']} on node {found['node']}, Samba {found['samba'] or 'unknown'}")
    else:
        hint = "restart it: systemctl restart pve-smbgateway"
        yield Finding("warn", f"the engine is version {found['version']}, this command {__version__}", hint)
