"""What other nodes and the Proxmox plugin read: the last 100 points of every share, limits and levels.

    history/NODE.json           {"interval": 900, "last": UNIX TIME, "shares": {"GATEWAY/SHARE":
                                 {"unit": BYTES, "used": [100 numbers of units or null, oldest first],
                                  "limit": [[from which point on, bytes or null], ...]}}}
    quotas/GATEWAY/SHARE.json   limit, level, since when, and the thresholds

On Proxmox VE each file is replicated to every node and written many times over (decision 0010), so the history is
written every half hour or hour, and its figures have the five digits that a chart can show.
"""

import contextlib
import json
import os
import zlib
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import GatewayError
from ..host import Node
from ..model import Levels
from .history import QUARTER, History, Point
from .levels import RANKS, Standing

POINTS = 100
DIGITS = 100_000  # a figure in units is smaller
LARGEST = 900_000  # bytes; pmxcfs takes no file above 1 MiB
FEW = 100  # shares up to which the file is rewritten twice an hour
OFTEN, SELDOM = 1800, 3600  # seconds between two writes
SMALLEST = 1024  # unit
SOON = 8  # quarters after which a file is carried on
FIGURE = 6  # bytes of one in the file, mostly


def pack(points: Sequence[Point], last: int, count: int = POINTS) -> dict[str, Any]:
    """The points of one share on the grid that ends at `last`; null where nothing is known."""
    known = {point[0] // QUARTER * QUARTER: point for point in points}
    grid = list(map(known.get, range(last - QUARTER * (count - 1), last + 1, QUARTER)))
    unit, highest = SMALLEST, max([point[1] for point in grid if point], default=0)
    while highest // unit >= DIGITS:
        unit *= 2
    limits: list[list[int | None]] = []
    former: object = limits  # unlike any limit
    for number, point in enumerate(grid):
        if point and point[2] != former:
            former = point[2]
            limits.append([number, point[2]])
    return {"unit": unit, "used": [point and round(point[1] / unit) for point in grid], "limit": limits}


def carry(former: Mapping[str, Any], new: Sequence[Point], quarters: int, count: int) -> dict[str, Any] | None:
    """As `pack`, some quarters later; None where a gap, another limit or another unit asks for all the points."""
    (_, limit), *others = former["limit"] or [(0, None)]
    if others or len(new) != quarters or any(point[2] != limit for point in new):
        return None
    unit = former["unit"]
    used = [*former["used"], *(round(point[1] / unit) for point in new)][-count:]
    if len(used) < count or None in used:
        return None
    same = max(used) < DIGITS and (unit == SMALLEST or max(used) > DIGITS // 2)
    return {"unit": unit, "used": used, "limit": [[0, limit]]} if same else None


def unpack(packed: Mapping[str, Any], last: int) -> list[Point]:
    """The points of one share, oldest first."""
    points: list[Point] = []
    used, limits, limit = packed["used"], dict(packed["limit"]), None
    for number, figure in enumerate(used):
        limit = limits.get(number, limit)
        if figure is not None:
            points.append((last - QUARTER * (len(used) - 1 - number), figure * packed["unit"], limit))
    return points


def history_text(packed: Mapping[str, Any], last: int) -> str:
    """The file of one node, of shares that are packed."""
    return json.dumps({"interval": QUARTER, "last": last, "shares": packed}, separators=(",", ":")) + "\n"


def last_quarter(now: float) -> int:
    """When the last quarter of an hour that is complete began."""
    return int(now) // QUARTER * QUARTER - QUARTER


def read_history(text: str) -> dict[str, list[Point]]:
    """The points of every share of a file; nothing where it is not one."""
    try:
        body = json.loads(text)
        return {name: unpack(packed, int(body["last"])) for name, packed in body["shares"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


class Packer:
    """Packs the points of shares for one file after another, and reads only those that are new, where that will do."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._former: dict[str, dict[str, Any]] = {}
        self._last = self._era = 0

    def text(self, shares: Collection[str], now: float) -> str:
        """The file of one node; of very many shares as many points as it holds."""
        last, count, era = last_quarter(now), POINTS, self.history.era
        if era != self._era or last < self._last:
            self._former = {}
        while count > 1 and len(shares) * count * FIGURE > LARGEST:  # not tried: all of them take 90 MB
            count //= 2
        quarters = (last - self._last) // QUARTER
        news = self.history.news(self._last + QUARTER, last) if self._former and quarters <= SOON else {}
        while True:
            packed = {name: self._pack(name, last, count, news.get(name, ())) for name in sorted(shares)}
            text = history_text(packed, last)
            if len(text) <= LARGEST or count == 1:
                break
            count //= 2
        self._former, self._last, self._era = packed, last, era
        return text

    def _pack(self, name: str, last: int, count: int, news: Sequence[Point]) -> dict[str, Any]:
        former, quarters = self._former.get(name), (last - self._last) // QUARTER
        if former and (carried := carry(former, news, quarters, count)):
            return carried
        return pack(self.history.quarters(name, last - QUARTER * (count - 1), last), last, count)


def turn(node: str, now: float, shares: int) -> int:
    """The number of the period that `now` lies in: a new one means a new file. Nodes take turns."""
    period = OFTEN if shares <= FEW else SELDOM
    return int(now - zlib.crc32(node.encode()) % period) // period


def quota_text(standing: Standing, levels: Levels) -> str:
    """The file of one share: its limit, the level it has, and its thresholds."""
    body = {"limit": standing.limit, "level": standing.level, "since": int(standing.since), "filling": standing.filling}
    return json.dumps({**body, "levels": levels.model_dump()}, indent=1) + "\n"


def read_quota(text: str) -> Standing | None:
    """The standing that a file keeps, None where it is not one."""
    try:
        body = json.loads(text)
        if body["level"] not in RANKS:
            return None
        return Standing(body["level"], float(body["since"]), body["limit"], bool(body["filling"]))
    except (ValueError, KeyError, TypeError):
        return None


class Published:
    """The files below `quotas/` and `history/` of the store. One that is read-only is told, and tried again."""

    def __init__(self, config: str, node: str) -> None:
        self.quotas, self.folder = f"{config}/quotas", f"{config}/history"
        self.node, self.trouble = node, ""
        self._written: dict[str, str] = {}  # what stands in the files of quotas
        self._turn: int | None = None

    @property
    def history(self) -> str:
        """The file of this node."""
        return f"{self.folder}/{self.node}.json"

    def standing(self, key: str) -> Standing:
        """What was told of a share before a restart, or by the node that had it."""
        text = self._read(f"{self.quotas}/{key}.json")
        self._written[key] = text
        return read_quota(text) or Standing()

    def told(self, key: str) -> Standing | None:
        """What was told of a share, by whom ever; None where nobody did."""
        return read_quota(self._read(f"{self.quotas}/{key}.json"))

    def newer(self, key: str, standing: Standing) -> Standing:
        """The standing, or what another member of the cluster has told since."""
        told = self.told(key)
        if told is None or (told.level, told.filling) == (standing.level, standing.filling):
            return standing
        return replace(told, pending=standing.pending, filling_pending=standing.filling_pending)

    def keep(self, key: str, standing: Standing, levels: Levels) -> bool:
        """Write the file of a share where its limit, level or thresholds changed; returns whether it says so now."""
        text = quota_text(standing, levels)
        if self._written.get(key) != text and self._write(f"{self.quotas}/{key}.json", text):
            self._written[key] = text
        return self._written.get(key) == text

    def forget(self, known: Container[str]) -> None:
        """Remove the files of shares that are not known any more."""
        for folder, _, names in os.walk(self.quotas):
            for name in names:
                path = f"{folder}/{name}"
                key = path.removeprefix(f"{self.quotas}/").removesuffix(".json")
                if key not in known:
                    self._written.pop(key, None)
                    with contextlib.suppress(OSError):
                        os.unlink(path)

    def due(self, now: float, shares: int) -> bool:
        """Whether the history is to be written; not after a restart where it was already in this turn."""
        if self._turn is None:
            with contextlib.suppress(OSError):
                self._turn = turn(self.node, os.stat(self.history).st_mtime, shares)
        return turn(self.node, now, shares) != self._turn

    def write_history(self, text: str, now: float, shares: int) -> None:
        """Write the last points of all shares of this node."""
        if self._write(self.history, text):
            self._turn = turn(self.node, now, shares)

    def read(self) -> dict[str, list[Point]]:
        """The points that any node published."""
        found: dict[str, list[Point]] = {}
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(self.folder), key=lambda name: name == f"{self.node}.json"):
                found |= read_history(self._read(f"{self.folder}/{name}"))
        return found

    @staticmethod
    def _read(path: str) -> str:
        try:
            return Node().read(path) or ""
        except OSError:
            return ""

    def _write(self, path: str, text: str) -> bool:
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            Node().write(path, text, 0o640)
        except (OSError, GatewayError) as error:
            self.trouble = f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
            return False
        self.trouble = ""
        return True
