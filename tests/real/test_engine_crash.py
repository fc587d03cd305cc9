"""kill -9 of the engine at every point of an operation, then a start: whole or gone, never half."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import ceph, mounts
from smbgateway.intake import Options

from .crash import STEPS, every_point, in_parallel, whole
from .world import PASSWORD, Site, differences, site, snapshot, user


@pytest.fixture(scope="module")
def running(area: Path) -> Iterator[Site]:
    """A gateway that runs, with a user and a share that none of these tests may change."""
    with site(area, "crash") as one:
        other = [] if ceph.ELSEWHERE in os.environ else [one.share("other")]  # there a directory keeps no attributes
        one.apply(one.gateway(), user(), *other)
        yield one


def test_create_of_a_gateway_with_user_and_share(area: Path) -> None:
    def part(number: int) -> str:
        with site(area, f"first-{number}") as one:
            assert create_everything(one, (number, 2)) > 15
        return ""

    assert in_parallel(part) == []


def create_everything(one: Site, part: tuple[int, int]) -> int:
    """Each time from nothing."""
    gateway = one.gateway()
    before = snapshot(one)

    def check(event: str) -> list[str]:
        world = one.engine.site.world()
        if not (world.gateways or world.shares or world.users):
            return differences(before, snapshot(one))
        faults = whole(one)
        one.remove(("share", "files/docs"), ("gateway", "files"), ("user", "alice"), destroy_data=True)
        return faults + differences(before, snapshot(one))

    return every_point(one, lambda engine: engine.apply([gateway, user(), one.share()]), check, part=part)


def test_create_of_a_share_at_every_event(running: Site) -> None:
    """Between steps, and after each command, file and record that is written."""
    assert created_at_every_point(running, running.share(), list, at="") > 10


@dataclass
class Corner:
    """Where a share of one kind of source lies, and what there is of it outside of the site."""

    source: dict[str, str]
    quota: str
    traces: Callable[[], list[str]] = list


@pytest.fixture
def corner(request: pytest.FixtureRequest, running: Site) -> Corner:
    """That of the kind that the test is parametrised with."""
    made: Corner = globals()[f"{request.param}_corner"](running, request.getfixturevalue)
    return made


def image_corner(site: Site, fixture: Callable[[str], Any]) -> Corner:
    return Corner(site.source("docs.img", "image"), "300M")


def btrfs_corner(site: Site, fixture: Callable[[str], Any]) -> Corner:
    disk: mounts.Disk = fixture("btrfs")
    mounts.run("btrfs", "quota", "enable", disk.path)
    return Corner({"kind": "btrfs", "path": f"{disk.path}/docs"}, "20M", lambda: os.listdir(disk.path))


def zfs_corner(site: Site, fixture: Callable[[str], Any]) -> Corner:
    tank: str = fixture("tank")
    told = lambda: mounts.run("zfs", "list", "-H", "-o", "name,refquota,mountpoint").splitlines()  # noqa: E731
    return Corner({"kind": "zfs", "dataset": f"{tank}/docs"}, "20M", told)


def cephfs_corner(site: Site, fixture: Callable[[str], Any]) -> Corner:
    cluster: ceph.Cluster = fixture("cluster")

    def told() -> list[str]:
        return [cluster.ceph("fs", "subvolumegroup", "ls", "cephfs"), cluster.ceph("auth", "ls")]

    return Corner({"kind": "cephfs", "subvolume": "cephfs/docs", "conf": str(cluster.conf)}, "40M", told)


def xfs_corner(site: Site, fixture: Callable[[str], Any]) -> Corner:
    disk: mounts.Disk = fixture("xfs")

    def told() -> list[str]:
        files = [Path(name) for name in ("/etc/projects", "/etc/projid")]
        lists = [line for file in files if file.exists() for line in file.read_text().splitlines()]
        limits = mounts.run("xfs_quota", "-x", "-c", "report -p -n -N -b", disk.path).splitlines()
        return [*os.listdir(disk.path), *lists, *(line for line in limits if line.split()[1:4] != ["0", "0", "0"])]

    return Corner({"kind": "xfs", "path": f"{disk.path}/docs"}, "20M", told)


def rbd_corner(site: Site, fixture: Callable[[str], Any]) -> Corner:
    cluster: ceph.Cluster = fixture("cluster")
    told = lambda: [cluster.tool("rbd", "ls", "rbd"), mounts.run("rbd", "showmapped")]  # noqa: E731
    return Corner({"kind": "rbd", "image": "rbd/docs", "conf": str(cluster.conf)}, "300M", told)


KINDS = ["image", "btrfs", "zfs", "cephfs", "rbd", pytest.param("xfs", marks=pytest.mark.uml)]


@pytest.mark.parametrize("corner", KINDS, indirect=True)
def test_create_of_a_share_before_each_step_of_its_source(running: Site, corner: Corner) -> None:
    """And of its publication; what is common to all is killed with a directory."""
    new = running.share(source=corner.source, quota=corner.quota)
    assert created_at_every_point(running, new, corner.traces, STEPS) > 3


def created_at_every_point(
    site: Site, new: dict[str, Any], traces: Callable[[], list[str]], at: str
) -> int:  # fmt: skip
    """Kill the making of a share, which is then there with its data, or gone with all of it; how many points."""
    before, outside = snapshot(site), traces()
    allowed = Options(allow_paths=(os.path.dirname(new["source"].get("path", "/srv/-")),))

    def check(event: str) -> list[str]:
        faults = []
        if "files/docs" in site.engine.site.world().shares:
            faults = whole(site)
            site.remove(("share", "files/docs"), destroy_data=True)
        return faults + differences(before, snapshot(site))

    count = every_point(site, lambda engine: engine.apply([new], allowed), check, at)
    assert traces() == outside
    return count


def test_update_of_a_share_a_user_and_the_gateway(running: Site) -> None:
    running.apply(user("bob"), running.share("docs"))
    items = [running.gateway(minimum_protocol="SMB3_11"), user("bob", "Another-Word-2")]
    items.append(running.share("docs", access={"bob": "write"}, comment="changed"))

    def check(event: str) -> list[str]:
        world = running.engine.site.world()
        changed = world.shares["files/docs"].comment == "changed"
        assert (world.gateways["files"].minimum_protocol == "SMB3_11") == changed, "all of it or nothing"
        right, wrong = ("Another-Word-2", PASSWORD) if changed else (PASSWORD, "Another-Word-2")
        faults = whole(running, user="bob" if changed else "alice", password=right if changed else PASSWORD)
        login = running.smb("docs" if changed else "other", "exit", user="bob", password=right)
        if "NT_STATUS_LOGON_FAILURE" in login:
            faults.append(f"bob cannot log in with the password of his record: {login}")
        if "NT_STATUS_LOGON_FAILURE" not in running.smb("docs", "exit", user="bob", password=wrong):
            faults.append("bob's other password works")
        if ("NT_STATUS_" in running.smb("other", "exit", extra=["-m", "SMB3_02"])) != changed:
            faults.append("the running smbd has another configuration than its record")
        if changed:
            running.apply(running.gateway(minimum_protocol="SMB3_00"), user("bob"), running.share("docs"))
        return faults

    assert every_point(running, lambda engine: engine.apply(items), check) > 5
    running.remove(("share", "files/docs"), ("user", "bob"), destroy_data=True)


@pytest.mark.parametrize("destroy", [False, True], ids=["keeping data", "destroying data"])
def test_delete_of_a_share_and_its_user(running: Site, destroy: bool) -> None:
    made = [user("bob"), running.image("docs", access={"alice": "write", "bob": "write"})]
    running.apply(*made)
    assert "NT_STATUS_" not in running.smb("docs", "put /etc/hostname kept")
    names = [("share", "files/docs"), ("user", "bob")]

    def check(event: str) -> list[str]:
        world = running.engine.site.world()
        there = "files/docs" in world.shares
        assert there == ("bob" in world.users), "both or neither"
        if there:
            return whole(running) + whole(running, user="bob")
        faults = [f"drift: {line}" for line in running.drift()]
        faults += ["bob is left"] * ("bob" in running.instance().tool("pdbedit", "-L", "-w"))
        faults += ["the share is left"] * ("docs" in running.instance().tool("net", "conf", "list"))
        faults += ["the mount is left"] * (Path(running.paths.mounts) / "files" / "docs").exists()
        if (running.srv / "docs.img").exists() == destroy:
            faults.append("data that should be gone is there, or the other way round")
        running.apply(*made)
        if not destroy and "kept" not in running.smb("docs"):
            faults.append("a client's file is gone")
        return faults

    operation = lambda engine: engine.remove(names, Options(destroy_data=destroy))  # noqa: E731
    if destroy:
        assert not running.engine.site.world().shares["files/docs"].adopted
    assert every_point(running, operation, check) > 5
    running.remove(*names)
    (running.srv / "docs.img").unlink()
