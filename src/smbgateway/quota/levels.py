"""Levels of a share and when they are told. Pure: standings and figures in, standings and events out.

A level rises once it was seen twice, and falls once usage has stayed two points below its threshold for a quarter of
an hour: a share that hovers at a threshold is told of once. A changed limit is an administrator's doing: it counts at
once.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from ..model import Levels

Level = Literal["ok", "notice", "warning", "critical"]
Kind = Literal["raised", "worse", "better", "cleared"]
RANKS: tuple[Level, ...] = ("ok", "notice", "warning", "critical")
HYSTERESIS = 2.0  # points of percent
RISE, FALL = 45.0, 900.0  # seconds that a change must last; the first is less than the time between two samples
FORECAST_RISE, FORECAST_FALL = 600.0, 6 * 3600.0
RELIEF = 1.5  # a forecast is over when it is that many times as far away as was asked to be warned of


@dataclass(frozen=True)
class Pending:
    """A change that is seen and not yet believed: whether upwards, and since when."""

    up: bool
    since: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What was told of a share, and what is about to be."""

    level: Level = "ok"
    since: float = 0.0
    limit: int | None = None
    filling: bool = False
    pending: Pending | None = None
    filling_pending: Pending | None = None

    @property
    def settled(self) -> bool:
        """Whether time alone changes nothing."""
        return self.pending is None and self.filling_pending is None and self.since > 0


@dataclass(frozen=True)
class Event:
    """A change worth telling. `topic` is `level`, `forecast`: whether the share fills within the days asked for, or
    `unknown`: whether it cannot be read."""

    kind: Kind
    topic: Literal["level", "forecast", "unknown"]
    former: Level
    level: Level
    at: float


def percent(used: int, limit: int | None) -> float | None:
    """How full; None without a limit."""
    return 100 * used / limit if limit else None


def seen(level: Level, full: float | None, levels: Levels) -> Level:
    """The level that a figure stands for, where `level` is the one so far: going down takes more than going up."""
    if full is None:
        return "ok"
    rank, reached = RANKS.index(level), 0
    for number, bound in enumerate(_bounds(levels), 1):
        if full >= (bound - HYSTERESIS if number <= rank else bound):
            reached = number
    return RANKS[reached]


def hold(level: Level, levels: Levels) -> tuple[float, float]:
    """From which percentage on, and below which, `seen` finds the level so far again."""
    rank, bounds = RANKS.index(level), _bounds(levels)
    return bounds[rank - 1] - HYSTERESIS if rank else -math.inf, bounds[rank] if rank < len(bounds) else math.inf


def _bounds(levels: Levels) -> tuple[float, ...]:
    return levels.notice, levels.warning, levels.critical


def judge(
    standing: Standing, used: int, limit: int | None, now: float, levels: Levels, patience: float = 0.0
) -> tuple[Standing, Event | None]:
    """The standing after a sample, and what to tell; `patience` are seconds that are left to somebody else to tell."""
    changed = not patience and limit != standing.limit and standing.since > 0
    base: Level = "ok" if changed else standing.level  # under a new limit, the former level holds nothing
    found = seen(base, percent(used, limit), levels)
    up = RANKS.index(found) > RANKS.index(standing.level)
    pending = waiting(standing.pending, found != standing.level, up, now)
    if pending is None and limit == standing.limit and standing.pending is None and standing.since:
        return standing, None  # as nearly always
    standing = replace(standing, limit=limit, pending=pending, since=standing.since or now)
    if pending is None or not (changed or now - pending.since >= patience + (RISE if up else FALL)):
        return standing, None
    event = Event(kind(standing.level, found), "level", standing.level, found, now)
    return replace(standing, level=found, since=now, pending=None), event


def kind(former: Level, level: Level) -> Kind:
    """What to call a change."""
    if RANKS.index(level) > RANKS.index(former):
        return "raised" if former == "ok" else "worse"
    return "cleared" if level == "ok" else "better"


def waiting(pending: Pending | None, differs: bool, up: bool, now: float) -> Pending | None:
    """Since when a change is seen; anew where it turned round, or the clock was set back."""
    if not differs:
        return None
    if pending and pending.up == up and pending.since <= now:
        return pending
    return Pending(up, now)


def judge_forecast(
    standing: Standing, days: float | None, now: float, levels: Levels, patience: float = 0.0
) -> tuple[Standing, Event | None]:
    """The standing after a forecast of the days until the share is full; None: it does not fill."""
    bound = levels.fills_within * (RELIEF if standing.filling else 1)
    found = days is not None and 0 < days <= bound
    pending = waiting(standing.filling_pending, found != standing.filling, found, now)
    if pending is standing.filling_pending is None:
        return standing, None
    standing = replace(standing, filling_pending=pending)
    if pending is None or now - pending.since < patience + (FORECAST_RISE if found else FORECAST_FALL):
        return standing, None
    event = Event("raised" if found else "cleared", "forecast", standing.level, standing.level, now)
    return replace(standing, filling=found, filling_pending=None), event
