"""Where the usage of one share leads: its trends and its forecast, from what the history has of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .forecast import Forecast, forecast
from .history import QUARTER, History
from .trend import DAY, WINDOWS, Sample, Trend, measure

LONG = 2 * DAY  # from which on hours are enough
SOONEST, LATEST = 2 * 3600.0, 6 * 3600.0  # seconds until it is made anew; what moves is news before
PART = 24  # of the time that was seen, after which more is known
FEW, SPARSE = 10 * DAY, 3  # beyond so long a time, one of so many hours is enough
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

    @cached_property
    def seen(self) -> float:
        """Seconds that it is made from."""
        return max(trend.span for trend in self.trends)

    @cached_property
    def until(self) -> float:
        """The time when another may say something else."""
        soon = LATEST if self.forecast.earliest is None else self.forecast.earliest / 4
        return self.at + max(SOONEST if self.seen >= DAY else QUARTER, min(self.seen / PART, soon, LATEST))

    @cached_property
    def far(self) -> float:
        """Bytes that usage has to move to be news."""
        return MOVED * (self.limit or self.used)

    def due(self, now: float, used: int, limit: int | None) -> bool:
        """Whether another would say something else."""
        return not self.at <= now < self.until or limit != self.limit or abs(used - self.used) > self.far

    def days(self, now: float) -> float | None:
        """Days until it is full, where that is worth a warning; None: it is not."""
        if self.forecast.likely is None or self.seen < TRUSTED:
            return None
        return max(0.0, self.forecast.likely - max(0.0, now - self.at)) / DAY

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
    hours = history.ends(key, "hour", now - WINDOWS[-1], now, SPARSE)
    if not hours or now - hours[0][0] < FEW:
        hours = history.ends(key, "hour", now - FEW, now)
    long = bool(hours) and now - hours[0][0] >= LONG
    quarters = history.ends(key, "quarter", now - (DAY + QUARTER if long else LONG), now)
    last = (now, used, limit)
    recent: list[Sample] = [*quarters, last]
    whole: list[Sample] = [*hours, last] if long else recent
    entire = measure(whole, WINDOWS[-1])
    seen = now - whole[0][0]
    trends = [cut(entire, whole, window) for window in WINDOWS[1:] if seen >= window / 2]
    return Outlook(now, used, limit, (cut(entire, recent, DAY), *trends), forecast(whole, entire))


def cut(entire: Trend, points: Sequence[Sample], window: float) -> Trend:
    """The trend over a window: that over all that was seen, where the window holds it."""
    same = entire.points == len(points) and entire.span <= window
    return replace(entire, window=window) if same else measure(points, window)
