"""What guests can and cannot have: their sessions have no key, so they are neither signed nor encrypted."""

from typing import Any

from smbgateway.checks import check
from smbgateway.errors import Fault
from smbgateway.model import Gateway, Share
from smbgateway.world import World

EMPTY = World({}, {}, {}, {})


def faults(gateway: dict[str, Any], **more: Any) -> list[Fault]:
    source = {"kind": "directory", "path": "/srv/docs"}
    share = Share.model_validate({"name": "docs", "gateway": "files", "source": source, **more})
    records = [Gateway(name="files", **gateway), share]
    return check(EMPTY.staged(records), EMPTY, records)


def test_guests_where_they_are_allowed() -> None:
    assert faults({"allow_guests": True}, guest="read") == []
    hint = "allow_guests on the gateway; its sessions are then not all signed"
    assert faults({}, guest="read") == [Fault("share.docs.guest", "gateway files allows no guests", hint)]


def test_a_guest_has_no_home() -> None:
    purpose = {"kind": "homes"}
    assert faults({"allow_guests": True}, guest="read", purpose=purpose) == [
        Fault("share.docs.guest", "a guest has no home")
    ]


def test_a_guest_cannot_encrypt() -> None:
    text = "a hardened gateway encrypts, and a guest's session cannot be encrypted"
    assert faults({"allow_guests": True, "hardened": True}) == [Fault("gateway.files.allow_guests", text)]
    text, hint = "a guest's session cannot be encrypted", "leave out encryption, or guests"
    assert faults({"allow_guests": True}, guest="read", encryption="required") == [
        Fault("share.docs.guest", text, hint)
    ]
