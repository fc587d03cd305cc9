"""HTTP over the engine's unix socket, by hand: http.client alone would double the time the command needs to start.

A request is HTTP/1.0, so the answer ends where the connection does: no chunks, no keep-alive.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

from .problem import FAILED, UNAVAILABLE, Problem, problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE = 900.0  # the engine checks a request before it answers, and a pool that hangs takes its time
SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"


def socket_path(root: str) -> str:
    """Where the engine of an installation listens (as paths.Paths.socket, which is slower to import)."""
    return os.path.join(os.path.abspath(root), "run/pve-smbgateway/engine.sock")


def quote(text: str) -> str:
    """A name as part of a URL (RFC 3986, section 2.1); / stays, keys of shares have one."""
    return "".join(chr(b) if b in SAFE else f"%{b:02X}" for b in text.encode(errors="surrogateescape"))


class Client:
    """Requests to one engine."""

    def __init__(self, path: str, note: Any = None, hint: str = "") -> None:
        self.path, self.hint = path, hint
        self._note = note or (lambda text: None)

    def get(self, target: str, patience: float = PATIENCE) -> dict[str, Any]:
        """The body of an answer. Raises Problem."""
        return self._exchange("GET", target, None, patience)

    def post(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        """The body of an answer. Raises Problem."""
        return self._exchange("POST", target, body, PATIENCE)

    def record(self, kind: str, key: str) -> dict[str, Any]:
        """One resource as `apply` accepts it. Raises Problem."""
        return self.get(f"/v1/resources/{kind}/{quote(key)}")

    def events(self, job: str, beyond: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Number, kind and body of each event of a job after the first `beyond`, as they happen. Raises Problem."""
        return self.follow(f"/v1/jobs/{quote(job)}/events", beyond)

    def follow(self, target: str, beyond: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """The same of any stream. Raises Problem."""
        connection = self._send("GET", target, None, None, {"Last-Event-ID": str(beyond)})
        with connection, connection.makefile("rb") as stream:
            if self._status(stream) >= 400:
                raise Problem(self._parsed(stream.read()))
            yield from read_events(line.decode() for line in stream)

    def _exchange(self, method: str, target: str, body: dict[str, Any] | None, patience: float) -> dict[str, Any]:
        with self._send(method, target, body, patience) as connection, connection.makefile("rb") as stream:
            try:
                status, answer = self._status(stream), self._parsed(stream.read())
            except TimeoutError as error:
                raise self._away(f"no answer within {patience:.0f} s") from error
            except OSError as error:
                raise self._away(str(error)) from error
        if status >= 400:
            raise Problem(answer)
        return answer

    def _send(
        self, method: str, target: str, body: dict[str, Any] | None, patience: float | None,
        headers: dict[str, str] | None = None,
    ) -> socket.socket:  # fmt: skip
        self._note(f"{method} {target}")
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.0", "Host: engine", f"Content-Length: {len(content)}"]
        lines += ["Content-Type: application/json", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(patience)
        try:
            connection.connect(self.path)
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        except OSError as error:
            connection.close()
            nobody = isinstance(error, FileNotFoundError | ConnectionRefusedError)
            raise self._away("it does not run" if nobody else error.strerror or str(error)) from error
        return connection

    def _away(self, cause: str) -> Problem:
        return problem("Unavailable", UNAVAILABLE, f"cannot reach the engine at {self.path}", cause, self.hint)

    def _status(self, stream: Any) -> int:
        """The status of an answer; its headers are read past."""
        first = stream.readline().split(None, 2)
        while stream.readline().strip():
            pass
        if len(first) < 2 or not first[0].startswith(b"HTTP/"):
            raise self._away("it closed the connection without an answer")
        return int(first[1])

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            cause = content[:200].decode(errors="replace").strip() or "the answer is empty"
            raise problem("Failed", FAILED, "the engine answered what is not ours", cause, "see the engine's log")
        return body if "detail" not in body else plain_error(body)


def plain_error(body: dict[str, Any]) -> dict[str, Any]:
    """An error of the web framework (such as an unknown address) in our form."""
    return problem("Failed", FAILED, "the engine refused the request", str(body["detail"])).body


def read_events(lines: Iterator[str]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Server-sent events from their lines (WHATWG HTML, section 9.2.6); comments are dropped."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.rstrip("\r\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield int(fields.get("id", "0")), fields.get("event", "message"), json.loads(fields["data"])
            fields = {}
