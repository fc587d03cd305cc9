"""Where the usage of one share leads: its trends and its forecast, from what the history has of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .forecast import Forecast, forecast
from .history import WIDTHS, Bucket, Grain, History
from .trend import DAY, LEAST, WINDOWS, Point, Trend, measure

LONG = 2 * DAY  # from which on hours are enough
SOONEST, LATEST = 900.0, 6 * 3600.0  # seconds until it is made anew
PART = 24  # of the time that was seen, after which more is known
TRUSTED = 6 * 3600.0  # seconds seen, from which on somebody is woken by a forecast: a first copy is no habit
MOVED = 0.02  # of the limit: usage that has moved so far is news


@dataclass(frozen=True)
class Outlook:
    """Trends over a day, a week and a month, as far as was seen, and a forecast, made at a Unix time."""

    at: float
    used: int
    limit: int | None
    trends: tuple[Trend, ...]
    forecast: Forecast

    def due(self, now: float, used: int, limit: int | None) -> bool:
        """Whether another would say something else."""
        age, seen = now - self.at, max(trend.span for trend in self.trends)
        moved = abs(used - self.used) > MOVED * (limit or max(used, self.used))
        soon = self.forecast.earliest is not None and age > self.forecast.earliest / 4
        return moved or limit != self.limit or age < 0 or age >= min(max(SOONEST, seen / PART), LATEST) or soon

    def days(self, now: float) -> float | None:
        """Days until it is full, where that is worth a warning; None: it is not."""
        return self.now(now).days if max(trend.span for trend in self.trends) >= TRUSTED else None

    def now(self, now: float) -> Forecast:
        """The forecast as it is some time later."""
        age = max(0.0, now - self.at)
        likely, earliest, latest = (
            None if end is None else max(0.0, end - age)
            for end in (self.forecast.likely, self.forecast.earliest, self.forecast.latest)
        )
        return replace(self.forecast, likely=likely, earliest=earliest, latest=latest)


def outlook(history: History, key: str, now: float, used: int, limit: int | None) -> Outlook:
    """The outlook of a share that uses so much now."""
    last = Point(now, used, limit)
    quarters = points("quarter", history.buckets(key, "quarter", now - LONG, now))
    if len(quarters) < LEAST:
        quarters = points("raw", history.buckets(key, "raw", now - LEAST * SOONEST, now))
    hours = points("hour", history.buckets(key, "hour", now - WINDOWS[-1], now))
    recent = [*before(quarters, now), last]
    whole = [*before(hours, now), last] if hours and now - hours[0].at >= LONG else recent
    seen = now - whole[0].at
    trends = [measure(recent, DAY), *(measure(whole, window) for window in WINDOWS[1:] if seen >= window / 2)]
    return Outlook(now, used, limit, tuple(trends), forecast(whole))


def points(grain: Grain, buckets: Iterable[Bucket]) -> list[Point]:
    """Buckets as points: what was used at their end."""
    width = WIDTHS[grain] if grain != "raw" else 0
    return [Point(float(bucket.at + width), bucket.used, bucket.limit) for bucket in buckets]


def before(series: Sequence[Point], now: float) -> list[Point]:
    """The points that are not of the future: a clock may have been set back."""
    return [point for point in series if point.at < now]
