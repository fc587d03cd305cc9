"""The history: what is kept of samples, for how long, and what becomes of it when the machine fails."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbgateway.quota.history import DAY, HOUR, KEPT, QUARTER, TOGETHER, Bucket, History

START = 1_800_000_000 // DAY * DAY
GI = 2**30


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(str(tmp_path / "state/history.sqlite"))
    yield made
    made.close()


def filled(history: History, seconds: int, every: int = 60, start: int = START, step: int = 1000) -> int:
    """Samples of a share that grows by `step` a sample; the time after the last."""
    for number in range(0, seconds // every):
        at = start + number * every
        assert history.add(at, at, {"files/docs": (GI + number * step, 10 * GI)}), history.trouble
        if at % QUARTER == 0:
            history.fold(at)
    return start + seconds


def test_samples_are_folded_into_quarters_hours_and_days(history: History) -> None:
    now = filled(history, DAY + HOUR)
    assert history.fold(now)
    quarters = history.buckets("files/docs", "quarter", START, START + QUARTER - 1)
    assert quarters == [Bucket(START, 15, GI, GI + 7000.0, GI + 14000, GI + 14000, 10 * GI)]
    hours = history.buckets("files/docs", "hour", START, now)
    assert len(hours) == 25
    assert hours[0] == Bucket(START, 60, GI, GI + 29500.0, GI + 59000, GI + 59000, 10 * GI)
    (day,) = history.buckets("files/docs", "day", START, now)
    assert (day.samples, day.low, day.high, day.mean) == (1440, GI, GI + 1439000, GI + 719500.0)


def test_the_last_sample_tells_the_limit(history: History) -> None:
    for at, limit in ((START, 10), (START + 60, 20), (START + 120, None)):
        history.add(at, at, {"a/b": (5, limit)})
        history.fold(START + QUARTER)
        assert history.buckets("a/b", "quarter", 0, START + DAY)[0].limit == limit
        history._connection and history._connection.execute("DELETE FROM folded")


def test_what_is_kept_is_bounded(history: History) -> None:
    now = filled(history, 9 * DAY, every=QUARTER)
    history.fold(now)
    history.clean(now, now, {"files/docs"})
    assert len(history.buckets("files/docs", "raw", 0, now)) == KEPT["raw"] // QUARTER
    assert len(history.buckets("files/docs", "quarter", 0, now)) == KEPT["quarter"] // QUARTER
    assert len(history.buckets("files/docs", "hour", 0, now)) == 9 * 24
    later = now + 100 * DAY
    history.clean(later, later, {"files/docs"})
    assert [len(history.buckets("files/docs", grain, 0, now)) for grain in KEPT] == [0, 0, 0, 9]


def test_folding_again_changes_nothing(history: History) -> None:
    now = filled(history, 3 * HOUR)
    history.fold(now)
    before = history.buckets("files/docs", "hour", 0, now)
    history._connection and history._connection.execute("DELETE FROM folded")
    history.fold(now)
    assert history.buckets("files/docs", "hour", 0, now) == before


def test_a_share_that_is_gone_is_forgotten_after_a_month(history: History) -> None:
    now = filled(history, 2 * DAY, every=QUARTER)
    history.fold(now)
    history.clean(now + 20 * DAY, now + 20 * DAY, set())
    assert history.buckets("files/docs", "day", 0, now)
    history.clean(now + 40 * DAY, now + 40 * DAY, set())
    assert not history.buckets("files/docs", "day", 0, now)


def test_a_clock_that_jumps_removes_nothing_for_a_day(history: History) -> None:
    now = filled(history, 2 * HOUR)
    history.fold(now)
    history.add(now - 60 + 400 * DAY, now - 60, {"files/docs": (1, None)})
    assert history.said == [f"the clock went on by {400 * DAY:.0f} s: nothing old is removed for a day"]
    history.clean(now + 400 * DAY, now + 120, {"files/docs"})
    history.add(now + 120, now + 120, {"files/docs": (2, None)})
    assert history.said[1].startswith("the clock went back by ")
    history.fold(now + QUARTER)
    assert len(history.buckets("files/docs", "quarter", START, now + QUARTER)) == 9
    # A day later the clock is trusted again, and what lies in its future goes.
    after = now + 2 * DAY
    history.clean(after, after, {"files/docs"})
    assert not history.buckets("files/docs", "raw", after, 3 * after)


def test_an_engine_that_was_off_for_months_removes_nothing_for_a_day(history: History) -> None:
    now = filled(history, HOUR)
    history.fold(now)
    history.close()
    again, later = history, now + 90 * DAY
    again.add(later, 10, {"files/docs": (1, None)})
    again.clean(later, 20, {"files/docs"})
    assert len(again.buckets("files/docs", "quarter", 0, later)) == 4
    again.clean(later + DAY, DAY + 20, {"files/docs"})
    assert len(again.buckets("files/docs", "quarter", 0, later)) == 0


def test_a_clock_that_was_never_set_writes_nothing(history: History) -> None:
    assert not history.add(1000, 0, {"a/b": (1, None)})
    assert history.trouble == "the clock of this machine is not set: no history is kept"


def test_a_broken_file_is_set_aside_and_begun_anew(history: History, tmp_path: Path) -> None:
    filled(history, HOUR)
    history.close()
    file = Path(history.path)
    file.write_bytes(b"not a database" * 1000)
    for end in ("-wal", "-shm"):
        Path(history.path + end).unlink(missing_ok=True)
    again = History(history.path)
    assert again.add(START + HOUR, 0, {"files/docs": (7, None)})
    assert again.said == [
        f"the history was broken (file is not a database): it is kept as {file}.broken, and a new one is begun"
    ]
    assert (again.trouble, again.fresh) == ("", True)
    assert file.with_name("history.sqlite.broken").read_bytes().startswith(b"not a database")
    assert [bucket.used for bucket in again.buckets("files/docs", "raw", 0, START + DAY)] == [7]
    again.close()


def test_a_file_broken_in_the_middle_is_noticed_where_it_is_read(history: History) -> None:
    now = filled(history, 6 * HOUR)
    history.fold(now)
    history.close()
    with open(history.path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for place in range(4096, size, 4096):
            file.seek(place)
            file.write(b"\xff" * 4096)
    again = history
    again.buckets("files/docs", "raw", 0, now)
    again.add(now, 0, {"files/docs": (7, None)})
    assert again.said[0].startswith("the history was broken (database disk image is malformed)")
    assert again.add(now + 60, 60, {"files/docs": (7, None)})


def test_a_new_file_is_seeded_with_what_was_published(history: History) -> None:
    history.seed({"files/docs": [(START, 5, 10), (START + QUARTER, 6, 10)]})
    assert [b.used for b in history.buckets("files/docs", "quarter", 0, START + DAY)] == [5, 6]
    assert history.quarters("files/docs", 0, START + DAY) == [(START, 5, 10), (START + QUARTER, 6, 10)]
    assert history.quarters("files/docs", START + 1, START + DAY) == [(START + QUARTER, 6, 10)]
    assert history.quarters("files/none", 0, START + DAY) == []
    assert history.news(START + 1, START + DAY)["files/docs"] == [(START + QUARTER, 6, 10)]


def test_a_round_of_many_shares_is_kept_whole(history: History) -> None:
    samples = {f"files/s{number}": (number, None if number % 2 else GI) for number in range(2 * TOGETHER + 7)}
    assert history.add(START, 0, samples)
    for name, (used, limit) in samples.items():
        assert [(each.used, each.limit) for each in history.buckets(name, "raw", START, START)] == [(used, limit)]


def test_another_era_begins_where_what_was_read_may_have_changed(history: History) -> None:
    now = filled(history, HOUR)
    era = history.era
    history.add(now + 60, now + 60, {"files/docs": (7, None)})
    history.fold(now + 60)
    assert history.era == era
    history.add(now - HOUR, now + 120, {"files/docs": (7, None)})
    assert history.era == era + 1
    history.seed({"files/docs": [(START - QUARTER, 5, 10)]})
    assert history.era == era + 2
    history.close()
    history.open()
    assert history.era == era + 3


def test_a_full_disk_is_told_and_passes(history: History) -> None:
    """SQLite's own answer where a page does not fit, made by its limit of pages."""
    now = filled(history, HOUR)
    assert history._connection
    pages = history._connection.execute("PRAGMA page_count").fetchone()[0]
    history._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = {f"files/share{number}": (number, None) for number in range(5000)}
    assert not history.add(now, now, many)
    assert history.trouble == "the history cannot be kept: database or disk is full"
    assert history.add(now + 60, now + 60, {"files/docs": (7, None)})  # it was opened anew
    assert history.trouble == ""
    assert history.buckets("files/docs", "raw", now, now + 60)[-1].used == 7


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = History(str(tmp_path / "file/history.sqlite"))
    assert not history.add(START, 0, {"a/b": (1, None)})
    assert history.trouble == "the history cannot be kept: File exists"
    assert history.buckets("a/b", "raw", 0, START) == []


def test_another_program_that_reads_does_not_disturb(history: History) -> None:
    filled(history, HOUR)
    other = sqlite3.connect(f"file:{history.path}?mode=ro", uri=True)
    assert other.execute("SELECT count(*) FROM raw").fetchone() == (60,)
    assert history.add(START + HOUR, START + HOUR, {"files/docs": (7, None)})
    other.close()


def test_faults_of_ours_are_not_taken_for_those_of_the_disk(history: History) -> None:
    with pytest.raises(sqlite3.ProgrammingError):
        history.add(START, 0, {"a/b": (object(), None)})  # type: ignore[dict-item]
