"""user and group."""

from __future__ import annotations

import sys

from .follow import run
from .problem import Problem, problem, usage
from .session import Session
from .shares import groups_table, remove, show_one, users_table
from .text import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

NOT_FOUND, THERE = 4, 2


def absent(session: Session, kind: str, name: str) -> None:
    """Refuse to make what is there: apply would change it. Raises Problem."""
    try:
        session.client.record(kind, name)
    except Problem as error:
        if error.exit_code == NOT_FOUND:
            return
        raise
    raise problem(
        "Invalid", THERE, f"{kind} {name} is there already", hint=f"look: {session.command(f'show {kind} {name}')}"
    )


def apply(session: Session, record: dict[str, Any], doing: str) -> int:
    """Apply one resource."""
    return run(session, "/v1/apply", {"resources": [record]}, f"{doing} {record['kind']} {record['name']}")


def read_password(session: Session, arguments: Namespace) -> str:
    """A password from standard input, or asked for twice; never from the command line, which others can see."""
    if arguments.password_stdin:
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise usage("nothing was changed: the password is not UTF-8 text") from error
    if not sys.stdin.isatty() or session.json:
        raise usage("nobody can be asked for a password", "give it by standard input: --password-stdin")
    import getpass

    password = getpass.getpass(f"password of {arguments.name}: ", sys.stderr)
    if password != getpass.getpass("once more: ", sys.stderr):
        raise usage("nothing was changed: the two passwords differ")
    return password


def create_user(session: Session, arguments: Namespace) -> int:
    """Make a user."""
    absent(session, "user", arguments.name)
    record = {"kind": "user", "name": arguments.name, "full_name": arguments.full_name}
    if not arguments.no_password:
        record["password"] = read_password(session, arguments)
    return apply(session, record, "creating")


def set_password(session: Session, arguments: Namespace) -> int:
    """Set the password of a user that exists."""
    record = session.client.record("user", arguments.name)
    return apply(session, {**record, "password": read_password(session, arguments)}, "updating")


def disable(session: Session, arguments: Namespace) -> int:
    """Shut a user out."""
    return apply(session, {**session.client.record("user", arguments.name), "enabled": False}, "disabling")


def enable(session: Session, arguments: Namespace) -> int:
    """Let a user in again."""
    return apply(session, {**session.client.record("user", arguments.name), "enabled": True}, "enabling")


def delete_user(session: Session, arguments: Namespace) -> int:
    """Delete a user."""
    return remove(session, arguments, "user")


def show_user(session: Session, arguments: Namespace) -> int:
    """Print a user as `apply` accepts it."""
    return show_one(session, "user", arguments.name)


def list_users(session: Session, arguments: Namespace) -> int:
    """List users."""
    found = session.client.get("/v1/resources?kind=user")
    return session.answer(found, table(users_table(found["resources"]), "no users"))


def create_group(session: Session, arguments: Namespace) -> int:
    """Make a group."""
    absent(session, "group", arguments.name)
    return apply(session, {"kind": "group", "name": arguments.name, "members": arguments.members}, "creating")


def delete_group(session: Session, arguments: Namespace) -> int:
    """Delete a group."""
    return remove(session, arguments, "group")


def show_group(session: Session, arguments: Namespace) -> int:
    """Print a group as `apply` accepts it."""
    return show_one(session, "group", arguments.name)


def list_groups(session: Session, arguments: Namespace) -> int:
    """List groups."""
    found = session.client.get("/v1/resources?kind=group")
    return session.answer(found, table(groups_table(found["resources"]), "no groups"))


def add_members(session: Session, arguments: Namespace) -> int:
    """Add users to a group."""
    record = session.client.record("group", arguments.name)
    members = list(dict.fromkeys([*record["members"], *arguments.members]))
    return apply(session, {**record, "members": members}, "updating")


def remove_members(session: Session, arguments: Namespace) -> int:
    """Take users out of a group."""
    record = session.client.record("group", arguments.name)
    if strangers := [name for name in arguments.members if name not in record["members"]]:
        hint = f"in it: {', '.join(record['members']) or 'nobody'}"
        raise usage(f"not in group {arguments.name}: {', '.join(strangers)}", hint)
    members = [name for name in record["members"] if name not in arguments.members]
    return apply(session, {**record, "members": members}, "updating")
