"""Trend and forecast: series with known answers, as told to people."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.forecast import holds
from bench.series import FAMILIES, RECORDINGS, recorded, synthetic
from smbgateway.quota.forecast import Forecast, forecast, student
from smbgateway.quota.trend import DAY, Jump, Point, Trend, measure, trends

GIB = 2**30
START = 1.7e9
QUARTER = 900.0


def series(
    used: Callable[[float], float], days: float = 1.0, quota: float | None = 110, every: float = QUARTER
) -> list[Point]:
    """Points of what is used, in GiB, at a time in days."""
    limit = None if quota is None else int(quota * GIB)
    moments = [number * every for number in range(round(days * DAY / every) + 1)]
    return [Point(START + moment, int(used(moment / DAY) * GIB), limit) for moment in moments]


def growing(rate: float = 1.0) -> Callable[[float], float]:
    return lambda day: 100 + rate * day


def rate_of(points: Sequence[Point], window: float = DAY) -> float:
    """GiB a day."""
    rate = measure(points, window).rate
    assert rate is not None
    return rate * DAY / GIB


def test_a_steady_share_has_its_rate_and_no_acceleration() -> None:
    trend = measure(series(growing()), DAY)
    assert (trend.window, trend.span, trend.points, trend.change, trend.jumps) == (DAY, DAY, 97, GIB, ())
    assert rate_of(series(growing())) == pytest.approx(1, abs=1e-6)
    assert trend.acceleration == pytest.approx(0, abs=1e-6)
    assert not trend.risen


def test_a_window_looks_at_its_own_time_only() -> None:
    points = series(lambda day: 100 + max(day - 6, 0) * 2, days=7, every=3600)
    assert rate_of(points) == pytest.approx(2, abs=0.01)
    assert measure(points, 7 * DAY).change == 2 * GIB


def test_growth_that_grows_has_an_acceleration() -> None:
    trend = measure(series(lambda day: 100 + day * day), DAY)  # the second derivative is 2 GiB a day squared
    assert trend.acceleration * DAY * DAY / GIB == pytest.approx(2, rel=0.01)
    assert trend.risen


def test_a_deletion_is_a_jump_and_no_slope() -> None:
    points = series(lambda day: 100 + day - (30 if day >= 0.5 else 0))
    jump = measure(points, DAY).jumps[0]
    assert (jump.began, jump.at, jump.of) == (START + DAY / 2 - QUARTER, START + DAY / 2, "usage")
    assert jump.size / GIB == pytest.approx(-30, abs=0.02)
    assert rate_of(points) == pytest.approx(1, abs=0.02)
    assert measure(points, DAY).change == -29 * GIB


def test_a_deletion_that_takes_hours_is_one_jump() -> None:
    points = series(lambda day: 100 + day - 100 * min(max(day - 0.5, 0), 0.2))
    assert [round(jump.size / GIB) for jump in measure(points, DAY).jumps] == [-20]
    assert rate_of(points) == pytest.approx(1, abs=0.05)


def test_a_changed_quota_is_a_jump_and_moves_the_end_at_once() -> None:
    points = series(growing(), quota=110)
    raised = [
        point._replace(quota=point.quota and 120 * GIB) if point.at > START + 80000 else point for point in points
    ]
    assert measure(raised, DAY).jumps == (Jump(START + 79200, START + 80100, 10 * GIB, "quota"),)
    assert rate_of(raised) == pytest.approx(1, abs=1e-6)
    assert (str(forecast(points)), str(forecast(raised))) == ("full in 8 to 10 days (80 %)", "no end in sight")


def test_what_grew_at_once_is_a_jump_when_two_days_went_by_without_it() -> None:
    points = series(lambda day: 100 + day + (50 if day > 3 else 0), days=7, quota=210, every=3600)
    assert [round(jump.size / GIB) for jump in measure(points, 7 * DAY).jumps] == [50]
    assert measure(points[: 24 * 4], 7 * DAY).jumps == ()
    assert str(forecast(points)) == "full in 38 hours to 8 weeks (80 %)"


def test_what_happens_each_night_is_a_habit_and_counts() -> None:
    backups = series(lambda day: 100 + int(day), days=10, quota=130, every=3600)
    assert measure(backups, 30 * DAY).jumps == ()
    assert rate_of(backups, 30 * DAY) == pytest.approx(1, abs=0.01)
    cleaned = series(lambda day: 100 + 5 * (day % 1), days=10, quota=130, every=3600)
    assert rate_of(cleaned, 30 * DAY) == pytest.approx(0, abs=0.1)
    assert str(forecast(cleaned)) == "no end in sight"


def test_an_office_that_rests_on_sunday_goes_on() -> None:
    def used(day: float) -> float:
        weeks, rest = divmod(day, 7)
        return 100 + 5 * weeks + min(rest, 5)

    points = series(used, days=28, quota=150, every=3600)
    assert rate_of(points) == 0
    found = forecast(points)
    assert found.likely is not None
    assert found.likely / DAY == pytest.approx(42, rel=0.05)  # 30 GiB at 5 GiB a week


def test_growth_that_began_counts_from_when_it_began() -> None:
    points = series(lambda day: 100 + max(day - 0.75, 0) * 24, quota=130)
    found = forecast(points)
    assert found.likely is not None
    assert found.likely / 3600 == pytest.approx(24, rel=0.02)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ([], "too little seen for a forecast (0 of 8 points)"),
        (series(growing(), days=0.05), "too little seen for a forecast (6 of 8 points)"),
        (series(growing(), quota=None), "no quota"),
        (series(growing(), quota=100.5), "full"),
        (series(growing()), "full in 8 to 10 days (80 %)"),
        (series(growing(48), quota=150), "full in 57 to 64 minutes (80 %)"),
        (series(growing(24), quota=130), "full in 5 to 7 hours (80 %)"),
        (series(growing(0.5)), "no end in sight"),
        (series(growing(0)), "no end in sight"),
        (series(growing(-1)), "no end in sight"),
    ],
)
def test_what_is_told(points: list[Point], told: str) -> None:
    assert str(forecast(points)) == told


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Forecast("fills", 864000, 5 * DAY, 3.2 * DAY, None), "full in 3 days or more (80 %)"),
        (Forecast("fills", 864000, 5 * DAY, 0.2 * DAY, 8 * DAY), "full in 4 hours to 8 days (80 %)"),
        (Forecast("open", 864000, None, 3.4 * DAY, None), "full in 3 days at the earliest"),
        (Forecast("open", 3600), "no end in sight"),
    ],
)
def test_what_is_not_sure_is_told_so(found: Forecast, told: str) -> None:
    assert str(found) == told


def test_days_are_those_that_levels_are_judged_by() -> None:
    days = forecast(series(growing())).days
    assert days == pytest.approx(9, rel=0.01)
    assert forecast(series(growing(0))).days is None
    assert forecast(series(growing(), quota=100)).days == 0


def test_windows_are_those_that_were_half_seen() -> None:
    assert trends([]) == []
    assert [trend.window / DAY for trend in trends(series(growing(), days=0.1))] == [1]
    assert [trend.window / DAY for trend in trends(series(growing(), days=3.5))] == [1, 7]
    assert [trend.window / DAY for trend in trends(series(growing(), days=15, every=3600))] == [1, 7, 30]


def test_one_point_is_a_trend_without_a_rate() -> None:
    assert trends([Point(START, 5, None)]) == [Trend(DAY, 0, 1, 0)]


def test_points_of_the_same_time_count_once() -> None:
    points = [point for point in series(growing()) for _ in range(2)]
    assert measure(points, DAY) == measure(series(growing()), DAY)


def test_the_quantile_is_that_of_the_tables() -> None:
    assert [round(student(freedom), 2) for freedom in (3, 6, 23)] == [1.63, 1.44, 1.32]


@pytest.mark.parametrize("name", FAMILIES)
def test_series_with_known_ends_end_where_the_forecast_says(name: str) -> None:
    """A week of any kind of growth: seven of ten lie within, and none has its likely end off by half in the median."""
    inside, errors = 0, []
    for seed in range(20):
        case = synthetic(name, seed, days=7)
        found = forecast(case.points)
        assert found.likely is not None
        inside += (found.earliest or 0) <= case.full_in <= (found.latest or float("inf"))
        errors.append(abs(found.likely - case.full_in) / case.full_in)
    assert inside >= 12
    assert sorted(errors)[10] < 0.5


@given(
    st.lists(st.tuples(st.floats(0.01, 1e5), st.integers(0, 2**50)), max_size=60),
    st.none() | st.integers(1, 2**50),
)
def test_any_points_have_a_forecast_in_order(steps: list[tuple[float, int]], quota: int | None) -> None:
    moment, points = START, []
    for step, used in steps:
        moment += step
        points.append(Point(moment, used, quota))
    found = forecast(points)
    assert str(found)
    bounds = [bound for bound in (found.earliest, found.likely, found.latest) if bound is not None]
    assert bounds == sorted(bounds)
    assert all(trend.span >= 0 for trend in trends(points))


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_recorded_series_end_where_the_forecast_says(file: Path) -> None:
    """Seven of ten: what comes out of the blue no forecast knows."""
    told = [(case, forecast(case.points)) for case in recorded(file)]
    held = [holds(found, case) for case, found in told if found.earliest is not None]
    assert sum(held) >= 0.7 * len(held) > 50
