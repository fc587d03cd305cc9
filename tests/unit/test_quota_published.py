"""What is published: the last 100 points of every share, limits and levels."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.model import Levels
from smbgateway.quota.history import QUARTER, History, Point
from smbgateway.quota.levels import Standing
from smbgateway.quota.published import (
    LARGEST,
    POINTS,
    Packer,
    Published,
    carry,
    history_text,
    last_quarter,
    pack,
    read_history,
    turn,
    unpack,
)

NOW = 1_800_000_000 // QUARTER * QUARTER + QUARTER + 7
LAST = NOW - 7 - QUARTER
GI = 2**30


def series(count: int, step: int = GI // 100) -> list[Point]:
    return [(LAST - QUARTER * number, 5 * GI - step * number, 10 * GI) for number in reversed(range(count))]


class Quarters(History):
    """A history that tells what a test says, and how many points it was asked for."""

    def __init__(self, points: Mapping[str, Sequence[Point]]) -> None:
        super().__init__("")
        self.points, self.read = points, 0

    def quarters(self, name: str, begin: int, end: int) -> list[Point]:
        found = [point for point in self.points[name] if begin <= point[0] <= end]
        self.read += len(found)
        return found

    def news(self, begin: int, end: int) -> dict[str, list[Point]]:
        return {name: self.quarters(name, begin, end) for name in self.points}


def text_of(shares: Mapping[str, Sequence[Point]]) -> str:
    return Packer(Quarters(shares)).text(shares, NOW)


def test_the_last_quarter_is_one_that_is_over() -> None:
    assert last_quarter(NOW) == LAST


@given(st.lists(st.tuples(st.integers(0, 2**50), st.sampled_from([None, GI, 7 * GI])), max_size=150))
def test_points_come_back_within_five_digits(figures: list[tuple[int, int | None]]) -> None:
    points = [(LAST - QUARTER * number, *figure) for number, figure in enumerate(figures)][::-1]
    found = unpack(json.loads(json.dumps(pack(points, LAST))), LAST)
    kept = points[-POINTS:]
    assert [(at, limit) for at, _, limit in found] == [(at, limit) for at, _, limit in kept]
    bound = max([1024, *(2 * used / 100_000 for _, used, _ in kept)])
    assert all(abs(one[1] - two[1]) <= bound for one, two in zip(found, kept, strict=True))


def test_gaps_and_changed_limits_are_kept() -> None:
    points = [(LAST - 3 * QUARTER, 2048, None), (LAST - QUARTER, 4096, GI), (LAST, 0, 2 * GI)]
    packed = pack(points, LAST, count=4)
    assert packed == {"unit": 1024, "used": [2, None, 4, 0], "limit": [[0, None], [2, GI], [3, 2 * GI]]}
    assert unpack(packed, LAST) == points


def test_exactly_the_last_hundred_points_are_published() -> None:
    found = read_history(text_of({"files/docs": series(300)}))
    assert [at for at, _, _ in found["files/docs"]] == [at for at, _, _ in series(POINTS)]


def test_of_very_many_shares_the_file_has_fewer_points() -> None:
    text = text_of({f"files/s{number}": series(POINTS) for number in range(3000)})
    assert len(text) <= LARGEST
    assert len(read_history(text)["files/s7"]) == 25


FIGURES = st.integers(0, 2**18) | st.integers(2**26, 2**28)
LIMITS = st.sampled_from([10 * GI] * 9 + [None])


@given(st.lists(st.none() | st.tuples(FIGURES, LIMITS), max_size=9), st.integers(0, 5), st.integers(1, 4))
def test_what_is_carried_on_is_as_packed_anew(
    figures: list[tuple[int, int | None] | None], quarters: int, count: int
) -> None:
    points = [(LAST - QUARTER * number, *figure) for number, figure in enumerate(figures) if figure][::-1]
    before = LAST - QUARTER * quarters
    former = pack([point for point in points if point[0] <= before], before, count)
    carried = carry(former, [point for point in points if point[0] > before], quarters, count)
    assert carried in (None, pack(points, LAST, count))


@pytest.mark.parametrize("limit", [None, 10 * GI])
def test_only_new_points_are_read_unless_others_may_have_changed(limit: int | None) -> None:
    steady = [(LAST + QUARTER * number, 3 * GI + number, limit) for number in range(-POINTS, 8)]
    shares = {"files/docs": steady, "files/new": steady}
    quarters = Quarters(shares)
    packer = Packer(quarters)

    def read(now: int, names: Sequence[str] = ("files/docs",)) -> int:
        before, text = quarters.read, packer.text(names, now)
        last = last_quarter(now)
        assert text == history_text({name: pack(shares[name], last) for name in names}, last)
        return quarters.read - before

    assert read(NOW) == POINTS
    assert read(NOW + 2 * QUARTER) == 4  # of both: all are asked for at once
    assert read(NOW + 2 * QUARTER) == 0
    assert read(NOW + 3 * QUARTER, list(shares)) == 2 + POINTS  # one came
    quarters.era += 1
    assert read(NOW + 4 * QUARTER) == POINTS
    assert read(NOW + QUARTER) == POINTS  # the clock was set back
    assert read(NOW + 2 * QUARTER) == 2


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"last": 1, "shares": {"a/b": 7}}'])
def test_a_file_that_is_none_tells_nothing(text: str) -> None:
    assert read_history(text) == {}


def test_nodes_take_turns_and_many_shares_are_written_hourly() -> None:
    def starts(node: str, shares: int) -> list[int]:
        return [at for at in range(NOW, NOW + 7200) if turn(node, at, shares) != turn(node, at - 1, shares)]

    assert len(starts("one", 100)) == 4
    assert len(starts("one", 101)) == 2
    assert starts("one", 100) != starts("two", 100)


def test_the_level_is_kept_in_a_file_that_is_written_only_when_it_changes(tmp_path: Path) -> None:
    published, file = Published(str(tmp_path), "one"), tmp_path / "quotas/files/docs.json"
    standing = Standing("warning", 1000.0, 10 * GI)
    published.keep("files/docs", standing, Levels())
    assert json.loads(file.read_text()) == {
        "limit": 10 * GI, "level": "warning", "since": 1000, "filling": False,
        "levels": {"notice": 75.0, "warning": 85.0, "critical": 95.0, "fills_within": 7.0},
    }  # fmt: skip
    number = file.stat().st_ino
    published.keep("files/docs", standing, Levels())
    again = Published(str(tmp_path), "one")
    assert again.standing("files/docs") == standing
    again.keep("files/docs", standing, Levels())
    assert file.stat().st_ino == number
    again.keep("files/docs", standing, Levels(notice=50))
    assert file.stat().st_ino != number


@pytest.mark.parametrize("text", ["", "{", '{"level": "high"}', "[1]"])
def test_a_level_that_cannot_be_read_is_that_of_a_new_share(tmp_path: Path, text: str) -> None:
    (tmp_path / "quotas/files").mkdir(parents=True)
    (tmp_path / "quotas/files/docs.json").write_text(text)
    assert Published(str(tmp_path), "one").standing("files/docs") == Standing()


def test_files_of_shares_that_are_gone_go(tmp_path: Path) -> None:
    published = Published(str(tmp_path), "one")
    for key in ("files/docs", "files/old", "lab/docs"):
        published.keep(key, Standing(), Levels())
    published.forget({"files/docs", "lab/docs"})
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")) == [
        "quotas/files/docs.json",
        "quotas/lab/docs.json",
    ]


def test_the_history_is_written_once_a_turn_also_after_a_restart(tmp_path: Path) -> None:
    published = Published(str(tmp_path), "one")
    assert published.due(NOW, 1)
    published.write_history(text_of({"files/docs": series(POINTS)}), NOW, 1)
    os.utime(published.history, (NOW, NOW))
    assert not published.due(NOW + 1, 1)
    assert not Published(str(tmp_path), "one").due(NOW + 1, 1)
    assert Published(str(tmp_path), "one").due(NOW + 1800, 1)


def test_the_history_of_all_nodes_is_read_and_the_own_one_counts(tmp_path: Path) -> None:
    for node, shares in (("two", ("files/docs", "files/far")), ("one", ("files/docs",))):
        points = series(1 if node == "one" else 2)
        Published(str(tmp_path), node).write_history(text_of(dict.fromkeys(shares, points)), NOW, len(shares))
    (tmp_path / "history/broken.json").write_text("{")
    found = Published(str(tmp_path), "one").read()
    assert {key: len(points) for key, points in found.items()} == {"files/docs": 1, "files/far": 2}


def test_a_store_that_cannot_be_written_is_told_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "quotas").write_text("in the way")
    published = Published(str(tmp_path), "one")
    published.keep("files/docs", Standing("notice", 5.0, GI), Levels())
    assert published.trouble == f"{tmp_path}/quotas/files/docs.json cannot be written: Not a directory"
    (tmp_path / "quotas").unlink()
    published.keep("files/docs", Standing("notice", 5.0, GI), Levels())
    assert published.trouble == ""
    assert published.standing("files/docs").level == "notice"
