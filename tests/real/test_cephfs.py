"""A CephFS source on a real cluster, served by real Samba."""

import itertools
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ceph, mounts
from smbgateway.errors import GatewayError, HoldsData, Invalid
from smbgateway.host import Node
from smbgateway.model import CephfsSource
from smbgateway.sources import Place
from smbgateway.sources.bulk import Bulk
from smbgateway.sources.cephfs import Cephfs
from smbgateway.step import Ledger, Step, StepFailed, look
from smbgateway.versions import Versions
from smbgateway.watch import Watch

from .world import HeldOpen, Site, site, user

MI = 1024 * 1024
NOON = 1795435200.0  # 2026-11-23 12:00 UTC, a Monday


@pytest.fixture
def node(area: Path, cluster: ceph.Cluster) -> Iterator[Site]:
    with site(area, "oncephfs") as one:
        one.apply(one.gateway(), user(), one.share("local"))
        yield one
        for key in [key for key in one.engine.site.world().shares if key != "files/local"]:
            one.remove(("share", key), destroy_data=True)


def share(node: Site, cluster: ceph.Cluster, name: str = "docs", quota: str = "40M") -> dict[str, object]:
    source = {"kind": "cephfs", "subvolume": f"cephfs/{name}", "conf": str(cluster.conf)}
    return node.share(name, source=source, quota=quota)


def source(area: Path, cluster: ceph.Cluster, name: str = "bare", quota: int = 40 * MI) -> Cephfs:
    spec = CephfsSource(subvolume=f"cephfs/{name}", conf=str(cluster.conf))
    place = Place("files", name, str(area / "cephmounts" / name), (), 20000, quota=quota, secrets=str(area / "keys"))
    return Cephfs(Node(), place, spec)


def all_steps(made: Cephfs) -> list[Step]:
    return [*made.steps(), *made.quota(made.place.quota)]


def info(cluster: ceph.Cluster, name: str) -> dict[str, object]:
    words = ("fs", "subvolume", "info", "cephfs", name, "smbgateway", "--format", "json")
    return dict(json.loads(cluster.ceph(*words)))


def test_a_share_is_made_proved_filled_grown_and_kept(node: Site, cluster: ceph.Cluster) -> None:
    result = node.apply(share(node, cluster))
    assert [proof.text for proof in result.proofs] == ["shadow login as alice, wrote and read 1 MiB"]
    assert node.drift() == []
    assert "40960 blocks of size 1024" in node.smb("docs", "du")
    assert_fills_up(node, "docs")
    node.smb("docs", "del part*; put /etc/hostname kept")
    node.apply(share(node, cluster, quota="80M"))
    assert info(cluster, "docs")["bytes_quota"] == 80 * MI
    kept = node.remove(("share", "docs")).kept
    assert kept == ["subvolume group cephfs/smbgateway", "subvolume cephfs/smbgateway/docs"]
    node.apply(share(node, cluster, quota="80M"))  # adopted now: its quota was not reset, its files are there
    assert "kept" in node.smb("docs", "ls")
    with pytest.raises(HoldsData, match=r"it was there before the share was made"):
        node.remove(("share", "docs"), destroy_data=True)
    node.remove(("share", "docs"))
    cluster.ceph("fs", "subvolume", "rm", "cephfs", "docs", "smbgateway")


def assert_fills_up(node: Site, name: str) -> None:
    """Ceph counts late what clients write, so one write may pass the limit; soon none does."""
    part, deadline, numbers = Path(node.paths.root) / "part", time.monotonic() + 30, itertools.count()
    part.write_bytes(bytes(20 * MI))
    while "NT_STATUS_DISK_FULL" not in node.smb(name, f"put {part} part{next(numbers)}"):
        assert time.monotonic() < deadline
        time.sleep(1)


def test_each_has_a_key_for_itself_alone(node: Site, cluster: ceph.Cluster) -> None:
    node.apply(share(node, cluster, "keyed"))
    caps = json.loads(cluster.ceph("auth", "get", "client.smbgateway:cephfs:smbgateway:keyed", "--format", "json"))[0]
    assert f"path={info(cluster, 'keyed')['path']}" in caps["caps"]["mds"]
    assert "namespace=" in caps["caps"]["osd"]
    files = list(Path(node.paths.priv).rglob("*.key"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
    node.remove(("share", "keyed"), destroy_data=True)
    assert not list(Path(node.paths.priv).rglob("*.key"))
    assert "keyed" not in cluster.ceph("auth", "ls")
    assert "smbgateway" not in cluster.ceph("fs", "subvolumegroup", "ls", "cephfs")  # ours goes with its last subvolume


def test_a_second_converge_changes_nothing_and_removal_destroys_all(area: Path, cluster: ceph.Cluster) -> None:
    made = source(area, cluster)
    ledger = Ledger()
    ledger.converge(all_steps(made))
    assert ledger.changes
    again = Ledger()
    again.converge(all_steps(source(area, cluster)))
    assert again.changes == []
    assert made.usage().limit == 40 * MI
    sources = {"files/bare": made, "files/absent": source(area, cluster, "absent")}
    bulk = Bulk(Node())
    for _ in range(2):  # the second time it knows where they lie
        (batch,) = bulk.batches(sources)
        found = batch.read()
        assert found["files/bare"] == made.usage()
        assert isinstance(found["files/absent"], GatewayError)
        assert found["files/absent"].what == "cephfs/smbgateway/absent is gone"
    assert Ledger().remove(all_steps(made), destroy=True) == []
    Ledger().converge(all_steps(made))  # anew, at another place
    assert batch.read()["files/bare"] == made.usage()
    assert Ledger().remove(all_steps(made), destroy=True) == []
    assert [cell.name for cell in look(made.steps()) if cell.now is not None] == []


def test_whatever_step_fails_the_undo_leaves_nothing(area: Path, cluster: ceph.Cluster) -> None:
    made = source(area, cluster, "undone")
    before = cluster.ceph("auth", "ls"), mounts.mounts_below(area)
    for number in range(len(all_steps(made)), 0, -3):
        ledger = Ledger()
        failing = Step("the next", "x", lambda: None, fail)
        with pytest.raises(StepFailed, match="cannot set the next: the test"):
            ledger.converge([*all_steps(made)[:number], failing])
        assert ledger.undo()[1] == []
        assert (cluster.ceph("auth", "ls"), mounts.mounts_below(area)) == before
        assert made.look() == ([], False)


def fail(value: str | None) -> None:
    if value is not None:
        raise GatewayError("the test")


def test_an_undo_keeps_a_clients_file(area: Path, cluster: ceph.Cluster) -> None:
    made = source(area, cluster, "used")
    ledger = Ledger()
    ledger.converge(all_steps(made))
    Path(made.path, "letter").write_text("dear")
    undone, left = ledger.undo()
    assert undone == []
    assert left[0] == f"directory {made.path} (files of clients are in it)"
    Ledger().converge(all_steps(made))
    assert Path(made.path, "letter").read_text() == "dear"
    Ledger().remove(all_steps(made), destroy=True)


def test_bad_requests(node: Site, cluster: ceph.Cluster) -> None:
    def faults(**more: object) -> list[str]:
        base = share(node, cluster, "bad")
        with pytest.raises(Invalid) as caught:
            node.apply({**base, **more, "source": {**base["source"], **dict(more.get("source", {}))}})  # type: ignore[dict-item, call-overload]
        return [f"{fault.field}: {fault.message}" for fault in caught.value.faults]

    assert faults(source={"subvolume": "nofs/bad"}) == ["share.bad.source.subvolume: there is no CephFS nofs"]
    assert faults(source={"subvolume": "cephfs/none/bad"}) == ["share.bad.source.subvolume: cephfs has no group none"]
    assert faults(quota="1M") == ["share.bad.quota: 1 MiB is too small: CephFS counts in units of 4 MiB"]
    gone = faults(source={"conf": "/nowhere/ceph.conf"})
    assert gone == ["share.bad.source: Ceph cannot be asked: /nowhere/ceph.conf cannot be read"]


def test_a_cluster_that_is_away_is_told_and_hurts_nobody_else(area: Path, node: Site) -> None:
    with ceph.cluster(area / "ceph2") as other:
        other.volume("cephfs")
        node.apply(share(node, other, "far"))
        assert node.works("far")
        other.kill("ceph-mon", "ceph-mgr", "ceph-mds", "ceph-osd")
        assert node.works("local")
        told = "; ".join(node.drift())
        assert "Ceph does not answer" in told
        node.apply(node.share("local", comment="all the same"))
        other.kill("ceph-fuse")
        node.engine.site.store.delete(node.engine.site.world().shares["files/far"])


def test_a_key_that_is_gone_is_made_anew_and_a_full_pool_is_told(node: Site, cluster: ceph.Cluster) -> None:
    others = set(cluster.processes("ceph-fuse"))
    node.apply(share(node, cluster, "keyless"))
    entity = "client.smbgateway:cephfs:smbgateway:keyless"
    cluster.ceph("auth", "del", entity)
    assert {"rights of " + entity + ": None", "key of " + entity + ": 'outdated'"} <= set(node.drift())
    for program in set(cluster.processes("ceph-fuse")) - others:
        os.kill(program, signal.SIGKILL)
    assert node.restart() == []
    assert (node.works("keyless"), node.drift()) == (True, [])

    part = Path(node.paths.root) / "part"
    part.write_bytes(os.urandom(8 * MI))
    cluster.ceph("osd", "pool", "set-quota", "cephfs.cephfs.data", "max_bytes", "1")
    try:
        full = lambda: "NT_STATUS_DISK_FULL" in node.smb("keyless", f"put {part} part")  # noqa: E731
        mounts.until(full, "the pool is full")
        assert (node.works("local"), node.drift()) == (True, [])
    finally:
        cluster.ceph("osd", "pool", "set-quota", "cephfs.cephfs.data", "max_bytes", "0")
    mounts.until(lambda: node.works("keyless"), "there is room again")


def test_clients_find_previous_versions_and_a_snapshot_is_restored(node: Site, cluster: ceph.Cluster) -> None:
    clock = [NOON]
    versions = Versions(node.engine, lambda: clock[0])
    node.apply({**share(node, cluster), "snapshots": {"hourly": 1}})
    letter = Path(node.paths.root) / "letter"

    def write(text: str) -> None:
        letter.write_text(text)
        assert "NT_STATUS" not in node.smb("docs", f"put {letter} letter")

    def read(path: str) -> str:
        letter.unlink(missing_ok=True)
        said = node.smb("docs", f'get "{path}" {letter}')
        return letter.read_text() if letter.exists() else said

    write("first")
    assert versions.serve(node.engine.site.world()) == []
    write("second, longer")
    clock[0] += 60
    versions.take("docs")
    auto, kept = versions.all("docs")
    assert (auto, kept) == ("auto-2026.11.23-12.00.00", "kept-2026.11.23-12.01.00")
    write("third")
    shown = re.findall(r"^(@GMT-\S+)", node.smb("docs", "allinfo letter"), re.MULTILINE)
    assert shown == ["@GMT-2026.11.23-12.01.00", "@GMT-2026.11.23-12.00.00"]
    assert [read(f"{each}\\letter") for each in shown] == ["second, longer", "first"]
    assert "NT_STATUS_MEDIA_WRITE_PROTECTED" in node.smb("docs", f'del "{shown[0]}\\letter"')

    clock[0] += 60
    versions.restore("docs", auto)
    assert read("letter") == "first"
    clock[0] += 3600
    assert versions.serve(node.engine.site.world()) == []
    present = "kept-2026.11.23-12.02.00"  # how it was before the restoration
    assert versions.all("docs") == [kept, present, "auto-2026.11.23-13.02.00"]
    versions.drop("docs", kept)
    assert read("@GMT-2026.11.23-12.02.00\\letter") == "third"
    assert "OBJECT" in read(f"{shown[0]}\\letter")
    assert node.drift() == []
    node.remove(("share", "docs"), destroy_data=True)  # with its snapshots
    assert "smbgateway" not in cluster.ceph("fs", "subvolumegroup", "ls", "cephfs")


def test_shares_of_a_group_have_one_mount_and_each_its_size(node: Site, cluster: ceph.Cluster) -> None:
    others = set(cluster.processes("ceph-fuse"))
    before = len(others)
    node.apply(*({**share(node, cluster, name), "common": True} for name in ("one", "two")))
    assert len(cluster.processes("ceph-fuse")) == before + 1
    assert [node.works(name) for name in ("one", "two")] == [True, True]
    assert "40960 blocks of size 1024" in node.smb("one", "du")
    assert_fills_up(node, "one")
    assert node.works("two")
    node.apply({**share(node, cluster, "two", quota="80M"), "common": True})
    usage = node.engine.site.blueprint(node.engine.site.world())
    usage.publish_size(node.engine.site.world().shares["files/two"])
    assert "81920 blocks of size 1024" in node.smb("two", "du")
    assert node.drift() == []
    assert_mounted_again_after_a_death(node, cluster, others)
    node.remove(("share", "one"), destroy_data=True)
    assert node.works("two")
    node.remove(("share", "two"), destroy_data=True)
    mounts.until(lambda: len(cluster.processes("ceph-fuse")) == before, "the mount of the group goes")
    assert "client.smbgateway" not in cluster.ceph("auth", "ls")


def assert_mounted_again_after_a_death(node: Site, cluster: ceph.Cluster, others: set[int]) -> None:
    """Of the program behind the mount of the group; a client that was connected goes on by connecting anew."""
    with HeldOpen(node, "two") as client:
        assert "NT_STATUS" not in client.do("put /etc/hostname kept")
        (program,) = set(cluster.processes("ceph-fuse")) - others
        os.kill(program, signal.SIGKILL)
        mounts.until(lambda: "NT_STATUS" in client.do("ls"), "the client notices")
        assert "mount of cephfs/smbgateway/two: 'a dead mount'" in node.drift()
        watch = Watch(node.engine)
        watch.look()
        assert [node.works(name) for name in ("two", "local")] == [True, True]
        assert [name in node.smb(share, "ls") for share, name in (("one", "part"), ("two", "kept"))] == [True, True]
    told = [text for _, text in node.engine.events["files"]]
    assert told == ["the mount of share one, share two had died: mounted again"]
    assert node.drift() == []
    watch._looked = 0
    watch.look()
    assert [text for _, text in node.engine.events["files"]] == told
