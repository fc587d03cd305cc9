"""quota: what shares use, where that leads, and from when on somebody is told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator

from ..sizes import show_size
from . import text
from .chart import bar, chart
from .client import quote
from .problem import usage
from .session import Session
from .shares import change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

AMISS = 1
BAR, HEIGHT = 20, 10
LEVELS = ("notice", "warning", "critical", "fills_within")
COLUMNS = ("key", "used", "limit", "available", "percent", "level", "since", "at", "unknown", "change_24h", "rate",
           "full_in", "full_earliest", "full_latest", "node")  # fmt: skip
POINTS, USERS = (
    ("at", "used", "limit", "low", "high"),
    ("name", "used", "limit", "percent", "level", "since", "unknown"),
)
OLD = 600.0  # seconds after which figures are said to be of then
CLEAR = "\x1b[H\x1b[2J"


def overview(session: Session, arguments: Namespace) -> int:
    """All shares; exit status 1 where one is critical or cannot be read."""
    found = session.client.get("/v1/quota")
    if getattr(arguments, "csv", False):
        return table_of_values(found["shares"], COLUMNS)
    return session.answer(found, lines(found), AMISS if any(map(amiss, found["shares"])) else 0)


def amiss(row: dict[str, Any]) -> bool:
    """Whether somebody should look."""
    return row["level"] == "critical" or bool(row["unknown"])


def lines(found: dict[str, Any]) -> list[str]:
    """The table, and what keeps the monitor from its work."""
    several = len({row["node"] for row in found["shares"]}) > 1
    rows = [["SHARE", *(["NODE"] if several else []), "USED", "", "", "LEVEL", "24 H", "FORECAST"]]
    for row in found["shares"]:
        words = [*amount(row), level(row), moved(row["change_24h"]), end(row)]
        rows.append([row["key"], *([row["node"]] if several else []), *words])
    return text.table(rows, "no shares") + [f"! {text.clean(trouble)}" for trouble in found["troubles"]]


def amount(row: dict[str, Any]) -> list[str]:
    """Bar, per cent, words."""
    used = "?" if row["used"] is None else show_size(row["used"])
    if not row["limit"]:
        return ["", "", f"{used}, no quota"]
    full = "" if row["percent"] is None else f"{row['percent']:.0f} %"
    return [bar(row["percent"], BAR, fine()), full.rjust(5), f"{used} of {show_size(row['limit'])}"]


def fine() -> bool:
    """Whether the terminal knows more letters than a typewriter."""
    return (sys.stdout.encoding or "").lower().startswith("utf")


def level(row: dict[str, Any]) -> str:
    """The level; what is not known counts as none."""
    return "UNKNOWN" if row["unknown"] else row["level"] if row["level"] == "ok" else str(row["level"]).upper()


def end(row: dict[str, Any]) -> str:
    """The forecast, or since when and why nothing is known."""
    age = time.time() - row["at"]
    if not row["unknown"] and not row["forecast"] and row["at"] and age > OLD:  # as another node publishes it
        return f"as of {moment(row['at'])}, {age / 60:.0f} minutes ago"
    if not row["unknown"]:
        return str(row["forecast"])
    return f"since {moment(row['at'])}: {row['unknown']}" if row["at"] else str(row["unknown"])


def moment(at: float) -> str:
    """A time, with its day where that is not today."""
    now, then = time.localtime(), time.localtime(at)
    return time.strftime("%H:%M" if now[:3] == then[:3] else "%Y-%m-%d %H:%M", then)


def moved(size: int | None) -> str:
    """A change; empty where it is not known."""
    if size is None:
        return ""
    return f"{'-' if size < 0 else '+'}{show_size(abs(size))}"


def show(session: Session, arguments: Namespace) -> int:
    """One share."""
    found = session.client.get(f"/v1/quota/show?share={quote(arguments.name)}")
    said = [f"share {text.clean(found['name'])} on gateway {text.clean(found['gateway'])}"]
    said += [f"  {'used':<12}{' '.join(word.strip() for word in amount(found) if word)}"]
    bounds = ", ".join(f"{name} {found['levels'][name]:g} %" for name in LEVELS[:3])
    said += text.pairs([
        ("free", "" if found["available"] is None else show_size(found["available"])),
        ("level", f"{level(found)} since {moment(found['since'])}" if found["since"] else level(found)),
        ("told at", f"{bounds}; filling within {found['levels']['fills_within']:g} days"),
        ("forecast", end(found)),
        *((f"last {name}", trend(found["trends"][name])) for name in ("day", "week", "month")),
    ])  # fmt: skip
    said += [f"  {line}" for line in user_lines(found["users"])] if found["users"] else []
    return session.answer(found, said, AMISS if amiss(found) else 0)


def trend(found: dict[str, Any] | None) -> str:
    """`+2 GiB, 2.1 GiB a day`; what was at once apart. Empty where too little was seen."""
    if found is None:
        return ""
    rate = "" if found["rate"] is None else f", {moved(found['rate'])} a day"
    jumps = [f"{moved(jump['size'])} {'of quota ' if jump['of'] == 'quota' else ''}at once" for jump in found["jumps"]]
    seen = f" in the {found['days'] * 24:.1f} hours that were seen" if found["days"] < 0.95 else ""
    return f"{moved(found['change'])}{seen}{rate}" + "".join(f"; {jump}" for jump in jumps)


def history(session: Session, arguments: Namespace) -> int:
    """What a share used over time."""
    found = session.client.get(f"/v1/quota/history?share={quote(arguments.name)}&span={arguments.span}")
    if arguments.csv:
        return table_of_values(found["points"], POINTS)
    return session.answer(
        found, chart(found["points"], columns(), HEIGHT, fine()) if found["points"] else ["nothing yet"]
    )


def columns() -> int:
    """Letters in a line."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 80


def users(session: Session, arguments: Namespace) -> int:
    """What each user has of a share."""
    found = session.client.get(f"/v1/quota/users?share={quote(arguments.name)}")
    if arguments.csv:
        return table_of_values(found["users"], USERS)
    hint = f"no limits for users (set one: {session.command(f'quota set {arguments.name} --user-quota SIZE')})"
    return session.answer(found, user_lines(found["users"]) if found["users"] else [hint])


def user_lines(found: Iterable[dict[str, Any]]) -> list[str]:
    """Users in a table."""
    rows = [["USER", "USED", "", "", "LEVEL", ""]]
    rows += [[row["name"], *amount(row), level(row), end(row) if row["unknown"] else ""] for row in found]
    return text.table(rows, "no users")


def change_quota(session: Session, arguments: Namespace) -> int:
    """Change limits, and from when on somebody is told."""
    limits = {"quota": arguments.quota, "user_quota": arguments.user_quota}
    fields: dict[str, Any] = {
        name: None if value == "none" else value for name, value in limits.items() if value is not None
    }
    bounds = {name: getattr(arguments, name) for name in LEVELS if getattr(arguments, name) is not None}
    if not fields and not bounds:
        raise usage("quota set wants at least one change", f"see {session.command('quota set --help')}")
    record = session.client.record("share", arguments.name)
    record |= fields | {"levels": {**record["levels"], **bounds}}
    return change(session, arguments, record)


def watch(session: Session, arguments: Namespace) -> int:
    """Follow what shares use until somebody interrupts, or so often."""
    known: dict[str, dict[str, Any]] = {}
    try:
        for number, found in enumerate(news(session), 1):
            rows = [row for row in found["shares"] if arguments.name in (None, row["key"], row["name"])]
            known |= {row["key"]: row for row in rows}
            told = {"shares": list(known.values()) if session.terminal else rows, "troubles": found["troubles"]}
            if session.json:
                print(text.compact(told), flush=True)
            else:
                session.say([f"{CLEAR if session.terminal else ''}{moment(time.time())}", *lines(told)])
                sys.stdout.flush()
            if number == arguments.count:
                break
    except KeyboardInterrupt:
        return 0
    return 0


def news(session: Session) -> Iterator[dict[str, Any]]:
    """All rows, then those that change."""
    return (body for _, kind, body in session.client.follow("/v1/quota/stream") if kind == "quota")


def table_of_values(rows: Iterable[dict[str, Any]], names: Iterable[str]) -> int:
    """Lines of comma-separated values, the first their names."""
    import csv

    writer = csv.DictWriter(sys.stdout, list(names), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({n: text.clean(value) if isinstance(value, str) else value for n, value in row.items()})
    return 0
