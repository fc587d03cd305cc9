"""A cluster that is whole: every address serves the same share, and a change reaches all members."""

import json

from lab.cluster import Lab
from lab.mounts import until

from .site import ADDRESSES, PASSWORD, share, smb


def test_every_address_serves_the_same_files(lab: Lab) -> None:
    for number, address in enumerate(ADDRESSES):
        assert "putting file" in smb(lab, address, f"put /etc/hostname of-{number}")
    for address in ADDRESSES:
        listed = smb(lab, address, "ls")
        assert all(f"of-{number}" in listed for number in range(3))


def test_members_speak_on_their_own_network_only(lab: Lab) -> None:
    for node in lab.nodes:
        words = node.run("ss", "-Hltn", "sport = :4379").split()
        assert [word for word in words if word.endswith(":4379")] == [f"10.77.1.{node.number}:4379"]


def test_a_share_made_on_one_node_is_served_by_all(lab: Lab) -> None:
    assert "share more proved" in lab.node(2).apply(share("more"))
    for address in ADDRESSES:
        assert "NT_STATUS_" not in smb(lab, address, "ls", "more")
    lab.node(3).cli("delete", "more")
    for address in ADDRESSES:
        assert "NT_STATUS_BAD_NETWORK_NAME" in smb(lab, address, "ls", "more")


def test_a_user_made_on_one_node_is_one_of_all(lab: Lab) -> None:
    lab.node(3).apply({"kind": "user", "name": "bob", "password": PASSWORD})
    accounts = [node.own("files") / "accounts/passwd" for node in lab.nodes]
    until(lambda: all("\nbob:" in file.read_text() for file in accounts), "every member has an account for bob")
    for address in ADDRESSES:
        assert "NT_STATUS_ACCESS_DENIED" in smb(lab, address, "ls", user="bob"), "no logon failure: bob is known"
    lab.node(1).cli("user", "delete", "bob")
    until(lambda: all("\nbob:" not in file.read_text() for file in accounts), "no member has one any more")
    for address in ADDRESSES:
        assert "NT_STATUS_LOGON_FAILURE" in smb(lab, address, "ls", user="bob")


def test_nothing_differs_from_the_records(lab: Lab) -> None:
    for node in lab.nodes:
        shown = json.loads(node.cli("status", "--json"))
        assert shown["gateways"][0]["drift"] == []
