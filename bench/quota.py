"""The quota monitor: reading many shares, the history, and a month in a minute."""

import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
from bisect import bisect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from smbgateway.engine import Engine
from smbgateway.host import Node
from smbgateway.model import Gateway, Share
from smbgateway.monitor import Monitor
from smbgateway.notify.courier import Courier
from smbgateway.notify.notice import Notice
from smbgateway.paths import Paths
from smbgateway.quota.history import HOUR, QUARTER, History
from smbgateway.quota.published import POINTS, read_history
from smbgateway.quota.reader import Reading
from smbgateway.quota.rows import Watched
from smbgateway.sources import Usage
from smbgateway.store import MemoryStore
from smbgateway.world import World

from .figure import Bench, Promise, at_most, ratio_at_most
from .figure import Reading as Figure
from .timing import say, wall

FEW, MANY, MOST = 100, 1000, 10_000
GI, DAY = 2**30, 86400
WRITES = 600  # seconds between two times that clients write
MEMORY = "/dev/shm"  # what a disk costs that 10,000 files are brought to is no matter of a simulation
NOON = 1_800_000_000 // QUARTER * QUARTER
# Bytes that pmxcfs writes on every node when a file of so many bytes is replaced (measured with the real one).
COSTS = ((256, 45_000), (4096, 70_000), (65536, 357_000), (524288, 5_100_000))


# -- sampling -------------------------------------------------------------------------------------------------------

SAMPLING = [
    Promise("sampling.1000", "1,000 shares read, kept and judged (directories)", "s", at_most(1.5)),
    Promise("sampling.btrfs", "the same of 1,000 btrfs subvolumes with limits", "s", at_most(1.5)),
    Promise("sampling.10000", "10,000 shares (directories)", "s", at_most(10)),
    Promise("sampling.memory", "private memory of engine and children meanwhile, at 10,000", "MiB", at_most(200)),
    Promise(
        "sampling.flat", "processor time a share at 10,000", "us", ratio_at_most(1.2), f"a share at {FEW}"
    ),
    Promise("sampling.answer", "the list of 10,000 shares with their levels, asked of the API", "ms", at_most(50)),
]  # fmt: skip


def sampling(quick: bool) -> Iterator[Figure]:
    """Each number of shares in a process of its own, whose memory is that of an engine."""
    most = MOST // 10 if quick else MOST
    note = f"quick: {most:,} shares" if quick else ""
    few, many, all_ = (sampled("directory", count) for count in (FEW, MANY, most))
    yield Figure("sampling.1000", many["seconds"])
    yield Figure(
        "sampling.btrfs", sampled("btrfs", FEW if quick else MANY)["seconds"], note="quick: 100" if quick else ""
    )
    yield Figure("sampling.10000", all_["seconds"], note=note)
    yield Figure("sampling.memory", all_["memory"] * 1e6 / 2**20, note=note)
    yield Figure("sampling.flat", all_["share"] * 1e6, few["share"] * 1e6, note)
    yield Figure("sampling.answer", all_["answer"] * 1000, note=note)


def sampled(kind: str, count: int) -> dict[str, float]:
    """What a process of its own measures."""
    say(f"{count:,} shares of kind {kind}")
    words = [sys.executable, "-m", "bench.sampler", kind, str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return dict(json.loads(done.stdout.splitlines()[-1]))


# -- history --------------------------------------------------------------------------------------------------------

HISTORY = [
    Promise("history.day", "24 hours of one share, of 10,000", "ms", at_most(5)),
    Promise("history.month", "a month of one share, of 10,000", "ms"),
    Promise("history.add", "one sample of 10,000 shares is kept", "ms"),
    Promise("history.fold", "a quarter of an hour of 10,000 shares is folded", "s"),
    Promise("history.size", "of the file for each share, a month seen", "kB"),
]


def history(quick: bool) -> Iterator[Figure]:
    """A file as after a month: samples of six hours, eight days of quarters, hours, days."""
    count = MOST // 10 if quick else MOST
    names = [f"files/s{number}" for number in range(count)]
    with tempfile.TemporaryDirectory(prefix="smbgw-history-") as folder:
        made = History(f"{folder}/history.sqlite")
        now = NOON + 31 * DAY
        say(f"a month of {count:,} shares")
        grown(made, names, now)
        rounds = [{name: (number * 1000 + turn, GI) for number, name in enumerate(names)} for turn in range(3)]
        added = [wall(partial(made.add, now + 60 * i, 60.0 * i, each)) for i, each in enumerate(rounds)]
        folded = wall(lambda: made.fold(now + QUARTER))
        chosen = random.Random(1).sample(names, 50)
        day = [wall(partial(made.buckets, name, "quarter", now - DAY, now)) for name in chosen]
        month = [wall(partial(made.buckets, name, "hour", now - 31 * DAY, now)) for name in chosen]
        size = sum(entry.stat().st_size for entry in os.scandir(folder))
        made.close()
    note = f"quick: {count:,} shares" if quick else ""
    yield Figure("history.day", statistics.median(day) * 1000, note=note)
    yield Figure("history.month", statistics.median(month) * 1000, note=note)
    yield Figure("history.add", statistics.median(added) * 1000, note=note)
    yield Figure("history.fold", folded, note=note)
    yield Figure("history.size", size / count / 1000, note=note)


def grown(made: History, names: list[str], now: int) -> None:
    """Put a month into a file, by SQL: minute by minute it would take an hour."""
    made.add(now, 0.0, dict.fromkeys(names, (GI, 10 * GI)))
    database = made._connection
    assert database
    with database:
        for grain, width, span in (("quarter", QUARTER, 8 * DAY), ("hour", HOUR, 31 * DAY), ("day", DAY, 31 * DAY)):
            database.execute(
                f"WITH RECURSIVE t(at) AS (SELECT ? UNION ALL SELECT at + ? FROM t WHERE at + ? < ?) "
                f"INSERT OR IGNORE INTO {grain} SELECT id, at, 1, at, at, at, at, {10 * GI} FROM series, t",
                (now - span, width, width, now),
            )
        database.execute(
            "WITH RECURSIVE t(at) AS (SELECT ? UNION ALL SELECT at + 60 FROM t WHERE at + 60 < ?) "
            "INSERT OR IGNORE INTO raw SELECT at, id, at, ? FROM t, series", (now - 6 * HOUR, now, 10 * GI),
        )  # fmt: skip
        marks = [(grain, now) for grain in ("quarter", "hour", "day")]
        database.executemany("INSERT OR REPLACE INTO folded VALUES (?, ?)", marks)


# -- a month in a minute --------------------------------------------------------------------------------------------

MONTH = [
    Promise("month.seconds", "30 days of 100 shares, a sample each minute", "s", at_most(60)),
    Promise("month.missed", "crossings of 75, 85 and 95 % that lasted and were not told", "", at_most(0)),
    Promise("month.twice", "alerts that told again what was told", "", at_most(0)),
    Promise("month.points", "points published of each share, off a hundred", "", at_most(0)),
]
PMXCFS = [
    Promise("pmxcfs-writes", "what pmxcfs writes in a day for 100 shares, on each node", "MB", at_most(50)),
]


class Told(Courier):
    """Keeps what it is to tell."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def tell(self, notices: Any) -> None:
        """Keep it."""
        self.notices += notices


class Month(Monitor):
    """The monitor on shares whose usage is a function of the time: its readers have a bench of their own."""

    def __init__(self, folder: str, count: int) -> None:
        self.told, self.time, self.written = Told(), float(NOON), 0.0
        engine = Engine(MemoryStore(), Paths(folder), Node(), "one")
        store = engine.site.store
        store.save(Gateway(name="files").sealed("ready"))
        for number in range(count):
            body = {"name": f"s{number}", "gateway": "files", "quota": 100 * GI}
            body["source"] = {"kind": "directory", "path": f"/srv/s{number}"}
            store.save(Share.model_validate(body).sealed("ready"))
        super().__init__(engine, self.told, lambda: self.time, lambda: self.time - NOON)
        self.lives = {f"files/s{number}": Life(number) for number in range(count)}
        self._world = engine.site.world()
        write = self.published._write

        def counted(path: str, text: str) -> bool:
            self.written += cost(len(text))
            return write(path, text)

        self.published._write = counted  # type: ignore[method-assign]

    def read(self, world: World, shares: Mapping[str, Share]) -> None:
        """What the lives say, where clients have written since."""
        if self.watched and (self.time - NOON) % WRITES:
            return
        self.watched = {key: self._seen(key, share) for key, share in shares.items()}

    def _seen(self, key: str, share: Share) -> Watched:
        usage, known = self.lives[key].usage(self.time), self.watched.get(key)
        if known and known.reading.usage is usage:
            return known
        standing, outlook = (known.standing, known.outlook) if known else (self.published.standing(key), None)
        return Watched(share, "", Reading(usage, self.time, ""), standing, outlook)

    def go_on(self, minutes: int) -> None:
        """A sample each minute."""
        for _ in range(minutes):
            self.time += 60
            self.read(self._world, self._world.shares)
            self._sample(self._world, self.time, self.time - NOON)


class Life:
    """A share that grows, is cleaned, stands still, and hovers at thresholds; always the same for a number."""

    def __init__(self, number: int) -> None:
        chance = random.Random(number)
        self.levels, self.moments = [chance.uniform(5, 70)], [0.0]
        while self.moments[-1] < 31 * DAY:
            pause, move = chance.expovariate(1 / (2 * DAY)) + 6 * HOUR, chance.gauss(6, 18)
            self.moments.append(self.moments[-1] + pause)
            self.levels.append(min(99.0, max(1.0, self.levels[-1] + move)))
        self.wobble, self.phase = chance.choice([0.0, 0.3, 0.9]), chance.uniform(0, 6)
        self._written, self._usage = -1.0, Usage(0, None, 0)

    def percent(self, at: float) -> float:
        """How full: straight lines between moments, and some unrest."""
        after = (at - NOON) // WRITES * WRITES
        i = bisect(self.moments, after) - 1
        part = (after - self.moments[i]) / (self.moments[i + 1] - self.moments[i])
        level = self.levels[i] + part * (self.levels[i + 1] - self.levels[i])
        return level + self.wobble * math.sin(after / 500 + self.phase)

    def usage(self, at: float) -> Usage:
        """The same in bytes; computed once for each time that clients write."""
        if (written := (at - NOON) // WRITES) != self._written:
            used = int(self.percent(at) * GI)
            self._written, self._usage = written, Usage(used, 100 * GI, 100 * GI - used)
        return self._usage


def cost(size: int) -> float:
    """Bytes that pmxcfs writes for a file, by straight lines between those that were measured."""
    if size <= COSTS[0][0]:
        return COSTS[0][1]
    (low, less), (high, more) = next((two for two in pairwise(COSTS) if size <= two[1][0]), COSTS[-2:])
    return less + (size - low) / (high - low) * (more - less)


@contextmanager
def month(count: int, minutes: int) -> Iterator[tuple[Month, float]]:
    """A monitor that has seen some minutes, and how long they took."""
    with tempfile.TemporaryDirectory(prefix="smbgw-month-", dir=MEMORY) as folder:
        made = Month(folder, count)
        took = wall(lambda: made.go_on(minutes))
        yield made, took
        made.history.close()


def expected(life: Life, minutes: int) -> list[str]:
    """The levels that a share had to be told of, by the rules: up when seen twice, down after 15 minutes 2 % below."""
    told, level, up, down = [], 0, 0, 0
    bounds = (75.0, 85.0, 95.0)
    for minute in range(1, minutes + 1):
        full = 100 * int(life.percent(NOON + 60 * minute) * GI) / (100 * GI)
        above = sum(full >= bound for bound in bounds)
        held = sum(full >= bound - (2.0 if place < level else 0.0) for place, bound in enumerate(bounds))
        up, down = (up + 1 if above > level else 0), (down + 1 if held < level else 0)
        if up == 2 or down == 16:
            level, up, down = (above if up == 2 else held), 0, 0
            told.append(("ok", "notice", "warning", "critical")[level])
    return told


def simulation(quick: bool) -> Iterator[Figure]:
    """30 days, minute by minute; what was told against what had to be."""
    days = 3 if quick else 30
    note = f"quick: {days} days" if quick else ""
    with month(FEW, days * 1440) as (made, took):
        missed = twice = 0
        for key, life in made.lives.items():
            name = key.partition("/")[2]
            fields = [n.fields for n in made.told.notices if n.fields.get("share") == name]
            levels = [each["level"] for each in fields if each["about"] == "level"]
            wanted = expected(life, days * 1440)
            missed += sum(max(0, wanted.count(level) - levels.count(level)) for level in set(wanted))
            twice += sum(max(0, levels.count(level) - wanted.count(level)) for level in set(levels))
        points = read_history(Path(made.published.history).read_text())
        alerts = len(made.told.notices)
    yield Figure("month.seconds", took, note=note or f"{alerts} alerts")
    yield Figure("month.missed", missed, note=note)
    yield Figure("month.twice", twice, note=note)
    yield Figure(
        "month.points", sum(abs(len(each) - POINTS) for each in points.values()) + FEW - len(points), note=note
    )


def writes(quick: bool) -> Iterator[Figure]:
    """A day after the first two, as then all hundred points are there."""
    with month(FEW, 2 * 1440) as (made, _):
        made.written = 0.0
        made.go_on(1440)
        yield Figure("pmxcfs-writes", made.written / 1e6)


BENCHES = [
    Bench("sampling", SAMPLING, sampling),
    Bench("history", HISTORY, history),
    Bench("month", MONTH, simulation),
    Bench("pmxcfs-writes", PMXCFS, writes),
]
