"""A browser's way in: TLS to the relay, a password that PAM knows, and an engine that knows who asks."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smbgateway.api import people
from smbgateway.api.relay import USER, relay_ids
from smbgateway.cli.client import Client

from .test_serve import serving
from .world import Site, free_port, site

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "Open-Sesame-1"


def run(*argv: str, stdin: str = "") -> None:
    subprocess.run(argv, input=stdin, text=True, check=True, capture_output=True)


@contextlib.contextmanager
def system_group(name: str) -> Iterator[None]:
    """There while it is needed; what was there before stays."""
    made = subprocess.run(["groupadd", "--system", name], capture_output=True).returncode == 0
    try:
        yield
    finally:
        if made:
            run("groupdel", name)


@pytest.fixture(scope="module")
def person() -> Iterator[str]:
    """A user of the system who may do all."""
    name = f"smbgwtest{secrets.token_hex(3)}"
    with system_group("smbgw-admin"):
        run("useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", "--groups", "smbgw-admin", name)
        try:
            run("chpasswd", stdin=f"{name}:{PASSWORD}\n")
            yield name
        finally:
            run("userdel", name)


@pytest.fixture(scope="module")
def quick_refusal() -> Iterator[None]:
    """PAM's stock modules as they are, but for the wait after a wrong password."""
    file = Path("/etc/pam.d") / people.SERVICE
    former = file.read_text() if file.exists() else None
    file.write_text("auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    try:
        yield
    finally:
        file.unlink() if former is None else file.write_text(former)


@dataclass
class Browser:
    """HTTPS to the relay; what it answers, with its cookie."""

    port: int
    certificate: str
    cookie: str = ""
    form: str = ""

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


@pytest.fixture(scope="module")
def made(area: Path, person: str, quick_refusal: None) -> Iterator[Site]:
    new = relay_ids() is None
    if new:
        run("useradd", "--system", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER)
    try:
        with site(area, "relay") as one:
            yield one
    finally:
        if new:
            run("userdel", USER)


@contextlib.contextmanager
def relaying(made: Site) -> Iterator[tuple[Browser, subprocess.Popen[str]]]:
    """The relay as a process."""
    port = free_port()
    words = [sys.executable, "-m", "smbgateway.cli", "--root", made.paths.root, "web", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        assert process.stdout.readline() == f"relay at https://127.0.0.1:{port}\n"
        yield Browser(port, f"{made.paths.state}/web/certificate.pem"), process
    finally:
        process.kill()
        process.communicate()


def test_a_user_of_the_system_signs_in_and_works_and_others_do_not(made: Site, person: str) -> None:
    with serving(made), relaying(made) as (browser, relay):
        status = Path(f"/proc/{relay.pid}/status").read_text()
        ids = relay_ids()
        assert ids
        assert f"Uid:\t{ids[0]}\t{ids[0]}\t{ids[0]}\t{ids[0]}\n" in status, "it is root no more"
        assert "CapEff:\t0000000000000000\n" in status
        key = os.stat(f"{made.paths.state}/web/key.pem")
        assert (key.st_uid, key.st_mode & 0o777) == (0, 0o600)

        certificate = browser.presented()
        assert ("IP Address", "127.0.0.1") in certificate["subjectAltName"]

        code, error = browser.ask("GET", "/v1/shares")
        assert (code, error["what"]) == (401, "not signed in")
        assert browser.sign_in(person, "wrong") == 401
        assert browser.sign_in(person, PASSWORD) == 200
        assert browser.ask("GET", "/v1/session")[1]["name"] == person
        wanted = {"resources": [{"kind": "user", "name": "alice"}]}
        assert browser.ask("POST", "/v1/apply", wanted, Origin="https://evil.example")[0] == 403
        assert browser.ask("POST", "/v1/apply", wanted, **{"X-CSRF-Token": "no"})[0] == 403
        code, job = browser.ask("POST", "/v1/apply", wanted, Origin=f"https://localhost:{browser.port}")
        assert code == 202
        events = browser.ask("GET", f"/v1/jobs/{job['job']}/events")[1]
        assert "event: done" in events, "server-sent events come by way of the relay"


def test_a_session_and_the_relay_outlive_the_engine(made: Site, person: str) -> None:
    with relaying(made) as (browser, _):
        with serving(made):
            assert browser.sign_in(person, PASSWORD) == 200
        os.unlink(made.paths.socket)
        assert browser.ask("GET", "/v1/shares") == (503, "the engine does not answer\n")
        with serving(made):
            assert browser.ask("GET", "/v1/session")[1]["name"] == person
            token = Client(made.paths.socket).post("/v1/tokens", {"name": "ci", "role": "viewer"})["token"]
            other = Browser(browser.port, browser.certificate)
            assert other.ask("GET", "/v1/shares", Authorization=f"Bearer {token}")[0] == 200


def test_who_tries_many_passwords_is_held_up(made: Site, person: str) -> None:
    codes: list[int] = []
    with serving(made), relaying(made) as (browser, _):
        while 429 not in codes and len(codes) < 12:  # on a slow machine the first waits are over before the next try
            codes.append(browser.sign_in(person, "wrong"))
        assert codes == [401] * (len(codes) - 1) + [429]
        assert browser.sign_in(person, PASSWORD) == 429, "the right one too"
    assert len(codes) > people.FREE_TRIES


def test_a_relay_that_cannot_begin_says_why(made: Site) -> None:
    with relaying(made) as (browser, relay):
        words = [sys.executable, "-m", "smbgateway.cli", "--root", made.paths.root, "web", "--port", str(browser.port)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
        second = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
        assert second.stderr == f"cannot listen at 127.0.0.1:{browser.port}: Address already in use\n"
        assert second.returncode == 3
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(30) == -signal.SIGTERM
