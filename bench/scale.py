"""One gateway with very many shares."""

import itertools
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import Any

from .figure import Bench, Promise, Reading, at_most, excess_at_most, ratio_at_most
from .installation import QUIET, Installation
from .timing import alternated, checked, pair, private, say, wall

MANY, MOST = 1000, 10000
NUMBERS = itertools.count()
TWIN = "a gateway with one share, same engine, measured in turn"


def promises(count: int) -> Iterator[Promise]:
    """The figures at a number of shares."""
    at = f"scale.{count}"
    yield Promise(f"{at}.create", f"one more share created and proved, at {count:,}", "s", at_most(1), TWIN)
    yield Promise(f"{at}.connect", f"a client connects and opens a share, at {count:,}", "ms", ratio_at_most(1.2), TWIN)
    yield Promise(f"{at}.memory", f"private memory of a connection, at {count:,}", "MB", excess_at_most(5), TWIN)
    yield Promise(
        f"{at}.browse", f"a client lists the shares, at {count:,}", "s", at_most(1) if count == MANY else None
    )
    yield Promise(
        f"{at}.list", f"`list` by the command line, at {count:,}", "s", at_most(0.3) if count == MANY else None
    )
    yield Promise(f"{at}.status", f"`status`: every cell of {count:,} shares is read", "s")


PROMISES = [
    Promise("scale.apply", f"one apply of {MANY:,} shares, each proved", "s", at_most(120)),
    Promise("scale.grow", f"from {MANY:,} to {MOST:,} shares by nine applies", "s"),
    *promises(MANY),
    *promises(MOST),
]


def measure(quick: bool) -> Iterator[Reading]:
    """Grow a gateway, with one of a single share beside it. `quick` makes a fifth and a tenth of the shares."""
    many, most = (MANY // 5, MOST // 10) if quick else (MANY, MOST)
    batch = (most - many) // 9 + 1
    with Installation() as made:
        made.apply(made.gateway("twin"), made.share("s0", "twin"))
        yield Reading("scale.apply", wall(lambda: grow(made, 0, many)), note=noted(quick, many))
        yield from at(made, MANY, many, quick)
        steps = [(start, min(start + batch, most)) for start in range(many, most, batch)]
        yield Reading("scale.grow", sum(wall(partial(grow, made, *step)) for step in steps), note=noted(quick, most))
        yield from at(made, MOST, most, quick)


def noted(quick: bool, count: int) -> str:
    """What a quick run did instead."""
    return f"quick: {count:,} shares" if quick else ""


def grow(made: Installation, start: int, end: int) -> None:
    """One apply of new shares."""
    say(f"shares {start:,} to {end:,}")
    gateway: list[dict[str, Any]] = [] if start else [made.gateway()]
    made.apply(*gateway, *(made.share(f"s{number}") for number in range(start, end)))


def at(made: Installation, promised: int, count: int, quick: bool) -> Iterator[Reading]:
    """All figures at a number of shares."""
    name, note = f"scale.{promised}", noted(quick, count)
    ours, twin = (made, "files", f"s{count // 2}"), (made, "twin", "s0")
    yield Reading(f"{name}.create", *pair(5, partial(one_more, *ours), partial(one_more, *twin)), note)
    connect = pair(21, partial(connected, *ours), partial(connected, *twin))
    yield Reading(f"{name}.connect", connect[0] * 1000, connect[1] * 1000, note)
    yield Reading(f"{name}.memory", *pair(3, partial(held, *ours), partial(held, *twin)), note)
    (browse,) = alternated(3, lambda: browsed(made, count))
    yield Reading(f"{name}.browse", browse, note=note)
    (listed,) = alternated(5, lambda: wall(lambda: checked(made.cli("list"))))
    yield Reading(f"{name}.list", listed, note=note)
    yield Reading(f"{name}.status", wall(lambda: checked(made.cli("status"))), note=note)


def one_more(made: Installation, gateway: str, _: str) -> float:
    """Create and prove a share."""
    return wall(lambda: made.apply(made.share(f"more{next(NUMBERS)}", gateway)))


def connected(made: Installation, gateway: str, share: str) -> float:
    """One client's life: start, connect, log in, open the share, end."""
    port = made.port(gateway)
    return wall(lambda: made.smb(port, share, "exit"))


def held(made: Installation, gateway: str, share: str) -> float:
    """The private memory of a connection that has listed the root."""
    with made.connection(share, gateway) as pid:
        return private(pid)


def browsed(made: Installation, count: int) -> float:
    """A client lists all shares, within a minute. Raises RuntimeError where some are not in the list."""
    command = made.smbclient(made.port(), "-t", "60", "-g", "-L", "//127.0.0.1")
    said: list[str] = []
    took = wall(lambda: said.append(subprocess.run(command, timeout=120, **QUIET).stdout))  # type: ignore[call-overload]
    found = said[0].count("Disk|")
    if found < count:
        raise RuntimeError(f"a client sees {found} of {count} shares: {said[0][-300:]}")
    return took


BENCH = Bench("scale", PROMISES, measure)
