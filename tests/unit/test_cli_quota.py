"""quota on the command line: tables, charts, values, and what is asked of the engine."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from smbgateway.cli import chart

from .cli_engine import RESULT, SHARE, Engine, stream
from .test_cli import Run, engine, run

__all__ = ["engine", "run"]
GI, BLOCK = 2**30, "\u2588"
AT = int(time.mktime((2026, 11, 29, 12, 0, 0, 0, 0, -1)))
ROW: dict[str, Any] = {
    "key": "lab/docs", "name": "docs", "gateway": "lab", "used": 9 * GI, "limit": 10 * GI, "available": GI,
    "percent": 90.0, "level": "warning", "since": AT, "at": AT, "unknown": "", "change_24h": -GI, "rate": GI,
    "forecast": "full in 9 to 12 days (80 %)", "full_in": 10.0, "full_earliest": 9.0, "full_latest": 12.0,
    "node": "one",
}  # fmt: skip
OPEN = {**ROW, "key": "lab/open", "name": "open", "limit": None, "percent": None, "level": "ok", "change_24h": None}
OPEN |= {"forecast": "no quota", "full_in": None, "full_earliest": None, "full_latest": None}
LOST = {**ROW, "key": "lab/lost", "name": "lost", "unknown": "the ZFS pool tank gives no answer"}
LEVELS = {"notice": 75.0, "warning": 85.0, "critical": 95.0, "fills_within": 7.0}
DAY = {"days": 1.0, "points": 97, "change": 2 * GI, "rate": GI, "acceleration": 0}
DAY["jumps"] = [{"at": AT, "size": GI, "of": "usage"}]
ALICE = {name: ROW[name] for name in ("used", "limit", "percent", "level", "since", "at", "unknown")}
ALICE |= {"name": "alice", "forecast": ""}


def answer(engine: Engine, *rows: dict[str, Any], troubles: tuple[str, ...] = ()) -> None:
    engine.answers["GET /v1/quota"] = {"shares": list(rows), "troubles": list(troubles)}


def test_all_shares_in_a_table(engine: Engine, run: Run) -> None:
    answer(engine, ROW, OPEN)
    status, out, _ = run("quota")
    assert (status, [line.rstrip() for line in out.splitlines()]) == (0, [
        "SHARE     USED                                            LEVEL    24 H    FORECAST",
        f"lab/docs  [{18 * BLOCK}  ]   90 %  9 GiB of 10 GiB  WARNING  -1 GiB  full in 9 to 12 days (80 %)",
        "lab/open                                 9 GiB, no quota  ok               no quota",
    ])  # fmt: skip
    answer(engine)
    assert run("quota")[1] == "no shares\n"


def test_what_cannot_be_read_is_unknown_since_when_and_why_and_the_status_is_1(engine: Engine, run: Run) -> None:
    answer(engine, LOST, troubles=("the history cannot be kept: disk is \x1b full",))
    status, out, _ = run("quota")
    first, second = out.splitlines()[1:]
    assert status == 1
    assert "UNKNOWN" in first
    assert first.endswith("12:00: the ZFS pool tank gives no answer")
    assert second == "! the history cannot be kept: disk is \N{REPLACEMENT CHARACTER} full"
    answer(engine, {**ROW, "level": "critical"})
    assert run("quota")[0] == 1


def test_shares_of_other_nodes_have_their_node_and_their_age(engine: Engine, run: Run) -> None:
    before = int(time.time()) - 37 * 60
    answer(engine, ROW, {**OPEN, "key": "far/open", "node": "two", "forecast": "", "at": before})
    head, own, other = run("quota")[1].splitlines()
    assert head.split()[:2] == ["SHARE", "NODE"]
    assert own.split()[:2] == ["lab/docs", "one"]
    assert other.split()[:2] == ["far/open", "two"]
    assert other.endswith(", 37 minutes ago")


def test_values_for_a_spreadsheet(engine: Engine, run: Run) -> None:
    answer(engine, ROW)
    head, line = run("quota", "--csv")[1].splitlines()
    assert head.startswith("key,used,limit,available,percent,level,since,at,unknown,change_24h,rate,full_in")
    assert line == f"lab/docs,{9 * GI},{10 * GI},{GI},90.0,warning,{AT},{AT},,{-GI},{GI},10.0,9.0,12.0,one"
    assert json.loads(run("quota", "--json")[1])["shares"] == [ROW]


def test_one_share(engine: Engine, run: Run) -> None:
    trends = {"day": DAY, "week": {**DAY, "days": 5.0, "jumps": []}, "month": None}
    engine.answers["GET /v1/quota/show?share=docs"] = {**ROW, "levels": LEVELS, "trends": trends, "users": [ALICE]}
    status, out, _ = run("quota", "show", "docs")
    lines = [line.rstrip() for line in out.splitlines()]
    assert (status, lines[0]) == (0, "share docs on gateway lab")
    assert lines[2] == "  free        1 GiB"
    assert lines[3].startswith("  level       WARNING since ")
    assert lines[4:8] == [
        "  told at     notice 75 %, warning 85 %, critical 95 %; filling within 7 days",
        "  forecast    full in 9 to 12 days (80 %)",
        "  last day    +2 GiB, +1 GiB a day; +1 GiB at once",
        "  last week   +2 GiB, +1 GiB a day",
    ]
    assert lines[-1].startswith("  alice  [")


def test_set_changes_limits_and_levels_and_nothing_else(engine: Engine, run: Run) -> None:
    record = {**SHARE, "levels": LEVELS, "user_quota": None}
    engine.answers["GET /v1/resources/share/docs"] = record
    engine.job(("done", RESULT))
    words = "quota set docs --quota 20G --user-quota none --notice 60 --fills-within 30 --force"
    assert run(*words.split())[0] == 0
    levels = {**LEVELS, "notice": 60.0, "fills_within": 30.0}
    (body,) = engine.bodies("POST /v1/apply")
    assert body == {
        "resources": [{**record, "quota": "20G", "user_quota": None, "levels": levels}],
        "options": {"force": True, "allow_paths": []},
    }
    status, _, err = run("quota", "set", "docs")
    assert (status, err.splitlines()[0]) == (2, "quota set wants at least one change")
    status, _, err = run("quota", "set", "docs", "--notice", "high")
    assert (status, "argument --notice: invalid float value: 'high'" in err) == (2, True)


def test_users(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/quota/users?share=docs"] = {"users": [ALICE]}
    assert "alice  [" in run("quota", "users", "docs")[1]
    assert run("quota", "users", "docs", "--csv")[1].splitlines()[1] == f"alice,{9 * GI},{10 * GI},90.0,warning,{AT},"
    engine.answers["GET /v1/quota/users?share=docs"] = {"users": []}
    assert run("quota", "users", "docs")[1].startswith("no limits for users (set one: pve-smbgateway --root ")


def test_watch_follows_until_it_is_enough(engine: Engine, run: Run) -> None:
    second = {"shares": [{**ROW, "used": GI}], "troubles": []}
    engine.answers["GET /v1/quota/stream"] = stream(
        ("quota", {"shares": [ROW, OPEN], "troubles": []}), ("quota", second)
    )
    lines = run("quota", "watch", "docs", "--count", "2", "--json")[1].splitlines()
    assert [json.loads(line)["shares"][0]["used"] for line in lines] == [9 * GI, GI]
    assert [len(json.loads(line)["shares"]) for line in lines] == [1, 1]


def points(*used: int, limit: int | None = 8) -> list[dict[str, Any]]:
    return [
        {"at": AT + 900 * i, "used": each, "limit": limit, "low": each, "high": each} for i, each in enumerate(used)
    ]


@pytest.mark.parametrize(
    ("fine", "drawn"),
    [
        (True, ["      8 B |\u2508\u2508\u2588", "      5 B |\u2584\u2587\u2588", "          |\u2588\u2588\u2588"]),
        (False, ["      8 B |--#", "      5 B |###", "          |###"]),
    ],
)
def test_a_chart_has_columns_and_the_limit_as_a_line(fine: bool, drawn: list[str]) -> None:
    lines = chart.chart(points(4, 5, 8), 14, 3, fine)
    assert lines[3] == "      0 B +---"
    assert lines[4] == "           12:00 12:30"
    assert lines[:3] == drawn


def test_a_chart_of_few_points_has_no_holes_and_gaps_stay() -> None:
    assert chart.spread(points(1, 2, 3), 9) == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    gap = [*points(1, 2), *({**point, "at": point["at"] + 90000} for point in points(3, 4))]
    assert None in chart.spread(gap, 60)
    assert chart.spread(points(7), 60) == [7]


@pytest.mark.parametrize(("percent", "drawn"), [(0, "[    ]"), (50, "[##  ]"), (100, "[####]"), (130, "[####]")])
def test_a_bar_for_a_terminal_of_few_letters(percent: float, drawn: str) -> None:
    assert chart.bar(percent, 4, fine=False) == drawn


def test_bars_fill_by_eighths() -> None:
    fill: Callable[[float], str] = lambda percent: chart.bar(percent, 4)  # noqa: E731
    assert [fill(each) for each in (0, 25, 28, 99.9)] == [
        "[    ]", "[\u2588   ]", "[\u2588\u258f  ]", "[\u2588\u2588\u2588\u2588]",
    ]  # fmt: skip
    assert chart.bar(None, 4) == "[ ?? ]".replace("??", "? ")
