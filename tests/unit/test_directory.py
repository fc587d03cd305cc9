"""The directory source and the cells it is made of, played with what real tools said."""

import pytest

from smbgateway.errors import CommandFailed, Conflict, Fault
from smbgateway.host import Host
from smbgateway.sources import Place, cells
from smbgateway.step import Ledger, StepFailed, look
from tests.cases.scenes import SCENES, directory
from tests.unit.fakes import FOLDER, RECORDINGS, Call, FakeHost, load

PLACE = Place("files", "docs", mount="", roots=("/srv",), group=20001)


@pytest.mark.parametrize("scene", SCENES)
def test_scene(scene: str) -> None:
    SCENES[scene](FakeHost.playing(scene, "/srv"), "/srv")


def test_every_recording_has_a_scene() -> None:
    assert {file.stem for file in RECORDINGS.glob("*.json")} == set(SCENES)


CONVERGE = ["install", "setfattr"]


@pytest.mark.parametrize("program", CONVERGE)
def test_whichever_command_fails_the_undo_ends_with_nothing_left(program: str) -> None:
    """Played on the recording of a directory made and undone; the command named fails."""
    host = FakeHost([call.replaced(FOLDER, "/srv") for call in broken(load("new_directory"), program)])
    ledger = Ledger()
    with pytest.raises(StepFailed) as caught:
        ledger.converge(directory(host, "/srv").steps())
    step = "earmark of /srv/docs" if program == "setfattr" else "directory /srv/docs"
    assert str(caught.value).startswith(f"cannot set {step}: {program} ")
    assert str(caught.value).endswith(": boom")
    assert ledger.undo()[1] == []
    assert host.done[-1] == ("rmdir", "--", "/srv/docs")


def broken(calls: list[Call], program: str) -> list[Call]:
    first = next(call for call in calls if call.argv[0] == program)
    return [Call(call.argv, "boom", 1) if call == first else call for call in calls]


def faults(host: FakeHost, path: str, *roots: str) -> list[Fault]:
    place = Place("files", "docs", mount="", roots=roots, group=20000, refused=("/data/ours",))
    return cells.path_faults(host, path, place, "source.path")


@pytest.mark.parametrize("path", ["/srvx/docs", "/home/alice/docs", "/mnt"])
def test_a_path_outside_the_roots_is_refused_without_a_look(path: str) -> None:
    host = FakeHost()
    message = f"{path} is not below an allowed directory (/srv)"
    assert faults(host, path, "/srv") == [Fault("source.path", message, "root may add one: --allow-path")]
    assert host.done == []


@pytest.mark.parametrize("path", ["/", "/etc", "/etc/x", "/usr", "/var/lib", "/var/lib/vz/images", "/root"])
def test_the_systems_own_is_refused_whatever_is_allowed(path: str) -> None:
    host = FakeHost()
    assert faults(host, path, "/", "/etc", "/var") == [
        Fault("source.path", f"{path} is the system's own: it is never shared")
    ]
    assert host.done == []


def test_a_command_that_fails_otherwise_is_not_taken_for_absence() -> None:
    call = Call(("stat", "--printf=%F", "--", "/srv/docs"), "stat: cannot statx '/srv/docs': Input/output error", 1)
    with pytest.raises(CommandFailed, match=r"Input/output error$"):
        cells.stat(FakeHost([call]), "/srv/docs", "%F")


@pytest.mark.parametrize("mark", [None, "", "-", PLACE.earmark])
def test_a_source_of_nobody_or_of_ours_is_free(mark: str | None) -> None:
    assert cells.owner_faults(mark, PLACE, "source.path") == []


@pytest.mark.parametrize(
    ("mark", "owner"),
    [
        ("gateway=files share=letters ntacl=x idmap=0", "share letters of gateway files"),
        ("gateway=other share=docs ntacl=x idmap=0", "share docs of gateway other"),
        ("garbage", "share ? of gateway ?"),
    ],
)
def test_a_source_of_another_share_is_refused(mark: str, owner: str) -> None:
    (fault,) = cells.owner_faults(mark, PLACE, "source.path")
    assert fault.message == f"it belongs to {owner}"


def test_what_is_mounted() -> None:
    table = (RECORDINGS.parent / "mountinfo.txt").read_text()
    host = FakeHost(files={"/proc/self/mountinfo": table})
    blanks = {"type": "tmpfs", "source": "name with blanks", "root": "/", "options": "rw,relatime,rw"}
    assert cells.mounted(host, "/srv/a b") == blanks
    twice = {"type": "tmpfs", "source": "second", "root": "/", "options": "ro,relatime,ro"}
    assert cells.mounted(host, "/srv/twice") == twice
    assert cells.mounted(host, "/srv/line\nend\\") == {
        "type": "tmpfs",
        "source": "c",
        "root": "/",
        "options": "rw,relatime,rw",
    }
    assert cells.mounted(host, "/srv/a") is None
    assert cells.mounted(host, "/proc") == {"type": "proc", "source": "proc", "root": "/", "options": "rw,relatime,rw"}
    assert cells.mount_of(host, "/srv/twice/x/y") == ("/srv/twice", twice)
    assert cells.mount_of(host, "/srv/a") == ("/", cells.UNKNOWN)


def test_look_at_a_new_directory() -> None:
    cells_read = look(directory(FakeHost.playing("new_directory", "/srv"), "/srv").steps())
    assert [(cell.name, cell.now, cell.want) for cell in cells_read] == [
        ("directory /srv/docs", None, "0:20001 2770"),
        ("earmark of /srv/docs", None, "gateway=files share=docs ntacl=user.NTACL idmap=0"),
    ]


def test_a_directory_has_no_quota() -> None:
    host: Host = FakeHost()
    assert not directory(host, "/srv").has_quota
    assert directory(host, "/srv").quota(10 << 30) == []


def test_what_is_not_ours_is_not_overwritten() -> None:
    cells.refuse_foreign("/srv/x", None, "ours")
    cells.refuse_foreign("/srv/x", "ours", "ours")
    with pytest.raises(Conflict) as caught:
        cells.refuse_foreign("/srv/x", "theirs", "ours")
    assert str(caught.value) == ("/srv/x holds something else: found theirs, expected ours\n  nothing was overwritten")


def test_the_closed_directories_on_the_way_to_a_path_are_named() -> None:
    argv = ("stat", "--printf=%a %n\\n", "--", "/", "/root", "/root/a b")
    host = FakeHost([Call(argv, "755 /\n700 /root\n2750 /root/a b\n")])
    assert cells.closed_way(host, "/root/a b/docs") == (
        "users may not pass through /root (mode 700), /root/a b (mode 2750): chmod o+x it, or choose another place"
    )
