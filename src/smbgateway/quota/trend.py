"""How usage went on: change, rate, acceleration, and the jumps that are not part of them. Pure: points in, trend out.

Usage is taken apart into jumps (a deletion, a copy that is over, a changed quota) and the rest, which has a rate. What
happens three times is no jump but a habit, and counts. The rate is the median of the slopes between all pairs of some
30 equidistant moments (Theil-Sen); `spread` says how far usage strays from it: by that many bytes in one second, by ten
times as much in a hundred.
"""

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, repeat
from operator import itemgetter, lt, sub, truediv
from typing import Literal, NamedTuple

DAY = 86400.0
WINDOWS = (DAY, 7 * DAY, 30 * DAY)
LEAST = 8  # points that a rate is said from
PARTS = 24  # of a window; of whole days where there are four or more, so that day and night do not count as changes
FAST, SUDDEN = 3.0, 30.0  # times the usual rate: what belongs to a jump, and what makes it one
SMALL = 0.001  # of the greatest usage: a jump that nobody would call one
HABIT = 3
QUIET = 2 * DAY  # what grew at once may be a nightly backup until then
CANCELLED = 0.2  # of a variance is left at least
RISEN, MARKED = 3.0, 0.2  # standard errors, and part of the former rate


Sample = tuple[float, int, int | None]  # as Point: a plain row of the history will do


class Point(NamedTuple):
    """What a share used at a Unix time, of which quota; bytes."""

    at: float
    used: int
    quota: int | None


@dataclass(frozen=True)
class Jump:
    """A change at once, of usage or of the quota (a quota that begins or ends counts from or to 0)."""

    began: float
    at: float
    size: int
    of: Literal["usage", "quota"]


@dataclass(frozen=True)
class Trend:
    """What was seen over `span` seconds until now, in bytes and seconds; no rate is said from too little."""

    window: float
    span: float
    points: int
    change: int
    jumps: tuple[Jump, ...] = ()
    rate: float | None = None
    acceleration: float = 0.0
    spread: float = 0.0
    surprise: float = 0.0  # the spread with what grew at once: it may happen again
    parts: int = 0
    risen: bool = False  # the later half grew so much more than the earlier one that it is not chance


def trends(points: Sequence[Sample]) -> list[Trend]:
    """One trend for each window of which at least half was seen; the first always, unless there is no point."""
    if not points:
        return []
    seen = points[-1][0] - points[0][0]
    return [measure(points, window) for window in WINDOWS if window == DAY or seen >= window / 2]


def measure(points: Sequence[Sample], window: float) -> Trend:
    """The trend over the last `window` seconds of points that are in order of time, at least one."""
    cleaned = distinct(points[bisect_left(points, points[-1][0] - window, key=itemgetter(0)) :])
    times, used, limits = columns(cleaned)
    jumps = usage_jumps(times, used)
    span, change = times[-1] - times[0], used[-1] - used[0]
    seen = Trend(window, span, len(cleaned), change, tuple(sorted_jumps(times, limits, jumps)))
    if len(cleaned) < LEAST:
        return seen
    trend, added = _with_rate(seen, times, _without(times, used, jumps)), [jump for jump in jumps if jump.size > 0]
    if not added:
        return trend
    fallen = _without(times, used, [jump for jump in jumps if jump.size < 0])
    return replace(trend, surprise=_with_rate(seen, times, fallen).spread)


def columns(points: Sequence[Sample]) -> tuple[Sequence[float], Sequence[int], Sequence[int | None]]:
    """Times, bytes used, quotas."""
    times, used, quotas = zip(*points, strict=True)
    return times, used, quotas


def distinct(points: Sequence[Sample]) -> Sequence[Sample]:
    """The points without those at the same time as the one before."""
    times = [point[0] for point in points]
    if all(map(lt, times, times[1:])):  # as nearly always
        return points
    return [points[0], *(after for before, after in pairwise(points) if after[0] > before[0])]


def usage_jumps(times: Sequence[float], used: Sequence[int]) -> list[Jump]:
    """Changes far faster than usual, with what belongs to them. What grew lately is none: it may go on, or return."""
    rates = _rates(times, used)
    if not rates:
        return []
    speeds = list(map(abs, rates))
    usual = statistics.median(speeds)
    if max(speeds) <= SUDDEN * usual:
        return []
    found: dict[bool, list[Jump]] = {True: [], False: []}
    ways = [0 if abs(rate) <= FAST * usual else 1 if rate > 0 else -1 for rate in rates]
    for way, run in groupby(range(len(rates)), ways.__getitem__):
        numbers = list(run)
        before, after = numbers[0], numbers[-1] + 1
        size = used[after] - used[before]
        sudden = way and max(speeds[i] for i in numbers) > SUDDEN * usual
        over = way < 0 or times[after] < times[-1] - QUIET
        if sudden and over and abs(size) > SMALL * max(used):
            found[way > 0].append(Jump(times[before], times[after], size, "usage"))
    return [jump for jumps in found.values() if len(jumps) < HABIT for jump in jumps]


def _rates(times: Sequence[float], used: Sequence[int]) -> list[float]:
    return list(map(truediv, map(sub, used[1:], used), map(sub, times[1:], times)))


def sorted_jumps(times: Sequence[float], limits: Sequence[int | None], jumps: Iterable[Jump]) -> list[Jump]:
    """Jumps of usage and of the quota in order of time."""
    quotas = [
        Jump(times[i - 1], times[i], (limits[i] or 0) - (limits[i - 1] or 0), "quota")
        for i in (range(1, len(limits)) if len(set(limits)) > 1 else ())
        if limits[i] != limits[i - 1]
    ]
    return sorted([*jumps, *quotas], key=lambda jump: jump.at)


def _without(times: Sequence[float], used: Sequence[int], jumps: Sequence[Jump]) -> Sequence[float]:
    """Usage as if it had gone on as usual during the jumps."""
    if not jumps:
        return used
    level, usual = float(used[0]), statistics.median(_rates(times, used))
    series = [level]
    for (before, former), (at, after) in pairwise(zip(times, used, strict=True)):
        within = any(jump.began <= before < jump.at for jump in jumps)
        level += usual * (at - before) if within else after - former
        series.append(level)
    return series


def _with_rate(seen: Trend, times: Sequence[float], used: Sequence[float]) -> Trend:
    days = int(seen.span // DAY)
    whole = 4 <= days < seen.points
    parts = days if whole else min(PARTS, seen.points - 1)
    width = DAY if whole else seen.span / parts
    levels = _levels(times, used, width, parts)
    slopes: list[float] = []
    for apart in range(1, parts + 1):
        slopes += map(truediv, map(sub, levels[apart:], levels), repeat(apart * width))
    grown = [(after - before) / width for before, after in pairwise(levels)]
    earlier, later = grown[: parts // 2], grown[(parts + 1) // 2 :]
    former = statistics.fmean(earlier)
    rise = statistics.fmean(later) - former
    chance = ((_variance(earlier) + _variance(later)) / len(later)) ** 0.5
    spread = _spread(grown, width)
    return Trend(
        seen.window, seen.span, seen.points, seen.change, seen.jumps,
        rate=statistics.median(slopes),
        acceleration=rise / (width * (parts - len(later))),
        spread=spread,
        surprise=spread,
        parts=parts,
        risen=rise > max(RISEN * chance, MARKED * abs(former)),
    )  # fmt: skip


def _variance(values: Sequence[float]) -> float:
    """As statistics.variance, 30 times as fast: that one computes with fractions."""
    middle = statistics.fmean(values)
    return sum((value - middle) ** 2 for value in values) / (len(values) - 1)


def _spread(grown: Sequence[float], width: float) -> float:
    """The long-run one: what comes and goes cancels out, what comes in bouts adds up (neighbours are correlated)."""
    middle = statistics.fmean(grown)
    around = [value - middle for value in grown]
    alone = sum(value * value for value in around)
    together = sum(before * after for before, after in pairwise(around))
    lasting = max(alone * (1 + 2 / len(grown)) + 2 * together, CANCELLED * alone)
    return math.sqrt(lasting / (len(grown) - 1) * width)


def _levels(times: Sequence[float], used: Sequence[float], width: float, parts: int) -> list[float]:
    """Usage at equidistant moments up to the last point, straight lines between points."""
    levels, position = [], 1
    for number in range(parts):
        moment = times[-1] - (parts - number) * width
        position = bisect_left(times, moment, position)
        start, low = times[position - 1], used[position - 1]
        levels.append(low + (used[position] - low) * (moment - start) / (times[position] - start))
    return [*levels, used[-1]]
