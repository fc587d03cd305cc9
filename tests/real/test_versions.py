"""Snapshots of shares, as their clients see them: Previous Versions, restoration, schedule."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from lab import mounts
from smbgateway.api.app import make
from smbgateway.errors import CommandFailed, Conflict, GatewayError, HoldsData, Invalid, NotFound, Unavailable
from smbgateway.host import Node
from smbgateway.model import MOST_SNAPSHOTS
from smbgateway.retention import version
from smbgateway.step import StepFailed
from smbgateway.versions import Versions
from smbgateway.watch import Watch

from .world import HeldOpen, Site, site, subvolumes, user

NUMBERS = count(1)
NOON = 1795435200.0  # 2026-11-23 12:00 UTC, a Monday
HOUR = 3600.0


@dataclass
class Lab:
    """A share `docs` on a source that can have snapshots, and a clock of its own."""

    kind: str
    site: Site
    source: dict[str, str]
    now: float = NOON
    versions: Versions = field(init=False)

    def __post_init__(self) -> None:
        self.restart(Node())

    def restart(self, host: Node) -> None:
        """The engine as after a crash: nothing was done yet."""
        self.site.engine = self.site.new_engine(host)
        self.versions = Versions(self.site.engine, lambda: self.now)

    def make(self, **more: object) -> None:
        self.site.apply(user(), self.site.gateway(), self.site.share(source=self.source, **more))

    @property
    def data(self) -> Path:
        world = self.site.engine.site.world()
        return Path(self.site.engine.site.blueprint(world).source(world.shares["files/docs"]).path)

    def take(self) -> str:
        """A snapshot, a minute after the last; its name."""
        self.now += 60
        self.versions.take("docs")
        return self.versions.all("docs")[-1]

    @contextlib.contextmanager
    def shown(self, name: str) -> Iterator[None]:
        """A snapshot is where clients look for it: with OpenZFS and btrfs it is by itself."""
        if self.kind == "zfs" and not os.environ.get(mounts.KERNEL_ZFS):
            with mounts.shown_snapshot(f"{self.source['dataset']}@{name}", self.data.parent / ".zfs/snapshot" / name):
                yield
        else:
            yield

    def own(self, name: str) -> dict[str, str]:
        """A source beside that of `docs`."""
        if self.kind == "zfs":
            return {"kind": "zfs", "dataset": f"{self.source['dataset']}-{name}"}
        return self.site.source(name, "btrfs")

    def spoil(self) -> None:
        """Take the data of `docs` away, without the engine."""
        if self.kind == "zfs":
            mounts.run("umount", self.data.parent)
            mounts.until(lambda: mounts.destroyed(self.source["dataset"]), "the dataset goes")
        else:
            mounts.run("btrfs", "subvolume", "delete", self.source["path"])

    def gone(self, name: str) -> bool:
        """Whether that source is."""
        if self.kind == "zfs":
            return f"{self.own(name)['dataset']}\n" not in mounts.run("zfs", "list", "-H", "-o", "name")
        return not Path(self.own(name)["path"]).exists()

    def previous(self, file: str) -> list[str]:
        """The versions of a file that a client is offered, newest first (FSCTL_SRV_ENUMERATE_SNAPSHOTS)."""
        return re.findall(r"^(@GMT-\S+)", self.site.smb("docs", f"allinfo {file}"), re.MULTILINE)

    def read(self, path: str) -> str:
        """The text of a file, by a client; what it was refused with."""
        target = Path(self.site.paths.root) / ".got"
        target.unlink(missing_ok=True)
        said = self.site.smb("docs", f'get "{path}" {target}')
        return target.read_text() if target.exists() else said


@pytest.fixture(params=["btrfs", "zfs"])
def lab(request: pytest.FixtureRequest, area: Path, tank: str, btrfs: mounts.Disk) -> Iterator[Lab]:
    corner = f"v{next(NUMBERS)}"
    below = btrfs.path / corner
    below.mkdir()
    with site(area, corner) as made:
        source = {"kind": "zfs", "dataset": f"{tank}/{corner}"}
        if request.param == "btrfs":
            mounts.run("mount", "--bind", below, made.srv)
            source = made.source("docs", "btrfs")
        yield Lab(request.param, made, source)
    for volume in subvolumes(below):
        mounts.run("btrfs", "subvolume", "delete", volume)
    mounts.run("rm", "-rf", below)
    mounts.until(lambda: mounts.destroyed(f"{tank}/{corner}"), f"{tank}/{corner} goes")


def test_a_client_finds_what_a_file_was(lab: Lab) -> None:
    lab.make()
    (lab.data / "letter").write_text("dear")
    name = lab.take()
    (lab.data / "letter").write_text("my dear")
    with lab.shown(name):
        assert lab.previous("letter") == [version(name)] == ["@GMT-2026.11.23-12.01.00"]
        assert lab.read(f"{version(name)}\\letter") == "dear"
        assert lab.read("letter") == "my dear"


def test_snapshots_of_both_kinds_are_offered_newest_first_and_read_only(lab: Lab) -> None:
    lab.make(snapshots={"hourly": 3})
    (lab.data / "folder").mkdir()
    (lab.data / "folder" / "letter").write_text("first")
    assert lab.versions.serve(lab.site.engine.site.world()) == []
    (lab.data / "folder" / "letter").write_text("second, longer")
    kept = lab.take()
    auto, _ = names = lab.versions.all("docs")
    assert names == ["auto-2026.11.23-12.00.00", "kept-2026.11.23-12.01.00"]
    (lab.data / "folder" / "letter").write_text("the third, longer still")
    with lab.shown(auto), lab.shown(kept):
        assert lab.previous("folder/letter") == [version(kept), version(auto)]
        assert [lab.read(f"{version(name)}\\folder\\letter") for name in names] == ["first", "second, longer"]
        said = lab.site.smb("docs", f'put /etc/hostname "{version(auto)}\\folder\\new"; del "{version(auto)}\\letter"')
        assert said.count("NT_STATUS_") == 2
    assert lab.read("folder\\letter") == "the third, longer still"


def test_a_connection_that_is_open_sees_a_new_snapshot(lab: Lab) -> None:
    lab.make()
    (lab.data / "letter").write_text("dear")
    with HeldOpen(lab.site, "docs") as client:
        assert "@GMT-" not in client.do("allinfo letter")
        name = lab.take()
        with lab.shown(name):
            assert version(name) in client.do("allinfo letter")
            assert "getting file" in client.do(f'get "{version(name)}\\letter" /dev/null')


def test_restoring_brings_everything_back_and_keeps_what_was_there(lab: Lab) -> None:
    lab.make()
    lab.site.smb("docs", "mkdir folder; mkdir kept; put /etc/hostname folder\\letter; put /etc/hostname same")
    before = tree(lab)
    name = lab.take()
    lab.site.smb("docs", "del folder\\letter; rmdir folder; put /etc/passwd new")
    other = lab.data / "same"
    then = other.stat()
    other.write_text("x" * then.st_size)
    mounts.run("touch", "-d", f"@{then.st_mtime}", other)  # its time does not show the change
    kept = (lab.data / "kept").stat().st_mtime_ns
    os.utime(lab.data / "kept", ns=(kept, kept ^ 1))  # in the same second
    after = tree(lab)
    with lab.shown(name):
        lab.now += 60
        lab.versions.restore("docs", name)
    assert tree(lab) == before
    assert lab.versions.all("docs") == [name, "kept-2026.11.23-12.02.00"]
    assert lab.site.works("docs")
    assert lab.site.drift() == []
    with lab.shown("kept-2026.11.23-12.02.00"):
        lab.now += 60
        lab.versions.restore("docs", "kept-2026.11.23-12.02.00")
    assert tree(lab) == after


def tree(lab: Lab) -> list[str]:
    """All that a share holds, with rights and attributes."""
    named = mounts.run("find", lab.data, "-printf", "%P %y %m %U:%G %s %T@\n").splitlines()
    named += mounts.run("getfattr", "-R", "-h", "-d", "-m", "-", "--absolute-names", lab.data).splitlines()
    return sorted(named) + [each.read_text() for each in sorted(lab.data.rglob("*")) if each.is_file()]


def test_a_client_that_is_connected_is_cut_before_anything_is_put_back(lab: Lab) -> None:
    lab.make()
    (lab.data / "letter").write_text("dear")
    name = lab.take()
    with HeldOpen(lab.site, "docs") as client, lab.shown(name):
        lab.now += 60
        lab.versions.restore("docs", name)
        assert "NT_STATUS_" in client.do("put /etc/hostname late")
    assert [each.name for each in lab.data.iterdir()] == ["letter"]


def test_a_deleted_snapshot_is_gone_for_clients_and_no_other_is(lab: Lab) -> None:
    lab.make()
    (lab.data / "letter").write_text("dear")
    first, second = lab.take(), lab.take()
    lab.versions.drop("docs", first)
    assert lab.versions.all("docs") == [second]
    (lab.data / "letter").write_text("my dear")
    with lab.shown(second):
        assert lab.previous("letter") == [version(second)]


def test_deleting_the_share_keeps_snapshots_and_destroying_its_data_destroys_them(lab: Lab) -> None:
    lab.make()
    (lab.data / "letter").write_text("dear")
    name = lab.take()
    lab.site.remove(("share", "docs"))
    lab.site.apply(lab.site.share(source=lab.source))
    assert lab.versions.all("docs") == [name]
    with pytest.raises(HoldsData, match="the data of share docs is not destroyed"):
        lab.site.remove(("share", "docs"), destroy_data=True)  # adopted
    lab.site.remove(("share", "docs"))
    lab.site.apply(lab.site.share("own", source=lab.own("own")))
    lab.versions.take("own")
    lab.site.remove(("share", "own"), destroy_data=True)
    assert lab.gone("own")


def test_a_schedule_is_kept_over_weeks(lab: Lab) -> None:
    lab.make(snapshots={"hourly": 2, "daily": 3, "weekly": 2})
    kept = lab.take()
    for _ in range(16 * 2):  # every twelve hours, for 16 days
        assert lab.versions.serve(lab.site.engine.site.world()) == []
        assert len(lab.versions.all("docs")) <= 8
        lab.now += 12 * HOUR
    assert lab.versions.all("docs") == [
        kept,
        "auto-2026.12.06-12.01.00",  # the Sunday, end of a week
        "auto-2026.12.07-12.01.00",
        "auto-2026.12.08-12.01.00",
        "auto-2026.12.09-00.01.00",
    ]


def test_the_watch_takes_what_is_due_and_goes_on_where_a_share_is_out_of_service(lab: Lab) -> None:
    lab.make(snapshots={"daily": 1})
    lab.site.apply(lab.site.share("other", source=lab.own("other"), snapshots={"daily": 1}))
    lab.spoil()
    watch = Watch(lab.site.engine, lambda: lab.now)
    watch.look()
    assert lab.versions.all("other") == ["auto-2026.11.23-12.00.00"]
    lab.now += 24 * HOUR
    watch.look()
    assert lab.versions.all("other") == ["auto-2026.11.24-12.00.00"]


def test_a_schedule_is_looked_at_once_an_hour_and_when_it_changes(lab: Lab) -> None:
    lab.make(snapshots={"hourly": 24})
    asked: list[str] = []

    class Listening(Node):
        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            asked.append(argv[0])
            return super().run(*argv, stdin=stdin, timeout=timeout)

    lab.restart(Listening())
    serve = lambda: lab.versions.serve(lab.site.engine.site.world())  # noqa: E731
    assert serve() == []
    assert asked
    asked.clear()
    lab.now += HOUR - 1
    assert serve() == []
    assert not asked
    lab.now += 1
    assert serve() == []
    assert len(lab.versions.all("docs")) == 2
    lab.site.apply(lab.site.share(source=lab.source, snapshots={"hourly": 1}))
    lab.now += 10
    assert serve() == []
    assert lab.versions.all("docs") == ["auto-2026.11.23-13.00.00"]


class Cut(Node):
    """A node on which rsync ends half-way: as far as the first folder, by a signal to the engine or an error."""

    def __init__(self, error: BaseException, times: int = 1) -> None:
        self.error, self.left = error, times

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[0] != "rsync" or "--version" in argv or not self.left:
            return super().run(*argv, stdin=stdin, timeout=timeout)
        self.left -= 1
        super().run(*argv[:-3], "--exclude=second", *argv[-3:], timeout=timeout)
        raise self.error


def half_restored(lab: Lab, error: BaseException) -> str:
    """Begin to put back the files `first` and `second`; only the first is."""
    lab.make()
    for name in ("first", "second"):
        (lab.data / name).write_text("dear")
    name = lab.take()
    for file in ("first", "second"):
        (lab.data / file).write_text("my dear")
    lab.restart(Cut(error))
    lab.now += 60
    broken = StepFailed if isinstance(error, GatewayError) else type(error)
    with lab.shown(name), pytest.raises(broken):
        lab.versions.restore("docs", name)
    return name


def test_what_a_crash_cut_off_is_finished_at_the_next_start(lab: Lab) -> None:
    name = half_restored(lab, KeyboardInterrupt())
    assert [(lab.data / file).read_text() for file in ("first", "second")] == ["dear", "my dear"]
    assert "NT_STATUS_BAD_NETWORK_NAME" in lab.site.smb("docs")
    with lab.shown(name):
        assert lab.site.restart() == []
    assert [(lab.data / file).read_text() for file in ("first", "second")] == ["dear", "dear"]
    assert not (lab.data.parent / ".smbgw-restoring").exists()
    assert lab.site.works("docs")


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)  # what was taken on the way is not shown by zfs-fuse
def test_a_restoration_that_fails_is_set_back(lab: Lab) -> None:
    half_restored(lab, CommandFailed(["rsync"], 11, "No space left on device (28)"))
    assert [(lab.data / file).read_text() for file in ("first", "second")] == ["my dear", "my dear"]
    assert lab.site.works("docs")


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)
def test_the_error_of_a_failed_restoration_says_what_was_set_back(lab: Lab) -> None:
    lab.make()
    name = lab.take()
    lab.restart(Cut(CommandFailed(["rsync"], 11, "No space left on device (28)")))
    lab.now += 60
    with pytest.raises(GatewayError) as caught:
        lab.versions.restore("docs", name)
    assert str(caught.value) == (
        "cannot set data of share docs: rsync: No space left on device (28)\n  undone: data of share docs, share docs"
    )


def test_what_cannot_be_is_refused_before_anything_is_touched(lab: Lab) -> None:
    lab.make()
    name = lab.take()
    for act in (lab.versions.drop, lab.versions.restore):
        with pytest.raises(NotFound) as caught:
            act("docs", "kept-2026.01.01-00.00.00")
        assert str(caught.value) == f"share docs has no snapshot kept-2026.01.01-00.00.00\n  the newest is {name}"
    assert lab.versions.all("docs") == [name]
    with pytest.raises(NotFound, match="there is no share nope"):
        lab.versions.take("nope")


def test_by_the_api(lab: Lab) -> None:
    lab.make()
    client = TestClient(as_root(make(lab.site.engine)))

    def changed(verb: str, **body: str) -> list[tuple[str, str]]:
        job = client.post(f"/v1/snapshots/{verb}", json={"share": "docs", **body}).json()["job"]
        mounts.until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] != "running", f"{verb} ends")
        ended = client.get(f"/v1/jobs/{job}").json()
        assert ended["state"] == "done", ended
        return [(event["name"].partition("@")[0], event["outcome"]) for event in ended["events"]]

    assert changed("create")[0] == ("request", "checked")
    (row,) = client.get("/v1/snapshots/docs").json()["snapshots"]
    assert (row["by"], row["version"]) == ("hand", version(row["name"]))
    with lab.shown(row["name"]):
        told = changed("restore", name=row["name"])
    assert [outcome for _, outcome in told] == ["checked", "removed", "created", "changed", "created"]
    assert told[3] == ("data of share docs", "changed")
    assert len(client.get("/v1/snapshots/docs").json()["snapshots"]) == 2
    assert [outcome for _, outcome in changed("delete", name=row["name"])] == ["checked", "destroyed"]
    assert row not in client.get("/v1/snapshots/docs").json()["snapshots"]


def as_root(app: ASGIApp) -> ASGIApp:
    """The application as it is reached over the engine's socket."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "peer_uid": 0}, receive, send)

    return named


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)
def test_no_more_are_taken_than_explorer_shows(lab: Lab) -> None:
    lab.make()
    name = lab.take()
    for number in range(MOST_SNAPSHOTS - 1):
        (lab.data.parent / ".smbgw-snapshots" / f"kept-2025.01.01-00.{number // 60:02}.{number % 60:02}").mkdir()
    for act in (lambda: lab.versions.take("docs"), lambda: lab.versions.restore("docs", name)):
        with pytest.raises(Conflict) as caught:
            act()
        assert str(caught.value) == (
            "share docs has 512 snapshots: Explorer shows none of more than 512\n"
            "  delete some that are not needed, or keep fewer by schedule"
        )


@pytest.mark.parametrize("lab", ["btrfs"], indirect=True)
def test_sources_that_cannot_refuse_by_field(lab: Lab) -> None:
    items = [user(), lab.site.gateway(), lab.site.share(source=lab.site.source("plain"), snapshots={"daily": 7})]
    with pytest.raises(Invalid) as caught:
        lab.site.engine.plan(items)
    assert [(fault.field, fault.message) for fault in caught.value.faults] == [
        ("share.docs.snapshots", "a directory source cannot have snapshots")
    ]
    lab.site.apply(user(), lab.site.gateway(), lab.site.share(source=lab.site.source("plain")))
    with pytest.raises(Unavailable, match="share docs has no snapshots: a directory source cannot have snapshots"):
        lab.versions.take("docs")
