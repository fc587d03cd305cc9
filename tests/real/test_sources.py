"""One contract over every source, on real file systems."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from lab import ceph, mounts
from smbgateway.errors import CommandFailed, Fault, GatewayError, HoldsData
from smbgateway.host import Node
from smbgateway.model import BtrfsSource, DirectorySource, ImageSource, Model, RbdSource, XfsSource, ZfsSource
from smbgateway.sources import Place, Source, Usage, kinds, make
from smbgateway.sources.bulk import Bulk
from smbgateway.sources.own_xfs import file_size
from smbgateway.step import Ledger, Step, StepFailed, look

MI = 1024 * 1024
GROUP = 20001
XFS = pytest.param("xfs", marks=pytest.mark.uml)
RBD = "rbd"
KINDS = ("directory", "image", "btrfs", "zfs", XFS, RBD)
WITH_QUOTA = KINDS[1:]
WITH_PATH = ("directory", "image", "btrfs", XFS)
DIRECT = ("directory", "xfs")  # served itself, not a directory in it
MOUNTED = ("image", "zfs", RBD)  # by us
# What each quota test uses: an image starts at 300 MiB.
SMALL = {"directory": 20 * MI, "image": 300 * MI, "btrfs": 20 * MI, "zfs": 20 * MI, "xfs": 20 * MI, "rbd": 300 * MI}
LARGE = {kind: 2 * size for kind, size in SMALL.items()}


class Cut(Node):
    """A node on which the n-th command that writes fails: before it did anything, or after."""

    READS = ("stat", "realpath", "getfattr", "getfacl", "blkid", "cmp", "findmnt", "lsattr")
    READS += ("xfs_info", "xfs_logprint", "xfs_db", "blockdev", "modprobe")
    RBD_READS = (" info ", " status ", "image-meta get", " diff ", "showmapped", "namespace ls", "ceph_call.py")

    def __init__(self, nth: int, after: bool) -> None:
        self.left, self.after, self.cut = nth, after, ""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        self.left -= not self.only_reads(argv)
        if self.left or self.only_reads(argv) or self.cut:
            return super().run(*argv, stdin=stdin, timeout=timeout)
        self.cut = " ".join(argv)
        if self.after:
            super().run(*argv, stdin=stdin, timeout=timeout)
        raise CommandFailed(argv, 1, "cut by the test")

    @classmethod
    def only_reads(cls, argv: tuple[str, ...]) -> bool:
        words = " ".join(argv)
        listing = words.startswith(("zfs get", "btrfs qgroup show", "losetup -n"))
        listing = listing or (argv[0] == "xfs_quota" and "report" in words)
        listing = listing or ("rbd" in words and any(word in words for word in cls.RBD_READS))
        return argv[0] in cls.READS or listing or (argv[0] == "find" and "-delete" not in argv)


@dataclass
class Lab:
    """One source in a corner of its own."""

    kind: str
    area: Path
    home: Path  # where its path lies
    tank: str  # empty for none
    pool: mounts.Disk
    cluster: ceph.Cluster | None = None

    def place(self, share: str = "docs", **more: object) -> Place:
        roots = (str(self.area / "srv"), str(self.pool.path))
        quota = None if self.kind == "directory" else SMALL[self.kind]
        number = int(self.home.name[1:])  # of its corner
        place = Place("files", share, str(self.area / "mounts" / share), roots, GROUP, quota=quota, project=number)
        return replace(place, **more)  # type: ignore[arg-type]

    def spec(self, name: str = "docs") -> Model:
        path = str(self.home / name)
        models: dict[str, Callable[[], Model]] = {
            "directory": lambda: DirectorySource(path=path),
            "image": lambda: ImageSource(path=path),
            "btrfs": lambda: BtrfsSource(path=path),
            "xfs": lambda: XfsSource(path=path),
            "zfs": lambda: ZfsSource(dataset=f"{self.tank}/{self.home.name}/{name}"),
            "rbd": lambda: RbdSource(image=self.image(name), conf=str(self.cluster and self.cluster.conf)),
        }
        return models[self.kind]()

    def source(self, share: str = "docs", name: str = "docs", host: Node | None = None, **more: object) -> Source:
        return make(host or Node(), self.place(share, **more), self.spec(name))

    def image(self, name: str = "docs") -> str:
        return f"rbd/{self.home.name}.{name}"

    @property
    def title(self) -> str:
        titles = {"zfs": f"{self.tank}/{self.home.name}/docs", "rbd": self.image()}
        return titles.get(self.kind, f"{self.home}/docs")

    @property
    def field(self) -> str:
        return {"zfs": "source.dataset", "rbd": "source.image"}.get(self.kind, "source.path")

    def world(self) -> list[str]:
        """All that a source may change, as text. Modification times and the quota accounting of btrfs stay out."""
        found = mounts.run("find", self.area, "-mindepth", "1", "-printf", "%p %y %m %U:%G %s\n").splitlines()
        lines = [
            line if " f " in line else line.rpartition(" ")[0]
            for line in found
            if "/." not in line and f"{self.area}/ceph" not in line
        ]
        attributes = ["getfattr", "-R", "-h", "-d", "-m", "^(trusted.smbgateway|system.posix)", "--absolute-names"]
        lines += mounts.run(*attributes, self.area / "srv", self.pool.path).splitlines()
        lines += mounts.mounts_below(self.area)
        loops = mounts.run("losetup", "-n", "-O", "BACK-FILE").splitlines()
        lines += [line for line in loops if line.startswith(str(self.area))]
        return sorted(lines + {"xfs": self.projects, "rbd": self.images}.get(self.kind, self.limits)())

    def images(self) -> list[str]:
        assert self.cluster
        names = [name for name in self.cluster.tool("rbd", "ls", "rbd").split() if name.startswith(self.home.name)]
        told = [self.cluster.tool("rbd", word, f"rbd/{name}") for name in names for word in ("info", "status")]
        return [*told, mounts.run("rbd", "showmapped")]

    def projects(self) -> list[str]:
        lists = [Path(name).read_text() for name in ("/etc/projects", "/etc/projid") if os.path.exists(name)]
        marked = mounts.run("lsattr", "-pR", self.home).splitlines()
        limits = mounts.run("xfs_quota", "-x", "-c", "report -p -n -N -b", self.pool.path).splitlines()
        return [*lists, *marked, *(line for line in limits if line.split()[1:4] != ["0", "0", "0"])]

    def limits(self) -> list[str]:
        local = mounts.run("zfs", "get", "-Hpr", "-s", "local", "all", self.tank).splitlines()
        lines = [line for line in local if "quota\t0\t" not in line]  # none, said in words
        asked = subprocess.run(
            ["btrfs", "qgroup", "show", "-re", "--raw", self.pool.path], capture_output=True, text=True
        )
        rows = [line.split() for line in asked.stdout.splitlines()]
        return lines + [
            f"limit {row[5]} {row[3]}"
            for row in rows
            if row[0].startswith("0/") and row[3] != "none" and row[5][0] != "<"  # stale, or under deletion
        ]


@pytest.fixture
def lab(request: pytest.FixtureRequest, area: Path) -> Iterator[Lab]:
    """The source that the test is parametrised with, else a directory; whatever it left is removed."""
    kind = getattr(request, "param", "directory")
    corner = f"c{next(NUMBERS)}"
    (area / "mounts").mkdir(exist_ok=True)
    pool: mounts.Disk = request.getfixturevalue("xfs" if kind == "xfs" else "btrfs")
    running = request.getfixturevalue("cluster") if kind == "rbd" else None
    tank = "" if kind in ("xfs", "rbd") else request.getfixturevalue("tank")
    (area / "srv").mkdir(exist_ok=True)
    home = (pool.path if kind in ("btrfs", "xfs") else area / "srv") / corner
    home.mkdir()
    if tank:
        mounts.run("zfs", "create", f"{tank}/{corner}")
    made = Lab(kind, area, home, tank, pool, running)
    yield made
    if running:
        clean_images(made, running)
    clean(area, home, pool)
    if tank:
        mounts.until(lambda: mounts.destroyed(f"{tank}/{corner}"), f"{tank}/{corner} goes")


NUMBERS = count(1)


def clean(area: Path, home: Path, pool: mounts.Disk) -> None:
    if not pool.path.is_mount():
        pool.mount()
    mounts.unmount_below(area / "mounts")
    for entry in (area / "mounts").iterdir():
        mounts.run("rm", "-rf", "--one-file-system", entry)
    inner = (
        mounts.run("find", home, "-depth", "-type", "d", "-inum", "256", "-print") if pool.path in home.parents else ""
    )
    for volume in inner.splitlines():
        mounts.run("btrfs", "subvolume", "delete", volume)
    mounts.run("rm", "-rf", home)


def clean_images(lab: Lab, running: ceph.Cluster) -> None:
    """Unmount, detach and remove the images of a test, whichever way they were attached."""
    mounts.unmount_below(lab.area / "mounts" / "docs")
    for loop in mounts.run("losetup", "-n", "-O", "NAME,BACK-FILE").splitlines():
        device, _, file = loop.partition(" ")
        if file.strip().startswith(f"{lab.area}/mounts/.rbd-"):
            mounts.run("losetup", "-d", device)
    for row in json.loads(mounts.run("rbd", "showmapped", "--format", "json")):
        if row["name"].startswith(f"{lab.home.name}."):
            running.tool("rbd", "unmap", "-o", "noudev", row["device"])
    mounts.unmount_below(lab.area / "mounts")
    for name in running.tool("rbd", "ls", "rbd").split():
        if name.startswith(f"{lab.home.name}."):
            mounts.until(partial(running.removed, name), f"image {name} goes")


every = pytest.mark.parametrize("lab", KINDS, indirect=True)
by_hand = pytest.mark.parametrize("lab", KINDS[:-1], indirect=True)  # an image of Ceph's has tests of its own
with_quota = pytest.mark.parametrize("lab", WITH_QUOTA, indirect=True)


def all_steps(source: Source, limit: int | None) -> list[Step]:
    return [*source.steps(), *source.quota(limit)]


def converge(lab: Lab, source: Source | None = None, limit: int | None = None) -> Ledger:
    ledger = Ledger()
    ledger.converge(all_steps(source or lab.source(), limit or SMALL[lab.kind]))
    return ledger


def attempt(ledger: Ledger, steps: list[Step]) -> str:
    """Converge; what went wrong, empty if nothing."""
    try:
        ledger.converge(steps)
    except StepFailed as error:
        return str(error)
    return ""


def changed(ledger: Ledger) -> list[str]:
    return [change.step.name for change in ledger.changes]


def faults(source: Source) -> list[tuple[str, str]]:
    return [(fault.field, fault.message) for fault in source.look()[0]]


def fill(path: str, mebibytes: int) -> str:
    """Write random bytes as a client would; what dd complains of."""
    target = f"of={path}/filled"
    command = ["dd", "if=/dev/urandom", target, "bs=1M", f"count={mebibytes}", "conv=fsync", "status=none"]
    return subprocess.run(command, capture_output=True, text=True).stderr


def test_every_kind_is_under_contract() -> None:
    assert sorted(kinds()) == sorted([*SMALL, "cephfs"])  # a cluster has its own: test_cephfs


@every
def test_makes_a_directory_for_the_group_and_a_second_run_changes_nothing(lab: Lab) -> None:
    source = lab.source()
    assert source.look() == ([], False)
    converge(lab)
    served = Path(source.path)
    assert (served.stat().st_gid, served.stat().st_uid, oct(served.stat().st_mode)) == (GROUP, 0, "0o42770")
    assert changed(converge(lab)) == []
    assert source.look() == ([], True)
    assert [cell.name for cell in look(all_steps(source, SMALL[lab.kind])) if cell.differs] == []


@every
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_when_the_nth_command_fails_the_world_is_as_before(lab: Lab, after: bool) -> None:
    before = lab.world()
    for nth in count(1):
        node, ledger = Cut(nth, after), Ledger()
        complaint = attempt(ledger, all_steps(lab.source(host=node), SMALL[lab.kind]))
        assert ("cut by the test" in complaint) is bool(node.cut)
        node.left = 0  # the undo is not cut
        assert ledger.undo()[1] == []
        assert lab.world() == before, f"after the cut of: {node.cut}"
        if not node.cut:
            break
    assert nth > 2


@every
def test_plain_removal_keeps_the_data_and_a_later_converge_serves_it_again(lab: Lab) -> None:
    source = lab.source()
    converge(lab)
    (Path(source.path) / "letter").write_text("dear")
    kept = Ledger().remove(all_steps(source, SMALL[lab.kind]))
    expected = {
        "directory": [f"directory {source.path}"],
        "image": [f"image {lab.home}/docs"],  # with all inside: it is unmounted by now
        "btrfs": [f"subvolume {lab.home}/docs", f"directory {source.path}"],
        "xfs": [f"directory {source.path}"],
        "zfs": [f"dataset {lab.tank}/{lab.home.name}/docs"],
        "rbd": [f"image {lab.image()}"],
    }
    if lab.kind == "btrfs":
        expected["btrfs"].append(f"quota accounting of the btrfs at {lab.home}")
    assert kept == expected[lab.kind]
    assert not list((lab.area / "mounts").iterdir())
    assert Ledger().remove(all_steps(source, SMALL[lab.kind])) == kept  # again: the same
    converge(lab)
    assert (Path(source.path) / "letter").read_text() == "dear"


@every
def test_removal_leaves_a_source_that_another_share_may_adopt(lab: Lab) -> None:
    converge(lab)
    (Path(lab.source().path) / "letter").write_text("dear")
    Ledger().remove(all_steps(lab.source(), SMALL[lab.kind]))
    other = lab.source(share="other", adopted=True)
    assert other.look() == ([], True)
    converge(lab, other)
    assert (Path(other.path) / "letter").read_text() == "dear"
    assert changed(converge(lab, other)) == []


@every
def test_destroy_removes_everything(lab: Lab) -> None:
    before = lab.world()
    converge(lab)
    (Path(lab.source().path) / "letter").write_text("dear")
    for _ in range(2):  # the second time there is nothing left, and that is fine
        assert Ledger().remove(all_steps(lab.source(), SMALL[lab.kind]), destroy=True) == []
        assert lab.world() == before


@every
def test_undo_keeps_a_clients_file_and_says_so(lab: Lab) -> None:
    ledger = converge(lab)
    (Path(lab.source().path) / "letter").write_text("dear")
    _, left = ledger.undo()
    assert f"directory {lab.source().path} (files of clients are in it)" in left
    assert (Path(lab.source().path) / "letter").read_text() == "dear"


@every
def test_undo_removes_our_own_proof_file(lab: Lab) -> None:
    before = lab.world()
    ledger = converge(lab)
    (Path(lab.source().path) / ".smbgw-proof-1").write_text("proof")
    assert ledger.undo()[1] == []
    assert lab.world() == before


@pytest.mark.parametrize("lab", ["image", "btrfs", "zfs", RBD], indirect=True)
def test_a_container_that_holds_something_beside_data_is_not_removed_by_undo(lab: Lab) -> None:
    ledger = converge(lab)
    (Path(lab.source().path).parent / "beside").write_text("dear")
    _, left = ledger.undo()
    assert [line for line in left if "files are in it" in line]
    assert lab.source().look()[1]


@every
def test_blanks_in_the_names_of_share_and_path(lab: Lab) -> None:
    before = lab.world()
    source = lab.source("my docs", name="docs" if lab.kind in ("zfs", "rbd") else "my docs")
    converge(lab, source)
    assert changed(converge(lab, source)) == []
    assert source.look() == ([], True)
    Ledger().remove(all_steps(source, SMALL[lab.kind]), destroy=True)
    assert lab.world() == before


@with_quota
def test_quota_is_set_grown_and_set_back(lab: Lab) -> None:
    converge(lab)
    small, large = lab.source().quota(SMALL[lab.kind])[-1], lab.source().quota(LARGE[lab.kind])[-1]
    assert small.read() == str(SMALL[lab.kind])
    assert changed(converge(lab, limit=LARGE[lab.kind])) == [large.name]
    assert large.read() == str(LARGE[lab.kind])
    assert lab.source().usage().limit == LARGE[lab.kind]
    assert changed(converge(lab, limit=LARGE[lab.kind])) == []


@pytest.mark.parametrize("lab", ["btrfs", XFS, "zfs"], indirect=True)
def test_quota_shrinks_and_undo_restores_the_former(lab: Lab) -> None:
    converge(lab, limit=LARGE[lab.kind])
    ledger = converge(lab)
    step = lab.source().quota(1)[-1]
    assert step.read() == str(SMALL[lab.kind])
    assert ledger.undo() == ([step.name], [])
    assert step.read() == str(LARGE[lab.kind])
    Ledger().remove([step])
    assert step.read() is None
    assert lab.source().usage().limit is None


@with_quota
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_interrupted_growth_is_undone_or_named_and_never_loses_data(lab: Lab, after: bool) -> None:
    converge(lab)
    (Path(lab.source().path) / "letter").write_text("dear")
    before = lab.world()
    for nth in count(1):
        node, ledger = Cut(nth, after), Ledger()
        complaint = attempt(ledger, lab.source(host=node).quota(LARGE[lab.kind]))
        assert ("cut by the test" in complaint) is bool(node.cut)
        node.left = 0
        left = ledger.undo()[1]
        if not node.cut or left:
            break
        assert lab.world() == before, f"after the cut of: {node.cut}"
    if lab.kind in ("image", "rbd"):
        assert left == [f"quota of {lab.title} ({lab.title} keeps its size: {NEVER} it has 600 MiB)"]
    assert (Path(lab.source().path) / "letter").read_text() == "dear"
    assert nth > (1 if lab.kind in ("image", "rbd") else 0)


NEVER, COPY = "an image never shrinks:", "make a smaller share and copy the files"


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_an_image_never_shrinks(lab: Lab) -> None:
    converge(lab, limit=LARGE["image"])
    expected = Fault("quota", f"{NEVER} it has 600 MiB, 300 MiB was asked for", COPY)
    assert lab.source().look() == ([expected], True)
    before = lab.world()
    with pytest.raises(StepFailed) as caught:
        converge(lab)
    keeps = f"{lab.home}/docs keeps its size: {NEVER} it has 600 MiB"
    assert str(caught.value) == f"cannot set quota of {lab.home}/docs: {keeps}\n  {COPY}"
    assert lab.world() == before


@pytest.mark.parametrize("lab", ["btrfs", XFS, "zfs"], indirect=True)
def test_a_quota_below_what_is_used_is_refused(lab: Lab) -> None:
    converge(lab)
    assert fill(lab.source().path, 12) == ""
    source = lab.source(quota=10 * MI)
    settle(lab, 12 * MI)
    (fault,) = source.look()[0]
    assert fault.field == "quota"
    assert fault.message.startswith("10 MiB is less than the 12")
    assert fault.message.endswith("MiB in use")
    assert fault.waivable is (lab.kind != "zfs")
    hint = "--force sets it all the same" if fault.waivable else "ZFS refuses that: remove files or snapshots first"
    assert fault.hint == hint
    if fault.waivable:  # forced; and a subvolume over its limit can be given a larger one
        converge(lab, limit=10 * MI)
        assert lab.source().usage().available == 0
        converge(lab, limit=LARGE[lab.kind])
        assert lab.source().usage().limit == LARGE[lab.kind]
    else:
        with pytest.raises(StepFailed, match="size is less than current used or reserved space"):
            converge(lab, limit=10 * MI)


def settle(lab: Lab, used: int) -> None:
    """Wait until what was written is counted."""
    mounts.run("sync", "-f", lab.source().path)
    mounts.until(lambda: lab.source().usage().used >= used, "usage is counted", 60)


@with_quota
def test_a_write_past_the_quota_fails_and_one_up_to_it_does_not(lab: Lab) -> None:
    converge(lab)
    size = SMALL[lab.kind] // MI
    complaint = fill(lab.source().path, size + 10)
    assert "No space left on device" in complaint or "Disk quota exceeded" in complaint
    room = 0 if lab.kind in ("image", "rbd") else 2  # copy-on-write file systems count their trees
    assert (Path(lab.source().path) / "filled").stat().st_size >= (size - room) * MI


@every
def test_usage_says_used_limit_and_available(lab: Lab) -> None:
    converge(lab)
    fresh = lab.source().usage()
    assert fill(lab.source().path, 10) == ""
    settle(lab, fresh.used + 7 * MI)
    usage = lab.source().usage()
    if lab.kind == "directory":
        assert usage.limit is None
        assert usage.available > 0
        return
    assert usage.limit == SMALL[lab.kind]
    assert fresh.used < 1 * MI
    assert 8 * MI < usage.used < 12 * MI
    assert 0 < usage.available <= usage.limit - usage.used


def alike(one: Usage | GatewayError, two: Usage) -> bool:
    """Whether both say the same, but for what others write meanwhile beside a directory."""
    assert isinstance(one, Usage), one
    near = abs(one.used - two.used) < 256 * MI and abs(one.available - two.available) < 256 * MI
    return near and one.limit == two.limit if one.limit is None else one == two


@every
def test_many_are_read_by_one_question_as_each_by_its_own(lab: Lab) -> None:
    number = int(lab.home.name[1:])
    other = lab.source("other", "other", project=number + 5000)
    absent = lab.source("absent", "absent", project=number + 9000)
    sources = {"files/docs": lab.source(), "files/other": other, "files/absent": absent}
    for source in (lab.source(), other):
        converge(lab, source)
    assert fill(lab.source().path, 10) == ""
    settle(lab, 7 * MI)
    (batch,) = Bulk(Node()).batches(sources)
    assert sorted(batch.keys) == sorted(sources)
    found = batch.read()
    assert all(alike(found[key], sources[key].usage()) for key in ("files/docs", "files/other"))
    assert isinstance(found["files/absent"], GatewayError)


@every
def test_the_size_that_clients_see_is_about_the_quota_where_the_source_says_so(lab: Lab) -> None:
    converge(lab)
    source, size = lab.source(), SMALL[lab.kind]
    seen = mounts.run("stat", "-f", "--printf=%b %a %S", source.path).split()
    total, available = int(seen[0]) * int(seen[2]), int(seen[1]) * int(seen[2])
    if source.has_quota and source.shows_quota:
        assert size * 0.99 <= total <= size * 1.08
        assert size * 0.99 <= available <= size * 1.01
    else:
        assert total > 10 * size


@pytest.mark.parametrize("lab", MOUNTED, indirect=True)
def test_after_a_reboot_converge_mounts_and_changes_nothing_else(lab: Lab) -> None:
    converge(lab)
    (Path(lab.source().path) / "letter").write_text("dear")
    up = lab.world()
    mount = lab.area / "mounts" / "docs"
    mounts.run("umount", mount)
    cells = [cell.name for cell in look(lab.source().steps()) if cell.differs]
    what = lab.title
    assert cells == [f"mount of {what}", f"directory {mount}/data"]
    assert oct(mount.stat().st_mode) == "0o40000"
    assert lab.source().look() == ([], True)
    assert changed(converge(lab)) == [f"mount of {what}"]
    assert lab.world() == up


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_after_a_reboot_an_adopted_dataset_is_mounted_where_it_was_and_bound(lab: Lab) -> None:
    inside = before_us(lab)
    source = lab.source(adopted=True)
    converge(lab, source)
    up = lab.world()
    mounts.run("umount", lab.area / "mounts" / "docs")
    mounts.run("umount", inside)
    assert changed(converge(lab, source)) == [f"mount of {lab.tank}/{lab.home.name}/docs"]
    assert lab.world() == up


@pytest.mark.parametrize("lab", MOUNTED, indirect=True)
def test_when_the_mount_fails_nothing_is_made_beneath_it(lab: Lab) -> None:
    converge(lab)
    mount = lab.area / "mounts" / "docs"
    mounts.run("umount", mount)
    node = Cut(1, after=False)
    with pytest.raises(StepFailed, match="cannot set mount of"):
        converge(lab, lab.source(host=node))
    assert list(mount.iterdir()) == []
    assert (Path(mount).stat().st_mode & 0o777) == 0


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)
def test_without_its_file_system_btrfs_is_refused_and_nothing_is_made_beneath(lab: Lab) -> None:
    converge(lab)
    lab.pool.unmount()
    try:
        lab.home.mkdir()
        refused = Fault("source.path", f"{lab.home} is on ext4, not on btrfs", "is the btrfs mounted?")
        refused = replace(refused, message=f"{lab.home} is on {fstype(lab.home)}, not on btrfs")
        assert lab.source().look() == ([refused], False)
        with pytest.raises(StepFailed, match=f"not a btrfs filesystem: {lab.home}|Inappropriate ioctl"):
            converge(lab)
        assert list(lab.home.iterdir()) == []
    finally:
        lab.home.rmdir()
        lab.pool.mount()
    assert changed(converge(lab)) == []


def fstype(path: Path) -> str:
    return mounts.run("findmnt", "-nro", "FSTYPE", "-T", path).strip()


def before_us(lab: Lab) -> Path:
    """Make a source as an administrator would, with a file; returns the directory that `data` shall be in."""
    path = lab.home / "docs"
    if lab.kind in DIRECT:
        path.mkdir()
        return path
    if lab.kind == "btrfs":
        mounts.run("btrfs", "subvolume", "create", path)
        return path
    if lab.kind == "zfs":
        mounts.run("zfs", "create", f"{lab.tank}/{lab.home.name}/docs")
        return lab.area / lab.tank / lab.home.name / "docs"
    mounts.run("truncate", f"--size={file_size(SMALL['image'])}", path)
    mounts.run("mkfs.xfs", "-q", path)
    inside = lab.area / "mounts" / "by-hand"
    inside.mkdir()
    mounts.run("mount", "-o", "loop", path, inside)
    return inside


@by_hand
@pytest.mark.parametrize("with_data", [False, True], ids=["plain", "with data"])
def test_what_was_there_before_us_is_opened_and_never_destroyed(lab: Lab, with_data: bool) -> None:
    inside = before_us(lab)
    served = inside if lab.kind in DIRECT else inside / "data"
    if with_data:
        served.mkdir(exist_ok=True)
        (served / "theirs").write_text("old")
        served.chmod(0o750)
    (inside / "beside").write_text("old")
    mode = served.stat().st_mode if with_data else None
    if lab.kind == "image":
        mounts.run("umount", inside)
        inside.rmdir()
    source = lab.source(adopted=True)
    assert source.look() == ([], True)
    ledger = converge(lab, source)
    assert f"group:{GROUP}:rwx" in mounts.run("getfacl", "-nEp", source.path)
    assert changed(converge(lab, source)) == []
    if with_data:
        assert (Path(source.path) / "theirs").stat().st_gid == 0  # nothing inside is touched
        assert mode is not None
        assert Path(source.path).stat().st_uid == 0
    (Path(source.path) / "letter").write_text("dear")
    Ledger().remove(all_steps(source, None), destroy=True)
    converge(lab, source)
    assert (Path(source.path) / "letter").read_text() == "dear"
    assert (Path(source.path if lab.kind in DIRECT else Path(source.path).parent) / "beside").read_text() == "old"
    assert ledger.changes


@by_hand
def test_undo_of_an_adoption_restores_the_world(lab: Lab) -> None:
    inside = before_us(lab)
    if lab.kind not in DIRECT:
        (inside / "data").mkdir()
    if lab.kind == "image":
        mounts.run("umount", inside)
        inside.rmdir()
    before = lab.world()
    ledger = converge(lab, lab.source(adopted=True))
    assert ledger.undo()[1] == []
    assert lab.world() == before


@with_quota
def test_what_was_there_before_us_and_is_gone_is_not_made_anew(lab: Lab) -> None:
    name = lab.title
    with pytest.raises(StepFailed) as caught:
        converge(lab, lab.source(adopted=True))
    assert f"{name} is gone: it was there before the share, so it is not made anew" in str(caught.value)


@every
def test_a_source_of_another_share_is_refused(lab: Lab) -> None:
    converge(lab)
    other = lab.source(share="other")
    fault = Fault(
        lab.field, "it belongs to share docs of gateway files", "delete that share first, or choose another source"
    )
    assert other.look() == ([fault], True)


@pytest.mark.parametrize("lab", WITH_PATH, indirect=True)
def test_bad_paths_are_refused(lab: Lab) -> None:
    (lab.home / "real").mkdir()
    (lab.home / "link").symlink_to(lab.home / "real")
    assert faults(lab.source(name="link/docs")) == [
        ("source.path", f"{lab.home}/link/docs leads through a symbolic link to {lab.home}/real/docs")
    ]
    missing = lab.source(name="no/docs").look()[0]
    assert missing == [Fault("source.path", f"the directory {lab.home}/no does not exist", f"mkdir -p {lab.home}/no")]
    outside = make(Node(), lab.place(roots=("/srv/x",)), lab.spec())
    assert faults(outside) == [("source.path", f"{lab.home}/docs is not below an allowed directory (/srv/x)")]


@pytest.mark.parametrize("lab", WITH_PATH, indirect=True)
def test_something_else_at_the_path_is_refused_and_never_overwritten(lab: Lab) -> None:
    path = lab.home / "docs"
    path.mkdir() if lab.kind == "image" else path.write_text("mine")
    expected = {
        "directory": f"{path} is a regular file, not a directory",
        "image": f"{path} is a directory, not a file",
        "btrfs": f"{path} is a regular file, not a btrfs subvolume",
        "xfs": f"{path} is a regular file, not a directory",
    }
    assert faults(lab.source()) == [("source.path", expected[lab.kind])]
    before = lab.world()
    ledger = Ledger()
    with pytest.raises(StepFailed):
        ledger.converge(lab.source().steps())
    assert ledger.undo()[1] == []
    assert lab.world() == before


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)
def test_a_plain_directory_is_no_subvolume(lab: Lab) -> None:
    (lab.home / "docs").mkdir()
    assert faults(lab.source()) == [("source.path", f"{lab.home}/docs is a directory, not a btrfs subvolume")]
    with pytest.raises(StepFailed, match="found directory, expected subvolume"):
        converge(lab)


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)
def test_destroy_takes_snapshots_inside_with_it(lab: Lab) -> None:
    before = lab.world()
    converge(lab)
    volume = lab.home / "docs"
    (volume / "data" / "letter").write_text("dear")
    mounts.run("btrfs", "subvolume", "snapshot", "-r", volume, volume / "yesterday")
    Ledger().remove(all_steps(lab.source(), SMALL["btrfs"]), destroy=True)
    assert lab.world() == before


@pytest.mark.parametrize("lab", ["image"], indirect=True)
@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("text", "it holds unknown data"),
        ("zeros first", "it holds unknown data"),
        ("ext4", "it holds ext4"),
        ("table", "it holds a partition table (dos)"),
    ],
)
def test_a_file_that_is_no_image_is_never_overwritten(lab: Lab, content: str, found: str) -> None:
    path = lab.home / "docs"
    path.write_text("diary")
    if content == "zeros first":
        path.write_bytes(bytes(2 * MI) + b"diary")
    if content == "ext4":
        mounts.run("truncate", "--size=8M", path)
        mounts.run("mkfs.ext4", "-q", "-F", path)
    if content == "table":
        path.write_bytes(
            bytes(446) + b"\x80" + bytes(3) + b"\x83" + bytes(3) + b"\1\0\0\0\1\0\0\0" + bytes(48) + b"\x55\xaa"
        )
        mounts.run("truncate", "--size=8M", path)
    before = path.read_bytes()
    hint = "choose another name; nothing is overwritten"
    refused = Fault("source.path", f"{path} exists and is no XFS image: {found}", hint)
    assert lab.source().look() == ([refused], True)
    ledger = Ledger()
    with pytest.raises(StepFailed, match="holds something else"):
        ledger.converge(lab.source().steps())
    assert ledger.undo()[1] == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_an_empty_file_of_somebody_is_refused(lab: Lab) -> None:
    (lab.home / "docs").touch()
    assert faults(lab.source()) == [("source.path", f"{lab.home}/docs exists and is no XFS image: it holds nothing")]


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_an_image_whose_making_was_interrupted_is_made_again(lab: Lab) -> None:
    node = Cut(3, after=True)  # install, setfattr, fallocate
    assert "fallocate" in attempt(Ledger(), lab.source(host=node).steps())
    assert (lab.home / "docs").stat().st_size == file_size(SMALL["image"])
    assert lab.source().look() == ([], True)
    assert changed(converge(lab))[0] == f"image {lab.home}/docs"


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_an_image_of_ours_that_is_damaged_is_never_made_anew(lab: Lab) -> None:
    converge(lab)
    mounts.run("umount", lab.area / "mounts" / "docs")
    with (lab.home / "docs").open("r+b") as file:
        file.write(b"damaged")
    refused = "holds something else: found unknown data, expected xfs"
    assert refused in attempt(Ledger(), lab.source().steps())


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_an_image_in_use_is_refused(lab: Lab) -> None:
    before_us(lab)
    ((field, message),) = faults(lab.source(adopted=True))
    assert field == "source.path"
    assert message.startswith(f"{lab.home}/docs is in use as /dev/loop")


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_quotas_that_no_image_can_have_are_refused_by_field(lab: Lab) -> None:
    assert faults(lab.source(quota=None)) == [("quota", "an image needs a quota: it is made in that size")]
    assert faults(lab.source(quota=299 * MI)) == [("quota", "299 MiB is too small: an XFS image has at least 300 MiB")]
    ((field, message),) = faults(lab.source(quota=2**50))
    assert field == "quota"
    assert message.startswith(f"1.0 PiB are needed in {lab.home}, ")
    assert message.endswith(" are free")
    assert faults(lab.source(name="no/docs", quota=None))[1:] == [
        ("quota", "an image needs a quota: it is made in that size")
    ]


@pytest.mark.parametrize("lab", ["btrfs", XFS], indirect=True)
def test_a_quota_beyond_the_file_system_is_refused_by_field(lab: Lab) -> None:
    (fault,) = lab.source(quota=2**50).look()[0]
    assert (fault.field, fault.hint, fault.waivable) == ("quota", "--force sets it all the same", True)
    assert fault.message.startswith("1 PiB is more than the ")
    assert fault.message.endswith(f" of the file system of {lab.home}")


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_when_the_host_runs_full_an_image_is_taken_back(lab: Lab) -> None:
    mounts.run("truncate", "--size=600M", lab.home / "small")
    mounts.run("mkfs.ext4", "-q", "-F", "-m", "0", lab.home / "small")
    host = lab.area / "mounts" / "small"
    host.mkdir()
    mounts.run("mount", "-o", "loop", lab.home / "small", host)
    spec = ImageSource(path=str(host / "docs"))
    source, large = make(Node(), lab.place(), spec), make(Node(), lab.place(quota=2**30), spec)
    ledger = Ledger()
    assert "No space left on device" in attempt(ledger, large.steps())
    assert ledger.undo()[1] == []
    assert [path.name for path in host.iterdir()] == ["lost+found"]
    converge(lab, source)
    before = lab.world()
    assert "No space left on device" in attempt(ledger, source.quota(2**30))
    assert ledger.undo()[1] == []
    assert lab.world() == before
    assert source.usage().limit == SMALL["image"]


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_a_thick_image_takes_its_space_and_a_thin_one_does_not(lab: Lab) -> None:
    converge(lab)
    assert (lab.home / "docs").stat().st_blocks * 512 >= SMALL["image"]
    assert (lab.home / "docs").stat().st_mode & 0o777 == 0o600
    thin = make(Node(), lab.place("thin"), ImageSource(path=str(lab.home / "thin"), thin=True))
    converge(lab, thin)
    assert (lab.home / "thin").stat().st_blocks * 512 < 80 * MI
    assert changed(converge(lab, thin)) == []
    options = mounts.run("findmnt", "-no", "OPTIONS", lab.area / "mounts" / "thin").strip().split(",")
    assert {"nosuid", "nodev", "noexec", "discard"} <= set(options)
    assert thin.usage().limit == SMALL["image"]


@pytest.mark.parametrize("lab", ["image"], indirect=True)
def test_an_image_with_a_clients_file_is_not_removed_even_when_unmounted(lab: Lab) -> None:
    converge(lab)
    step = lab.source().steps()[0]
    with pytest.raises(HoldsData, match="it is in use as /dev/loop"):
        step.write(None)
    (Path(lab.source().path) / "letter").write_text("dear")
    mounts.run("umount", lab.area / "mounts" / "docs")
    with pytest.raises(HoldsData, match="files are in it"):
        step.write(None)


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_datasets_that_cannot_be_made_are_refused_by_field(lab: Lab) -> None:
    def at(dataset: str, quota: int = MI) -> Source:
        return make(Node(), lab.place(quota=quota), ZfsSource(dataset=dataset))

    assert at("nopool/docs").look()[0] == [
        Fault("source.dataset", "there is no pool nopool", "zpool list names those that are there")
    ]
    assert at(f"{lab.tank}/no/docs").look()[0] == [
        Fault("source.dataset", f"the dataset {lab.tank}/no does not exist", f"zfs create -p {lab.tank}/no")
    ]
    (fault,) = at(f"{lab.tank}/big", 2**40).look()[0]
    assert (fault.field, fault.hint, fault.waivable) == ("quota", "--force sets it all the same", True)
    assert fault.message.startswith("1 TiB is more than the ")
    assert fault.message.endswith(f" MiB that {lab.tank} has free")


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_a_dataset_without_a_mount_point_is_refused(lab: Lab) -> None:
    dataset = f"{lab.tank}/{lab.home.name}/docs"
    mounts.run("zfs", "create", "-o", "mountpoint=none", dataset)
    fault = Fault("source.dataset", f"{dataset} has the mountpoint none", f"zfs set mountpoint=/{dataset} {dataset}")
    assert lab.source(adopted=True).look() == ([fault], True)


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_a_dataset_that_is_made_but_not_mounted_does_not_stay(lab: Lab) -> None:
    if os.environ.get(mounts.KERNEL_ZFS):  # which else mounts over what is there; zfs-fuse never does
        mounts.run("zfs", "set", "overlay=off", f"{lab.tank}/{lab.home.name}")
    source = lab.source()
    (lab.area / "mounts" / "docs").mkdir()
    (lab.area / "mounts" / "docs" / "something").touch()
    ledger = Ledger()
    with pytest.raises(StepFailed, match="successfully created, but not mounted"):
        ledger.converge(source.steps())
    assert ledger.undo()[1] == []
    assert source.look() == ([], False)


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_destroy_takes_snapshots_and_undo_does_not(lab: Lab) -> None:
    before = lab.world()
    ledger = converge(lab)
    dataset = f"{lab.tank}/{lab.home.name}/docs"
    mounts.run("zfs", "snapshot", f"{dataset}@yesterday")
    assert [line for line in ledger.undo()[1] if f"{dataset}@yesterday" in line]
    converge(lab)
    Ledger().remove(all_steps(lab.source(), None), destroy=True)
    assert lab.world() == before


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
@pytest.mark.parametrize("limit", ["refquota", "quota"])
def test_what_snapshots_hold_counts_only_where_it_is_asked_for(lab: Lab, limit: str) -> None:
    dataset = f"{lab.tank}/{lab.home.name}/docs"
    source = make(Node(), lab.place(), ZfsSource.model_validate({"dataset": dataset, "limit": limit}))
    converge(lab, source)
    assert fill(source.path, 12) == ""
    mounts.run("zfs", "snapshot", f"{dataset}@yesterday")
    Path(source.path, "filled").unlink()
    complaint = fill(source.path, 12)
    if limit == "quota":
        assert "Disk quota exceeded" in complaint
        assert source.usage().used > 12 * MI
    else:
        assert complaint == ""
        mounts.until(lambda: source.usage().used < 14 * MI, "the removed file no longer counts")
    assert source.usage().limit == SMALL["zfs"]


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_an_earmark_is_not_inherited(lab: Lab) -> None:
    converge(lab)
    mounts.run("zfs", "create", f"{lab.tank}/{lab.home.name}/docs/child")
    child = make(Node(), lab.place("other", adopted=True), lab.spec("docs/child"))
    assert child.look() == ([], True)


@pytest.mark.parametrize("lab", ["zfs"], indirect=True)
def test_the_record_size_of_the_purpose_is_capped_to_what_zfs_knows(lab: Lab) -> None:
    largest = MI if os.environ.get(mounts.KERNEL_ZFS) else 128 * 1024  # zfs-fuse
    converge(lab, lab.source(recordsize=MI))
    dataset = f"{lab.tank}/{lab.home.name}/docs"
    assert mounts.run("zfs", "get", "-Hp", "-o", "value", "recordsize", dataset).strip() == str(largest)


@every
def test_a_world_that_cannot_be_read_is_never_written(lab: Lab) -> None:
    class Blind(Node):
        wrote: list[str] = []

        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            if Cut.only_reads(argv):
                raise CommandFailed(argv, 5, "Input/output error")
            self.wrote.append(" ".join(argv))
            return ""

    for step in all_steps(lab.source(host=Blind()), SMALL[lab.kind]):
        if step.name.startswith("mount of"):
            continue  # reads /proc, which always answers
        with pytest.raises(GatewayError, match="Input/output error"):
            Ledger().converge([step])
    assert Blind.wrote == []
