"""Whether forecasts come true: on series that were made, and on recorded ones."""

import math
import statistics
from collections.abc import Iterable, Iterator

from smbgateway.quota.forecast import Forecast, forecast

from .figure import Bench, Goal, Promise, Reading
from .series import FAMILIES, RECORDINGS, Series, recorded, synthetic
from .timing import wall

SPANS = {"day": 25 / 24, "week": 7.0, "month": 30.0}
SHARES = 10_000
MADE = "made series that were full when the forecast said (80 %)"
OFF = "how far off the likely time was, median"
EIGHT_OF_TEN = Goal(80, at_least=True)
PROMISES = [
    *(Promise(f"forecast.inside.{span}", f"{MADE}, a {span} seen", "%", EIGHT_OF_TEN) for span in SPANS),
    *(Promise(f"forecast.error.{span}", f"{OFF}, a {span} seen", "%") for span in SPANS),
    Promise("forecast.inside.recorded", "the same of recorded series, 100 points seen", "%"),
    Promise("forecast.error.recorded", f"{OFF}, of recorded series", "%"),
    Promise("forecast.cost", "forecasts of 10,000 shares with 100 points each", "s", Goal(10)),
]  # fmt: skip


def measure(quick: bool) -> Iterator[Reading]:
    """Each kind of series, as often as it takes for a share of them to mean something."""
    for span, days in SPANS.items():
        yield from judged(
            span, (synthetic(name, seed, days) for name in FAMILIES for seed in range(10 if quick else 60))
        )
    yield from judged("recorded", (case for file in RECORDINGS for case in recorded(file)))
    few = [synthetic(name, 0, SPANS["day"]).points[-100:] for name in FAMILIES]
    rounds = (100 if quick else SHARES) // len(few)
    seconds = wall(lambda: [forecast(points) for _ in range(rounds) for points in few])
    yield Reading("forecast.cost", seconds * SHARES / (rounds * len(few)))


def judged(name: str, cases: Iterable[Series]) -> Iterator[Reading]:
    """How many ends came when they were forecast, and how far off the likely time was where there was one."""
    found = [(case, forecast(case.points)) for case in cases]
    inside = [holds(told, case) for case, told in found if told.earliest is not None]
    ends = [(case.full_in, told.likely) for case, told in found if case.full_in and told.likely]
    note = f"{len(found)} forecasts, {len(ends)} with a likely end, {len(found) - len(inside)} that tell none"
    yield Reading(f"forecast.inside.{name}", 100 * statistics.fmean(inside), note=note)
    yield Reading(f"forecast.error.{name}", 100 * statistics.median(abs(likely - end) / end for end, likely in ends))


def holds(told: Forecast, case: Series) -> bool:
    """Whether what was told came true, as far as it is known."""
    earliest, latest = told.earliest or 0.0, told.latest or math.inf
    return latest >= case.known if case.full_in is None else earliest <= case.full_in <= latest


BENCH = Bench("forecast", PROMISES, measure)
