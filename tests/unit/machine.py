"""A machine in memory on which nothing of ours is yet, and an engine on it with its API in this process."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from lab.proxmox import TICKET
from smbgateway.api.app import make
from smbgateway.engine import Engine
from smbgateway.errors import CommandFailed
from smbgateway.host import Host
from smbgateway.jobs import Jobs
from smbgateway.paths import Paths
from smbgateway.store import MemoryStore

ANSWERS = {
    "getent": "",
    "findmnt": "ext4",
    "ss": "",
    "ip": "[]",
}


@dataclass
class EmptyMachine(Host):
    """Directories are there once they are made. Samba is installed and never starts. `done` is what was asked."""

    folders: set[str] = field(default_factory=lambda: {"/srv"})
    done: list[tuple[str, ...]] = field(default_factory=list)

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        self.done.append(argv)
        special: dict[str, Callable[..., str]] = {
            "stat": self._stat, "getfattr": self._absent, "getfacl": self._absent,
            "zfs": self._absent, "zpool": self._absent,
            "smbd": lambda argv: "Version 4.17.12-Debian\n" if "--version" in argv else "MODULESDIR: /usr/lib/samba\n",
            "realpath": lambda argv: argv[-1], "mkdir": self._make, "install": self._make,
        }  # fmt: skip
        return special[argv[0]](argv) if argv[0] in special else ANSWERS.get(argv[0], "")

    def _stat(self, argv: tuple[str, ...]) -> str:
        if "-f" in argv:
            return "1000000 900000 900000 4096"
        if argv[-1] not in self.folders:
            self._absent(argv)
        return argv[1].removeprefix("--printf=").replace("%F", "directory").replace("%u:%g", "0:0").replace("%a", "755")

    def _make(self, argv: tuple[str, ...]) -> str:
        self.folders.add(argv[-1])
        return ""

    @staticmethod
    def _absent(argv: tuple[str, ...]) -> str:
        raise CommandFailed(argv, 1, "No such file or directory: does not exist")

    def read(self, path: str) -> str | None:
        return None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self.done.append(("write", path))


class ProxmoxMachine(EmptyMachine):
    """A node whose containers run commands as it does itself."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[0] == "perl":
            return TICKET
        if argv[0] == "lxc-attach" and "--" in argv:
            return self.run(*argv[argv.index("--") + 1 :], stdin=stdin)
        return super().run(*argv, stdin=stdin, timeout=timeout)


def new_engine(folder: str) -> Engine:
    return Engine(MemoryStore(), Paths(folder), EmptyMachine(), "one")


def as_peer(app: ASGIApp, uid: int | None) -> ASGIApp:
    """The application as the kernel's word on the peer reaches it; None: nobody asked the kernel."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, **({} if uid is None else {"peer_uid": uid})}, receive, send)

    return named


@dataclass
class Api:
    """Requests, and answers as status and body."""

    engine: Engine
    client: TestClient
    jobs: Jobs

    @classmethod
    def of(cls, engine: Engine, uid: int | None = 0) -> "Api":
        app = make(engine)
        return cls(engine, TestClient(as_peer(app, uid), raise_server_exceptions=False), app.state.jobs)

    def forget(self) -> None:
        """A new machine, and nothing known of the old one."""
        site = self.engine.site
        assert isinstance(site.store, MemoryStore)
        assert isinstance(site.host, EmptyMachine)
        site.store.__init__()  # type: ignore[misc]
        site.host.__init__()  # type: ignore[misc]
        self.jobs.__init__()  # type: ignore[misc]
        self.engine.converged.clear()
        shutil.rmtree(site.paths.root)
        os.mkdir(site.paths.root)

    def get(self, path: str, **more: Any) -> tuple[int, Any]:
        answer = self.client.get(path, **more)
        return answer.status_code, answer.json() if answer.content else None

    def post(self, path: str, body: object) -> tuple[int, Any]:
        # Not the client's own JSON: it cannot send half a character.
        answer = self.client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
        return answer.status_code, answer.json()

    def faults(self, path: str, body: object) -> list[str]:
        """Each fault of a refused request as `field: message (hint)`."""
        status, error = self.post(path, body)
        assert status == 422, error
        assert (error["error"], error["exit_code"], error["undone"], error["left"]) == ("Invalid", 2, [], [])
        return [f"{f['field']}: {f['message']}" + (f" ({f['hint']})" if f["hint"] else "") for f in error["faults"]]

    def events(self, job: str, after: int | None = None) -> list[dict[str, str]]:
        """What a listener gets to the end of a job."""
        headers = {} if after is None else {"last-event-id": str(after)}
        answer = self.client.get(f"/v1/jobs/{job}/events", headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        blocks = (block for block in answer.text.split("\n\n") if block and not block.startswith(":"))
        return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]

    def run(self, path: str, body: object) -> dict[str, Any]:
        """A job to its end."""
        status, accepted = self.post(path, body)
        assert status == 202, accepted
        self.events(accepted["job"])
        return dict(self.get(f"/v1/jobs/{accepted['job']}")[1])
