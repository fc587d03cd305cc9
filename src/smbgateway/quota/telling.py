"""What is told of a share when its level or its forecast changed. Pure: figures in, words out."""

import time
from typing import Any

from ..model import Share
from ..notify.notice import LEVELS, Notice, Severity
from ..sizes import show_size
from .forecast import Forecast
from .levels import Event, percent

SEVERITY: dict[str, Severity] = {"ok": "info", "notice": "notice", "warning": "warning", "critical": "error"}
TOPIC = "smbgateway-quota"


def notice(event: Event, share: Share, used: int, limit: int | None, forecast: Forecast, user: str = "") -> Notice:
    """An event of a share, or of one of its users, as a notice."""
    filling = event.topic == "forecast" and event.kind == "raised"
    severity: Severity = "warning" if filling else "info" if event.topic == "forecast" else SEVERITY[event.level]
    level = "warning" if event.topic == "forecast" else max(event.former, event.level, key=LEVELS.index)
    who = f"user {user} of share {share.name}" if user else f"share {share.name}"
    subject = _filling(event, who, forecast) if event.topic == "forecast" else _subject(event, who, used, limit)
    since = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(event.at))
    amount = f"{show_size(used)} of {show_size(limit)} used" if limit else f"{show_size(used)} used, no quota"
    text = (
        f"{subject}\n\n  gateway   {share.gateway}\n  used      {amount}\n  forecast  {forecast}\n  since     {since}"
    )
    return Notice(level, severity, TOPIC, subject, text, event.at, _fields(event, share, user, used, limit, forecast))


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


def _fields(event: Event, share: Share, user: str, used: int, limit: int | None, forecast: Forecast) -> dict[str, Any]:
    full = percent(used, limit)
    named = {"gateway": share.gateway, "share": share.name, "user": user, "kind": event.kind, "about": event.topic}
    levels = {"level": event.level, "former": event.former}
    figures = {"used": used, "quota": limit, "percent": None if full is None else round(full, 1)}
    ends = {"full_in": forecast.likely, "full_earliest": forecast.earliest, "full_latest": forecast.latest}
    return {**named, **levels, **figures, **ends, "forecast": str(forecast)}
