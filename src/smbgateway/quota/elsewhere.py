"""What the shares of other nodes use, as those publish it on the store: up to an hour old, and said to be."""

import contextlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..model import Share
from .history import QUARTER, Point
from .levels import Standing, percent
from .published import SELDOM, read_history
from .rows import Row

SILENT = 2.0 * SELDOM  # seconds after which a node should have published again
Told = dict[str, Point]  # the last point of each share
File = tuple[float, Told, dict[str, Standing]]  # when it was written


def newest(text: str) -> Told:
    """The last point of every share of a file, at the time when it was seen; nothing where it is not one."""
    try:
        body = json.loads(text)
        found = {key: _last(packed, int(body["last"])) for key, packed in body["shares"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {key: point for key, point in found.items() if point}


def _last(packed: Mapping[str, Any], last: int) -> Point | None:
    used, limit = packed["used"], None
    number = next((number for number in reversed(range(len(used))) if used[number] is not None), None)
    if number is None:
        return None
    for begin, bound in packed["limit"]:
        limit = bound if begin <= number else limit
    return last + QUARTER * (number + 2 - len(used)), used[number] * packed["unit"], limit


class Elsewhere:
    """The files of other nodes, each read anew when it has changed."""

    def __init__(self, folder: str, node: str, standing: Callable[[str], Standing | None]) -> None:
        self.folder, self.node, self.standing = folder, node, standing
        self._read: dict[str, File] = {}

    def rows(self, shares: Mapping[str, Share], own: Collection[str], now: float) -> dict[str, Row]:
        """Shares that this node does not watch; where two nodes tell of one, what was seen last."""
        found: dict[str, Row] = {}
        for node, (told, standings) in self._files().items():
            for key, point in told.items():
                known = found.get(key)
                if key in shares and key not in own and (known is None or known["at"] < point[0]):
                    if key not in standings:
                        standings[key] = self.standing(key) or Standing()
                    found[key] = _row(shares[key], node, point, standings[key], now)
        return dict(sorted(found.items()))

    def points(self, key: str, node: str) -> list[Point]:
        """All that a node published of a share, oldest first."""
        with contextlib.suppress(OSError, UnicodeDecodeError), open(self._path(node), encoding="utf-8") as file:
            return read_history(file.read()).get(key, [])
        return []

    def _files(self) -> dict[str, tuple[Told, dict[str, Standing]]]:
        """By node; a level is read again where its node has published anew."""
        found = {node: self._file(node) for node in self._nodes()}
        self._read = {node: file for node, file in found.items() if file}
        return {node: (told, standings) for node, (_, told, standings) in self._read.items()}

    def _path(self, node: str) -> str:
        return f"{self.folder}/{node}.json"

    def _nodes(self) -> list[str]:
        with contextlib.suppress(OSError):
            names = (name.removesuffix(".json") for name in os.listdir(self.folder) if name.endswith(".json"))
            return sorted(name for name in names if name != self.node and not name.startswith("."))
        return []

    def _file(self, node: str) -> File | None:
        """None where there is none; as it was, where it cannot be read."""
        path, known = self._path(node), self._read.get(node)
        try:
            written = os.stat(path).st_mtime
            if known is None or known[0] != written:
                with open(path, encoding="utf-8") as file:
                    known = (written, newest(file.read()), {})
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return known
        return known


def _row(share: Share, node: str, point: Point, standing: Standing, now: float) -> Row:
    """As `rows.row`; trends and forecasts are the other node's own."""
    at, used, limit = point
    full = percent(used, limit)
    silent = now - at > SILENT + QUARTER
    body: Row = {"key": share.key, "name": share.name, "gateway": share.gateway, "used": used, "limit": limit}
    body |= {"available": None if limit is None else max(0, limit - used)}
    body |= {"percent": None if full is None else round(full, 2), "level": standing.level}
    body |= {
        "since": int(standing.since),
        "at": at,
        "unknown": f"node {node} has published nothing since" if silent else "",
    }
    body |= {"change_24h": None, "rate": None, "forecast": "", "full_in": None, "full_earliest": None}
    return body | {"full_latest": None, "node": node}
