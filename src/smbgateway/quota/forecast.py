"""When a share is full. Pure: points in, forecast out.

Usage is taken for a rate with random strays, both estimated from what was seen. The room is then used up between the
two roots of (room - rate t)² = stray (t + t²/span): stray is the spread squared times Student's t squared, and the last
term what is not known of the rate. Nothing is said beyond ten times the time that was seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Literal

from .trend import DAY, LEAST, WINDOWS, Sample, Trend, measure

Kind = Literal["no quota", "full", "unknown", "fills", "open"]
SURE = 0.8
REACH = 10.0  # times the span
UNITS = ((60.0, "minute"), (3600.0, "hour"), (DAY, "day"), (7 * DAY, "week"))
DOUBT = 2.0  # times the variance: it is estimated from few parts. With it, bench/forecast finds eight of ten within
LEAST_DOUBT = 0.05  # of a rate
COARSE = 3.0  # of a unit, from which on it is used


@dataclass(frozen=True)
class Forecast:
    """Seconds from the last point until the share is full: `likely`, and in eight of ten cases `earliest` to `latest`.

    `fills` within `reach`, or it is `open` whether it fills; a bound that is None is not known, or beyond `reach`.
    """

    kind: Kind
    reach: float = 0.0
    likely: float | None = None
    earliest: float | None = None
    latest: float | None = None
    points: int = 0

    @property
    def days(self) -> float | None:
        """Days until it is full, as `levels.judge_forecast` takes it."""
        return self.likely / DAY if self.likely is not None else None

    def __str__(self) -> str:
        """`full in 9 to 12 days (80 %)`."""
        if self.kind == "unknown":
            return f"too little seen for a forecast ({self.points} of {LEAST} points)"
        if self.likely and self.earliest is not None:
            return f"full in {_range(self.earliest, self.latest, self.likely)} ({100 * SURE:.0f} %)"
        if self.kind != "open":
            return self.kind
        if self.earliest is not None:
            return f"full in {_spoken(self.earliest)} at the earliest"
        return "no end in sight"


def forecast(points: Sequence[Sample], entire: Trend | None = None) -> Forecast:
    """The forecast at the last of the points, which are in order of time; 30 days of them count.

    entire  the trend over these 30 days, from who has it already
    """
    _, used, quota = points[-1] if points else (0.0, 0, None)
    if quota is None:
        return Forecast("no quota" if points else "unknown")
    room = quota - used
    if room <= 0:
        return Forecast("full", likely=0.0)
    trend = latest_trend(points, entire or measure(points, WINDOWS[-1]))
    if trend.rate is None:
        return Forecast("unknown", points=trend.points)
    return extrapolate(trend, trend.rate, room)


def latest_trend(points: Sequence[Sample], trend: Trend) -> Trend:
    """The trend over all that was seen; where growth has risen, over the later half of it, and so on.

    Not where it fell: an office that rests at night or on Sunday goes on, and an early warning costs
    less than a late one.
    """
    while trend.risen:
        later = measure(points, trend.span / 2)
        if later.rate is None:
            break
        trend = later
    return trend


def extrapolate(trend: Trend, rate: float, room: float) -> Forecast:
    """When a room is used up at a rate: at the earliest if surprises come again, at the latest if none do."""
    reach = REACH * trend.span
    likely = _within(room, rate, reach)
    earliest = _root(trend, rate, room, trend.surprise, 1)
    latest = _root(trend, rate, room, trend.spread, -1)
    earliest, latest = (end if end is not None and end <= reach else None for end in (earliest, latest))
    return Forecast("open" if likely is None else "fills", reach, likely, earliest, latest, trend.points)


def _root(trend: Trend, rate: float, room: float, spread: float, side: int) -> float | None:
    """The seconds until a room is used up, at the earliest (side 1) or the latest (-1); None: never."""
    stray = DOUBT * (student(trend.parts - 1) * spread) ** 2
    square = rate * rate - max(stray / trend.span, (LEAST_DOUBT * rate) ** 2)
    linear = 2 * rate * room + stray
    under = linear * linear - 4 * square * room * room
    if under < 0 or (side < 0 and square <= 0):
        return None
    divisor = linear + side * math.sqrt(under)
    return 2 * room * room / divisor if divisor > 0 else None


def _within(way: float, speed: float, reach: float) -> float | None:
    return way / speed if way <= speed * reach else None


@cache
def student(freedom: int) -> float:
    """The quantile of Student's t that leaves a tenth above (Cornish-Fisher; within 2 % from 3 degrees on)."""
    z = NormalDist().inv_cdf((1 + SURE) / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _unit(seconds: float) -> tuple[float, str]:
    return next((unit for unit in reversed(UNITS) if seconds >= COARSE * unit[0]), UNITS[0])


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _spoken(seconds: float) -> str:
    size, name = _unit(seconds)
    return _count(round(seconds / size), name)


def _range(earliest: float, latest: float | None, likely: float) -> str:
    """Both bounds rounded outwards, in the unit of the likely time; the earlier one, if less than that, in its own."""
    unit = _unit(likely)
    before = unit if earliest >= unit[0] else _unit(earliest)
    low = math.floor(earliest / before[0])
    if latest is None:
        return f"{_count(low, before[1])} or more"
    high = _count(math.ceil(latest / unit[0]), unit[1])
    return f"{low} to {high}" if before == unit else f"{_count(low, before[1])} to {high}"
