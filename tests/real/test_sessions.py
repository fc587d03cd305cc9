"""What clients who are connected see of changes: nothing where nothing of theirs changes, and at once where it does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from smbgateway.errors import NotFound
from smbgateway.status import Status

from .world import PASSWORD, HeldOpen, Site, site, until, user

GROUP = {"kind": "group", "name": "staff", "members": ["bob"]}


@pytest.fixture(scope="module")
def made(area: Path) -> Iterator[Site]:
    with site(area, "sessions") as one:
        one.apply(
            one.gateway(), user(), user("bob"), GROUP, one.share("docs", access={"alice": "write", "bob": "read"})
        )
        yield one


@pytest.fixture
def docs(made: Site) -> Site:
    """The share `docs` as it was made, whatever the test before did."""
    access = {"alice": "write", "bob": "read"}
    made.apply(user(password=None), user("bob", None), GROUP, made.share("docs", access=access))
    return made


def test_a_new_share_is_served_without_a_restart_and_disturbs_no_transfer(docs: Site) -> None:
    pids = docs.pids()
    big = docs.srv / "docs" / "big"
    big.write_bytes(b"x" * 64 * 1024 * 1024)
    big.chmod(0o660)
    target = Path(docs.paths.root) / "fetched"
    with HeldOpen(docs, "docs") as held:
        held.say(f"get big {target}")
        until(lambda: target.exists(), "the transfer begins")
        docs.apply(docs.share("second"))
        assert docs.works("second")
        assert held.do("ls").count("big") == 1
        assert target.stat().st_size == big.stat().st_size
        docs.remove(("share", "files/second"))
        assert "NT_STATUS_BAD_NETWORK_NAME" in docs.smb("second")
        assert "NT_STATUS_" not in held.do("ls")
    assert docs.pids() == pids
    big.unlink()


def test_one_client_is_shut_out_by_hand_and_its_open_files_are_known(docs: Site) -> None:
    status = Status(docs.engine)
    with HeldOpen(docs, "docs") as held, HeldOpen(docs, "docs", "bob") as other:
        held.do("put /etc/hostname kept")
        held.do("open kept")
        shown = {each["user"]: each for each in status.share("docs")["sessions"]}
        assert sorted(shown) == ["alice", "bob"]
        assert "kept" in shown["alice"]["files"]
        assert "kept" not in shown["bob"]["files"]
        status.disconnect("docs", shown["alice"]["id"])
        assert "NT_STATUS_" in held.cut()
        assert "NT_STATUS_" not in other.do("ls")
        assert [each["user"] for each in status.share("docs")["sessions"]] == ["bob"]
        with pytest.raises(NotFound, match="nobody with the id"):
            status.disconnect("docs", shown["alice"]["id"])
    assert status.log("files"), "Samba says when it starts"


def test_a_deleted_share_is_closed_for_its_clients_only(docs: Site) -> None:
    docs.apply(docs.image("doomed"))
    with HeldOpen(docs, "docs") as other, HeldOpen(docs, "doomed") as held:
        assert "NT_STATUS_" not in held.do("put /etc/hostname kept")
        docs.remove(("share", "files/doomed"))
        assert "NT_STATUS_" in held.cut()
        assert "NT_STATUS_" not in other.do("ls")
    assert (docs.srv / "doomed.img").exists()
    assert not (Path(docs.paths.mounts) / "files" / "doomed").exists()


def test_a_file_held_open_does_not_keep_a_share_from_being_deleted(docs: Site) -> None:
    docs.apply(docs.image("busy"))
    with HeldOpen(docs, "busy") as held:
        held.do("put /etc/hostname open")
        held.do("posix")
        assert "open" in held.do("open open"), "a handle"
        docs.remove(("share", "files/busy"), destroy_data=True)
    assert not (docs.srv / "busy.img").exists()


def test_a_user_removed_from_the_access_is_cut_and_others_are_not(docs: Site) -> None:
    with HeldOpen(docs, "docs", "bob") as bob, HeldOpen(docs, "docs") as alice:
        docs.apply(docs.share("docs", access={"alice": "write"}))
        bob.cut()
        assert "NT_STATUS_" not in alice.do("ls")
    assert "NT_STATUS_ACCESS_DENIED" in docs.smb("docs", user="bob")


def test_write_becomes_read_on_a_session_that_is_open(docs: Site) -> None:
    with HeldOpen(docs, "docs") as held:
        assert "NT_STATUS_" not in held.do("put /etc/hostname before")
        docs.apply(docs.share("docs", access={"alice": "read", "bob": "read"}))
        until(lambda: "NT_STATUS_" in held.do("put /etc/hostname after"), "writing is refused")
    assert "NT_STATUS_ACCESS_DENIED" in docs.smb("docs", "put /etc/hostname after")
    assert "before" in docs.smb("docs")
    assert not (docs.srv / "docs" / "after").exists()


def test_a_disabled_user_is_cut(docs: Site) -> None:
    with HeldOpen(docs, "docs", "bob") as bob, HeldOpen(docs, "docs") as alice:
        docs.apply(user("bob", None, enabled=False))
        bob.cut()
        assert "NT_STATUS_" not in alice.do("ls")
    assert "NT_STATUS_ACCOUNT_DISABLED" in docs.smb("docs", user="bob")
    docs.apply(user("bob", None))
    assert "NT_STATUS_" not in docs.smb("docs", user="bob")


def test_a_member_removed_from_a_group_is_cut(docs: Site) -> None:
    docs.apply(docs.share("docs", access={"alice": "write", "@staff": "write"}))
    with HeldOpen(docs, "docs", "bob") as bob, HeldOpen(docs, "docs") as alice:
        docs.apply({"kind": "group", "name": "staff", "members": []})
        bob.cut()
        assert "NT_STATUS_" not in alice.do("ls")
    assert "NT_STATUS_ACCESS_DENIED" in docs.smb("docs", user="bob")


def test_a_deleted_user_is_cut_and_leaves_no_account(docs: Site) -> None:
    docs.apply(user("carol"), docs.share("docs", access={"alice": "write", "carol": "write"}))
    with HeldOpen(docs, "docs", "carol") as carol, HeldOpen(docs, "docs") as alice:
        docs.apply(docs.share("docs", access={"alice": "write"}))
        carol.cut()
        docs.remove(("user", "carol"))
        assert "NT_STATUS_" not in alice.do("ls")
    assert "NT_STATUS_LOGON_FAILURE" in docs.smb("docs", user="carol")
    assert "carol" not in docs.instance().tool("pdbedit", "-L", "-w")
    assert "carol" not in (docs.own() / "accounts" / "passwd").read_text()
    assert [path.name for path in Path(docs.paths.priv).rglob("carol*")] == []
    assert docs.drift() == []


def test_a_user_deleted_while_connected_elsewhere_is_cut(docs: Site) -> None:
    """A session without a share of the user's: the session itself ends."""
    docs.apply(user("dora"))
    with HeldOpen(docs, "IPC$", "dora") as dora:
        docs.remove(("user", "dora"))
        until(lambda: dora.process.poll() is not None or "NT_STATUS_" in dora.do("ls"), "the session ends")


def test_a_new_password_is_the_only_one(docs: Site) -> None:
    docs.apply(user("bob", "Another-Word-2"))
    assert "NT_STATUS_LOGON_FAILURE" in docs.smb("docs", user="bob")
    assert "NT_STATUS_" not in docs.smb("docs", user="bob", password="Another-Word-2")
    docs.apply(user("bob", PASSWORD))
    assert "NT_STATUS_LOGON_FAILURE" in docs.smb("docs", user="bob", password="Another-Word-2")
    secrets = [path.name for path in Path(docs.paths.priv).rglob("bob*")]
    assert len(secrets) == 1
