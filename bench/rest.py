"""What an engine costs that nobody asks for anything."""

import time
from collections.abc import Iterator

from .figure import Bench, Promise, Reading, at_most
from .installation import Installation
from .timing import cpu_of, resident, say

SHARES = 100
PROMISES = [
    Promise("rest.memory", f"resident memory of the engine, {SHARES} shares", "MiB", at_most(80)),
    Promise("rest.cpu", "CPU of the engine at rest, watching included, with all it starts", "%", at_most(0.1)),
    Promise("rest.supervisor", "CPU of the gateway's supervisor at rest", "%"),
    Promise("rest.smbd", "resident memory of the gateway's idle smbd", "MiB"),
]


def measure(quick: bool) -> Iterator[Reading]:
    """Leave an engine in peace."""
    with Installation() as made:
        made.apply(made.gateway(), *(made.share(f"s{number}") for number in range(SHARES)))
        made.client.get("/v1/status")
        assert made.engine
        engine, supervisor = made.engine.pid, made.supervisor()
        seconds = 60 if quick else 600
        time.sleep(5)  # the watch takes in what was just made
        say(f"at rest for {seconds} s")
        before = cpu_of([engine]), cpu_of([supervisor])
        time.sleep(seconds)
        after = cpu_of([engine]), cpu_of([supervisor])
        spent = [100 * (new - old) / seconds for new, old in zip(after, before, strict=True)]
        yield Reading("rest.memory", resident(engine))
        yield Reading("rest.cpu", spent[0], note=f"over {seconds} s")
        yield Reading("rest.supervisor", spent[1], note=f"over {seconds} s")
        yield Reading("rest.smbd", resident(made.smbd()))


BENCH = Bench("rest", PROMISES, measure)
