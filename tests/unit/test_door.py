"""Who gets in by way of the relay, how, and to what; who is kept out, and with which words."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from smbgateway.api import guard, pages, people
from smbgateway.api.app import make
from smbgateway.api.people import NotSignedIn, Patience, People, TooOften
from smbgateway.api.tokens import Tokens
from smbgateway.engine import Engine
from smbgateway.errors import CommandFailed, CommandMissing, Conflict, NotFound, Unavailable
from smbgateway.host import Host
from smbgateway.paths import Paths
from smbgateway.store import MemoryStore

from .machine import EmptyMachine, as_peer, new_engine

RELAY = 990
PASSWORDS = {"ann": ("Open-Sesame-1", "users\nsmbgw-admin\n"), "vic": ("Look-Only-22", "smbgw-viewer\n")}
PASSWORDS |= {"bob": ("Nobody-Knows-3", "users\n"), "root": ("Top-Secret-44", "root\n")}
USER = {"kind": "user", "name": "alice"}


class Pam(EmptyMachine):
    """A machine with users: the program that asks PAM answers of them."""

    files: dict[str, str] = {}

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if people.PROGRAM not in argv:
            return super().run(*argv, stdin=stdin, timeout=timeout)
        self.done.append(argv)
        password, groups = PASSWORDS.get(argv[-1], ("", ""))
        if not password or stdin != password:
            raise CommandFailed(argv, 1, "Authentication failure")
        return groups

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        assert mode == 0o600 or not path.endswith("sessions.json")
        self.files[path] = text


class Browser:
    """A client of the relay, which keeps its cookie."""

    def __init__(self, app: Any) -> None:
        self.client = TestClient(as_peer(app, RELAY), base_url="https://gw", raise_server_exceptions=False)
        self.form = ""

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.request(method, path, json=body, headers={"x-csrf-token": self.form, **named})
        return answer.status_code, answer.json() if answer.content else None

    def sign_in(self, name: str, password: str = "") -> tuple[int, Any]:
        credentials = {"name": name, "password": password or PASSWORDS[name][0]}
        status, body = self.ask("POST", "/v1/session", credentials)
        self.form = body.get("form", "")
        return status, body


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("smbgateway.api.door.relay_ids", lambda: (RELAY, RELAY))
    Pam.files = {}
    return make(Engine(MemoryStore(), Paths(str(tmp_path)), Pam(), "one"))


@pytest.fixture
def browser(app: Any) -> Browser:
    return Browser(app)


def test_a_stranger_gets_nothing_but_the_way_in(browser: Browser) -> None:
    for method, path in (("GET", "/v1/shares"), ("GET", "/v1/pony"), ("POST", "/v1/apply"), ("POST", "/nope")):
        status, error = browser.ask(method, path, {})
        assert (status, error["error"], error["what"]) == (401, "NotSignedIn", "not signed in")
        assert error["hint"] == "POST /v1/session with name and password"
    assert browser.ask("GET", "/v1/session")[0] == 401
    assert browser.ask("POST", "/v1/session", {"name": "a" * 70_000})[1]["what"] == "the request is larger than 64 KiB"


def test_only_the_relay_brings_strangers(app: Any) -> None:
    for uid in (RELAY + 1, None):
        other = TestClient(as_peer(app, uid), base_url="https://gw")
        for path in ("/v1/session", "/v1/shares", "/openapi.json"):
            answer = other.get(path)
            assert (answer.status_code, answer.json()["cause"]) == (403, "the caller is neither root nor the relay")


def test_an_administrator_signs_in_changes_something_and_signs_out(
    browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert browser.sign_in("ann") == (200, {"name": "ann", "role": "admin", "form": browser.form})
    assert len(browser.form) == 64
    assert browser.ask("GET", "/v1/session") == (200, {"name": "ann", "role": "admin", "form": browser.form})
    assert browser.ask("POST", "/v1/apply", {"resources": [USER]})[0] == 202
    assert browser.ask("DELETE", "/v1/session") == (204, None)
    assert browser.ask("GET", "/v1/shares")[0] == 401
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "audit: nobody POST '/v1/session'",
        "audit: ann POST '/v1/apply'",
        "audit: ann DELETE '/v1/session'",
    ]


def test_the_cookie_is_for_this_site_alone_and_no_script_reads_it(browser: Browser) -> None:
    answer = browser.client.post("/v1/session", json={"name": "ann", "password": PASSWORDS["ann"][0]})
    first, *rest = answer.headers["set-cookie"].split("; ")
    assert first.startswith("__Host-smbgw=")
    assert sorted(rest) == ["HttpOnly", "Path=/", "SameSite=strict", "Secure"]
    token = first.partition("=")[2]
    assert token not in json.dumps(Pam.files), "what is kept of it opens nothing"
    assert token not in answer.text


def test_another_sites_page_changes_nothing(browser: Browser) -> None:
    browser.sign_in("ann")
    for origin in ("https://evil.example", "https://gw.evil.example", "null", "https://gw:8445"):
        status, error = browser.ask("POST", "/v1/apply", {"resources": [USER]}, origin=origin)
        assert (status, error["cause"]) == (403, f"the page that asks is of {origin}")
    for form in ("", "0" * 64, "é"):
        answer = browser.client.post("/v1/apply", json={}, headers={"x-csrf-token": form.encode()})
        assert (answer.status_code, answer.json()["cause"]) == (
            403,
            "the header x-csrf-token is not that of the session",
        )
    assert browser.ask("POST", "/v1/apply", {"resources": [USER]}, origin="https://gw")[0] == 202
    stranger = {"name": "ann", "password": PASSWORDS["ann"][0]}
    assert browser.ask("POST", "/v1/session", stranger, origin="https://evil.example")[0] == 403


def test_who_may_look_changes_nothing(browser: Browser) -> None:
    assert browser.sign_in("vic")[1]["role"] == "viewer"
    assert browser.ask("GET", "/v1/shares") == (200, {"shares": []})
    for path in ("/v1/apply", "/v1/tokens", "/v1/remove"):
        status, error = browser.ask("POST", path, {})
        assert (status, error["cause"]) == (403, "vic may look, and change nothing")
    assert browser.ask("DELETE", "/v1/session")[0] == 204


def test_who_is_not_let_in(browser: Browser) -> None:
    for name, password in (
        ("ann", "wrong"),
        ("nobody-such", "x"),
        ("-h", "x"),
        ("", "x"),
        ("ann", "a\0b"),
    ):
        status, error = browser.sign_in(name, password)
        assert (status, error["what"]) == (401, "wrong name or password")
    status, error = browser.sign_in("bob")
    assert (status, error["what"]) == (403, "bob may not use this gateway")
    assert error["hint"] == "one of these groups lets in: smbgw-admin, smbgw-viewer (adduser bob smbgw-admin)"
    assert browser.ask("GET", "/v1/shares")[0] == 401
    assert browser.sign_in("root")[1]["role"] == "admin"


@pytest.mark.parametrize(("name", "password"), [("ann", "\ud800"), ("a\udfffn", "x"), ("a\0n", "x")])
def test_what_no_process_can_be_given(name: str, password: str) -> None:
    host = Pam()
    with pytest.raises(NotSignedIn, match="wrong name or password"):
        People(host, "/run/none").sign_in(name, password)
    assert host.done == []


def test_only_root_itself_names_further_directories(browser: Browser) -> None:
    body = {"resources": [USER], "options": {"allow_paths": ["/data"]}}
    for name in ("ann", "root"):
        browser.sign_in(name)
        for path in ("/v1/plan", "/v1/apply", "/v1/remove"):
            asked = {"targets": [USER], "options": body["options"]} if path == "/v1/remove" else body
            status, error = browser.ask("POST", path, asked)
            assert (status, error["cause"]) == (403, "only root may name further directories (allow_paths)")


def test_many_wrong_passwords_are_waited_for(browser: Browser) -> None:
    assert [browser.sign_in("ann", "wrong")[0] for _ in range(4)] == [401, 401, 401, 429]
    status, error = browser.sign_in("ann")
    assert (status, error["what"]) == (429, "too many wrong passwords"), "the right one too"
    assert error["hint"].startswith("try again in ")
    assert browser.sign_in("vic")[0] == 200


def test_a_wait_grows_ends_and_is_forgotten() -> None:
    now = 0.0
    patience = Patience(lambda: now)
    waits = []
    for _ in range(13):
        patience.count("ann")
        with_wait = patience._wrong["ann"][1] - now
        waits.append(with_wait)
        now += max(with_wait, 0.0)
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    patience.count("ann")
    with pytest.raises(TooOften, match="too many wrong passwords"):
        patience.count("ann")
    patience.forget("ann")
    patience.count("ann")


def test_names_that_an_attacker_thinks_of_take_no_room() -> None:
    patience = Patience(lambda: 0.0)
    for number in range(3 * people.MOST):
        patience.count(f"user{number}")
    assert len(patience._wrong) <= people.MOST


def test_a_session_ends_unused_or_old_and_outlives_the_engine() -> None:
    now = 1000.0
    host: Host = Pam()
    Pam.files = {}
    people_ = People(host, "/run/sessions.json", lambda: now)
    token, _ = people_.sign_in("ann", PASSWORDS["ann"][0])
    again = People(host, "/run/sessions.json", lambda: now)
    assert again.find(token) is not None
    now += people.IDLE - 1
    assert people_.find(token) is not None
    now += people.IDLE - 1
    assert people_.find(token) is not None, "it was used"
    now += people.IDLE
    assert people_.find(token) is None
    token, _ = people_.sign_in("ann", PASSWORDS["ann"][0])
    for _ in range(int(people.LONGEST / 1000)):
        assert people_.find(token) is not None
        now += 1000
    now += 1000
    assert people_.find(token) is None, "used all the time, and too old"
    assert again.find("") is None


PAMPY = "python3-pampy is not installed"


@pytest.mark.parametrize(
    ("error", "what", "hint"),
    [
        (CommandFailed(["x"], 2, PAMPY), PAMPY, "apt install python3-pampy"),
        (CommandFailed(["x"], -1, "no answer within 30 s"), "PAM gave no answer for ann", ""),
        (CommandMissing("/usr/bin/python3", None), "passwords cannot be checked", ""),
    ],
)
def test_a_system_that_cannot_answer(error: Exception, what: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*argv: str, **more: object) -> str:
        raise error

    host = Pam()
    monkeypatch.setattr(host, "run", fails)
    with pytest.raises(Unavailable) as caught:
        People(host, "/run/x").sign_in("ann", "secret")
    assert (caught.value.what, caught.value.hint) == (what, hint)


def test_no_more_than_a_few_passwords_are_checked_at_a_time() -> None:
    asked = Pam()
    here = People(asked, "/run/none")
    inner: list[str] = []

    def while_asked(*argv: str, **more: object) -> str:
        try:
            return here.sign_in(f"{argv[-1]}x", "secret")[1].name
        except TooOften as error:
            inner.append(str(error))
            raise CommandFailed(argv, 1, "refused") from None

    asked.run = while_asked  # type: ignore[method-assign]
    with pytest.raises(NotSignedIn):
        here.sign_in("x", "secret")
    assert inner == ["too many sign in at the same time\n  try again"]
    asked.run = Pam().run  # type: ignore[method-assign]
    assert here.sign_in("ann", PASSWORDS["ann"][0])[1].role == "admin", "there is room again"


@pytest.mark.parametrize("kept", ["{", '{"x": {"colour": 1}}', "[]"])
def test_sessions_of_another_version_are_forgotten(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pam, "files", {"/run/sessions.json": kept})
    assert People(Pam(), "/run/sessions.json").find("x") is None


def test_tokens_are_made_used_listed_and_deleted(app: Any, browser: Browser) -> None:
    root = TestClient(as_peer(app, 0))
    made = root.post("/v1/tokens", json={"name": "backup", "role": "admin"}).json()
    assert (made["name"], made["role"], made["token"][:6]) == ("backup", "admin", "smbgw_")
    bearer = f"Bearer {made['token']}"
    assert browser.ask("GET", "/v1/session", authorization=bearer)[1] == {
        "name": "token backup", "role": "admin", "form": "",
    }  # fmt: skip
    assert browser.ask("POST", "/v1/apply", {"resources": [USER]}, authorization=bearer)[0] == 202
    (listed,) = browser.ask("GET", "/v1/tokens", authorization=bearer)[1]["tokens"]
    assert listed.keys() == {"name", "role", "made"}
    assert root.post("/v1/tokens/delete", json={"name": "backup"}).json() == {"tokens": []}
    assert browser.ask("GET", "/v1/shares", authorization=bearer)[0] == 401


def test_a_token_is_kept_as_a_hash_and_its_role_is_that_of_its_making() -> None:
    tokens = Tokens(MemoryStore())
    made = tokens.create("look", "viewer")
    kept = tokens.store.secret("tokens")
    assert kept
    assert made not in kept
    assert made.removeprefix("smbgw_") not in kept
    found = tokens.find(made)
    assert found
    assert (found.name, found.role, found.is_root) == ("token look", "viewer", False)
    assert tokens.find(made[:-1]) is tokens.find("") is None
    with pytest.raises(Conflict, match="there is a token look already"):
        tokens.create("look", "admin")
    with pytest.raises(NotFound, match="there is no token other"):
        tokens.delete("other")
    tokens.delete("look")
    assert tokens.store.secret("tokens") is None


def test_a_user_whom_root_names_is_not_root(app: Any) -> None:
    root = TestClient(as_peer(app, 0))
    body = {"resources": [USER], "options": {"allow_paths": ["/data"]}}
    codes = [
        root.post("/v1/plan", json=body, headers=headers).status_code
        for headers in ({}, {guard.USER: "root@pam"}, {guard.USER: "ann@pve"})
    ]
    assert codes == [200, 200, 403]


def test_the_pages_are_for_all_and_say_what_a_browser_may_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Any
) -> None:
    folder = tmp_path / "www"
    monkeypatch.setattr(pages, "PLACES", (tmp_path / "none", folder))
    client = TestClient(as_peer(make(new_engine(str(tmp_path))), RELAY), base_url="https://gw", follow_redirects=False)
    assert "The pages are not there yet: <code>www/build</code>" in client.get("/").text
    assert client.get("/ui/").status_code == 404
    (folder / "ext-6.2.0").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>gateways</title>")
    (folder / "ext-6.2.0" / "all.js").write_text("whole")
    (folder / "ext-6.2.0" / "all.js.gz").write_bytes(gzip.compress(b"small"))
    (tmp_path / "secret").write_text("no")
    assert client.get("/").headers["location"] == "/ui/"
    page, script = client.get("/ui/"), client.get("/ui/ext-6.2.0/all.js")
    assert "<title>gateways" in page.text
    assert "'unsafe-inline'" not in page.headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    assert (page.headers["cache-control"], page.headers["x-content-type-options"]) == ("no-cache", "nosniff")
    assert (script.text, script.headers["content-type"]) == ("small", "text/javascript; charset=utf-8")
    assert script.headers["cache-control"] == "max-age=31536000, immutable"
    assert client.get("/ui/ext-6.2.0/all.js", headers={"accept-encoding": "identity"}).text == "whole"
    again = client.get("/ui/ext-6.2.0/all.js", headers={"if-none-match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/ui/../secret").status_code == client.get("/ui/%2e%2e/secret").status_code == 404
    assert client.post("/ui/").status_code == 401
