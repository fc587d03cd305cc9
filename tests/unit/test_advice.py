"""Warnings of a request: about what it changes, and about what that leaves behind."""

from typing import Any

from smbgateway.advice import advice
from smbgateway.model import Gateway, Group, Share, User
from smbgateway.world import World


def user(name: str, password_set: int | None = 1, **more: Any) -> User:
    return User(name=name, password_set=password_set, **more)


def share(**more: Any) -> Share:
    return Share.model_validate(
        {"name": "docs", "gateway": "files", "source": {"kind": "directory", "path": "/srv/docs"}, **more}
    )


def told(*changed: Any, rest: tuple[Any, ...] = ()) -> list[str]:
    return advice(changed, World({}, {}, {}, {}).staged([*changed, *rest]))


NOBODY = ["share docs: nobody can log in: give a user with a password access"]


def test_all_is_well() -> None:
    staff = Group(name="staff", members=("bob",))
    assert told(Gateway(name="files"), user("bob"), staff, share(access={"@staff": "read"})) == []


def test_nobody_can_log_in() -> None:
    assert told(share()) == NOBODY
    assert told(share(access={"@staff": "write"}), rest=(Group(name="staff"),)) == NOBODY
    for bob in (user("bob", None), user("bob", enabled=False)):
        assert told(share(access={"bob": "write"}), rest=(bob,)) == NOBODY
        assert told(share(access={"bob": "write", "eve": "read"}), rest=(bob, user("eve"))) == []


def test_shares_that_a_change_of_users_and_groups_reaches() -> None:
    by_group, by_name = share(access={"@staff": "read"}), share(access={"bob": "read"})
    staff, bob = Group(name="staff", members=("bob",)), user("bob", enabled=False)
    assert told(bob, rest=(by_name,)) == NOBODY
    assert told(bob, rest=(by_group, staff)) == NOBODY
    assert told(Group(name="staff"), rest=(by_group,)) == NOBODY
    assert told(user("eve"), rest=(by_name, bob)) == []  # not its doing: told when it came about


def test_a_user_without_a_password() -> None:
    assert told(user("dan", None)) == ["user dan: cannot log in: it has no password"]


def test_guests() -> None:
    gateway = "gateway files: guests are allowed, so sessions are signed only where the client asks for it"
    assert told(Gateway(name="files", allow_guests=True)) == [gateway]
    assert told(share(guest="read")) == ["share docs: anybody on the network can read it without a password"]
    warning = "share docs: anybody on the network can read and change it without a password"
    assert told(share(guest="write", access={"bob": "read"}), rest=(user("bob", None),)) == [warning]
