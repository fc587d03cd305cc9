"""The quota monitor: reads what shares use, keeps it, finds out what it means, publishes it, and has it told.

A round reads all shares of this node and their users with limits; each fourth or so is a sample, kept and judged.
Nothing in it waits long: who hangs is unknown, who is to be told is told by the courier.
"""

import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import chain

from . import __version__
from .blueprint import Blueprint
from .engine import Engine
from .errors import GatewayError
from .host import replace_file
from .live import live_text
from .model import Gateway, Share
from .notify.courier import Courier
from .notify.notice import Notice
from .quota.doubts import Doubts, doubted
from .quota.elsewhere import Elsewhere
from .quota.exposition import exposition
from .quota.forecast import Forecast
from .quota.history import EVENTS, QUARTER, Bucket, Grain, History
from .quota.levels import Event, Standing, hold, judge, judge_forecast, percent
from .quota.outlook import outlook
from .quota.published import Packer, Published
from .quota.reader import Reader, Reading
from .quota.rows import Row, Watched, row, user_row
from .quota.telling import doubt_notice, notice
from .sources import Source, Usage
from .sources.bulk import Batch, Bulk, Found
from .world import World

ROUND, SLOWEST = 15.0, 60.0  # seconds between rounds; those that take long, or find nothing new, are made more rarely
STILL = 1000  # what moves by a smaller part than this of its size does not move
SHARE_OF_TIME = 10  # a round takes at most so small a part of the time, if it can
SAMPLE = 55.0  # seconds between samples that are kept, at least
WAIT = 2.0  # seconds for answers; what comes later counts in the next round
HOUR = 3600.0
OUTLOOKS = 300  # made anew in one round, the oldest first
TURN = 120.0  # seconds that a member of a cluster leaves to those before it to tell
CALM = 900.0  # seconds without a trouble, after which it is over: on a full disk every other write may go well
Seen = tuple[int, int | None, str, float]  # bytes used, limit, digest of the share, when its outlook was made
Judged = tuple[Seen, float, tuple[float, float]]  # by what; when its outlook ends; the percentages of its level
NEVER: Judged = (-1, None, "", 0.0), 0.0, (0.0, 0.0)
TOPIC = "smbgateway-monitor"


class Monitor:
    """One node's. `clock` tells Unix time, `elapsed` seconds of a clock that nobody sets."""

    def __init__(
        self,
        engine: Engine,
        courier: Courier,
        clock: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
        textfile: str = "",
    ) -> None:
        self.engine, self.courier, self.clock, self.elapsed = engine, courier, clock, elapsed
        self.textfile = textfile  # what Prometheus is told, for its node exporter
        site = engine.site
        self.history = History(site.paths.history)
        self.packer = Packer(self.history)
        self.published = Published(site.paths.config, site.node)
        self.elsewhere = Elsewhere(self.published.folder, site.node, self.published.told)
        self.reader, self.bulk = Reader(clock), Bulk(site.host)
        self.watched: Mapping[str, Watched] = {}
        self.rows: Mapping[str, Row] = {}  # of shares
        self.others: Mapping[str, Row] = {}  # of shares that other nodes watch
        self.users: Mapping[str, list[Row]] = {}  # of their users, by share
        self.listing = listing([], [])  # all rows, for who asks: to write 10,000 anew takes a tenth of a second
        self.turn, self.seconds = 0, 0.0  # number of the round, what the last one took
        self.changed: dict[str, int] = {}  # the round in which a row became what it is
        self._marks: dict[str, object] = {}
        self._judged_of: dict[str, Judged] = {}  # those of which only a change says more
        self._kept: dict[str, object] = {}  # what stands in the files of quotas
        self._doubts: Doubts | None = None  # as told before the start: the history knows
        self._sizes = Sizes(engine)
        self._sampled = self._cleaned = -HOUR
        self._folded = 0
        self._troubles: dict[str, tuple[str, float]] = {}  # of what: what was told, and when it was seen last
        self._ended, self._wake = threading.Event(), threading.Event()

    # -- the thread -------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Rounds until `end`. A failure is told, and never ends the monitor."""
        pause = ROUND
        while not self._ended.is_set():
            self._wake.clear()
            began, known = time.monotonic(), self._usages()
            try:
                self.round()
            except (GatewayError, OSError) as error:
                print(f"monitor: {error}", flush=True)
            except Exception:  # a fault of ours in one round: the next one may go well
                traceback.print_exc()
            took = time.monotonic() - began
            pause = ROUND if moved(known, self._usages()) else min(2 * pause, SLOWEST)
            self._wake.wait(min(max(pause, SHARE_OF_TIME * took), SLOWEST) - took)

    def _usages(self) -> dict[str, Usage | None]:
        return {key: watched.reading.usage for key, watched in self.watched.items()}

    def end(self) -> None:
        """Stop the thread."""
        self._ended.set()
        self._wake.set()

    def wake(self) -> None:
        """A round at once: shares came, went or changed."""
        self._wake.set()

    # -- one round --------------------------------------------------------------------------------------------------

    def round(self) -> None:
        """Read, keep, judge, publish, tell."""
        began = time.monotonic()
        world = self.engine.site.world()
        shares = self._shares(world)
        self.read(world, shares)
        now, elapsed = self.clock(), self.elapsed()
        if elapsed - self._sampled >= SAMPLE:
            self._sampled = elapsed
            self._sample(world, now, elapsed)
        self._show(world, now)
        self._sizes.publish(world, {key: watched.reading for key, watched in self.watched.items()}, now)
        self.seconds = time.monotonic() - began
        if self.textfile:
            replace_file(self.textfile, self.metrics())

    def _shares(self, world: World) -> dict[str, Share]:
        """Those whose data this node looks after."""
        own = {name for name, gateway in world.gateways.items() if self.engine.site.owns(gateway)}
        return {
            key: share
            for key, share in world.shares.items()
            if share.gateway in own and (share.state == "ready" or (share.made and share.state != "deleting"))
        }

    def read(self, world: World, shares: Mapping[str, Share]) -> None:
        """What they use now, as far as their places answer."""
        blueprint = self.engine.site.blueprint(world)
        users = list(self.bulk.users(shares.values(), blueprint.people))
        self.reader.read([*self._batches(blueprint, shares), *users], WAIT)
        known, readings, watched = self.watched, self.reader.readings, {}
        for key in [*shares, *(key for batch in users for key in batch.keys)]:
            name, _, user = key.partition(":")
            former = known.get(key) or Watched(shares[name], user, standing=self.published.standing(key))
            watched[key] = replace(former, share=shares[name], reading=readings.get(key, Reading()))
        self.watched = watched

    def _batches(self, blueprint: Blueprint, shares: Mapping[str, Share]) -> list[Batch]:
        """The questions about shares; one whose source cannot be on this node answers for itself."""
        sources: dict[str, Source] = {}
        failed: Found = {}
        for key, share in shares.items():
            try:
                sources[key] = blueprint.source(share)
            except GatewayError as error:
                failed[key] = error
        return [*self.bulk.batches(sources), Batch("records", list(failed), lambda: failed)]

    def _sample(self, world: World, now: float, elapsed: float) -> None:
        fresh = {key: w.reading.usage for key, w in self.watched.items() if w.reading.usage and not w.reading.unknown}
        if self.history.fresh:
            self.history.seed({key: points for key, points in self.published.read().items() if key in self.watched})
        self.history.add(now, elapsed, {key: (usage.used, usage.limit) for key, usage in fresh.items()})
        if self._folded != now // QUARTER:
            self.history.fold(now)
            self._folded = int(now // QUARTER)
        stirred = self._stirred(world, fresh, now)
        self._look_ahead(stirred, now)
        self._judge(world, stirred, now)
        self._doubt(now, len(fresh) == len(self.watched))
        self._publish(world, now, elapsed)

    def _stirred(self, world: World, fresh: Mapping[str, Usage], now: float) -> dict[str, Usage]:
        """Those with something new to say, maybe: not where level and outlook hold, however usage moves within them."""
        shared = {name for name, gateway in world.gateways.items() if gateway.cluster}  # by members, who may have told
        return {key: usage for key, usage in fresh.items() if not self._holds(key, usage, shared, now)}

    def _holds(self, key: str, usage: Usage, shared: set[str], now: float) -> bool:
        (used, limit, digest, made), until, (low, high) = self._judged_of.get(key, NEVER)
        watched = self.watched[key]
        same = limit == usage.limit and digest == watched.share.digest and made <= now < until
        if not same or watched.share.gateway in shared:
            return False
        if used == usage.used:
            return True
        full, outlook = percent(usage.used, usage.limit), watched.outlook
        near = outlook is not None and abs(usage.used - outlook.used) <= outlook.far
        return near and (full is None or low <= full < high)

    def _look_ahead(self, fresh: Mapping[str, Usage], now: float) -> None:
        """New outlooks, where another would say something else."""
        due = []
        for key, usage in fresh.items():
            former = self.watched[key].outlook
            if former is None or former.due(now, usage.used, usage.limit):
                due.append((former.at if former else 0.0, key))
        for _, key in sorted(due)[:OUTLOOKS]:
            made = outlook(self.history, key, now, fresh[key].used, fresh[key].limit)
            self._set(key, replace(self.watched[key], outlook=made))

    def _set(self, key: str, watched: Watched) -> None:
        assert isinstance(self.watched, dict)  # noqa: S101 - made by `read`
        self.watched[key] = watched

    def _judge(self, world: World, fresh: Mapping[str, Usage], now: float) -> None:
        notices: list[Notice] = []
        judged = []
        for key, usage in fresh.items():
            watched = self.watched[key]
            made = watched.outlook
            seen = (usage.used, usage.limit, watched.share.digest, made.at if made else 0.0)
            gateway = world.gateways[watched.share.gateway]
            if self._judged_of.get(key, NEVER)[0] == seen and not gateway.cluster:
                continue
            self._judged_of.pop(key, None)
            judged.append(key)
            standing, events = self._judged(watched, usage, gateway, now)
            if standing.settled:
                holds = made and not made.due(now, usage.used, usage.limit)
                self._judged_of[key] = (
                    seen, made.until if made and holds else 0.0, hold(standing.level, watched.share.levels),
                )  # fmt: skip
            for event in events:
                told = watched.outlook.now(now) if watched.outlook else Forecast("unknown")
                notices.append(notice(event, watched.share, usage.used, usage.limit, told, watched.user))
            if standing is not watched.standing:
                self._set(key, replace(watched, standing=standing))
        self._tell(notices)  # before it is kept as told: twice is better than never
        for key in judged:
            if not self._keep(key):
                self._judged_of.pop(key, None)  # so that it is tried again

    def _judged(self, watched: Watched, usage: Usage, gateway: Gateway, now: float) -> tuple[Standing, list[Event]]:
        """Of the members of a cluster the first tells; another when that one has not done so for a while."""
        former, levels = watched.standing, watched.share.levels
        patience = TURN * max(0, gateway.nodes.index(self.engine.site.node)) if gateway.cluster else 0.0
        if patience:
            former = self.published.newer(watched.key, former)
        standing, event = judge(former, usage.used, usage.limit, now, levels, patience)
        days = watched.outlook.days(now) if watched.outlook else None
        standing, filling = judge_forecast(standing, days, now, levels, patience)
        return standing, [each for each in (event, filling) if each]

    def _keep(self, key: str) -> bool:
        """Publish what was told, of users no more than that: they are many, and a file costs. False: it failed."""
        standing, share = self.watched[key].standing, self.watched[key].share
        wanted = (standing.level, standing.since, standing.limit, standing.filling, share.digest)
        quiet = self.watched[key].user and standing.level == "ok" and not standing.filling and key not in self._kept
        if quiet or self._kept.get(key) == wanted:
            return True
        kept = self.published.keep(key, standing, share.levels)
        if kept:
            self._kept[key] = wanted
        return kept

    def _doubt(self, now: float, all_read: bool) -> None:
        """Tell of shares that cannot be read."""
        if self._doubts is None:
            self._doubts = Doubts(doubted(self.events(EVENTS)))
        if all_read and self._doubts.none:
            return
        reasons = {key: watched.reading.unknown for key, watched in self.watched.items() if not watched.user}
        notices = []
        for doubt in self._doubts.judge(reasons, now):
            watched, node = self.watched[doubt.key], self.engine.site.node
            notices.append(doubt_notice(doubt, watched.share, watched.standing.level, watched.reading, now, node))
        self._tell(notices)

    def _tell(self, notices: list[Notice]) -> None:
        """What the history shows as told too."""
        if notices:
            self.courier.tell(notices)
            self.history.note(json.dumps(event_row(each)) for each in notices)

    def _publish(self, world: World, now: float, elapsed: float) -> None:
        shares = [key for key, watched in self.watched.items() if not watched.user]
        if self.published.due(now, len(shares)):
            self.published.write_history(self.packer.text(shares, now), now, len(shares))
        if elapsed - self._cleaned >= HOUR:
            self._cleaned = elapsed
            self.history.clean(now, elapsed, self.watched)
            self.published.forget(world.shares.keys() | self.watched.keys())
            for known in (self._judged_of, self._kept):
                for key in known.keys() - self.watched.keys():
                    del known[key]
        self._report(now, elapsed)

    def _report(self, now: float, elapsed: float) -> None:
        """Troubles of the monitor itself: told when they come, and when they have been over for a while."""
        notices = [trouble_notice(line, True, now) for line in self.history.said]
        self.history.said.clear()
        for about, trouble in (("history", self.history.trouble), ("store", self.published.trouble)):
            told, seen = self._troubles.get(about, ("", 0.0))
            if trouble and not told:
                notices.append(trouble_notice(trouble, True, now))
            if trouble:
                self._troubles[about] = trouble, elapsed
            elif told and elapsed - seen >= CALM:
                notices.append(trouble_notice(f"the {about} can be written again", False, now))
                del self._troubles[about]
        for each in notices:
            print(f"monitor: {each.subject}", flush=True)
        if notices:
            self.courier.tell(notices)

    def _show(self, world: World, now: float) -> None:
        """The rows that the API tells; each with the round in which it became what it is, but for the time itself."""
        node = self.engine.site.node
        rows = {key: row(watched, now, node) for key, watched in self.watched.items() if not watched.user}
        others = self.elsewhere.rows(world.shares, rows, now)
        users: dict[str, list[Row]] = {}
        for watched in self.watched.values():
            if watched.user:
                users.setdefault(watched.share.key, []).append(user_row(watched, now))
        turn, self.users = self.turn + 1, users
        marks = {key: mark(self.watched[key]) for key in rows} | others
        self.changed = {k: self.changed[k] if self._marks.get(k) == each else turn for k, each in marks.items()}
        self.rows, self.others, self._marks = rows, others, marks
        self.listing = listing(chain(rows.values(), others.values()), self.troubles)
        self.turn = turn

    # -- questions --------------------------------------------------------------------------------------------------

    @property
    def troubles(self) -> list[str]:
        """What keeps the monitor from its work."""
        return [trouble for trouble, _ in self._troubles.values()]

    def metrics(self) -> str:
        """What Prometheus is told."""
        rows, node = list(self.rows.values()), self.engine.site.node
        return exposition(node, __version__, rows, self.users, self.seconds, len(self.troubles))

    def find(self, name: str) -> Watched:
        """A share by its key, or its name where only one gateway has it; of another node's the record alone.

        Raises NotFound, Conflict.
        """
        share = self.engine.site.world().find("share", name)
        assert isinstance(share, Share)  # noqa: S101 - find keeps kinds
        return self.watched.get(share.key) or Watched(share)

    def row_of(self, watched: Watched) -> Row:
        """The row of a share as it is now; of another node's as that published it."""
        gateway, site = self.engine.site.world().gateways[watched.share.gateway], self.engine.site
        node = site.node if site.owns(gateway) else ", ".join(gateway.nodes)
        return self.others.get(watched.key) or row(watched, self.clock(), node)

    def past(self, key: str, grain: Grain, seconds: float) -> list[Bucket]:
        """What a share used over so long a time; of another node's what that published, 25 hours at most."""
        now = self.clock()
        if (other := self.others.get(key)) is None:
            return self.history.buckets(key, grain, now - seconds, now)
        points = self.elsewhere.points(key, str(other["node"]))
        return [Bucket(at, 1, used, used, used, used, limit) for at, used, limit in points if at >= now - seconds]

    def events(self, most: int) -> list[Row]:
        """What was told, newest first."""
        return [json.loads(text) for text in self.history.events(most)]


class Sizes:
    """What clients and the storage plugin of Proxmox VE are told of sizes, by a thread: a container may hang."""

    AGAIN = 600.0  # seconds after which a size is told again, as an instance may have been made anew

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._told: dict[str, tuple[Usage, float]] = {}
        self._thread = threading.Thread()

    def publish(self, world: World, readings: Mapping[str, Reading], now: float) -> None:
        """Start to, unless the former round is not through yet."""
        known = {key: each for key, each in readings.items() if key in world.shares and not each.unknown}
        usages = {key: each.usage for key, each in known.items() if each.usage}
        site = self.engine.site
        stored = {key: usage for key, usage in usages.items() if world.shares[key].storage}
        os.makedirs(os.path.dirname(site.paths.live), mode=0o755, exist_ok=True)
        replace_file(site.paths.live, live_text(site.node, stored, now))
        if not self._thread.is_alive():
            self._thread = threading.Thread(target=self._publish, args=(world, usages), name="sizes", daemon=True)
            self._thread.start()

    def _publish(self, world: World, usages: Mapping[str, Usage]) -> None:
        blueprint, now = self.engine.site.blueprint(world), time.monotonic()
        self._told = {key: told for key, told in self._told.items() if key in usages}
        for key, usage in usages.items():
            former, at = self._told.get(key, (None, 0.0))
            share = world.shares[key]
            if (former == usage and now - at < self.AGAIN) or share.gateway in self.engine.failing:
                continue
            try:
                blueprint.publish_size(share, usage)
                self._told[key] = usage, now
            except (GatewayError, OSError) as error:
                print(f"monitor: the size of share {key} cannot be told: {error}", flush=True)


def listing(rows: Iterable[Row], troubles: list[str]) -> bytes:
    """The answer to who asks for all; row by row, as JSON in the making takes ten times its size."""
    shares = b", ".join(json.dumps(row).encode("ascii") for row in rows)
    return b'{"shares": [%b], "troubles": %b}' % (shares, json.dumps(troubles).encode("ascii"))


def mark(watched: Watched) -> object:
    """What is the same as long as there is nothing new to say of a share."""
    reading, made = watched.reading, watched.outlook and watched.outlook.at
    return reading.usage, reading.unknown, watched.standing, watched.share.digest, made


def moved(former: Mapping[str, Usage | None], now: Mapping[str, Usage | None]) -> bool:
    """Whether any share came, went, has another limit, or uses more or less by what is worth a look."""
    if former.keys() != now.keys():
        return True
    pairs = ((former[key], usage) for key, usage in now.items())
    return any(
        old is None or new is None or old.limit != new.limit or abs(old.used - new.used) * STILL > new.total
        for old, new in pairs
        if old != new
    )


def event_row(told: Notice) -> Row:
    """What was told, for a list."""
    return {"at": int(told.at), "severity": told.severity, "subject": told.subject, **told.fields}


def trouble_notice(text: str, bad: bool, now: float) -> Notice:
    """A trouble of the monitor's own."""
    return Notice("warning", "warning" if bad else "info", TOPIC, f"quota monitor: {text}", text, now)
