"""What is told of a share when its level or its forecast changed. Pure: figures in, words out."""

import time
from typing import Any

from ..model import Share
from ..notify.notice import LEVELS, Notice, Severity
from ..sizes import show_size
from .doubts import Doubt
from .forecast import Forecast
from .levels import Event, Level, percent
from .reader import Reading

SEVERITY: dict[str, Severity] = {"ok": "info", "notice": "notice", "warning": "warning", "critical": "error"}
TOPIC = "smbgateway-quota"


def notice(event: Event, share: Share, used: int, limit: int | None, forecast: Forecast, user: str = "") -> Notice:
    """An event of a share, or of one of its users, as a notice."""
    filling = event.topic == "forecast" and event.kind == "raised"
    severity: Severity = "warning" if filling else "info" if event.topic == "forecast" else SEVERITY[event.level]
    level = "warning" if event.topic == "forecast" else max(event.former, event.level, key=LEVELS.index)
    who = f"user {user} of share {share.name}" if user else f"share {share.name}"
    subject = _filling(event, who, forecast) if event.topic == "forecast" else _subject(event, who, used, limit)
    amount = f"{show_size(used)} of {show_size(limit)} used" if limit else f"{show_size(used)} used, no quota"
    since = _moment(event.at)
    text = (
        f"{subject}\n\n  gateway   {share.gateway}\n  used      {amount}\n  forecast  {forecast}\n  since     {since}"
    )
    return Notice(level, severity, TOPIC, subject, text, event.at, _fields(event, share, user, used, limit, forecast))


def doubt_notice(doubt: Doubt, share: Share, level: Level, reading: Reading, now: float, node: str) -> Notice:
    """A share that cannot be read, or can again."""
    usage = reading.usage
    used, limit = (usage.used, usage.limit) if usage else (None, share.quota)
    subject = f"share {share.name} can" + (f"not be read: {doubt.why}" if doubt.why else " be read again")
    seen = "never" if used is None else f"{show_size(used)} used, at {_moment(reading.at)}"
    text = f"{subject}\n\n  gateway   {share.gateway}\n  node      {node}\n  last seen {seen}"
    event = Event("raised" if doubt.why else "cleared", "unknown", level, level, now)
    fields = _fields(event, share, "", used, limit, Forecast("unknown")) | {"forecast": "", "reason": doubt.why}
    return Notice("warning", "warning" if doubt.why else "info", TOPIC, subject, text, now, fields)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


def _subject(event: Event, who: str, used: int, limit: int | None) -> str:
    if limit is None:
        return f"{who} has no quota any more (was {event.former})"
    full = f"{who} is {percent(used, limit):.0f} % full"
    if event.kind == "raised":
        return f"{full} ({event.level})"
    return f"{full} ({event.level}, was {event.former})"


def _filling(event: Event, who: str, forecast: Forecast) -> str:
    if event.kind == "raised":
        return f"{who} fills soon: {forecast}"
    return f"{who} no longer fills soon: {forecast}"


def _fields(
    event: Event, share: Share, user: str, used: int | None, limit: int | None, forecast: Forecast
) -> dict[str, Any]:
    full = None if used is None else percent(used, limit)
    named = {"gateway": share.gateway, "share": share.name, "user": user, "kind": event.kind, "about": event.topic}
    levels = {"level": event.level, "former": event.former}
    figures = {"used": used, "quota": limit, "percent": None if full is None else round(full, 1)}
    ends = {"full_in": forecast.likely, "full_earliest": forecast.earliest, "full_latest": forecast.latest}
    return {**named, **levels, **figures, **ends, "forecast": str(forecast)}
