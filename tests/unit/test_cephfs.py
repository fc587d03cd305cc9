"""Which shares on CephFS have a mount of their own, and how a mount is known again."""

import pytest

from smbgateway.allocate import OWN_MOUNTS, Node, allocate
from smbgateway.checks import check
from smbgateway.model import CephfsSource, DirectorySource, Gateway, Share
from smbgateway.sources import Place
from smbgateway.sources.cephfs import Cephfs
from smbgateway.sources.rbd_device import mapped
from smbgateway.world import World
from tests.unit.fakes import FakeHost

NODE = Node("one", (), (), "", 0)
FILES = Gateway(name="files")


def share(name: str, subvolume: str = "", **more: object) -> Share:
    source = CephfsSource(subvolume=subvolume or f"cephfs/smb/{name}")
    return Share.model_validate({"name": name, "gateway": "files", "source": source, **more})


def test_a_group_of_many_shares_is_mounted_once_for_those_that_come_later() -> None:
    few = [share(f"s{number}") for number in range(OWN_MOUNTS)]
    former = World({"files": FILES}, {each.key: each for each in few}, {}, {})
    asked = [share("late"), share("other", "cephfs/team/other"), share("s0", comment="changed")]
    assert [getattr(each, "common", None) for each in allocate(asked, former, NODE)] == [True, False, False]
    together = allocate([share(f"n{number}") for number in range(OWN_MOUNTS + 2)], World({}, {}, {}, {}), NODE)
    assert sum(getattr(each, "common", False) for each in together) == 2


def test_only_cephfs_has_groups() -> None:
    plain = Share(name="docs", gateway="files", source=DirectorySource(path="/srv/docs"), common=True)
    world = World({"files": FILES}, {plain.key: plain}, {}, {})
    (fault,) = check(world, world, [plain])
    assert fault.message == "a directory source has no group that could be mounted"


@pytest.mark.parametrize(
    ("source", "own", "of_group"),
    [
        ("10.0.0.1:6789,10.0.0.2:6789:/volumes/smb/docs/0a1b", True, False),
        ("smbgateway@0a.cephfs=/volumes/smb/docs/0a1b", True, False),
        ("10.0.0.1:6789:/volumes/smb", False, True),
        ("10.0.0.1:6789:/volumes/smb/docs2/0a1b", False, False),
        ("10.0.0.1:6789:/volumes/team", False, False),
    ],
)
def test_what_the_kernel_has_mounted_is_known_by_its_path(source: str, own: bool, of_group: bool) -> None:
    found = {"type": "ceph", "source": source}
    spec = CephfsSource(subvolume="cephfs/smb/docs")
    for common, expected in (("", own), ("/m/.ceph", of_group)):
        place = Place("files", "docs", "/m/files/docs", (), 20000, common=common)
        assert Cephfs(FakeHost(), place, spec).mount.is_mine(found) is expected


def test_a_mapped_image_is_found_by_pool_namespace_and_name() -> None:
    rows = """[
        {"id":"0","pool":"rbd","namespace":"","name":"lun1","snap":"-","device":"/dev/rbd0"},
        {"id":"1","pool":"rbd","namespace":"tenant1","name":"lun2","snap":"s1","device":"/dev/rbd1"}
    ]"""
    assert mapped(rows, ("rbd", "", "lun1")) == "/dev/rbd0"
    assert mapped(rows, ("rbd", "tenant1", "lun2")) is None  # a snapshot of it
    assert mapped("[]", ("rbd", "", "lun1")) is None
