"""XFS projects: the node's lists of them, their numbers, what is used."""

from pathlib import Path
from typing import Any

import pytest

from smbgateway.allocate import PROJECTS, Node, allocate
from smbgateway.checks import check
from smbgateway.errors import Conflict, Unavailable
from smbgateway.model import Resource, Share, parse
from smbgateway.sources import projects
from smbgateway.store import MemoryStore
from smbgateway.world import World

from .fakes import Call, FakeHost

OTHERS = "# of the archive\n12:/mnt/archive\nno line at all\n7:/mnt/form\x0cfeed"
REPORT = """\
#0                  16          0          0     00 [--------]
#445000001       51200          0      51200     00 [--------]
#445000002          12          0          0     00 [--------]
"""
FIRST = PROJECTS[0]


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "LOCK", str(tmp_path / "lock"))


def test_a_line_comes_and_goes_and_those_of_others_stay() -> None:
    host = FakeHost(files={projects.PATHS: OTHERS})
    projects.put(host, projects.PATHS, 445000001, "445000001:/mnt/a b")
    assert host.files[projects.PATHS] == f"{OTHERS}\n445000001:/mnt/a b\n"
    assert projects.line(host, projects.PATHS, 445000001) == "445000001:/mnt/a b"
    projects.put(host, projects.PATHS, 445000001, "445000001:/mnt/c")
    assert host.files[projects.PATHS] == f"{OTHERS}\n445000001:/mnt/c\n"
    projects.put(host, projects.PATHS, 445000001, None)
    assert host.files[projects.PATHS] == f"{OTHERS}\n"
    assert projects.line(host, projects.PATHS, 445000001) is None


def test_a_list_is_made_when_it_is_needed() -> None:
    host = FakeHost()
    projects.put(host, projects.NAMES, 5, None)
    assert host.files == {}
    projects.put(host, projects.NAMES, 5, "files.docs.5:5")
    assert host.files == {projects.NAMES: "files.docs.5:5\n"}


def test_the_numbers_in_both_lists_are_taken() -> None:
    host = FakeHost(files={projects.PATHS: OTHERS, projects.NAMES: "archive:12\nnew: 30 \nbad:x\n"})
    assert projects.taken(host) == {7, 12, 30}


def report(output: str, only: str = "") -> FakeHost:
    words = ("xfs_quota", "-D", "/dev/null", "-P", "/dev/null", "-x", "-c", f"report -p -n -N -b{only}", "/mnt/x")
    return FakeHost([Call(words, output, 0)])


def test_all_projects_are_read_by_one_command() -> None:
    found = projects.usages(report(REPORT), "/mnt/x")
    assert found == {0: (16384, None), 445000001: (50 * 2**20, 50 * 2**20), 445000002: (12288, None)}
    assert projects.usages(report("\n", " -L 9 -U 9"), "/mnt/x", 9) == {}


def test_an_xfs_that_tells_nothing_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(Unavailable) as caught:
        projects.usages(report("\n"), "/mnt/x")
    assert str(caught.value) == "/mnt/x tells nothing of projects\n  is it an XFS, mounted with prjquota?"


def share(name: str, kind: str = "xfs", **more: Any) -> Share:
    source = {"kind": kind, "path": f"/mnt/x/{name}"}
    (made,) = parse([{"kind": "share", "name": name, "gateway": "files", "source": source, **more}])
    assert isinstance(made, Share)
    return made


def numbers(records: list[Resource], *former: Share, taken: frozenset[int] = frozenset()) -> list[int | None]:
    world = World.of(MemoryStore()).staged(former)
    found = allocate(records, world, Node("one", set(), taken, "", 0))
    return [record.project for record in found if isinstance(record, Share)]


def test_every_share_on_an_xfs_gets_a_number_that_nobody_has() -> None:
    former = share("old", project=FIRST + 1)
    new = [share("a"), share("plain", "directory"), share("b"), share("c", project=77)]
    found = numbers([*new, share("old", comment="changed")], former, taken=frozenset({FIRST}))
    assert found == [FIRST + 2, None, FIRST + 3, 77, FIRST + 1]


def test_a_number_of_another_machine_that_is_in_use_here_is_refused() -> None:
    with pytest.raises(Conflict) as caught:
        numbers([share("a", project=12)], taken=frozenset({12}))
    told = "share a cannot have the XFS project 12: the node has one of that number"
    assert str(caught.value) == f"{told}\n  leave it out to get a free one"


def test_a_number_of_another_share_and_one_that_means_nothing_are_refused() -> None:
    changed = [share("a", project=12), share("b", "directory", project=13)]
    staged = World.of(MemoryStore()).staged([share("other", project=12), *changed])
    found = [f"{fault.field}: {fault.message}" for fault in check(staged, staged, changed) if "project" in fault.field]
    assert found == [
        "share.a.project: 12 is share files/other's",
        "share.b.project: a directory source is no XFS project",
    ]
