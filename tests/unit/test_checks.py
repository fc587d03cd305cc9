"""Rules between resources: which are refused together, and with which words."""

from typing import Any

import pytest

from smbgateway.checks import check, doubled
from smbgateway.model import Resource, parse
from smbgateway.world import World

EMPTY = World({}, {}, {}, {})
BASE = [
    {"kind": "gateway", "name": "files", "mode": {"node": "one"}},
    {"kind": "gateway", "name": "far", "mode": {"node": "two", "port": 4450}},
    {"kind": "user", "name": "office", "uid": 20002},
    {"kind": "group", "name": "staff", "gid": 20002},
]
IN_USE = "two shares never have the same data, or one inside the other"


def share(name: str = "docs", source: str = "directory:/srv/docs", **more: Any) -> dict[str, Any]:
    kind, _, spec = source.partition(":")
    field = {"zfs": "dataset", "cephfs": "subvolume"}.get(kind, "path")
    return {"kind": "share", "name": name, "gateway": "files", "source": {"kind": kind, field: spec}, **more}


def said(*items: dict[str, Any], before: tuple[dict[str, Any], ...] = ()) -> list[str]:
    """The faults of a request, after one that was fulfilled."""
    former = EMPTY.staged(parse([*BASE, *before]))
    changed: list[Resource] = parse(items)
    return [
        f"{fault.field}: {fault.message} ({fault.hint})" for fault in check(former.staged(changed), former, changed)
    ]


def test_names_that_differ_only_in_case() -> None:
    assert said(share("Docs", "directory:/srv/other"), before=(share(),)) == [
        "share.Docs.name: it differs from share docs only in case (SMB does not tell capitals apart)"
    ]
    assert said(share("Docs", "directory:/srv/other") | {"gateway": "far"}, before=(share(),)) == []


@pytest.mark.parametrize(
    "source",
    ["directory:/srv/docs", "image:/srv/docs", "directory:/srv", "btrfs:/srv/docs/inside", "directory:/srv/docs/a/b"],
)
def test_data_of_another_share_around_it_or_inside(source: str) -> None:
    field = f"share.new.source.path: it is in use by share docs of gateway files (directory:/srv/docs) ({IN_USE})"
    assert said(share("new", source), before=(share(),)) == [field]


@pytest.mark.parametrize("source", ["directory:/srv/docs-2", "directory:/srv/doc", "zfs:srv/docs", "directory:/srv/z"])
def test_data_beside_that_of_another_share(source: str) -> None:
    assert said(share("new", source), before=(share(), share("z", "directory:/srv/docs.z"))) == []


def test_the_same_place_on_another_node_is_another_place() -> None:
    assert said(share("new") | {"gateway": "far"}, before=(share(),)) == []
    shared = {"source": {"kind": "directory", "path": "/srv/docs", "shared": True}}
    assert said(share("new") | {"gateway": "far"} | shared, before=(share() | shared,)) == [
        f"share.new.source.path: it is in use by share docs of gateway files (directory:/srv/docs) ({IN_USE})"
    ]
    assert said(share("new", "cephfs:c/g/docs") | {"gateway": "far"}, before=(share("docs", "cephfs:c/g/docs"),)) == [
        f"share.new.source.subvolume: it is in use by share docs of gateway files (cephfs:c/g/docs) ({IN_USE})"
    ]


def test_two_of_one_request() -> None:
    assert said(share("a", "zfs:tank/a"), share("b", "zfs:tank/a/b")) == [
        f"share.a.source.dataset: it is in use by share b of gateway files (zfs:tank/a/b) ({IN_USE})",
        f"share.b.source.dataset: it is in use by share a of gateway files (zfs:tank/a) ({IN_USE})",
    ]
    twice = parse([share(), share("DOCS", "directory:/srv/x")])
    assert [f"{fault.field}: {fault.message}" for fault in doubled(twice)] == [
        "share.DOCS: it stands twice in the request"
    ]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (share(gateway="file"), 'share.docs.gateway: there is no gateway file (did you mean "files"?)'),
        (
            share(source="zfs:tank/x"),
            "share.docs.source: the data is at directory:/srv/docs and stays there "
            "(make another share for another source)",
        ),
        (
            share(access={"ofice": "read"}),
            'share.docs.access.ofice: there is no user ofice of ours (did you mean "office"?)',
        ),
        (
            share(access={"@zzz": "read"}),
            "share.docs.access.@zzz: there is no group zzz of ours (make it: pve-smbgateway group create zzz)",
        ),
        (
            share(guest="read"),
            "share.docs.guest: gateway files allows no guests "
            "(allow_guests on the gateway; its sessions are then not all signed)",
        ),
        (share(project=7), "share.docs.project: a directory source is no XFS project (leave it out)"),
        (
            {"kind": "gateway", "name": "second", "mode": {"node": "one"}},
            "gateway.second.mode.port: port 445 of the same address is gateway files's "
            "(add the share to it (--gateway files), or give this one its own address (--address))",
        ),
        (
            {"kind": "gateway", "name": "files", "mode": {"node": "two"}},
            "gateway.files.mode.node: it runs on one (a native gateway does not move: make another there)",
        ),
        (
            {"kind": "user", "name": "staff"},
            "user.staff.name: there is a group staff: a user and a group of one name confuse Windows ()",
        ),
        (
            {"kind": "group", "name": "g", "members": ["ofice"]},
            'group.g.members: there is no user ofice of ours (did you mean "office"?)',
        ),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, str) else "",
)
def test_what_does_not_fit_the_rest(item: dict[str, Any], told: str) -> None:
    assert told in said(item, before=(share(),))
