"""Golden configurations: what is rendered for every purpose and option stands in tests/cases/samba."""

import os
from pathlib import Path
from typing import Any

import pytest

from smbgateway.model import Gateway, Share
from smbgateway.samba.config import (
    client_section,
    global_section,
    needs_apple,
    parse_sections,
    render,
    share_section,
    whole,
)

GOLDEN = Path(__file__).resolve().parents[1] / "cases" / "samba"
MI, GI = 1024**2, 1024**3
TEAM: Any = {"alice": "write", "@staff": "write", "carol": "read", "@guests.of-us": "read"}
PURPOSES: dict[str, dict[str, Any]] = {
    "general": {"access": TEAM},
    "archive": {"access": TEAM, "purpose": {"kind": "archive", "grace": 3600}},
    "homes of all": {"access": TEAM, "purpose": {"kind": "homes"}},
}
APPLE: dict[str, dict[str, Any]] = {
    "timemachine": {"access": TEAM, "purpose": {"kind": "timemachine"}, "quota": 500 * GI + 1},
    "timemachine without end": {"access": TEAM, "purpose": {"kind": "timemachine"}},
    "media": {"access": TEAM, "purpose": {"kind": "media"}},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "for nobody": {},
    "for readers": {"access": {"alice": "read", "@staff": "read"}},
    "hidden$": {"access": TEAM, "hidden": True, "comment": "Not listed; # yet = [open] to \"all\", 'é'"},
    "encrypted": {"access": TEAM, "encryption": "required"},
    "there before us": {"access": TEAM, "adopted": True, "foreign": True},
    "sized": {"access": TEAM, "quota": 10 * GI},
    "with snapshots": {"access": TEAM},
}
GUESTS: dict[str, dict[str, Any]] = {
    "guests read": {"guest": "read"},
    "guests read some write": {"guest": "read", "access": TEAM},
    "guests write": {"guest": "write", "access": {"carol": "read"}},
    "no guests": {"access": TEAM},
}
CASES: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {
    "plain": ({"mode": {"addresses": ["192.0.2.7", "2001:db8::7"]}}, PURPOSES | OPTIONS),
    "apple": ({"apple": True}, PURPOSES | APPLE),
    "hardened": ({"hardened": True, "minimum_protocol": "SMB2_10"}, {"general": PURPOSES["general"]}),
    "guests": ({"allow_guests": True, "workgroup": "OFFICE"}, GUESTS),
    "container": ({"mode": {"kind": "lxc", "bridge": "br0", "address": "192.0.2.8/24"}}, {}),
    "oldest": ({"name": "a-rather-long-name-of-it", "minimum_protocol": "SMB2_10", "mode": {"port": 4450}}, {}),
}


def rendered(case: str, own: str = "/own") -> str:
    """The globals of a gateway and its shares, as one file."""
    options, shares = CASES[case]
    gateway = Gateway.model_validate({"name": "files", "sid": "S-1-5-21-1-2-3", **options})
    text = global_section(gateway, own)
    for name, fields in shares.items():
        source = {"kind": "directory", "path": f"/srv/{name}"}
        share = Share.model_validate({"name": name, "gateway": gateway.name, "source": source, **fields})
        dfree = f"{own}/run/size-0123456789abcdef" if name == "sized" else None
        shadow = {"mountpoint": "/srv", "snapdir": ".snapshots"} if name == "with snapshots" else None
        text += "\n" + render(name, share_section(share, gateway, f"/srv/{name}", dfree, shadow))
    return text


def test_the_names_of_shares_are_read_before_a_connection_needs_them() -> None:
    gateway = Gateway(name="files", sid="S-1-5-21-1-2-3")
    assert whole(gateway, "/own") == global_section(gateway, "/own") + "[IPC$]\n\tpath = /nonexistent\n"


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    golden = GOLDEN / f"{case}.conf"
    if os.environ.get("RECORD"):
        golden.write_text(rendered(case))
    assert rendered(case) == golden.read_text()


def test_there_is_no_other_golden_file() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_open_by_accident(case: str) -> None:
    """An empty `valid users` lets everybody in, and what stands after % is expanded."""
    sections = parse_sections(rendered(case))
    base = sections.pop("global")
    for name, section in sections.items():
        assert section["valid users"], name
        expanded = {key: value for key, value in section.items() if key not in ("path", "shadow:format")}
        assert "%" not in "".join(expanded.values()), name
        assert section["path"] in (f"/srv/{name}", f"/srv/{name}/%u")
        assert (section["guest ok"] == "yes") == (case == "guests" and name.startswith("guests"))
    closed = (base["map to guest"], base["restrict anonymous"], base["server signing"])
    assert closed == (("Bad User", "0", "auto") if case == "guests" else ("Never", "2", "mandatory"))
    assert base["server min protocol"] in ("SMB2_10", "SMB3_00", "SMB3_11")


@pytest.mark.parametrize("case", CASES)
def test_a_section_is_read_as_it_was_written(case: str) -> None:
    for name, section in parse_sections(rendered(case)).items():
        assert parse_sections(render(name, section)) == {name: section}


def test_nothing_of_the_host_is_written() -> None:
    for text in (rendered("plain"), client_section("/own")):
        (section, *_) = parse_sections(text).values()
        for name in ("private dir", "state directory", "cache directory", "lock directory", "pid directory"):
            assert section[name].startswith("/own/")


@pytest.mark.parametrize("value", ["a\nguest ok = yes", "a\\"])
def test_a_value_that_would_be_another_parameter_is_refused(value: str) -> None:
    with pytest.raises(AssertionError, match="unsafe value of comment"):
        render("docs", {"comment": value})


def test_purposes_that_need_fruit() -> None:
    shares = {name: {"name": name, "gateway": "files", **fields} for name, fields in (PURPOSES | APPLE).items()}
    source = {"kind": "directory", "path": "/srv/x"}
    needing = {name for name, fields in shares.items() if needs_apple(Share(source=source, **fields))}
    assert needing == set(APPLE)
