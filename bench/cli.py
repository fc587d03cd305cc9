"""What the command line costs to start."""

from collections.abc import Iterator

from .figure import Bench, Promise, Reading, at_most
from .installation import Installation
from .timing import alternated, child_cpu

BARE = "python3 -I -c pass"
PROMISES = [
    Promise("cli.version", "CPU time of `pve-smbgateway version`, the engine running", "ms", at_most(60), BARE),
    Promise("cli.list", "CPU time of `pve-smbgateway list`, one share", "ms", None, BARE),
]


def measure(quick: bool) -> Iterator[Reading]:
    """Commands in turn with an interpreter that does nothing."""
    rounds = 11 if quick else 41
    with Installation() as made:
        made.apply(made.gateway(), made.share("docs"))
        version, shares, bare = alternated(
            rounds,
            lambda: child_cpu(made.cli("version")),
            lambda: child_cpu(made.cli("list")),
            lambda: child_cpu(["/usr/bin/python3", "-I", "-c", "pass"]),
        )
    yield Reading("cli.version", version * 1000, bare * 1000, f"median of {rounds}")
    yield Reading("cli.list", shares * 1000, bare * 1000, f"median of {rounds}")


BENCH = Bench("cli", PROMISES, measure)
