"""What happens to a share when its storage fails: it is out of service and says why, the others go on, and nothing is
written beneath. Ceph's faults are in test_cephfs and test_rbd, those of XFS in test_xfs.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts

from .world import Site, site, user

MI = 1024 * 1024
AGAIN = "is its disk mounted? If the data is gone for good: delete the share, then make it again"


@pytest.fixture
def pool(area: Path, tank: str) -> Iterator[str]:
    """A small pool beside `tank`."""
    disk = area / "small.disk"
    mounts.run("truncate", "--size=128M", disk)
    mounts.run("zpool", "create", "-O", "xattr=on", "-m", area / "small", "small", disk)
    yield "small"
    mounts.until(lambda: mounts.destroyed("small/docs"), "small/docs goes")
    mounts.until(lambda: done("zpool", "destroy", "-f", "small"), "the pool goes")
    disk.unlink()


@pytest.fixture
def node(area: Path, pool: str) -> Iterator[Site]:
    with site(area, "faults") as one:
        source = {"kind": "zfs", "dataset": f"{pool}/docs"}
        one.apply(user(), one.gateway(), one.share("local"), one.share("docs", source=source, quota="40M"))
        yield one


def mount(node: Site) -> Path:
    return Path(node.paths.mounts) / "files" / "docs"


def out_of_service(node: Site) -> str:
    """What the engine says of the share when it comes up, while the other is served."""
    (said,) = node.restart()
    assert "NT_STATUS_BAD_NETWORK_NAME" in node.smb("docs")
    assert node.works("local")
    assert list(mount(node).iterdir()) == []  # nothing is made beneath
    return said


def test_a_pool_that_was_exported(node: Site, pool: str, area: Path) -> None:
    node.smb("docs", "put /etc/hostname kept")
    mounts.run("umount", mount(node))
    mounts.until(lambda: done("zpool", "export", pool), "the pool is exported")
    said = out_of_service(node)
    what = "cannot set dataset small/docs: dataset small/docs is gone: share docs had its data there"
    assert said == f"share docs: {what}\n  {AGAIN}"
    assert any("dataset small/docs" in cell for cell in node.drift())
    mounts.run("zpool", "import", "-d", area, pool)
    assert node.restart() == []
    assert "kept" in node.smb("docs", "ls")


def test_a_dataset_that_was_renamed(node: Site, pool: str) -> None:
    node.smb("docs", "put /etc/hostname kept")
    mounts.run("umount", mount(node))
    mounts.until(lambda: done("zfs", "rename", f"{pool}/docs", f"{pool}/other"), "the dataset is renamed")
    mounts.run("umount", "--lazy", mount(node)) if mount(node).is_mount() else None
    assert "dataset small/docs is gone: share docs had its data there" in out_of_service(node)
    mounts.until(lambda: done("zfs", "rename", f"{pool}/other", f"{pool}/docs"), "it has its name again")
    assert node.restart() == []
    assert "kept" in node.smb("docs", "ls")


def done(*command: str) -> bool:
    """Try a command; after an unmount zfs-fuse lets go of a dataset a little later."""
    return subprocess.run(command, capture_output=True).returncode == 0


def test_a_pool_that_is_full_though_the_share_is_not(node: Site, pool: str, area: Path) -> None:
    filler = area / "small" / "filler"
    fill = ["dd", "if=/dev/urandom", f"of={filler}", "bs=1M"]
    assert "No space left" in subprocess.run(fill, capture_output=True, text=True).stderr
    part = Path(node.paths.root) / "part"
    part.write_bytes(bytes(range(256)) * 4096 * 8)
    assert "NT_STATUS_DISK_FULL" in node.smb("docs", f"put {part} part")
    assert node.works("local")
    assert node.drift() == []
    filler.unlink()
    mounts.until(lambda: node.works("docs"), "there is room again")
