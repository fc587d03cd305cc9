"""kill -9 of the engine at every point of an operation, then a start: whole or gone, never half."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.engine import Engine
from smbgateway.intake import Options

from .crash import in_parallel, killed
from .world import PASSWORD, Site, differences, leftovers, site, snapshot, user


@pytest.fixture(scope="module")
def running(area: Path) -> Iterator[Site]:
    """A gateway that runs, with a user and a share that none of these tests may change."""
    with site(area, "crash") as one:
        one.apply(one.gateway(), user(), one.share("other"))
        yield one


def come_up(site: Site) -> list[str]:
    """The engine's next start; nothing of the crash is left."""
    said = site.restart()
    assert leftovers(site) == []
    return said


def whole(site: Site, share: str = "docs", **login: str) -> list[str]:
    """What is not as it should be of a share that is there."""
    faults = [f"drift: {line}" for line in site.drift()]
    if not site.works(share, **login):
        faults.append(site.smb(share, "ls", **login))
    record = site.engine.site.world().shares[f"files/{share}"]
    return faults + ([f"state {record.state}"] if record.state != "ready" else [])


def every_point(
    site: Site, operation: Callable[[Engine], object], check: Callable[[str], list[str]], steps_only: bool = False,
    part: tuple[int, int] = (0, 1),
) -> int:  # fmt: skip
    """Kill the operation at its first, second, ... event (or each of a part), come up, check; how many there are."""
    faults, nth = [], part[0] + 1
    while event := killed(site, nth, operation, steps_only):
        nth += part[1]
        said = come_up(site)
        faults += [f"killed {event[:200]}; {said}: {fault}" for fault in check(event)]
        assert len(faults) < 3, "\n".join(faults)
    faults += [f"not killed: {fault}" for fault in check("")]
    assert faults == [], "\n".join(faults)
    return nth


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

    return every_point(one, lambda engine: engine.apply([gateway, user(), one.share()]), check, True, part)


@pytest.mark.parametrize("kind", ["directory", "image", "btrfs"])
def test_create_of_a_share(running: Site, kind: str, btrfs: mounts.Disk) -> None:
    new = {"directory": running.share, "image": running.image, "btrfs": running.share}[kind]("docs")
    if kind == "btrfs":
        new |= {"source": {"kind": "btrfs", "path": str(btrfs.path / "docs")}, "quota": "20M"}
        mounts.run("btrfs", "quota", "enable", btrfs.path)
    before = snapshot(running)

    def check(event: str) -> list[str]:
        if "files/docs" in running.engine.site.world().shares:
            faults = whole(running)
            running.remove(("share", "files/docs"), destroy_data=True)
        else:
            faults = []
        return faults + differences(before, snapshot(running))

    operation = lambda engine: engine.apply([new], Options(allow_paths=(str(btrfs.path),)))  # noqa: E731
    assert every_point(running, operation, check, steps_only=kind != "directory") > 5


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

    assert every_point(running, lambda engine: engine.apply(items), check, steps_only=True) > 5
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
    assert every_point(running, operation, check, steps_only=True) > 5
    running.remove(*names)
    (running.srv / "docs.img").unlink()
