"""Where a new share could lie, on real pools and file systems."""

import os
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.create import CreateRequest, resources
from smbgateway.engine import Engine
from smbgateway.errors import Invalid
from smbgateway.host import Node
from smbgateway.paths import Paths
from smbgateway.places import at, offers
from smbgateway.sizes import show_size
from smbgateway.store import MemoryStore


def free(path: str) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def test_pools_and_file_systems_are_offered_and_the_root_disk_is_not(tank: str, btrfs: mounts.Disk, area: Path) -> None:
    found = {offer.source: offer for offer in offers(Node(), [str(area)], "docs")}
    assert found[f"btrfs:{btrfs.path}/docs"].where == f"btrfs at {btrfs.path}"
    assert found[f"btrfs:{btrfs.path}/docs"].free == pytest.approx(free(str(btrfs.path)), rel=0.1)
    assert found[f"zfs:{tank}/docs"].where == f"ZFS pool {tank}"
    assert 0 < found[f"zfs:{tank}/docs"].free < 1 << 30
    assert [offer.free for offer in found.values()] == sorted((offer.free for offer in found.values()), reverse=True)
    assert not any(offer.source.startswith("image:") for offer in found.values())
    assert [o for o in offers(Node(), ["/nowhere"], "docs") if not o.source.startswith("zfs:")] == []


def test_a_request_without_a_source_is_told_of_them(tank: str, btrfs: mounts.Disk, area: Path) -> None:
    site = Engine(MemoryStore(), Paths(str(btrfs.path.parent)), Node(), "here").site
    with pytest.raises(Invalid) as refused:
        resources(CreateRequest(name="docs"), site)
    (fault,) = refused.value.faults
    (offer,) = (offer for offer in offers(Node(), [], "docs") if offer.source == f"zfs:{tank}/docs")
    assert (fault.field, fault.message) == ("source", "no source is given")
    assert f"zfs:{tank}/docs ({show_size(offer.free)} free, ZFS pool {tank})" in fault.hint
    assert fault.hint.startswith("most space is at ")
    assert fault.hint.endswith(": --source KIND:SPEC, or --path DIRECTORY")


def test_a_path_with_a_limit_is_what_its_file_system_can_limit(btrfs: mounts.Disk, area: Path) -> None:
    (area / "there").mkdir()
    found = {
        f"{btrfs.path}/docs": f"btrfs:{btrfs.path}/docs",
        f"{area}/docs/": f"image:{area}/docs.img",
        f"{area}/there": f"directory:{area}/there",  # nothing else takes the place of what is there
        "docs": "directory:docs",
        "/": "directory:/",
    }
    assert {path: at(Node(), path, True) for path in found} == found
    assert at(Node(), f"{btrfs.path}/docs", False) == f"directory:{btrfs.path}/docs"
