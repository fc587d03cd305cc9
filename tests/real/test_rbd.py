"""An RBD source on a real cluster: mapped by the kernel in user-mode Linux, else by rbd-fuse; served by real Samba."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import ceph
from smbgateway.errors import Conflict, Fault, HoldsData, Unavailable
from smbgateway.host import Node
from smbgateway.model import RbdSource
from smbgateway.sources import Place
from smbgateway.sources.own_xfs import file_size
from smbgateway.sources.rbd import Rbd
from smbgateway.sources.rbd_device import Fuse
from smbgateway.step import Ledger, StepFailed
from smbgateway.versions import Versions

from .world import Site, site, user

MI = 1024 * 1024
pytestmark = pytest.mark.rbd


@pytest.fixture
def node(area: Path, cluster: ceph.Cluster) -> Iterator[Site]:
    with site(area, "onrbd") as one:
        one.apply(one.gateway(), user(), one.share("local"))
        yield one
        for key in [key for key in one.engine.site.world().shares if key != "files/local"]:
            one.remove(("share", key), destroy_data=True)


def share(node: Site, cluster: ceph.Cluster, name: str = "docs", quota: str = "300M") -> dict[str, object]:
    source = {"kind": "rbd", "image": f"rbd/{name}", "conf": str(cluster.conf)}
    return node.share(name, source=source, quota=quota)


def source(area: Path, cluster: ceph.Cluster, name: str, at: str = "", **more: object) -> Rbd:
    """A source; another node's where its mounts lie elsewhere."""
    place = Place("files", name, str(area / f"rbdmounts{at}" / name), (), 20000, quota=300 * MI)
    spec = RbdSource.model_validate({"image": f"rbd/{name}", "conf": str(cluster.conf), **more})
    return Rbd(Node(), place, spec)


def remove(made: Rbd) -> None:
    Ledger().remove(made.steps(), destroy=True)


def test_a_share_is_made_filled_grown_kept_and_taken_up_again(node: Site, cluster: ceph.Cluster) -> None:
    node.apply(share(node, cluster))
    assert node.works("docs")
    part = Path(node.paths.root) / "part"
    part.write_bytes(bytes(170 * MI))
    assert "NT_STATUS" not in node.smb("docs", f"put {part} one")
    assert "NT_STATUS_DISK_FULL" in node.smb("docs", f"put {part} two")
    node.smb("docs", "del two")
    node.apply(share(node, cluster, quota="600M"))
    assert 600 * 1024 <= int(node.smb("docs", "du").split("blocks of size 1024")[0].split()[-1]) <= 648 * 1024
    assert "NT_STATUS" not in node.smb("docs", f"put {part} two")
    assert node.drift() == []
    assert node.remove(("share", "docs")).kept == ["image rbd/docs"]
    assert json.loads(cluster.tool("rbd", "status", "rbd/docs", "--format", "json"))["watchers"] == []
    node.apply(share(node, cluster, quota="600M"))
    assert "two" in node.smb("docs", "ls")
    node.remove(("share", "docs"))
    cluster.tool("rbd", "rm", "--no-progress", "rbd/docs")


def test_snapshots_are_taken_restored_and_shown_to_nobody(node: Site, cluster: ceph.Cluster) -> None:
    items = share(node, cluster) | {"snapshots": {"daily": 1}}
    told = [
        "share docs: snapshots are taken, and can be restored; "
        "clients do not find them as previous versions, which a rbd source does not show"
    ]
    assert node.engine.plan([items]).warnings == told
    assert node.apply(items).warnings == told
    versions = Versions(node.engine)
    node.smb("docs", "put /etc/hostname letter")
    versions.take("docs")
    (former,) = versions.all("docs")
    node.smb("docs", "put /etc/os-release letter; put /etc/hostname further")
    assert "@GMT" not in node.smb("docs", "allinfo letter")
    assert_a_namesake_is_not_touched(node, cluster, former)
    versions.restore("docs", former)
    letter = Path(node.paths.root) / "letter"
    assert "further" not in node.smb("docs", f"get letter {letter}; ls")
    assert letter.read_text() == Path("/etc/hostname").read_text()
    assert (cluster.tool("rbd", "ls", "rbd").split(), node.drift()) == (["docs"], [])
    assert len(versions.all("docs")) == 2  # and how it was before
    versions.drop("docs", former)
    assert former not in versions.all("docs")
    node.remove(("share", "docs"), destroy_data=True)
    assert cluster.tool("rbd", "ls", "rbd") == ""


def assert_a_namesake_is_not_touched(node: Site, cluster: ceph.Cluster, snapshot: str) -> None:
    """An image that has the name of the clone from which is restored."""
    world = node.engine.site.world()
    snapshots = node.engine.site.blueprint(world).source(world.shares["files/docs"]).snapshots
    assert snapshots is not None
    cluster.tool("rbd", "create", "rbd/docs.smbgw-past", "--size", "8M")
    with pytest.raises(Conflict) as caught, snapshots.opened(snapshot):
        pass
    assert caught.value.what == "rbd/docs.smbgw-past is there, and no clone of rbd/docs"
    cluster.tool("rbd", "rm", "--no-progress", "rbd/docs.smbgw-past")


def test_what_stands_against_an_image_is_told_by_field(area: Path, cluster: ceph.Cluster) -> None:
    def told(name: str, **more: object) -> list[Fault]:
        return source(area, cluster, name, **more).look()[0]

    hint = f"there are: {', '.join(cluster.ceph('osd', 'pool', 'ls').split())}"
    assert told("docs", image="nopool/docs") == [Fault("source.image", "there is no pool nopool", hint)]
    hint = "rbd namespace create rbd/team"
    assert told("docs", image="rbd/team/docs") == [Fault("source.image", "pool rbd has no namespace team", hint)]
    cluster.tool("rbd", "create", "rbd/theirs", "--size", "400M")
    cluster.tool("rbd", "bench", "--io-type", "write", "--io-total", "4M", "rbd/theirs")
    message = "rbd/theirs exists and is no XFS: it holds unknown data"
    assert told("theirs") == [Fault("source.image", message, "choose another name; nothing is overwritten")]
    made = source(area, cluster, "theirs")
    ledger = Ledger()
    with pytest.raises(StepFailed, match="rbd/theirs holds something else: found unknown data, expected xfs"):
        ledger.converge(made.steps())
    assert ledger.undo()[1] == []
    cluster.tool("rbd", "rm", "--no-progress", "rbd/theirs")


def test_a_blank_image_of_somebodys_is_taken_and_never_destroyed(area: Path, cluster: ceph.Cluster) -> None:
    cluster.tool("rbd", "create", "rbd/blank", "--size", f"{file_size(300 * MI) // MI}M")
    made = source(area, cluster, "blank")
    assert made.look() == ([], True)
    made.place = Place("files", "blank", made.place.mount, (), 20000, quota=300 * MI, adopted=True)
    Ledger().converge(made.steps())
    remove(made)
    assert cluster.tool("rbd", "info", "rbd/blank")
    cluster.tool("rbd", "rm", "--no-progress", "rbd/blank")


def test_two_nodes_never_have_an_image_at_once(area: Path, cluster: ceph.Cluster) -> None:
    one, other = source(area, cluster, "once"), source(area, cluster, "once", at="2")
    Ledger().converge(one.steps())
    # A client of its own, as another node's is, whatever the first came by.
    way = Fuse(Node(), other.ceph, "rbd", "", "once", str(area / "elsewhere"))
    vars(other)["way"] = way
    address = one._watchers()[0]
    hint = "unmount and unmap it there first; of a client that died, Ceph forgets after 30 s"
    fault = Fault("source.image", f"rbd/once is in use by a client at {address}", hint)
    assert other.look() == ([fault], True)
    with pytest.raises(StepFailed) as caught:
        Ledger().converge(other.steps())
    assert f"cannot set device of rbd/once: rbd/once is open elsewhere too: by clients at {address}" in str(
        caught.value
    )
    assert (way.device(), len(one._watchers()), Path(one.path).is_dir()) == (None, 1, True)
    remove(one)


def test_an_image_that_is_open_is_not_destroyed(area: Path, cluster: ceph.Cluster) -> None:
    made = source(area, cluster, "open")
    Ledger().converge(made.steps())
    with pytest.raises(HoldsData, match="rbd/open stays: a client has it open"):
        made._destroy()
    remove(made)
    assert made.look() == ([], False)


def test_a_cluster_that_is_away_or_shut_is_told(area: Path, cluster: ceph.Cluster) -> None:
    def told(**more: object) -> str:
        with pytest.raises(Unavailable) as caught:
            source(area, cluster, "docs", **more).look()
        return str(caught.value)

    assert told(user="nobody") == (
        "Ceph does not let client.nobody in: rbd: couldn't connect to the cluster!\n"
        f"  it needs the keyring of client.nobody, where {cluster.conf} says it is"
    )
    assert told(conf="/nowhere/ceph.conf") == (
        "Ceph cannot be asked: /nowhere/ceph.conf cannot be read\n  name its conf in the source"
    )
    conf = area / "away.conf"
    conf.write_text(f"[global]\nmon_host = 127.0.0.9:1\nkeyring = {cluster.path}/keyring\n")
    started = time.monotonic()
    assert told(conf=str(conf)) == (
        "Ceph does not answer: rbd: couldn't connect to the cluster!\n"
        f"  `ceph --conf {conf} -s` tells; shares elsewhere go on"
    )
    assert time.monotonic() - started < 20
