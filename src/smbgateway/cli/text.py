"""Values to lines of text. Pure; records are others' words, so nothing of theirs may steer a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME, OUTCOME = 26, 22  # least widths of the columns of a story


def clean(text: object) -> str:
    """Text without what steers a terminal: control characters, invisible ones, reversed writing."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))


def table(rows: Sequence[Sequence[object]], empty: str) -> list[str]:
    """Aligned columns, the first row their titles; `empty` where there is none but the titles."""
    if len(rows) < 2:
        return [empty]
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def pairs(values: Iterable[tuple[str, object]]) -> list[str]:
    """Indented lines of a name and a value; those without a value are left out."""
    return [f"  {name:<12}{clean(value)}" for name, value in values if value not in (None, "")]


def step(name: str, outcome: str, seconds: float = 0.0, width: int = NAME) -> str:
    """One line of a story: what, what became of it, how long it took where one could notice."""
    line = f"  {clean(name):<{width}}  {clean(outcome)}"
    return f"{line:<{width + OUTCOME + 4}}  ({seconds:.1f} s)" if seconds > 0.05 else line


def cell(found: dict[str, Any]) -> list[str]:
    """A cell of a plan or of drift: `+` comes, `~` changes, `-` goes, `!` cannot be read."""
    name, now, want = clean(found["name"]), found["now"], found["want"]
    if found.get("error"):
        first, *more = str(found["error"]).splitlines()
        return [f"! {name}  {clean(first)}", *(f"    {clean(line.strip())}" for line in more)]
    mark = "+" if now is None else "-" if want is None else "~"
    if any("\n" in text for text in (now, want) if text):
        return [f"{mark} {name}", *(f"    {line}" for line in difference(now or "", want or ""))]
    if mark == "~":
        return [f"~ {name}  {clean(now)} -> {clean(want)}"]
    return [f"+ {name}  {clean(want)}".rstrip() if mark == "+" else f"- {name}"]


def difference(now: str, want: str) -> list[str]:
    """The lines that differ between two texts, with two of their neighbours."""
    import difflib

    found = difflib.unified_diff(now.splitlines(), want.splitlines(), n=2, lineterm="")
    return [clean(line.expandtabs(4)) for line in found if not line.startswith(("---", "+++"))]


def plan(cells: Sequence[dict[str, Any]], warnings: Sequence[str]) -> list[str]:
    """All that `apply` would change, and would warn of."""
    lines = [line for found in cells for line in cell(found)]
    told = [f"warning: {clean(warning)}" for warning in warnings]
    if not lines:
        return [*told, "nothing to change"]
    return [*lines, *told, counted(len(cells), "thing") + " would change; nothing was touched"]


def compact(value: object) -> str:
    """A JSON document in one line."""
    import json

    return json.dumps(value, separators=(",", ":"))


def counted(number: int, word: str) -> str:
    """`1 share`, `3 shares`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
