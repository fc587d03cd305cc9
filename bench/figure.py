"""Figures, their goals and verdicts, and how they are shown. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MET, MISSED, STATED = "met", "MISSED", "stated"


@dataclass(frozen=True)
class Goal:
    """A bound of a figure's value, of its ratio to the baseline, or of its excess over the baseline."""

    limit: float
    of: Literal["value", "ratio", "excess"] = "value"
    at_least: bool = False

    def met(self, value: float, baseline: float | None) -> bool:
        """Whether a measurement reaches it; without the baseline it asks for, it does not."""
        measured: float | None = value
        if self.of != "value":
            measured = None if baseline is None else value - baseline
        if self.of == "ratio":
            measured = value / baseline if baseline else None
        if measured is None:
            return False
        return measured >= self.limit if self.at_least else measured <= self.limit

    def text(self, unit: str) -> str:
        """As a person writes it: `<= 0.5 s`, `>= 0.97 x baseline`, `<= baseline + 5 MB`."""
        sign = ">=" if self.at_least else "<="
        if self.of == "ratio":
            return f"{sign} {self.limit:g} x baseline"
        amount = f"{self.limit:g} {unit}"
        return f"{sign} baseline + {amount}" if self.of == "excess" else f"{sign} {amount}"


def at_most(limit: float) -> Goal:
    """The value may not be greater."""
    return Goal(limit)


def ratio_at_most(limit: float) -> Goal:
    """The value divided by the baseline may not be greater."""
    return Goal(limit, "ratio")


def ratio_at_least(limit: float) -> Goal:
    """The value divided by the baseline may not be smaller."""
    return Goal(limit, "ratio", at_least=True)


def excess_at_most(limit: float) -> Goal:
    """The value may not exceed the baseline by more."""
    return Goal(limit, "excess")


@dataclass(frozen=True)
class Promise:
    """A figure before it is measured: its name, what it says, its goal (None: it is stated), what the baseline is."""

    name: str
    what: str
    unit: str
    goal: Goal | None = None
    baseline: str = ""


@dataclass(frozen=True)
class Reading:
    """What a bench measured of a promise."""

    name: str
    value: float
    baseline: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A promise, measured."""

    promise: Promise
    value: float
    baseline: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Value by baseline, where there is one."""
        return self.value / self.baseline if self.baseline else None

    @property
    def verdict(self) -> str:
        """`met`, `MISSED`, or `stated` where there is no goal."""
        if self.promise.goal is None:
            return STATED
        return MET if self.promise.goal.met(self.value, self.baseline) else MISSED

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        goal = self.promise.goal.text(self.promise.unit) if self.promise.goal else None
        said = {"figure": self.promise.name, "what": self.promise.what, "unit": self.promise.unit, "value": self.value}
        said |= {"baseline": self.baseline, "baseline_is": self.promise.baseline, "ratio": self.ratio}
        return said | {"goal": goal, "verdict": self.verdict, "note": self.note}


@dataclass(frozen=True)
class Bench:
    """Figures that are measured together. `measure(quick)` yields one reading per promise."""

    name: str
    promises: Sequence[Promise]
    measure: Callable[[bool], Iterator[Reading]]

    def run(self, quick: bool) -> Iterator[Figure]:
        """Measure all. Raises ValueError where a promise is not measured, or a reading was never promised."""
        missing = {promise.name: promise for promise in self.promises}
        for reading in self.measure(quick):
            promise = missing.pop(reading.name, None)
            if promise is None:
                raise ValueError(f"{reading.name} was not promised, or is measured twice")
            yield Figure(promise, reading.value, reading.baseline, reading.note)
        if missing:
            raise ValueError(f"not measured: {', '.join(missing)}")


def chosen(benches: Sequence[Bench], names: Sequence[str]) -> list[Bench]:
    """The benches that are named, by their name or by one of their figures; all where none is. Raises ValueError."""
    if not names:
        return list(benches)
    known = {bench.name: bench for bench in benches}
    known |= {promise.name: bench for bench in benches for promise in bench.promises}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no figure {', '.join(unknown)}: {', '.join(bench.name for bench in benches)}")
    wanted = {known[name].name for name in names}
    return [bench for bench in benches if bench.name in wanted]


def promised(benches: Iterable[Bench]) -> list[dict[str, Any]]:
    """The list of figures, for machines."""
    return [
        {"figure": p.name, "what": p.what, "goal": p.goal.text(p.unit) if p.goal else None, "baseline_is": p.baseline}
        for bench in benches
        for p in bench.promises
    ]


def list_table(benches: Iterable[Bench]) -> str:
    """The list of figures, for people."""
    rows = [["FIGURE", "GOAL", "WHAT", "BASELINE"]]
    for line in promised(benches):
        rows.append([line["figure"], line["goal"] or "stated", line["what"], line["baseline_is"] or "-"])
    return columns(rows)


def table(figures: Iterable[Figure]) -> str:
    """What was measured, for people."""
    rows = [["FIGURE", "VALUE", "BASELINE", "RATIO", "GOAL", "VERDICT", "NOTE"]]
    for figure in figures:
        unit, goal = figure.promise.unit, figure.promise.goal
        ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
        row = [figure.promise.name, amount(figure.value, unit), amount(figure.baseline, unit), ratio]
        rows.append([*row, goal.text(unit) if goal else "-", figure.verdict, figure.note])
    return columns(rows)


def amount(value: float | None, unit: str) -> str:
    """Three digits that count, with the unit."""
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f} {unit}"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows with cells of equal width."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
