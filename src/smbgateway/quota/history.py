"""What shares used over time: samples of minutes, folded into quarters of an hour, hours and days (SQLite, WAL).

Samples are kept in the order of time, so that a round of all shares is one append; what they are folded into is kept
share by share, so that a question about one share reads one place. All of it is bounded, see KEPT.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Literal, NamedTuple, TypeVar

Grain = Literal["raw", "quarter", "hour", "day"]
Point = tuple[int, int, int | None]  # Unix time, bytes used, limit
QUARTER, HOUR, DAY = 900, 3600, 86400
# Seconds that are kept. 100 shares take 1 MB of samples, 4 MB of quarters, 8 MB of hours, and 2 MB a year of days.
KEPT: dict[Grain, int] = {"raw": 6 * HOUR, "quarter": 8 * DAY, "hour": 62 * DAY, "day": 3660 * DAY}
WIDTHS: dict[Grain, int] = {"raw": 1, "quarter": QUARTER, "hour": HOUR, "day": DAY}
COARSER: dict[Grain, Grain] = {"raw": "quarter", "quarter": "hour", "hour": "day"}
FORGOTTEN = 30 * DAY  # after which the history of a share that is gone goes
EVENTS = 1000
TOGETHER = 250  # samples in one statement: one each costs twice the time
JUMP = 300.0  # seconds by which clock and elapsed time may drift apart between two samples
SET = 1_700_000_000  # a clock before this (2023) was never set
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
BUCKETS = (
    "CREATE TABLE IF NOT EXISTS {} (series INTEGER, at INTEGER, samples INTEGER, low INTEGER, mean REAL, high INTEGER,"
    " used INTEGER, bound INTEGER, PRIMARY KEY (series, at)) WITHOUT ROWID;"
)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS raw
    (at INTEGER, series INTEGER, used INTEGER, bound INTEGER, PRIMARY KEY (at, series)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS folded (grain TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
{"".join(BUCKETS.format(grain) for grain in COARSER.values())}
"""
# The last sample of a bucket stands for it where one figure is wanted; low, mean and high tell of the rest.
FOLD_RAW = """
INSERT OR REPLACE INTO quarter SELECT r.series, g.start, g.samples, g.low, g.mean, g.high, r.used, r.bound
FROM (SELECT series, at / :width * :width AS start, count(*) AS samples, min(used) AS low, avg(used) AS mean,
      max(used) AS high, max(at) AS newest FROM raw WHERE at >= :begin AND at < :end GROUP BY series, start) AS g
CROSS JOIN raw AS r ON r.at = g.newest AND r.series = g.series"""
FOLD = """
INSERT OR REPLACE INTO {target} SELECT r.series, g.start, g.samples, g.low, g.mean, g.high, r.used, r.bound
FROM (SELECT s.id AS series, at / :width * :width AS start, sum(samples) AS samples, min(low) AS low,
      sum(mean * samples) / sum(samples) AS mean, max(high) AS high, max(at) AS newest
      FROM series AS s CROSS JOIN {source} AS f ON f.series = s.id AND f.at >= :begin AND f.at < :end
      GROUP BY s.id, start) AS g
CROSS JOIN {source} AS r ON r.series = g.series AND r.at = g.newest"""
T = TypeVar("T")


class Bucket(NamedTuple):
    """Some samples of one share, from `at` on: bytes used at least, on average, at most, and at the end; the limit."""

    at: int
    samples: int
    low: int
    mean: float
    high: int
    used: int
    limit: int | None


class History:
    """The file. It never raises what a disk does: that stands in `trouble` until it is well again."""

    def __init__(self, path: str) -> None:
        self.path, self.trouble = path, ""
        self.said: list[str] = []  # what happened to it, to be told once
        self.fresh = False  # it was made anew, and knows nothing
        self.era = 0  # another number: what was read before may have changed, not only grown
        self._connection: sqlite3.Connection | None = None
        self._series: dict[str, int] = {}
        self._lock = threading.RLock()
        self._last: tuple[float, float] | None = None  # clock and elapsed time of the last sample
        self._settled = 0.0  # elapsed time from which on the clock is trusted to say what is old

    # -- writing ----------------------------------------------------------------------------------------------------

    def add(self, at: float, elapsed: float, samples: Mapping[str, tuple[int, int | None]]) -> bool:
        """Keep one round: bytes used and limit of each share. Returns whether it is kept.

        at       Unix time
        elapsed  seconds of a clock that nobody sets
        """
        if at < SET:
            self.trouble = "the clock of this machine is not set: no history is kept"
            return False
        self._watch_clock(at, elapsed)
        return self._do(lambda database: self._add(database, int(at), samples), False)

    def _add(self, database: sqlite3.Connection, at: int, samples: Mapping[str, tuple[int, int | None]]) -> bool:
        self._name(database, samples)
        series = self._series
        rows = [(at, series[name], used, limit) for name, (used, limit) in samples.items()]
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            places = ", ".join(["(?, ?, ?, ?)"] * len(part))
            database.execute(f"INSERT OR REPLACE INTO raw VALUES {places}", list(chain.from_iterable(part)))  # noqa: S608
        return True

    def _name(self, database: sqlite3.Connection, names: Iterable[str]) -> None:
        """Give a number to shares that have none."""
        if new := [(name,) for name in names if name not in self._series]:
            database.executemany("INSERT OR IGNORE INTO series (name) VALUES (?)", new)
            self._series = dict(database.execute("SELECT name, id FROM series"))

    def fold(self, now: float) -> bool:
        """Fold what is complete into quarters, hours and days. May be repeated; returns whether it went well."""
        return self._do(lambda database: self._fold(database, int(now)), False)

    @staticmethod
    def _fold(database: sqlite3.Connection, now: int) -> bool:
        marks = dict(database.execute("SELECT grain, until FROM folded"))
        for source, target in COARSER.items():
            width = WIDTHS[target]
            end = now // width * width
            begin = marks.get(target, 0)
            if not end - KEPT[source] < begin <= end:  # never folded, off for long, or the clock was set back
                begin = (end - KEPT[source]) // width * width
            if begin == end:
                continue
            values = {"width": width, "begin": begin, "end": end}
            database.execute(FOLD_RAW if source == "raw" else FOLD.format(source=source, target=target), values)
            database.execute("INSERT OR REPLACE INTO folded VALUES (?, ?)", (target, end))
        return True

    def clean(self, now: float, elapsed: float, known: Iterable[str]) -> None:
        """Remove what is old, and shares that are not known any more; nothing while the clock is in doubt."""
        if elapsed >= self._settled:
            self._do(lambda database: self._clean(database, int(now), set(known)), None)

    def _clean(self, database: sqlite3.Connection, now: int, known: set[str]) -> None:
        database.execute("DELETE FROM raw WHERE at < ?", (oldest("raw", now),))  # with OR it would read all there is
        database.execute("DELETE FROM raw WHERE at > ?", (now + HOUR,))
        for grain in COARSER.values():
            for old, bound in (("<", oldest(grain, now)), (">", now + DAY)):
                rows = [(identity, bound) for identity in self._series.values()]
                database.executemany(f"DELETE FROM {grain} WHERE series = ? AND at {old} ?", rows)  # noqa: S608
        for name in self._series.keys() - known:
            self._forget(database, name, now)

    def _forget(self, database: sqlite3.Connection, name: str, now: int) -> None:
        identity = (self._series[name],)
        (newest,) = database.execute("SELECT max(at) FROM hour WHERE series = ?", identity).fetchone()
        if newest is None or newest < now - FORGOTTEN:
            for grain in ("raw", *COARSER.values()):
                database.execute(f"DELETE FROM {grain} WHERE series = ?", identity)  # noqa: S608
            database.execute("DELETE FROM series WHERE name = ?", (name,))
            del self._series[name]

    def seed(self, points: Mapping[str, Iterable[Point]]) -> None:
        """Put points of quarters into a file that was made anew."""
        self.era += 1
        self._do(lambda database: self._seed(database, points), None)
        self.fresh = False

    def _seed(self, database: sqlite3.Connection, points: Mapping[str, Iterable[Point]]) -> None:
        self._name(database, points)
        rows = [
            (self._series[name], at // QUARTER * QUARTER, 1, used, used, used, used, limit)
            for name, each in points.items()
            for at, used, limit in each
        ]
        database.executemany("INSERT OR IGNORE INTO quarter VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def note(self, texts: Iterable[str]) -> None:
        """Keep what was told; the last EVENTS stay."""
        self._do(lambda database: self._note(database, [(text,) for text in texts]), None)

    @staticmethod
    def _note(database: sqlite3.Connection, rows: list[tuple[str]]) -> None:
        database.executemany("INSERT INTO event (text) VALUES (?)", rows)
        database.execute("DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?", (EVENTS,))

    # -- reading ----------------------------------------------------------------------------------------------------

    def events(self, most: int) -> list[str]:
        """What was told, newest first."""
        query = "SELECT text FROM event ORDER BY id DESC LIMIT ?"
        return self._do(lambda database: [text for (text,) in database.execute(query, (most,))], [])

    def buckets(self, name: str, grain: Grain, begin: float, end: float, every: int = 1) -> list[Bucket]:
        """The buckets of one share that start from `begin` to `end`, oldest first; of grain `raw` its samples.

        every  of so many one
        """
        columns = "at, 1, used, used, used, used" if grain == "raw" else "at, samples, low, mean, high, used"
        where = "series = ? AND at BETWEEN ? AND ? AND at % ? = 0"
        query = f"SELECT {columns}, bound FROM {grain} WHERE {where} ORDER BY at"  # noqa: S608
        step = WIDTHS[grain] * every

        def read(database: sqlite3.Connection) -> list[Bucket]:
            return [
                Bucket(*row) for row in database.execute(query, (self._series.get(name), int(begin), int(end), step))
            ]

        return self._do(read, [])

    def ends(self, name: str, grain: Grain, begin: float, now: float, every: int = 1) -> list[Point]:
        """As `buckets`, those that ended before now: when they ended, and what was used and the limit then."""
        width = WIDTHS[grain]
        query = f"SELECT at + {width}, used, bound FROM {grain} WHERE series = ? AND at >= ? AND at < ?"  # noqa: S608

        def read(database: sqlite3.Connection) -> list[Point]:
            values = (self._series.get(name), int(begin), now - width, width * every)
            return database.execute(f"{query} AND at % ? = 0 ORDER BY at", values).fetchall()

        return self._do(read, [])

    def quarters(self, name: str, begin: int, end: int) -> list[Point]:
        """What a share used, and its limit, at the end of the quarters that began from `begin` to `end`."""
        query = "SELECT at, used, bound FROM quarter WHERE series = ? AND at BETWEEN ? AND ? ORDER BY at"

        def read(database: sqlite3.Connection) -> list[Point]:
            return database.execute(query, (self._series.get(name), begin, end)).fetchall()

        return self._do(read, [])

    def news(self, begin: int, end: int) -> dict[str, list[Point]]:
        """The same of all shares, where it is no more than a few quarters."""
        where = "q.series = s.id AND q.at BETWEEN ? AND ?"
        query = f"SELECT s.name, q.at, q.used, q.bound FROM series AS s CROSS JOIN quarter AS q ON {where}"  # noqa: S608

        def read(database: sqlite3.Connection) -> dict[str, list[Point]]:
            found: dict[str, list[Point]] = {}
            for name, at, used, limit in database.execute(query, (begin, end)):  # by share and time, as the table is
                found.setdefault(name, []).append((at, used, limit))
            return found

        return self._do(read, {})

    # -- the file ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Look into the file, so that `fresh` and `trouble` tell how it is."""
        self._do(lambda database: None, None)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._connection:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    def _do(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """One transaction, again where the file was begun anew; `otherwise` where the disk does not let us."""
        with self._lock:
            for _ in range(2):
                try:
                    with self._connection or self._open() as database:
                        before = database.total_changes
                        found = work(database)
                    if database.total_changes > before:  # to read goes well also where the disk is full
                        self.trouble = ""
                    return found
                except sqlite3.DatabaseError as error:
                    if not self._failed(error):
                        return otherwise
                except OSError as error:
                    self.trouble = f"the history cannot be kept: {error.strerror or error}"
                    return otherwise
            return otherwise

    def _failed(self, error: sqlite3.DatabaseError) -> bool:
        """Whether another try may go well. Raises what is a fault of ours."""
        self.trouble = f"the history cannot be kept: {error}"
        self.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN:
            with contextlib.suppress(OSError):
                self._set_aside(str(error))
                return True
        elif not isinstance(error, sqlite3.OperationalError):
            raise error
        return False

    def _open(self) -> sqlite3.Connection:
        os.makedirs(os.path.dirname(self.path), mode=0o711, exist_ok=True)
        self.fresh = self.fresh or not os.path.exists(self.path)
        connection = sqlite3.connect(self.path, timeout=5, check_same_thread=False)
        self._connection = connection
        self.era += 1
        os.chmod(self.path, 0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # WAL: whole after a crash, less the last moments
        connection.execute("PRAGMA journal_size_limit = 4194304")
        connection.executescript(SCHEMA)
        self._series = dict(connection.execute("SELECT name, id FROM series"))
        return connection

    def _set_aside(self, why: str) -> None:
        """A file that is broken is kept, one at a time, and a new one begun."""
        aside = f"{self.path}.broken"
        for end in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + end)
        os.replace(self.path, aside)
        self.said.append(f"the history was broken ({why}): it is kept as {aside}, and a new one is begun")

    # -- the clock --------------------------------------------------------------------------------------------------

    def _watch_clock(self, at: float, elapsed: float) -> None:
        """While the clock has just jumped nobody knows what is old: nothing is removed for a day."""
        jump = self._jump(at, elapsed)
        self._last = (at, elapsed)
        if jump:
            self._settled = elapsed + DAY
            self.era += 1
            way = "on" if jump > 0 else "back"
            self.said.append(f"the clock went {way} by {abs(jump):.0f} s: nothing old is removed for a day")

    def _jump(self, at: float, elapsed: float) -> float:
        """Seconds by which the clock jumped, 0 for no jump; after a start a pause of weeks is doubtful too."""
        if self._last:
            jump = (at - self._last[0]) - (elapsed - self._last[1])
            return jump if abs(jump) > JUMP else 0
        newest = self._do(lambda database: database.execute("SELECT max(at) FROM raw").fetchone()[0], None)
        return 0 if newest is None or newest - JUMP <= at <= newest + FORGOTTEN else at - newest


def oldest(grain: Grain, now: int) -> int:
    """The oldest time that is kept: whole buckets of the next grain, so that none is ever folded again from a part."""
    width = WIDTHS[COARSER.get(grain, grain)]
    return (now - KEPT[grain]) // width * width
