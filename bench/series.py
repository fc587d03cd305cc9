"""Series of usage with known ends: what a share used until now, and when it is full; made (by a seed), or recorded."""

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from smbgateway.quota.trend import DAY, Point

GIB = 2.0**30
START = 1_700_000_000.0
Growth = Callable[[random.Random], Iterator[float]]  # bytes a step, one after the other for ever
STEP = 900.0
RECORDINGS = sorted((Path(__file__).resolve().parents[1] / "tests/cases/usage").glob("*.json"))
SEEN = 100  # points of a recording that a forecast is made from
ROOMS = (0.005, 0.02, 0.08)  # of what is used


@dataclass(frozen=True)
class Series:
    """What was seen, and the seconds from the last point until it is full; None: not within the `known` ones."""

    name: str
    points: list[Point]
    full_in: float | None
    known: float = math.inf


def even(chance: random.Random) -> Iterator[float]:
    """A camera: always the same."""
    while True:
        yield GIB / 96


def noisy(chance: random.Random) -> Iterator[float]:
    """The same, with temporary files that come and go."""
    former = 0.0
    while True:
        current = chance.gauss(0, 0.2 * GIB)
        yield GIB / 96 + current - former
        former = current


def uneven(chance: random.Random) -> Iterator[float]:
    """Files of very different sizes."""
    while True:
        yield GIB / 96 * chance.lognormvariate(-0.72, 1.2)


def office(chance: random.Random) -> Iterator[float]:
    """Written from 8 to 18 on weekdays."""
    step = chance.randrange(7 * 96)
    while True:
        day, hour = step // 96 % 7, step % 96 / 4
        yield GIB / 30 * chance.lognormvariate(-0.32, 0.8) if day < 5 and 8 <= hour < 18 else 0.0
        step += 1


def nightly(chance: random.Random) -> Iterator[float]:
    """A backup each night within an hour."""
    step = chance.randrange(96)
    while True:
        yield chance.gauss(GIB / 4, GIB / 20) if step % 96 < 4 else 0.0
        step += 1


def cleaned(chance: random.Random) -> Iterator[float]:
    """Uneven growth, and one great deletion while it is watched."""
    when = chance.randrange(10, 90)
    for number, step in enumerate(uneven(chance)):
        yield step - (8 * GIB if number == when else 0)


def copied(chance: random.Random) -> Iterator[float]:
    """Uneven growth, and one great copy in the first half of the time."""
    when = chance.randrange(10, 50)
    for number, step in enumerate(uneven(chance)):
        yield step + (8 * GIB if number == when else 0)


def rising(chance: random.Random) -> Iterator[float]:
    """Growth that trebled in the middle of the time."""
    for number, step in enumerate(uneven(chance)):
        yield step * (1 if number < 50 else 3)


def walking(chance: random.Random) -> Iterator[float]:
    """A random walk that tends upwards."""
    while True:
        yield chance.gauss(GIB / 96, GIB / 24)


FAMILIES: dict[str, Growth] = {
    growth.__name__: growth
    for growth in (even, noisy, uneven, office, nightly, cleaned, copied, rising, walking)
}  # fmt: skip


def synthetic(name: str, seed: int, days: float) -> Series:
    """A series seen for some days, as the history has it, with room for a fifth to five times as much again."""
    chance = random.Random(f"{name} {seed}")
    seen, room = int(days * DAY / STEP), days * GIB * math.exp(chance.uniform(math.log(0.2), math.log(5.0)))
    growth, used = FAMILIES[name](chance), [100 * GIB]
    while len(used) <= seen:
        used.append(used[-1] + next(growth))
    quota, level, steps = int(used[-1] + room), used[-1], 0
    while level < quota:
        level, steps = level + next(growth), steps + 1
    every = 1 if days < 2 else 4
    kept = range(seen % every, seen + 1, every)
    return Series(name, [Point(START + i * STEP, int(used[i]), quota) for i in kept], steps * STEP)


def recorded(file: Path) -> Iterator[Series]:
    """Every fifth moment of a recording, with three quotas that there could have been."""
    points = json.loads(file.read_text())["points"]
    for now in range(SEEN, len(points), 5):
        at, used = points[now]
        for room in ROOMS:
            quota = int(used * (1 + room))
            full = next((moment for moment, later in points[now:] if later >= quota), None)
            seen = [Point(START + moment, each, quota) for moment, each in points[now - SEEN : now + 1]]
            yield Series(file.stem, seen, None if full is None else full - at, points[-1][0] - at)
