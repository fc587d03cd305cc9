"""The error tree: its text, its JSON, its exit codes."""

import json

import pytest

from smbgateway import errors
from smbgateway.errors import CommandFailed, CommandMissing, Failed, Fault, GatewayError, Invalid


def test_text_of_an_error_with_all_it_can_say() -> None:
    error = Failed(
        "cannot set quota of tank/docs",
        cause="out of space",
        hint="free some",
        undone=["dataset tank/docs", "earmark"],
        left=["directory /srv/docs"],
        faults=[Fault("share.docs.quota", "too much", "at most 10 GiB"), Fault("share.docs.name", "bad")],
    )
    assert str(error).splitlines() == [
        "cannot set quota of tank/docs: out of space",
        "  share.docs.quota: too much (at most 10 GiB)",
        "  share.docs.name: bad",
        "  undone: dataset tank/docs, earmark",
        "  left: directory /srv/docs",
        "  free some",
    ]
    assert str(GatewayError("no pool")) == error.__class__("no pool").reason == "no pool"


def test_an_error_as_json() -> None:
    body = json.loads(json.dumps(Invalid.of([Fault("a.b", "c", "d")]).to_json()))
    assert body | {"faults": []} == {
        "error": "Invalid",
        "what": "nothing was changed: 1 fault in the request",
        "cause": "",
        "hint": "",
        "undone": [],
        "left": [],
        "faults": [],
        "exit_code": 2,
    }
    assert body["faults"][0].items() >= {"field": "a.b", "message": "c", "hint": "d"}.items()


def test_a_failed_command_shows_what_it_said() -> None:
    assert str(CommandFailed(["zfs", "list"], 1, "no such pool\n")) == "zfs list: no such pool"
    assert str(CommandFailed(["zfs", "list"], 7, "")) == "zfs list: exit code 7"


def test_a_missing_program_names_its_package() -> None:
    assert str(CommandMissing("zfs", "zfsutils-linux")) == "zfs is not installed\n  apt install zfsutils-linux"
    assert str(CommandMissing("foo", None)) == "foo is not installed\n  install the package that has foo"


def test_errors_are_themselves() -> None:
    one, other = GatewayError("x"), GatewayError("x")
    assert len({one, other, one}) == 2


@pytest.mark.parametrize(
    ("name", "exit_code", "status"),
    [
        ("GatewayError", 1, 500),
        ("Invalid", 2, 422),
        ("Unavailable", 3, 503),
        ("CommandMissing", 3, 503),
        ("NotFound", 4, 404),
        ("Conflict", 5, 409),
        ("HoldsData", 5, 409),
        ("Failed", 1, 500),
        ("NotProved", 6, 500),
    ],
)
def test_exit_code_and_status(name: str, exit_code: int, status: int) -> None:
    kind = getattr(errors, name)
    assert (kind.exit_code, kind.status) == (exit_code, status)
