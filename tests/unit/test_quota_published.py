"""What is published: the last 100 points of every share, limits and levels."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.model import Levels
from smbgateway.quota.history import QUARTER, Point
from smbgateway.quota.levels import Standing
from smbgateway.quota.published import (
    LARGEST,
    POINTS,
    Published,
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
    found = read_history(history_text({"files/docs": series(300)}, NOW))
    assert [at for at, _, _ in found["files/docs"]] == [at for at, _, _ in series(POINTS)]


def test_of_very_many_shares_the_file_has_fewer_points() -> None:
    text = history_text({f"files/s{number}": series(POINTS) for number in range(3000)}, NOW)
    assert len(text) <= LARGEST
    assert len(read_history(text)["files/s7"]) == 25


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
    published.write_history({"files/docs": series(POINTS)}, NOW)
    os.utime(published.history, (NOW, NOW))
    assert not published.due(NOW + 1, 1)
    assert not Published(str(tmp_path), "one").due(NOW + 1, 1)
    assert Published(str(tmp_path), "one").due(NOW + 1800, 1)


def test_the_history_of_all_nodes_is_read_and_the_own_one_counts(tmp_path: Path) -> None:
    for node, shares in (("two", ("files/docs", "files/far")), ("one", ("files/docs",))):
        points = series(1 if node == "one" else 2)
        Published(str(tmp_path), node).write_history(dict.fromkeys(shares, points), NOW)
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
