"""Routes of quotas: what is used now and was, where it leads, what was told."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from fastapi.responses import Response, StreamingResponse
from pydantic import Field

from ..model import Levels
from ..monitor import Monitor
from ..quota.exposition import TYPE
from ..quota.history import DAY, HOUR, QUARTER, Grain
from ..quota.rows import point_rows, trend_rows
from .answers import Answer
from .bodies import Strict

Level = Literal["ok", "notice", "warning", "critical"]
Span = Literal["day", "week", "month", "year"]
SPANS: dict[Span, tuple[float, Grain, int]] = {
    "day": (DAY, "quarter", QUARTER), "week": (7 * DAY, "quarter", QUARTER),
    "month": (31 * DAY, "hour", HOUR), "year": (366 * DAY, "day", DAY),
}  # fmt: skip
NEWS = 0.5  # seconds between two looks whether there is any
ALIVE = 15.0  # seconds that a stream is silent at most
NAMED = "NAME, or GATEWAY/NAME"
ShareKey = Annotated[str, Query(max_length=200, description=NAMED)]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "server-sent events `quota` (QuotaRows): all shares at first, then those that changed",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}
METRICS: dict[int | str, dict[str, Any]] = {
    200: {"description": "text format 0.0.4", "content": {"text/plain": {"schema": {"type": "string"}}}},
}


class QuotaRow(Strict):
    """What a share uses and where that leads. Bytes, Unix times, days."""

    key: str = Field(description="GATEWAY/NAME")
    name: str
    gateway: str
    used: int | None = Field(description="null before it was read for the first time")
    limit: int | None
    available: int | None
    percent: float | None
    level: Level
    since: int = Field(description="when the level became what it is; 0: it was never judged")
    at: int = Field(description="when this was read")
    unknown: str = Field(description="why it is not what is used now; empty where it is")
    change_24h: int | None = Field(description="null before a day was seen")
    rate: int | None = Field(description="bytes a day, over the last day; null where too little was seen")
    forecast: str = Field(description="in words, such as `full in 9 to 12 days (80 %)`")
    full_in: float | None = Field(description="days; null: it does not fill, or nobody knows")
    full_earliest: float | None
    full_latest: float | None
    node: str = Field(description="which says so; another one says it at most each half hour, without a forecast")


class QuotaRows(Strict):
    """The shares of this node, and those that other nodes publish on the store."""

    shares: list[QuotaRow]
    troubles: list[str] = Field([], description="what keeps the monitor from its work")


class UserQuota(Strict):
    """What a user has of a share whose users have limits."""

    name: str
    used: int | None
    limit: int | None
    percent: float | None
    level: Level
    since: int
    at: int
    unknown: str
    forecast: str


class UserQuotas(Strict):
    """The users with access to a share, by name; none where its users have no limits."""

    users: list[UserQuota]


class JumpView(Strict):
    """A change at once: no part of the rate."""

    at: int
    size: int
    of: Literal["usage", "quota"]


class TrendView(Strict):
    """How usage went on over a time."""

    days: float = Field(description="that were seen")
    points: int
    change: int
    jumps: list[JumpView]
    rate: int | None = Field(description="bytes a day")
    acceleration: int = Field(description="bytes a day, each day")


class Trends(Strict):
    """Null where too little was seen."""

    day: TrendView | None
    week: TrendView | None
    month: TrendView | None


class QuotaShow(QuotaRow):
    """All about one share."""

    levels: Levels
    trends: Trends
    users: list[UserQuota]


class HistoryPoint(Strict):
    """Some time that begins at `at`: used at its end, at least, at most; the limit."""

    at: int
    used: int
    limit: int | None
    low: int
    high: int


class HistoryView(Strict):
    """Oldest first."""

    interval: int = Field(description="seconds that a point stands for")
    points: list[HistoryPoint]


class QuotaEvent(Strict):
    """What was told."""

    at: int
    severity: Literal["info", "notice", "warning", "error"]
    subject: str
    gateway: str
    share: str
    user: str = Field(description="of the share, whom it is about; empty: all of the share")
    kind: Literal["raised", "worse", "better", "cleared"]
    about: Literal["level", "forecast", "unknown"] = Field(description="unknown: the share cannot be read")
    reason: str = Field("", description="why it cannot be read")
    level: Level
    former: Level
    used: int | None
    quota: int | None
    percent: float | None
    full_in: float | None = Field(description="seconds")
    full_earliest: float | None
    full_latest: float | None
    forecast: str


class QuotaEvents(Strict):
    """Newest first."""

    events: list[QuotaEvent]


def add_quotas(app: FastAPI, monitor: Monitor) -> None:
    """Add the routes."""

    @app.get("/v1/quota", response_model=QuotaRows, summary="What all shares use, and where it leads")
    def quotas() -> Response:
        return Response(monitor.listing, media_type="application/json")

    @app.get("/v1/quota/show", response_model=QuotaShow, summary="All about one share's quota")
    def show_quota(share: ShareKey) -> Response:
        watched = monitor.find(share)
        body = monitor.row_of(watched) | {"levels": watched.share.levels.model_dump()}
        body |= {"trends": trend_rows(watched.outlook), "users": monitor.users.get(watched.share.key, [])}
        return Answer(body)

    @app.get("/v1/quota/history", response_model=HistoryView, summary="What a share used; 25 hours of other nodes")
    def history(share: ShareKey, span: Span = "day") -> Response:
        key = monitor.find(share).key
        seconds, grain, interval = SPANS[span]
        if key in monitor.others:
            interval = QUARTER
        return Answer({"interval": interval, "points": point_rows(monitor.past(key, grain, seconds))})

    @app.get("/v1/quota/users", response_model=UserQuotas, summary="What each user has of a share")
    def users(share: ShareKey) -> Response:
        home, _ = monitor.engine.site.home(share, monitor.engine.site.world())  # no node publishes its users
        return Answer({"users": monitor.users.get(home.key, [])})

    @app.get("/v1/quota/events", response_model=QuotaEvents, summary="What was told lately")
    def quota_events(most: Annotated[int, Query(ge=1, le=1000)] = 200) -> Response:
        return Answer({"events": monitor.events(most)})

    @app.get("/v1/metrics", response_class=Response, responses=METRICS, summary="The same for Prometheus")
    def metrics() -> Response:
        return Response(monitor.metrics(), media_type=TYPE)

    @app.get("/v1/quota/stream", response_class=StreamingResponse, responses=STREAM, summary="Follow what shares use")
    async def quota_stream() -> Response:
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(stream(monitor), media_type="text/event-stream", headers=headers)


async def stream(monitor: Monitor) -> AsyncIterator[str]:
    """Server-sent events (WHATWG HTML, section 9.2): all rows, then those that changed since."""
    seen, quiet = -1, 0.0
    while True:
        turn, rows = monitor.turn, {**monitor.rows, **monitor.others}
        news = [each for key, each in rows.items() if monitor.changed.get(key, 0) > seen] if turn > seen else []
        if news or seen < 0:
            seen, quiet = turn, 0.0
            yield f"id: {turn}\nevent: quota\ndata: {json.dumps({'shares': news, 'troubles': monitor.troubles})}\n\n"
        elif quiet >= ALIVE:
            quiet = 0.0
            yield ": still here\n\n"  # so that a listener who left is noticed
        await asyncio.sleep(NEWS)
        quiet += NEWS
