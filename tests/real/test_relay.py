"""A browser's way in: TLS to the relay, a password that PAM knows, and an engine that knows who asks."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbgateway.api import people
from smbgateway.api.relay import relay_ids
from smbgateway.cli.client import Client

from .browsing import Browser, command, environment, member, quick_refusals, relay_user, relaying, serving
from .world import PASSWORD, Site, site


@pytest.fixture(scope="module")
def person() -> Iterator[str]:
    """A user of the system who may do all."""
    with member("smbgw-admin") as name:
        yield name


@pytest.fixture(scope="module")
def made(area: Path, person: str) -> Iterator[Site]:
    with quick_refusals(), relay_user(), site(area, "relay") as one:
        yield one


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
        words = command(made, "web", "--port", str(browser.port))
        second = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=60)
        assert second.stderr == f"cannot listen at 127.0.0.1:{browser.port}: Address already in use\n"
        assert second.returncode == 3
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(30) == -signal.SIGTERM
