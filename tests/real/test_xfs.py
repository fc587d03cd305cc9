"""XFS projects, on a kernel that has them: served by real Samba, kept apart from others', and with things missing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.errors import Fault, Invalid
from smbgateway.host import Node
from smbgateway.model import XfsSource
from smbgateway.places import offers
from smbgateway.sources import Place, Source, make, projects
from smbgateway.sources.bulk import Bulk
from smbgateway.step import Ledger, StepFailed

from .world import Site, site, user

pytestmark = pytest.mark.uml

MI = 1024 * 1024
ARCHIVE = "12:/mnt/archive\n"
NUMBER = 445000777


@pytest.fixture
def lists(area: Path) -> Iterator[None]:
    """The node's lists, with a project of somebody's."""
    for file, text in ((projects.PATHS, ARCHIVE), (projects.NAMES, "archive:12\n")):
        Path(file).write_text(text)
    yield
    assert Path(projects.PATHS).read_text() == ARCHIVE
    assert Path(projects.NAMES).read_text() == "archive:12\n"


@pytest.fixture(scope="module")
def node(area: Path, xfs: mounts.Disk) -> Iterator[Site]:
    with site(area, "onxfs") as one:
        one.apply(one.gateway(), user())
        yield one


def share(disk: mounts.Disk, node: Site, name: str = "docs", **more: object) -> dict[str, object]:
    return node.share(name, source={"kind": "xfs", "path": f"{disk.path}/{name}"}, **more)


def apply(node: Site, disk: mounts.Disk, *items: dict[str, object], **options: object) -> None:
    node.apply(*items, allow_paths=(str(disk.path),), **options)


def faults(node: Site, disk: mounts.Disk, item: dict[str, object]) -> list[tuple[str, str, str]]:
    with pytest.raises(Invalid) as caught:
        apply(node, disk, item)
    return [(fault.field, fault.message, fault.hint) for fault in caught.value.faults]


def test_a_share_is_made_filled_grown_shrunk_and_kept(lists: None, node: Site, xfs: mounts.Disk) -> None:
    apply(node, xfs, share(xfs, node, quota="20M"), share(xfs, node, "my docs"))
    project = node.engine.site.world().shares["files/docs"].project or 0
    assert f"{ARCHIVE}{project}:{xfs.path}/docs\n" in Path(projects.PATHS).read_text()
    assert f"files.my_docs.{project + 1}:" in Path(projects.NAMES).read_text()
    assert "20480 blocks of size 1024" in node.smb("docs", "du")
    part = Path(node.paths.root) / "part"
    part.write_bytes(bytes(15 * MI))
    assert "NT_STATUS" not in node.smb("docs", f"put {part} one")
    assert "NT_STATUS_DISK_FULL" in node.smb("docs", f"put {part} two")
    node.smb("docs", "del two")
    assert projects.usages(Node(), str(xfs.path))[project] == (15 * MI, 20 * MI)
    world = node.engine.site.world()
    sources = {key: node.engine.site.blueprint(world).source(each) for key, each in world.shares.items()}
    (batch,) = Bulk(Node()).batches(sources)
    assert batch.read() == {key: each.usage() for key, each in sources.items()}
    (xfs.path / "docs").rename(xfs.path / "aside")
    assert str(batch.read()["files/docs"]) == f"{xfs.path}/docs cannot be read: No such file or directory"
    (xfs.path / "aside").rename(xfs.path / "docs")

    apply(node, xfs, share(xfs, node, quota="40M"))
    assert "NT_STATUS" not in node.smb("docs", f"put {part} two")
    in_use = ("share.docs.quota", "10 MiB is less than the 30 MiB in use", "--force sets it all the same")
    assert faults(node, xfs, share(xfs, node, quota="10M")) == [in_use]
    apply(node, xfs, share(xfs, node, quota="10M"), force=True)
    assert "NT_STATUS_DISK_FULL" in node.smb("docs", f"put {part} three")
    assert node.drift() == []

    assert node.remove(("share", "docs"), ("share", "my docs")).kept == [
        f"directory {xfs.path}/docs",
        f"directory {xfs.path}/my docs",
    ]
    assert (xfs.path / "docs" / "one").stat().st_size == 15 * MI
    found = projects.usages(Node(), str(xfs.path))
    assert {found.get(number, (0, None)) for number in (project, project + 1)} == {(0, None)}
    mounts.run("rm", "-r", xfs.path / "docs", xfs.path / "my docs")


def test_a_client_is_stopped_at_the_limit_of_the_user(lists: None, node: Site, xfs: mounts.Disk) -> None:
    part = Path(node.paths.root) / "part"
    part.write_bytes(bytes(6 * MI))
    apply(node, xfs, share(xfs, node, quota="60M", user_quota="5M"))
    assert "5120 blocks of size 1024" in node.smb("docs", "du")
    assert "NT_STATUS_DISK_FULL" in node.smb("docs", f"put {part} one")
    apply(node, xfs, share(xfs, node, quota="60M", user_quota="20M"))
    assert "NT_STATUS" not in node.smb("docs", f"put {part} one")
    assert node.drift() == []
    node.remove(("share", "docs"), destroy_data=True)
    assert not (xfs.path / "docs").exists()


def test_what_is_missing_is_told_and_nothing_is_written_beneath(lists: None, node: Site, xfs: mounts.Disk) -> None:
    apply(node, xfs, share(xfs, node, quota="20M"), node.share("local"))
    assert xfs.path.is_mount()
    xfs.unmount()
    fstype = mounts.run("findmnt", "-nro", "FSTYPE", "-T", xfs.path).strip()
    try:
        away = ("share.more.source.path", f"{xfs.path} is on {fstype}, not on XFS", "is the XFS mounted?")
        assert faults(node, xfs, share(xfs, node, "more")) == [away]
        assert any(f"{xfs.path}/docs is gone: share docs had its data there" in said for said in node.restart())
        assert "NT_STATUS_BAD_NETWORK_NAME" in node.smb("docs")
        assert node.works("local")
        assert list(xfs.path.iterdir()) == []
        mounts.run("mount", xfs.device, xfs.path)
        plain = ("share.more.source.path", f"the XFS at {xfs.path} is mounted without project quotas", remount(xfs))
        assert faults(node, xfs, share(xfs, node, "more")) == [plain]
        xfs.unmount()
    finally:
        xfs.mount()
    assert node.restart() == []
    assert node.works("docs")
    xfs.unmount()
    try:
        node.remove(("share", "docs"))  # also of a disk that never comes back
    finally:
        xfs.mount()
    mounts.run("rm", "-r", xfs.path / "docs")


def remount(disk: mounts.Disk) -> str:
    how = f"umount {disk.path} && mount {disk.path}; a remount is no help"
    return f"add prjquota to its options in /etc/fstab, then: {how}"


def source(disk: mounts.Disk, name: str = "docs", share: str = "docs", **more: object) -> Source:
    place = Place("files", share, "", (str(disk.path.parent),), 20001, project=NUMBER, **more)  # type: ignore[arg-type]
    return make(Node(), place, XfsSource(path=f"{disk.path}/{name}" if name else str(disk.path)))


def remove(made: Source) -> None:
    Ledger().remove([*made.steps(), *made.quota(20 * MI)], destroy=True)


def test_what_is_somebody_elses_is_refused(lists: None, xfs: mounts.Disk) -> None:
    theirs = xfs.path / "theirs"
    theirs.mkdir()
    mounts.run("xfs_quota", "-x", "-c", f"project -s -p {theirs} 12", xfs.path)
    hint = f"xfs_quota -x -c 'project -C -p {theirs} 12' MOUNTPOINT frees it; or choose another place"
    told = Fault("source.path", f"{theirs} belongs to project 12 already", hint)
    assert source(xfs, "theirs").look() == ([told], True)
    assert source(xfs, "theirs/docs").look() == ([told], False)
    mounts.run("xfs_quota", "-x", "-c", f"limit -p bhard=1g {NUMBER}", xfs.path)
    ledger = Ledger()
    with pytest.raises(StepFailed) as caught:
        ledger.converge(source(xfs).steps())
    cause = f"project {NUMBER} has files or a limit already: on the XFS at {xfs.path}"
    head = f"cannot set project {NUMBER} of {xfs.path}/docs"
    assert str(caught.value) == f"{head}: {cause}\n  give the share another, as its project"
    assert ledger.undo()[1] == []
    mounts.run("xfs_quota", "-x", "-c", f"limit -p bhard=0 {NUMBER}", xfs.path)
    mounts.run("rm", "-r", theirs)


def test_a_mount_point_is_refused(xfs: mounts.Disk) -> None:
    message = f"{xfs.path} is a mount point: without the mount, clients would fill the disk below"
    hint = f"name a directory in it, such as {xfs.path}/share"
    assert source(xfs, "").look() == ([Fault("source.path", message, hint)], False)


def test_a_walk_that_was_cut_off_is_begun_again(lists: None, xfs: mounts.Disk) -> None:
    old = xfs.path / "docs" / "old"
    old.mkdir(parents=True)
    (old / "letter").write_text("dear")
    made = source(xfs, adopted=True)
    Ledger().converge(made.steps())
    assert marks(old) == [NUMBER]
    mounts.run("xfs_io", "-c", "chproj 0", old / "letter")
    projects.put(Node(), projects.NAMES, NUMBER, None)  # as after a crash: the name is written last
    step = made.steps()[-1]
    assert step.read() == "in part"
    Ledger().converge(made.steps())
    assert marks(old) == [NUMBER]
    Ledger().remove(made.steps())
    assert marks(old) == [0]
    mounts.run("rm", "-r", xfs.path / "docs")


def marks(folder: Path) -> list[int]:
    return [int(line.split()[0]) for line in mounts.run("lsattr", "-p", folder).splitlines()]


def test_what_cannot_be_marked_is_told(lists: None, xfs: mounts.Disk) -> None:
    mounts.run("mkdir", xfs.path / "docs")
    mounts.run("mount", "-o", "remount,ro", xfs.path)
    try:
        with pytest.raises(StepFailed, match="Read-only file system"):
            Ledger().converge(source(xfs, adopted=True).steps()[2:])
    finally:
        mounts.run("mount", "-o", "remount,rw", xfs.path)
    remove(source(xfs))


def test_a_thousand_projects_are_read_in_a_second(lists: None, xfs: mounts.Disk) -> None:
    numbers = range(100000, 101000)
    commands = [word for number in numbers for word in ("-c", f"limit -p bhard=10m {number}")]
    mounts.run("xfs_quota", "-D", "/dev/null", "-x", *commands, xfs.path)
    started = time.monotonic()
    found = projects.usages(Node(), str(xfs.path))
    assert time.monotonic() - started < 1
    assert {found[number] for number in numbers} == {(0, 10 * MI)}
    mounts.run("xfs_quota", "-x", *(word.replace("10m", "0") for word in commands), xfs.path)


def test_an_xfs_with_projects_is_offered(xfs: mounts.Disk) -> None:
    found = {offer.source: offer.where for offer in offers(Node(), [str(xfs.path.parent)], "docs")}
    assert found[f"xfs:{xfs.path}/docs"] == f"xfs at {xfs.path}"
