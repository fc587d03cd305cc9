"""Shares on CephFS: which have a mount of their own, how a mount is known again, what Ceph's answers mean."""

import json
from typing import Any

import pytest

from smbgateway.allocate import OWN_MOUNTS, Node, allocate
from smbgateway.checks import check
from smbgateway.errors import CommandFailed, Fault, Unavailable
from smbgateway.host import Host
from smbgateway.model import CephfsSource, DirectorySource, Gateway, Share
from smbgateway.sources import Place
from smbgateway.sources.ceph import Ceph
from smbgateway.sources.ceph_call import AWAY
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


class Cluster(Host):
    """It answers each command, by its prefix, with a text or an error number."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        answer = self.answers[json.loads(argv[-1])["prefix"].replace(" ", "_")]
        if isinstance(answer, tuple):
            raise CommandFailed(argv, *answer)
        return json.dumps(answer)


def test_a_quota_below_what_is_used_is_refused() -> None:
    info = {"state": "complete", "bytes_used": 40 << 20, "bytes_quota": 80 << 20}
    cluster = Cluster(fs_subvolume_info=info, fs_subvolume_metadata_get=(2, "key does not exist"))
    place = Place("files", "docs", "/m/files/docs", (), 20000, quota=20 << 20)
    message = "20 MiB is less than the 40 MiB in use"
    fault = Fault("quota", message, "--force sets it all the same", waivable=True)
    assert Cephfs(cluster, place, CephfsSource(subvolume="cephfs/smb/docs")).look() == ([fault], True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((-1, "no answer within 20 s"), "Ceph does not answer: no answer within 20 s"),
        ((AWAY, "[errno 110] RADOS timed out (error connecting to the cluster)"), "Ceph does not answer: [errno 110]"),
        ((AWAY, "[errno 13] RADOS permission denied (error connecting to the cluster)"), "does not let client.x in"),
        ((AWAY, "rbd: no way in\n2026-11-29T17:56:01 -1 monclient: hunting"), "let client.x in: rbd: no way in"),
        ((AWAY, "python3-rados is not installed"), "python3-rados is not installed"),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_told_and_not_asked_again_at_once(
    answer: tuple[int, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ceph, "away", {})
    cluster = Cluster(fs_ls=answer)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            Ceph(cluster, "/etc/ceph/ceph.conf", "x").look("fs ls")
        assert said in str(caught.value)
        cluster.answers["fs_ls"] = []
