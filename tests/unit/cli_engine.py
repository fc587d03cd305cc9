"""A stand-in for the engine: a unix socket that replays what the real one answered, and keeps what it was asked."""

import json
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SHARE = {
    "name": "docs", "state": "ready", "digest": "974def282a72a4db", "kind": "share", "gateway": "lab",
    "source": {"kind": "image", "path": "/srv/docs.img"}, "quota": 10737418240, "purpose": {"kind": "general"},
    "access": {"office": "write"}, "guest": None, "encryption": "default", "hidden": False, "comment": "",
    "adopted": False,
}  # fmt: skip
USER = {
    "name": "office", "state": "ready", "digest": "309ee522061d63c8", "kind": "user", "enabled": True,
    "full_name": "The office", "uid": 20002, "password_set": 1795431665,
}  # fmt: skip
GROUP = {"name": "staff", "state": "ready", "digest": "aa", "kind": "group", "members": ["office"], "gid": 20003}
GATEWAY = {
    "name": "lab", "state": "ready", "digest": "bb", "kind": "gateway",
    "mode": {"kind": "native", "node": "lab1", "addresses": ["127.0.0.1"], "port": 445}, "hardened": False,
    "minimum_protocol": "SMB3_00", "allow_guests": False, "workgroup": "WORKGROUP", "apple": False, "sid": "",
}  # fmt: skip
ROW = {
    "key": "lab/docs", "name": "docs", "gateway": "lab", "quota": 10737418240, "source": "image:/srv/docs.img",
    "purpose": "general", "state": "ready", "mode": "native", "port": 445, "address": "\\\\127.0.0.1\\docs",
}  # fmt: skip
RESULT: dict[str, Any] = {
    "outcomes": [{"kind": "share", "key": "lab/docs", "outcome": "created"}], "changes": [{"name": "share docs"}],
    "proofs": [], "warnings": [], "kept": [], "addresses": ["\\\\127.0.0.1\\docs"],
}  # fmt: skip
STORY = [
    ("request", "checked", 0.0),
    ("image /srv/docs.img", "created", 1.1),
    ("directory . of gateway lab", "created", 0.0),
    ("smb.conf of gateway lab", "created", 0.01),
    ("smbd of gateway lab", "created", 0.4),
    ("share docs", "created", 0.02),
    ("share docs", "proved: login as office, wrote and read 1 MiB", 0.2),
]
FAILURE = {
    "error": "Failed", "what": "cannot set image /srv/docs.img", "cause": "no space", "hint": "free some",
    "undone": ["directory /srv"], "left": [], "faults": [], "exit_code": 1,
}  # fmt: skip
MISSING = {**FAILURE, "error": "NotFound", "what": "there is no user office", "cause": "", "hint": "", "undone": []}
MISSING["exit_code"] = 4


def stream(*events: tuple[str, dict[str, Any]], first: int = 1) -> str:
    """Server-sent events as the engine sends them."""
    return "".join(
        f"id: {number}\nevent: {kind}\ndata: {json.dumps(body)}\n\n: still here\n\n"
        for number, (kind, body) in enumerate(events, first)
    )


def progress(*steps: tuple[str, str, float]) -> list[tuple[str, dict[str, Any]]]:
    """Events of steps."""
    return [("progress", {"name": name, "outcome": outcome, "seconds": took}) for name, outcome, took in steps]


class Engine:
    """What is answered (by `METHOD target`: a body, status and body, or a list of these), and what was asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers: dict[str, Any] = {"GET /v1/resources/gateway/lab": GATEWAY}
        self.asked: list[tuple[str, Any, dict[str, str]]] = []

    def job(self, *events: tuple[str, dict[str, Any]], target: str = "/v1/apply") -> None:
        """A change that goes so."""
        self.answers[f"POST {target}"] = (202, {"job": "j1"})
        self.answers["GET /v1/jobs/j1/events"] = stream(*events)

    def bodies(self, request: str) -> list[Any]:
        """What was sent with a request."""
        return [body for asked, body, _ in self.asked if asked == request]

    def answer(self, request: str) -> tuple[int, str]:
        """The next answer to a request."""
        found = self.answers.get(request, (404, {**MISSING, "what": f"no answer for {request}"}))
        if isinstance(found, list):
            found = found.pop(0)
        status, body = found if isinstance(found, tuple) else (200, found)
        return status, body if isinstance(body, str) else json.dumps(body)


@contextmanager
def running() -> Iterator[Engine]:
    """A stand-in that listens, in a short directory (a socket's path has at most 107 bytes)."""
    root = Path(tempfile.mkdtemp(prefix="smbgw-cli-"))
    engine = Engine(root)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, target, _ = self.rfile.readline().decode().split()
            headers = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(": ")
                headers[name] = value
            body = self.rfile.read(int(headers["Content-Length"]))
            engine.asked.append((f"{method} {target}", json.loads(body) if body else None, headers))
            status, text = engine.answer(f"{method} {target}")
            if status:  # 0: the connection just ends
                head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
                self.wfile.write((head + text).encode())

    path = root / "run/pve-smbgateway/engine.sock"
    path.parent.mkdir(parents=True)
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
            shutil.rmtree(root)
