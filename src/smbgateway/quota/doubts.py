"""When it is told that a share cannot be read, and that it can again. Pure: reasons in, changes out.

Each node tells what it cannot read itself, also of a cluster: what another member reads is no answer to that.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

RISE, FALL = 300.0, 900.0  # seconds that a change must last: a disk that is slow now and then is told of once


class Doubt(NamedTuple):
    """A change worth telling: why a share cannot be read, empty where it can again."""

    key: str
    why: str


def doubted(events: Iterable[Mapping[str, Any]]) -> set[str]:
    """The shares of which the last that was told is that they cannot be read; events are the newest first."""
    last: dict[str, str] = {}
    for event in events:
        if event.get("about") == "unknown":
            last.setdefault(f"{event['gateway']}/{event['share']}", event["kind"])
    return {key for key, kind in last.items() if kind == "raised"}


class Doubts:
    """Which shares cannot be read, as far as that was told."""

    def __init__(self, told: Iterable[str] = ()) -> None:
        self.told = set(told)
        self._since: dict[str, float] = {}  # that it is not as was told

    @property
    def none(self) -> bool:
        """Whether all can be read, as far as was told and is about to be."""
        return not self.told and not self._since

    def judge(self, reasons: Mapping[str, str], now: float) -> list[Doubt]:
        """What to tell of all shares, by why they cannot be read."""
        self.told &= reasons.keys()
        differing = {key: why for key, why in reasons.items() if bool(why) != (key in self.told)}
        since = {key: min(self._since.get(key, now), now) for key in differing}
        due = {key for key, why in differing.items() if now - since[key] >= (RISE if why else FALL)}
        self._since = {key: began for key, began in since.items() if key not in due}
        self.told ^= due
        return [Doubt(key, differing[key]) for key in sorted(due)]
