"""Telling, with real servers: what arrives, what is said where it does not, and that nothing is lost or waits."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.mounts import until
from smbgateway import notify
from smbgateway.errors import Failed
from smbgateway.host import Node
from smbgateway.model import Receiver
from smbgateway.notify.courier import Courier
from smbgateway.notify.notice import Notice
from smbgateway.notify.ways import Ways
from smbgateway.paths import Paths
from smbgateway.store import FileStore

from .receiving import certificate, mail_server, silent_server, system_log, web_server
from .world import free_port

NOW = time.time()
FULL = Notice(
    "critical", "error", "smbgateway-quota", "share Bücher is 96 % full", "All of it.", NOW, {"share": "Bücher"}
)
AGAIN = Notice("notice", "info", "smbgateway-quota", "share docs is 10 % full", "Less of it.", NOW, {"share": "docs"})


def ways(secret: str | None = None, host: Node | None = None, syslog: str = "/dev/log") -> Ways:
    return Ways(host or Node(), "one.example.org", lambda receiver: secret, syslog)


def receiver(kind: str, **way: Any) -> Receiver:
    return Receiver.model_validate({"name": "admins", "way": {"kind": kind, **way}})


def mail(port: int, **way: Any) -> Receiver:
    given = {"to": ["admin@example.org"], "server": "localhost", "port": port, "security": "none"}
    return receiver("mail", **{**given, **way})


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    context, public = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", public)
    return context


def test_mail_by_a_server() -> None:
    with mail_server(free_port()) as server:
        assert ways().send(mail(server.port), [FULL]) == ""
        (told,) = server.mails
        assert (told["From"], told["To"]) == ("pve-smbgateway@one.example.org", "admin@example.org")
        assert (told["Subject"], told["Auto-Submitted"]) == ("share Bücher is 96 % full", "auto-generated")
        assert told.get_content().splitlines() == ["All of it.", "", "-- ", "pve-smbgateway on one.example.org"]


def test_mail_to_several_of_whom_one_is_refused_is_sent_once_and_says_so() -> None:
    with mail_server(free_port()) as server:
        said = ways().send(mail(server.port, to=["nobody@example.org", "admin@example.org"]), [FULL])
        assert said == "nobody@example.org was refused: 550 no such user"
        assert server.recipients == ["admin@example.org"]
        with pytest.raises(Failed) as raised:
            ways().send(mail(server.port, to=["nobody@example.org"]), [FULL])
        assert raised.value.reason == "receiver admins was not told: nobody@example.org was refused: 550 no such user"


def test_mail_with_tls_and_a_login(trusted: Any) -> None:
    with mail_server(free_port(), trusted) as server:
        to = mail(server.port, security="starttls", login="me")
        assert ways("Tell-Nobody").send(to, [FULL, AGAIN]) == ""
        assert server.mails[0]["Subject"] == "2 notices: share Bücher is 96 % full, ..."
        with pytest.raises(Failed) as raised:
            ways("Wrong").send(to, [FULL])
        assert raised.value.reason.startswith("receiver admins was not told: the mail server answered 535 5.7.8 Auth")


def test_a_certificate_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with mail_server(free_port(), context) as server, web_server(context) as web:
        for to in (mail(server.port, security="starttls", login="me"), receiver("webhook", url=web.url)):
            with pytest.raises(Failed) as raised:
                ways("Tell-Nobody").send(to, [FULL])
            assert "certificate verify failed: self-signed certificate" in raised.value.reason
        assert not server.mails
        assert not web.asked


def test_mail_by_sendmail(tmp_path: Path) -> None:
    """The real msmtp, which finds its server in a file that only this test's mount namespace has."""
    settings, place = tmp_path / "msmtprc", Path("/etc/msmtprc")
    ours = not place.exists()
    place.touch()
    with mail_server(free_port()) as server:
        settings.write_text(f"account default\nhost 127.0.0.1\nport {server.port}\nfrom root@example.org\n")
        subprocess.run(["mount", "--bind", settings, place], check=True)
        try:
            assert ways().send(receiver("mail", to=["admin@example.org", "root@example.org"]), [FULL]) == ""
        finally:
            subprocess.run(["umount", place], check=True)
            if ours:
                place.unlink()
        assert server.recipients == ["admin@example.org", "root@example.org"]
        assert server.mails[0]["Subject"] == "share Bücher is 96 % full"
        assert "All of it." in server.mails[0].get_content()


def test_a_webhook_gets_json_and_the_secret(trusted: Any) -> None:
    with web_server(trusted) as web:
        ways("s3cret").send(receiver("webhook", url=web.url), [FULL])
        ways("s3cret").send(receiver("webhook", url=web.url + "/{secret}"), [FULL])
        (path, headers, body), (other, more, _) = web.asked
        assert (path, headers["Authorization"], headers["Content-Type"]) == (
            "/hook",
            "Bearer s3cret",
            "application/json",
        )
        assert (other, "Authorization" in more) == ("/hook/s3cret", False)
        assert (body["title"], body["severity"], body["priority"]) == ("share Bücher is 96 % full", "error", 8)
        assert body["notices"] == [FULL.to_json()]


@pytest.mark.parametrize(("status", "said"), [(500, "500 Internal Server Error"), (302, "302 Found")])
def test_a_webhook_that_does_not_take_it(status: int, said: str) -> None:
    with web_server() as web:
        web.status = status
        with pytest.raises(Failed) as raised:
            ways().send(receiver("webhook", url=web.url), [FULL])
        assert raised.value.reason == f"receiver admins was not told: the server answered {said}"
        assert len(web.asked) == 1


def test_nobody_there() -> None:
    for to in (mail(free_port()), receiver("webhook", url=f"http://127.0.0.1:{free_port()}/")):
        with pytest.raises(Failed) as raised:
            ways().send(to, [FULL])
        assert raised.value.reason == "receiver admins was not told: Connection refused"


def test_the_journal(tmp_path: Path) -> None:
    with system_log(tmp_path / "log") as log:
        ways(syslog=str(tmp_path / "log")).send(receiver("journal"), [FULL, AGAIN])
        assert [log.recv(1000).decode() for _ in range(2)] == [
            f"<27>pve-smbgateway[{os.getpid()}]: share Bücher is 96 % full",
            f"<30>pve-smbgateway[{os.getpid()}]: share docs is 10 % full",
        ]
    with pytest.raises(Failed) as raised:
        ways(syslog=str(tmp_path / "none")).send(receiver("journal"), [FULL])
    assert raised.value.reason.startswith("receiver admins was not told: nothing takes entries of the log at ")
    assert "pve-smbgateway notify create" in raised.value.hint


STAND_IN = """package PVE::Notify;
use JSON;
sub common_template_data { return { hostname => 'one', fqdn => 'one.example.org' } }
sub notify {
    my ($severity, $template, $data, $fields) = @_;
    die "no such template\\n" if !-e "$ENV{HOME}/templates/$template-body.txt.hbs";
    open(my $file, '>>', "$ENV{HOME}/told") or die $!;
    print $file JSON->new->utf8->canonical->encode([$severity, $template, $data, $fields]), "\\n";
}
1;
"""


@dataclass
class ProxmoxNode(Node):
    """A node whose Perl finds a stand-in for PVE::Notify, which needs the Rust libraries of Proxmox VE."""

    library: Path

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        before = ("env", f"HOME={self.library}", argv[0], "-I", str(self.library))
        return super().run(*before, *argv[1:], stdin=stdin, timeout=timeout)


def test_proxmox(tmp_path: Path) -> None:
    (tmp_path / "PVE").mkdir()
    (tmp_path / "PVE/Notify.pm").write_text(STAND_IN)
    node = ProxmoxNode(tmp_path)
    with pytest.raises(Failed) as raised:
        ways(host=node).send(receiver("proxmox"), [FULL])
    assert raised.value.reason.endswith("no such template")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/smbgateway-body.txt.hbs").touch()
    ways(host=node).send(receiver("proxmox"), [FULL, AGAIN])
    severity, template, data, fields = json.loads((tmp_path / "told").read_text().splitlines()[0])
    assert (severity, template) == ("error", "smbgateway")
    assert (data["subject"], data["text"], data["fqdn"]) == (FULL.subject, FULL.text, "one.example.org")
    assert fields == {"type": "smbgateway-quota", "hostname": "one.example.org", "share": "Bücher"}
    ways(host=node).send(receiver("proxmox"), [AGAIN] * 21)
    told = (tmp_path / "told").read_text().splitlines()
    assert len(told) == 3
    assert json.loads(told[2])[2]["subject"] == "21 notices: share docs is 10 % full, ..."


def test_proxmox_without_its_library() -> None:
    with pytest.raises(Failed) as raised:
        ways().send(receiver("proxmox"), [FULL])
    assert "Can't locate PVE/Notify.pm" in raised.value.reason


@dataclass
class Office:
    """A courier that runs, with receivers of its own."""

    courier: Courier
    stop: Callable[[], None]

    def row(self, name: str) -> dict[str, Any]:
        return next(row for row in self.courier.show() if row["name"] == name)


@pytest.fixture
def open_office(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Opens offices, one after the other, on one directory: as engines that follow each other."""
    opened: list[Office] = []

    def opening(**receivers: Receiver) -> Office:
        courier = Courier(str(tmp_path / "untold"), lambda: receivers, ways().send, first_pause=0.05)
        thread = threading.Thread(target=courier.run, daemon=True)
        thread.start()

        def stop() -> None:
            courier.end()
            thread.join(10)
            assert not thread.is_alive()

        opened.append(Office(courier, stop))
        return opened[-1]

    yield opening
    for office in opened:
        office.stop()


def test_what_fails_is_told_again_and_shown_meanwhile(open_office: Callable[..., Office]) -> None:
    port = free_port()
    office = open_office(admins=mail(port))
    office.courier.tell([FULL])
    until(lambda: office.row("admins")["failures"] >= 2, "it failed twice")
    row = office.row("admins")
    assert (row["waiting"], row["error"]) == (1, "receiver admins was not told: Connection refused")
    assert row["next"] > time.time() - 1
    with mail_server(port) as server:
        until(lambda: bool(server.mails), "it was told")
        until(lambda: office.row("admins")["waiting"] == 0, "nothing waits")
        row = office.row("admins")
        assert (row["failures"], row["error"], row["dropped"]) == (0, "", 0)
        assert row["told"] > NOW
        assert len(server.mails) == 1


def test_one_that_never_answers_delays_nobody(open_office: Callable[..., Office]) -> None:
    with silent_server() as silent, mail_server(free_port()) as server:
        office = open_office(silent=mail(silent), admins=mail(server.port))
        started = time.monotonic()
        office.courier.tell([FULL])
        assert time.monotonic() - started < 1
        until(lambda: len(server.mails) == 1, "the other was told", 5)
        office.courier.tell([AGAIN])
        until(lambda: len(server.mails) == 2, "the other was told again", 5)
        assert office.row("silent")["waiting"] == 2


def test_an_engine_tells_what_the_one_before_it_could_not(open_office: Callable[..., Office], tmp_path: Path) -> None:
    port = free_port()
    first = open_office(admins=mail(port))
    first.courier.tell([FULL])
    first.courier.tell([AGAIN])
    until(lambda: first.row("admins")["failures"] >= 1, "it failed")
    first.stop()
    assert (tmp_path / "untold/admins.json").stat().st_mode & 0o777 == 0o600
    with mail_server(port) as server:
        open_office(admins=mail(port))
        until(lambda: bool(server.mails), "it was told")
        assert server.mails[0]["Subject"] == "2 notices: share Bücher is 96 % full, ..."
    until(lambda: not (tmp_path / "untold/admins.json").exists(), "nothing is kept")


def test_what_nobody_can_read_is_said_and_does_not_stop_it(
    open_office: Callable[..., Office], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "untold").mkdir()
    (tmp_path / "untold/admins.json").write_text('[{"subject": ')
    with mail_server(free_port()) as server:
        office = open_office(admins=mail(server.port))
        assert "admins.json is not what it was, its notices are lost" in capsys.readouterr().out
        office.courier.tell([FULL])
        until(lambda: bool(server.mails), "it was told")


def test_who_was_deleted_is_told_no_more(open_office: Callable[..., Office], tmp_path: Path) -> None:
    first = open_office(admins=mail(free_port()))
    first.courier.tell([FULL])
    until(lambda: first.row("admins")["failures"] >= 1, "it failed")
    first.stop()
    second = open_office()
    second.courier.tell([AGAIN])
    until(lambda: not (tmp_path / "untold/admins.json").exists(), "it is forgotten")


def test_a_test_of_all_and_of_one(tmp_path: Path) -> None:
    """Of receivers that are records, with a secret that is in the store."""
    paths = Paths(str(tmp_path))
    store = FileStore(paths)
    with web_server() as web:
        store.save(Receiver(name="hook", way={"kind": "webhook", "url": web.url}))
        store.save(Receiver(name="office", way=mail(free_port()).way))
        courier = notify.make(store, paths, Node(), "one")
        assert courier.test("", FULL) == [
            {"name": "hook", "error": ""},
            {"name": "office", "error": "receiver office was not told: Connection refused"},
        ]
        assert courier.test("hook", AGAIN) == [{"name": "hook", "error": ""}]
        assert [body["title"] for _, _, body in web.asked] == [FULL.subject, AGAIN.subject]
