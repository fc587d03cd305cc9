"""The way of browsers into an installation: accounts of the system, an engine and a relay as processes of their own."""

import contextlib
import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smbgateway.api import people
from smbgateway.api.relay import USER, relay_ids

from .world import PASSWORD, Site, free_port

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*argv: str, stdin: str = "") -> None:
    subprocess.run(argv, input=stdin, text=True, check=True, capture_output=True)


def command(site: Site, *words: str) -> list[str]:
    return [sys.executable, "-m", "smbgateway.cli", "--root", site.paths.root, *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}


def start(site: Site, *words: str) -> subprocess.Popen[str]:
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command(site, *words), env=environment(), text=True, **output)  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def serving(made: Site, *said: str) -> Iterator[subprocess.Popen[str]]:
    """An engine of its own process that says it is up, after what it has to say of the former one."""
    process = start(made, "serve", "--node", made.node)
    assert process.stdout
    try:
        for line in (*said, f"engine of node {made.node} at {made.paths.socket}"):
            assert process.stdout.readline() == f"{line}\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def system_group(name: str) -> Iterator[None]:
    """There while it is needed; what was there before stays."""
    made = subprocess.run(["groupadd", "--system", name], capture_output=True).returncode == 0
    try:
        yield
    finally:
        if made:
            run("groupdel", name)


@contextlib.contextmanager
def member(group: str) -> Iterator[str]:
    """A user of the system in one of our groups, whose password is PASSWORD."""
    name = f"smbgwtest{secrets.token_hex(3)}"
    with system_group(group):
        run("useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", "--groups", group, name)
        try:
            run("chpasswd", stdin=f"{name}:{PASSWORD}\n")
            yield name
        finally:
            run("userdel", name)


@contextlib.contextmanager
def quick_refusals() -> Iterator[None]:
    """PAM's stock modules as they are, but for the wait after a wrong password."""
    file = Path("/etc/pam.d") / people.SERVICE
    former = file.read_text() if file.exists() else None
    file.write_text("auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    try:
        yield
    finally:
        file.unlink() if former is None else file.write_text(former)


@contextlib.contextmanager
def relay_user() -> Iterator[None]:
    """Whom the relay runs as."""
    new = relay_ids() is None
    if new:
        run("useradd", "--system", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER)
    try:
        yield
    finally:
        if new:
            run("userdel", USER)


@dataclass
class Browser:
    """HTTPS to the relay; what it answers, with its cookie."""

    port: int
    certificate: str
    cookie: str = ""
    form: str = ""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def open(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=self.certificate)
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=context)

    def presented(self) -> Any:
        """The certificate of the relay."""
        with contextlib.closing(self.open()) as connection:
            connection.connect()
            return connection.sock.getpeercert()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        with contextlib.closing(self.open()) as connection:
            sent = {"Cookie": self.cookie, "X-CSRF-Token": self.form, "Content-Type": "application/json", **headers}
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            answer = connection.getresponse()
            self.cookie = (answer.headers["Set-Cookie"] or self.cookie).partition(";")[0]
            content = answer.read()
            return answer.status, json.loads(content) if content.startswith(b"{") else content.decode()

    def sign_in(self, name: str, password: str) -> int:
        status, body = self.ask("POST", "/v1/session", {"name": name, "password": password})
        self.form = body.get("form", "")
        return status


@contextlib.contextmanager
def relaying(made: Site) -> Iterator[tuple[Browser, subprocess.Popen[str]]]:
    """The relay as a process."""
    port = free_port()
    process = start(made, "web", "--port", str(port))
    assert process.stdout
    try:
        assert process.stdout.readline() == f"relay at https://127.0.0.1:{port}\n"
        yield Browser(port, f"{made.paths.state}/web/certificate.pem"), process
    finally:
        process.kill()
        process.communicate()
