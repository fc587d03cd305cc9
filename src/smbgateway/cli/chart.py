"""Bars and charts of text. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..sizes import show_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EIGHTHS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
LEFTS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
DASH, PLAIN_DASH = "\u2508", "-"
AXIS = 9  # letters of the sizes at the left
FORMS = ((2 * 86400, "%H:%M"), (40 * 86400, "%d %b"), (float("inf"), "%b %Y"))  # of times, by the span


def bar(percent: float | None, width: int, fine: bool = True) -> str:
    """How full, as a bar between two strokes."""
    if percent is None:
        return f"[{'?'.center(width)}]"
    filled = max(0.0, min(percent, 100.0)) / 100 * width
    if not fine:
        return f"[{'#' * round(filled):<{width}}]"
    whole = int(filled)
    part = LEFTS[round((filled - whole) * 8)] if whole < width else ""
    return f"[{(LEFTS[8] * whole + part.strip()):<{width}}]"


def chart(points: Sequence[dict[str, Any]], width: int, height: int, fine: bool = True) -> list[str]:
    """Usage over time as columns, with the limit as a line; sizes at the left, times below."""
    limit = points[-1]["limit"]
    top = max([limit or 0, *(point["high"] for point in points)]) or 1
    columns = spread(points, max(1, width - AXIS - 2))
    lines = [[letter(used, top, row, height, fine) for used in columns] for row in reversed(range(height))]
    if limit:
        place = height - 1 - min(int(limit / top * height - 1e-9), height - 1)
        lines[place] = [(DASH if fine else PLAIN_DASH) if each == " " else each for each in lines[place]]
    sizes = {0: show_size(top), height // 2: show_size(top * (height - height // 2) / height)}
    drawn = [f"{sizes.get(number, ''):>{AXIS}} |{''.join(line).rstrip()}" for number, line in enumerate(lines)]
    return [*drawn, f"{'0 B':>{AXIS}} +{'-' * len(columns)}", times(points, len(columns))]


def spread(points: Sequence[dict[str, Any]], columns: int) -> list[int | None]:
    """What was used in each of so many equal parts of the time; None where nothing is known."""
    begin, end = points[0]["at"], points[-1]["at"]
    columns = min(columns, 1 if end == begin else columns)
    found: list[int | None] = [None] * columns
    for point in points:
        place = int((point["at"] - begin) / max(1, end - begin) * columns)
        found[min(place, columns - 1)] = point["used"]
    return filled(found, len(points))


def filled(columns: list[int | None], points: int) -> list[int | None]:
    """Where there are fewer points than columns, each goes on to the next; greater gaps stay gaps."""
    reach = len(columns) // max(1, points - 1) + 1
    last, age = None, 0
    for number, used in enumerate(columns):
        last, age = (used, 0) if used is not None else (last, age + 1)
        if used is None and age < reach:
            columns[number] = last
    return columns


def letter(used: int | None, top: int, row: int, height: int, fine: bool) -> str:
    """One cell of a chart."""
    part = 0.0 if used is None else max(0.0, min(1.0, used / top * height - row))
    return EIGHTHS[round(part * 8)] if fine else "#" if part >= 0.5 else " "


def times(points: Sequence[dict[str, Any]], width: int) -> str:
    """First and last time, at the ends."""
    begin, end = points[0]["at"], points[-1]["at"]
    form = next(form for span, form in FORMS if end - begin < span)
    first, last = (time.strftime(form, time.localtime(moment)) for moment in (begin, end))
    return " " * (AXIS + 2) + first + last.rjust(max(len(last) + 1, width - len(first)))
