"""Levels: when a share is told of, and when not."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.errors import Invalid
from smbgateway.model import Levels, parse
from smbgateway.quota.levels import (
    RANKS,
    Event,
    Level,
    Pending,
    Standing,
    hold,
    judge,
    judge_forecast,
    kind,
    percent,
    seen,
)

USUAL = Levels()
NEVER = Standing()


def told(figures: Iterable[float | None], every: float = 60, limit: int | None = 1000) -> list[str]:
    """What is told of a share that is so full, sample by sample."""
    standing, events = NEVER, []
    for number, figure in enumerate(figures):
        if figure is not None:  # None: it could not be read
            standing, event = judge(standing, int(figure * 10), limit, 1e9 + number * every, USUAL)
            events += [event] if event else []
    return [f"{event.kind} {event.former}>{event.level}" for event in events]


@pytest.mark.parametrize(
    ("full", "level"),
    [(74.9, "ok"), (75, "notice"), (84.9, "notice"), (85, "warning"), (95, "critical"), (120, "critical")],
)
def test_levels_begin_at_their_percentage(full: float, level: Level) -> None:
    assert seen("ok", full, USUAL) == level


@pytest.mark.parametrize(
    ("full", "level"), [(93, "critical"), (92.9, "warning"), (83, "warning"), (82.9, "notice"), (72.9, "ok")]
)
def test_levels_end_two_points_lower(full: float, level: Level) -> None:
    assert seen("critical", full, USUAL) == level


@given(st.sampled_from(RANKS), st.floats(0, 120), st.tuples(*[st.floats(1, 100)] * 3).map(sorted))
def test_a_level_holds_between_two_percentages(level: Level, full: float, bounds: list[float]) -> None:
    levels = Levels(notice=bounds[0], warning=bounds[1], critical=bounds[2])
    low, high = hold(level, levels)
    assert (seen(level, full, levels) == level) == (low <= full < high)


def test_without_a_limit_there_is_no_level() -> None:
    assert percent(5, None) is None
    assert seen("critical", None, USUAL) == "ok"


def test_a_crossing_is_told_once() -> None:
    assert told([70, 76, 76, 77, 78, 80, 76]) == ["raised ok>notice"]
    assert told([96, 96]) == ["raised ok>critical"]
    assert told([76, 76, 86, 86, 96, 96]) == ["raised ok>notice", "worse notice>warning", "worse warning>critical"]


def test_a_peak_of_one_sample_is_not_told() -> None:
    assert told([70, 99, 70, 70, 99, 70]) == []


def test_what_hovers_at_a_threshold_is_told_once() -> None:
    assert told([75.5, 74.5] * 500) == []
    assert told([76, 76, *[74, 76] * 500]) == ["raised ok>notice"]
    assert told([76, 76, *([72] * 10 + [76] * 5) * 50]) == ["raised ok>notice"]


def test_relief_is_told_when_it_lasts() -> None:
    assert told([96, 96, *[60] * 20]) == ["raised ok>critical", "cleared critical>ok"]
    assert told([96, 96, *[88] * 20]) == ["raised ok>critical", "better critical>warning"]
    assert told([96, 96, *[60] * 15]) == ["raised ok>critical"]


def test_what_cannot_be_read_changes_nothing() -> None:
    assert told([96, 96, None, None, None, 96, 96]) == ["raised ok>critical"]


def test_a_changed_limit_counts_at_once() -> None:
    standing, _ = judge(NEVER, 960, 1000, 1000, USUAL)
    standing, event = judge(standing, 960, 1000, 1060, USUAL)
    assert event == Event("raised", "level", "ok", "critical", 1060)
    standing, event = judge(standing, 960, 1300, 1120, USUAL)  # 73.8 %: hysteresis would hold `notice`
    assert event == Event("cleared", "level", "critical", "ok", 1120)
    standing, event = judge(standing, 960, 1100, 1180, USUAL)
    assert event == Event("raised", "level", "ok", "warning", 1180)
    standing, event = judge(standing, 960, None, 1240, USUAL)
    assert event == Event("cleared", "level", "warning", "ok", 1240)


def test_a_clock_that_is_set_back_delays_and_never_blocks() -> None:
    standing = Standing(since=5e9, limit=1000, pending=Pending(True, 5e9))
    standing, event = judge(standing, 960, 1000, 1e9, USUAL)
    assert (event, standing.pending) == (None, Pending(True, 1e9))
    assert judge(standing, 960, 1000, 1e9 + 60, USUAL)[1]


def test_own_levels_of_a_share() -> None:
    early = Levels(notice=50, warning=60, critical=70)
    assert [seen("ok", full, early) for full in (49, 50, 60, 70)] == ["ok", "notice", "warning", "critical"]


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"notice": 90}, "share.docs.levels: levels ascend: notice, warning, critical"),
        ({"critical": 101}, "share.docs.levels.critical: Input should be less than or equal to 100"),
    ],
)
def test_levels_that_make_no_sense_are_refused(levels: dict[str, int], message: str) -> None:
    source = {"kind": "directory", "path": "/srv/docs"}
    with pytest.raises(Invalid) as raised:
        parse([{"kind": "share", "name": "docs", "gateway": "files", "source": source, "levels": levels}])
    assert message in str(raised.value)


@given(st.lists(st.floats(min_value=0, max_value=110), min_size=2, max_size=200))
def test_events_are_a_chain_without_repetition(figures: list[float]) -> None:
    """Each event starts where the last ended, and none tells of what is so already."""
    standing, level = NEVER, "ok"
    for number, figure in enumerate(figures):
        standing, event = judge(standing, int(figure * 10), 1000, 1e9 + number * 60, USUAL)
        if event:
            assert event.former == level
            assert event.level != level
            assert event.kind == kind(event.former, event.level)
            level = event.level
        assert standing.level == level


@given(st.floats(min_value=0, max_value=120), st.integers(min_value=0, max_value=3))
def test_a_steady_figure_is_told_within_two_samples_upwards(full: float, rank: int) -> None:
    wanted = seen("ok", int(full * 10) / 10, USUAL)
    assert told([full, full]) == ([] if wanted == "ok" else [f"raised ok>{wanted}"])


def test_a_share_that_fills_soon_is_told_once_and_cleared_once() -> None:
    standing, told_of = NEVER, []
    for number, days in enumerate([30, 6, 6, 6.5, 8, 9, 7.5, 6, *[20.0] * 30, None]):
        standing, event = judge_forecast(standing, days, 1e9 + number * 900, USUAL)
        told_of += [(number, event.kind, event.topic)] if event else []
    assert told_of == [(2, "raised", "forecast"), (32, "cleared", "forecast")]


def test_no_forecast_is_told_where_none_was_asked_for() -> None:
    standing = NEVER
    for number in range(10):
        standing, event = judge_forecast(standing, 0.5, 1e9 + number * 900, Levels(fills_within=0))
        assert event is None
