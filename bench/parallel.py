"""Creates that come all at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from .figure import Bench, Goal, Promise, Reading
from .installation import Installation
from .timing import wall

EIGHT = 8
IN_A_ROW = "eight in a row"
PROMISES = [
    Promise("parallel.kept", "of eight creates at once on one gateway, how many a client can then use", "shares",
            Goal(EIGHT, at_least=True)),
    Promise("parallel.one_gateway", "eight creates at once on one gateway", "s", None, IN_A_ROW),
    Promise("parallel.eight_gateways", "eight creates at once, each on a gateway of its own", "s", None, IN_A_ROW),
]  # fmt: skip


def measure(quick: bool) -> Iterator[Reading]:
    """Eight in a row, eight at once, eight at once on as many gateways."""
    with Installation() as made:
        gateways = [f"g{number}" for number in range(EIGHT)]
        for name in gateways:
            made.apply(made.gateway(name), made.share("first", name))
        row = wall(lambda: [made.apply(made.share(f"row{number}", "g0")) for number in range(EIGHT)])
        names = [f"once{number}" for number in range(EIGHT)]
        once = wall(lambda: together(made, [(name, "g0") for name in names]))
        yield Reading("parallel.kept", sum(used(made, name) for name in names))
        yield Reading("parallel.one_gateway", once, row)
        yield Reading("parallel.eight_gateways", wall(lambda: together(made, [("wide", g) for g in gateways])), row)


def together(made: Installation, shares: list[tuple[str, str]]) -> None:
    """Create shares, each by a caller of its own. Raises what any of them raised."""
    with ThreadPoolExecutor(len(shares)) as callers:
        list(callers.map(lambda each: made.apply(made.share(*each)), shares))


def used(made: Installation, name: str) -> bool:
    """Whether the engine lists a share and a client writes, reads and deletes on it."""
    made.client.record("share", f"g0/{name}")
    made.smb(made.port("g0"), name, f"put {made.credentials} probe; get probe /dev/null; del probe")
    return True


BENCH = Bench("parallel", PROMISES, measure)
