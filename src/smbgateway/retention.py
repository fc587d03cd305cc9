"""Names of snapshots, when one is due, and which a schedule keeps. Pure; times are Unix times, days are those of UTC.

A name is `auto-2026.11.23-07.16.04` where the schedule took it, `kept-...` where somebody did, or a restoration: that
one stays until it is deleted by name. Samba finds both by `shadow:snapprefix` (vfs_shadow_copy2(8)).
"""

import re
import time
from calendar import timegm
from collections.abc import Callable, Iterable, Sequence

from .model import MOST_SNAPSHOTS, Schedule

SCHEDULED, KEPT = "auto", "kept"
STAMP = "%Y.%m.%d-%H.%M.%S"
NAME = re.compile(rf"(?:{SCHEDULED}|{KEPT})-\d{{4}}(?:\.\d\d){{2}}-\d\d(?:\.\d\d){{2}}")
DAY = 86400
MONDAY = 4 * DAY  # the first of the epoch, which began on a Thursday
# What a schedule counts: the finest first. Two times are in one slot where this is the same for both.
SLOTS: dict[str, Callable[[int], object]] = {
    "hourly": lambda moment: moment // 3600,
    "daily": lambda moment: moment // DAY,
    "weekly": lambda moment: (moment - MONDAY) // (7 * DAY),
    "monthly": lambda moment: time.gmtime(moment)[:2],
}


def name(kind: str, now: float, present: Iterable[str]) -> str:
    """A new name: of the present second, or of the next that no snapshot has. Samba knows them by their second."""
    taken = {moment(other) for other in present}
    second = int(now)
    while second in taken:
        second += 1
    return f"{kind}-{time.strftime(STAMP, time.gmtime(second))}"


def ours(names: Iterable[str]) -> list[str]:
    """Those among names that are ours, oldest first."""
    return sorted(filter(NAME.fullmatch, names), key=lambda each: each.partition("-")[2])


def moment(name: str) -> int:
    """When a snapshot of ours was taken."""
    return timegm(time.strptime(name.partition("-")[2], STAMP))


def version(name: str) -> str:
    """What SMB calls a snapshot: `@GMT-2026.11.23-07.16.04` (MS-SMB2, 2.2.32.2)."""
    return f"@GMT-{name.partition('-')[2]}"


def scheduled(names: Iterable[str]) -> list[str]:
    """Those that the schedule took, newest first."""
    return [each for each in reversed(ours(names)) if each.startswith(f"{SCHEDULED}-")]


def due(names: Iterable[str], schedule: Schedule, now: float) -> bool:
    """Whether the schedule wants a snapshot: none of its own is in the present slot of what it counts most finely."""
    finest = next((slot for period, slot in SLOTS.items() if getattr(schedule, period)), None)
    newest = next(iter(scheduled(names)), None)
    return finest is not None and (newest is None or finest(moment(newest)) != finest(int(now)))


def surplus(names: Iterable[str], schedule: Schedule) -> list[str]:
    """The scheduled snapshots that no part of the schedule keeps; none where nothing is scheduled any more.

    Of each of the last N slots of a period that have any, the newest is kept.
    """
    found = scheduled(names)
    keep = {each for period, slot in SLOTS.items() for each in _newest(found, slot, getattr(schedule, period))}
    return [each for each in found if each not in keep] if schedule.total else []


def _newest(names: Sequence[str], slot: Callable[[int], object], count: int) -> list[str]:
    first = {slot(moment(each)): each for each in reversed(names)}  # of each slot the newest: the last one set
    return list(first.values())[::-1][:count]


def full(names: Sequence[str]) -> bool:
    """Whether there are as many snapshots as Explorer shows."""
    return len(names) >= MOST_SNAPSHOTS
