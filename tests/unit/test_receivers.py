"""Receivers as resources: what they may be, where their secret stays."""

from typing import Any

import pytest

from smbgateway.engine import Engine
from smbgateway.errors import Invalid
from smbgateway.model import Receiver

from .machine import new_engine

MAIL = {"kind": "mail", "to": ["admin@example.org"]}
SMTP = {**MAIL, "server": "mail.example.org"}
HOOK = {"kind": "webhook", "url": "https://hooks.example.org/x"}


def receiver(way: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "receiver", "name": "admins", "way": way, **more}


@pytest.fixture
def engine(tmp_path: Any) -> Engine:
    return new_engine(str(tmp_path))


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        (receiver({"kind": "pigeon"}), 'way: unknown kind "pigeon" (known: proxmox, mail, webhook, journal)'),
        (receiver({"kind": "mail", "to": []}), "way.to: Tuple should have at least 1 item after validation, not 0"),
        (
            receiver({"kind": "mail", "to": ["a b"]}),
            'way.to.0: "a b" is not a mail address: write NAME@DOMAIN, or a local NAME such as root',
        ),
        (
            receiver({"kind": "mail", "to": ["a@x\nBcc: b@y"]}),
            'way.to.0: "a@x\nBcc: b@y" is not a mail address: write NAME@DOMAIN, or a local NAME such as root',
        ),
        (receiver({**HOOK, "url": "file:///etc/shadow"}), 'way.url: "file:///etc/shadow" is not a URL: write https://HOST/PATH'),
        (receiver({**HOOK, "url": "https://x:99999/"}), 'way.url: "https://x:99999/" is not a URL: write https://HOST/PATH'),
        (
            receiver({**HOOK, "url": "https://me:pw@x/"}),
            "way.url: the URL has a password in it, which everybody could read: give it as the password",
        ),
        (receiver(HOOK, password="a\nb"), "password: a secret has 1 to 1000 characters, all of them visible ASCII"),
        (receiver(HOOK, least="ok"), "least: Input should be 'notice', 'warning' or 'critical'"),
        (receiver({"kind": "proxmox"}), "way: this node is not one of Proxmox VE (use mail, webhook or journal)"),
        (
            receiver({**SMTP, "login": "me"}),
            "password: a login has a password, and a password a login (a password goes with its receiver only: "
            "delete it, then make it again)",
        ),
        (
            receiver({**SMTP, "login": "me", "security": "none"}, password="pw"),
            "way.security: without TLS everybody on the way could read the password (use starttls or tls)",
        ),
        (
            receiver({**HOOK, "url": "http://x/"}, password="pw"),
            "way.url: without TLS everybody on the way could read the secret (use https)",
        ),
        (receiver({**HOOK, "url": "https://x/{secret}"}), "password: the URL asks for a secret, and there is none"),
        (
            receiver({**MAIL, "port": 25}),
            "way.server: only a server has a port, login or password: without one, sendmail is used (a password goes "
            "with its receiver only: delete it, then make it again)",
        ),
    ],
)  # fmt: skip
def test_what_could_not_work_is_refused(engine: Engine, item: dict[str, Any], fault: str) -> None:
    with pytest.raises(Invalid) as raised:
        engine.apply([item])
    assert f"  receiver.admins.{fault}" in str(raised.value)
    assert not engine.site.world().receivers


def test_a_secret_comes_in_and_never_goes_out(engine: Engine) -> None:
    engine.apply([receiver({**SMTP, "login": "me"}, password="Tell-Nobody")])
    kept = engine.site.world().receivers["admins"]
    assert kept.state == "ready"
    assert "Tell-Nobody" not in kept.model_dump_json() + repr(kept)
    store = engine.site.store
    name = f"receivers/admins@{kept.password_set:08X}"
    assert store.secret(name) == "Tell-Nobody"
    engine.apply([receiver({**SMTP, "login": "me", "to": ["other@example.org"]})])
    assert store.secret(name) == "Tell-Nobody"
    engine.apply([receiver({**SMTP, "login": "me"}, password="Something-Else")])
    changed = engine.site.world().receivers["admins"]
    assert store.secret(name) is None
    assert store.secret(f"receivers/admins@{changed.password_set:08X}") == "Something-Else"
    engine.remove([("receiver", "admins")])
    assert store.secret(f"receivers/admins@{changed.password_set:08X}") is None


def test_a_receiver_reaches_no_gateway(engine: Engine) -> None:
    record = Receiver(name="admins", way={"kind": "journal"})
    assert engine.site.touched([record], engine.site.world()) == []
