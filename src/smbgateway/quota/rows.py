"""What is told of a share's quota to people and programs. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..model import Share
from ..sources.bulk import user_key
from .history import Bucket
from .levels import Standing, percent
from .outlook import Outlook
from .reader import Reading
from .trend import DAY, Trend

Row = dict[str, Any]
WHOLE = 0.95  # of a day, from which on a change is one of a day


@dataclass(frozen=True, slots=True)
class Watched:
    """All that the monitor knows of a share, or of one of its users."""

    share: Share
    user: str = ""  # of its users, whose limit it is about
    reading: Reading = field(default_factory=Reading)
    standing: Standing = field(default_factory=Standing)
    outlook: Outlook | None = None

    @property
    def key(self) -> str:
        """What it is kept under."""
        return user_key(self.share.key, self.user) if self.user else self.share.key


def row(watched: Watched, now: float, node: str = "") -> Row:
    """A share in a list; `node` says it."""
    share, usage, outlook = watched.share, watched.reading.usage, watched.outlook
    used, limit = (usage.used, usage.limit) if usage else (None, share.user_quota if watched.user else share.quota)
    full = None if used is None else percent(used, limit)
    body: Row = {"key": share.key, "name": share.name, "gateway": share.gateway, "used": used, "limit": limit}
    body |= {"available": usage.available if usage else None, "percent": None if full is None else round(full, 2)}
    body |= {"level": watched.standing.level, "since": int(watched.standing.since), "at": int(watched.reading.at)}
    return body | {"unknown": watched.reading.unknown, **_growth(outlook), **_end(outlook, now), "node": node}


def user_row(watched: Watched, now: float) -> Row:
    """A user of a share."""
    wanted = ("used", "limit", "percent", "level", "since", "at", "unknown", "forecast")
    whole = row(watched, now)
    return {"name": watched.user, **{name: whole[name] for name in wanted}}


def _growth(outlook: Outlook | None) -> Row:
    day = outlook.trends[0] if outlook else None
    change = day.change if day and day.span >= WHOLE * DAY else None
    return {"change_24h": change, "rate": day and _daily(day.rate)}


def _end(outlook: Outlook | None, now: float) -> Row:
    if outlook is None:
        return {"forecast": "", "full_in": None, "full_earliest": None, "full_latest": None}
    told = outlook.now(now)
    ends = {"full_in": told.likely, "full_earliest": told.earliest, "full_latest": told.latest}
    return {"forecast": str(told), **{name: end and round(end / DAY, 3) for name, end in ends.items()}}


def _daily(rate: float | None) -> int | None:
    return None if rate is None else round(rate * DAY)


def trend_row(trend: Trend) -> Row:
    """One trend; bytes, days, and bytes a day."""
    jumps = [{"at": int(jump.at), "size": jump.size, "of": jump.of} for jump in trend.jumps]
    body: Row = {"days": round(trend.span / DAY, 3), "points": trend.points, "change": trend.change, "jumps": jumps}
    return body | {"rate": _daily(trend.rate), "acceleration": round(trend.acceleration * DAY * DAY)}


def trend_rows(outlook: Outlook | None) -> dict[str, Row | None]:
    """Trends by name; null where too little was seen."""
    found = {trend.window: trend_row(trend) for trend in (outlook.trends if outlook else ())}
    return {name: found.get(days * DAY) for name, days in (("day", 1), ("week", 7), ("month", 30))}


def point_rows(buckets: Iterable[Bucket]) -> list[Row]:
    """Points of a chart."""
    return [{"at": b.at, "used": b.used, "limit": b.limit, "low": b.low, "high": b.high} for b in buckets]
