"""The real ring: real tools and file systems, in a mount namespace of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ceph, containers, mounts
from smbgateway.guests.template import Templates
from smbgateway.host import Node


@pytest.fixture(scope="session", autouse=True)
def area() -> Iterator[Path]:
    """The directory in which all of the ring's files and mounts lie."""
    assert os.geteuid() == 0, "the real ring needs root"
    mounts.enter_private_namespace()
    with mounts.mount_area() as made, mounts.copied(Path("/etc"), made / ".etc"):  # tests add users of the node
        yield made


@pytest.fixture(scope="session")
def btrfs(area: Path) -> Iterator[mounts.Disk]:
    """A btrfs, 1 GiB, without quota accounting at first."""
    with mounts.btrfs(area) as made:
        yield made


@pytest.fixture(scope="session")
def xfs(area: Path) -> Iterator[mounts.Disk]:
    """An XFS with project quotas, in user-mode Linux."""
    with mounts.xfs(area) as made:
        yield made


@pytest.fixture(scope="session")
def cluster(area: Path) -> Iterator[ceph.Cluster]:
    """A Ceph cluster with a CephFS and a pool, one for all: in user-mode Linux that of the machine outside."""
    if elsewhere := os.environ.get(ceph.ELSEWHERE):
        yield ceph.Cluster(Path(elsewhere))
        return
    with ceph.cluster(area / "ceph") as made:
        ceph.fill(made)
        yield made


@pytest.fixture(scope="session")
def bridge() -> Iterator[containers.Bridge]:
    """A bridge for containers."""
    with containers.bridge() as made:
        yield made


@pytest.fixture(scope="session")
def templates(area: Path) -> Path:
    """A directory with a template in it."""
    Templates(Node(), str(area / "templates")).bring(str(containers.tar_file()))
    return area / "templates"


@pytest.fixture(scope="session")
def tank(area: Path) -> Iterator[str]:
    """A ZFS pool, 1 GiB."""
    with mounts.zfs_pool(area) as made:
        yield made
