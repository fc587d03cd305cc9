"""Limits for each user, on file systems that have them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.errors import Fault
from smbgateway.host import Node
from smbgateway.model import DirectorySource, Share, ZfsSource
from smbgateway.sources import Usage, userquota
from smbgateway.sources.bulk import Bulk
from smbgateway.step import Ledger

MI = 1024 * 1024
ALICE, BOB = 20010, 20011


@pytest.fixture(params=["xfs", "ext4"])
def disk(request: pytest.FixtureRequest, area: Path) -> Iterator[mounts.Disk]:
    """A file system with quotas of users alone."""
    make = {
        "xfs": ("mkfs.xfs", "-q", "-f"),
        "ext4": ("mkfs.ext4", "-q", "-F", "-O", "quota", "-E", "quotatype=usrquota"),
    }
    made = mounts.Disk(area / "users", Path("/dev/ubdb"), "usrquota")
    mounts.run(*make[request.param], made.device)
    area.chmod(0o711)  # users pass through
    with mounts.mounted(made):
        yield made


def write_as(uid: int, folder: Path, mebibytes: int) -> str:
    """What dd complains of."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    dd = ["dd", "if=/dev/urandom", f"of={folder}/{uid}", "bs=1M", f"count={mebibytes}", "conv=fsync", "status=none"]
    words = ["setpriv", "--reuid", str(uid), "--clear-groups", *dd]
    return subprocess.run(words, capture_output=True, text=True).stderr


def used_by(share: Share, people: dict[str, int]) -> dict[str, tuple[int, int]]:
    """MiB that users have, and may have, as the monitor reads them."""
    (batch,) = Bulk(Node()).users([share], lambda share: people)
    found = {key: usage for key, usage in batch.read().items() if isinstance(usage, Usage)}
    return {key: (round(usage.used / MI), round((usage.limit or 0) / MI)) for key, usage in found.items()}


def share(path: Path, name: str = "docs", limit: int = 10 * MI) -> Share:
    return Share(name=name, gateway="files", source=DirectorySource(path=str(path)), user_quota=limit)


@pytest.mark.uml
def test_each_user_is_limited_and_the_limit_grows_and_goes(disk: mounts.Disk) -> None:
    made = share(disk.path / "docs")
    assert userquota.faults(Node(), made, []) == []
    steps = userquota.steps(Node(), made.source, [BOB, ALICE], made.user_quota)
    assert [step.name for step in steps] == [f"quota of user {uid} at {disk.path}" for uid in (ALICE, BOB)]
    ledger = Ledger()
    ledger.converge(steps)
    assert userquota.limits(Node(), str(disk.path)) == {ALICE: str(10 * MI), BOB: str(10 * MI)}
    again = Ledger()
    again.converge(steps)
    assert again.changes == []
    assert "Disk quota exceeded" in write_as(ALICE, disk.path / "docs", 12)
    assert write_as(BOB, disk.path / "docs", 9) == ""
    assert used_by(made, {"alice": ALICE, "bob": BOB}) == {"files/docs:alice": (10, 10), "files/docs:bob": (9, 10)}
    Ledger().converge(userquota.steps(Node(), made.source, [ALICE], 20 * MI))
    assert write_as(ALICE, disk.path / "docs", 12) == ""
    assert ledger.undo()[1] == []
    assert userquota.limits(Node(), str(disk.path)) == {}


@pytest.mark.uml
def test_two_shares_on_one_file_system_give_the_same(disk: mounts.Disk) -> None:
    message = "share files/other gives users 20 MiB on the same file system"
    told = Fault("user_quota", message, f"all of {disk.path} counts for a user: give both the same")
    others = [share(disk.path / "other", "other", 20 * MI)]
    assert userquota.faults(Node(), share(disk.path / "docs"), others) == [told]
    assert userquota.faults(Node(), share(disk.path / "docs", limit=20 * MI), others) == []


def test_a_file_system_that_has_none_is_refused(btrfs: mounts.Disk) -> None:
    hint = f"add usrquota to its options in /etc/fstab, then: umount {btrfs.path} && mount {btrfs.path}"
    told = Fault("user_quota", f"the btrfs at {btrfs.path} is mounted without quotas of users", hint)
    assert userquota.faults(Node(), share(btrfs.path / "docs"), []) == [told]
    (step,) = userquota.steps(Node(), share(btrfs.path / "docs").source, [ALICE], MI)
    assert step.read() is None


def test_users_of_a_dataset_are_limited_in_it_alone(tank: str, area: Path) -> None:
    dataset = f"{tank}/users"
    area.chmod(0o711)  # users pass through
    mounts.run("zfs", "create", dataset)
    steps = userquota.steps(Node(), ZfsSource(dataset=dataset), [ALICE], 10 * MI - 1)
    ledger = Ledger()
    ledger.converge(steps)
    assert steps[0].read() == str(10 * MI)
    assert "userquota" in mounts.run("zfs", "get", "-H", f"userquota@{ALICE}", dataset)
    made = Share(name="docs", gateway="files", source=ZfsSource(dataset=dataset), user_quota=10 * MI)
    folder = Path(mounts.run("zfs", "get", "-H", "-o", "value", "mountpoint", dataset).strip())
    assert write_as(ALICE, folder, 5) == ""
    wanted = {"files/docs:alice": (5, 10), "files/docs:bob": (0, 0)}
    mounts.until(lambda: used_by(made, {"alice": ALICE, "bob": BOB}) == wanted, "ZFS counts what a user has", 60)
    again = Ledger()
    again.converge(steps)
    assert again.changes == []
    assert ledger.undo() == ([f"quota of user {ALICE} in {dataset}"], [])
    assert steps[0].read() is None
    mounts.until(lambda: mounts.destroyed(dataset), f"{dataset} goes")
    assert steps[0].read() is None
