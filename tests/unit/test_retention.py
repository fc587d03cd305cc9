"""Names of snapshots, and what a schedule takes and keeps."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.errors import Invalid
from smbgateway.model import Schedule, parse
from smbgateway.retention import KEPT, SCHEDULED, due, full, moment, name, ours, surplus, version
from smbgateway.samba.config import SHADOW

NOON = 1795435200  # 2026-11-23 12:00 UTC, a Monday
HOUR, DAY = 3600, 86400
COUNTS = st.integers(0, 40)
SCHEDULES = st.builds(Schedule, hourly=COUNTS, daily=COUNTS, weekly=COUNTS, monthly=COUNTS)
MOMENTS = st.integers(NOON - 400 * DAY, NOON)


def auto(moment: float) -> str:
    return name(SCHEDULED, moment, [])


def test_a_name_tells_kind_and_second_in_utc() -> None:
    assert name(KEPT, NOON + 0.9, []) == "kept-2026.11.23-12.00.00"
    assert version("kept-2026.11.23-12.00.00") == "@GMT-2026.11.23-12.00.00"


@given(MOMENTS)
def test_a_name_means_the_second_it_was_made_of(now: int) -> None:
    assert moment(auto(now)) == now
    assert ours([auto(now)]) == [auto(now)]


def test_two_of_one_second_have_different_seconds_whatever_their_kind() -> None:
    present = [auto(NOON), auto(NOON + 1)]
    assert name(KEPT, NOON, present) == "kept-2026.11.23-12.00.02"


def test_samba_finds_both_kinds_and_nothing_else() -> None:
    """What vfs_shadow_copy2 does with a name: the part before the delimiter is matched, the rest read as a time."""
    prefix, delimiter, format = SHADOW["snapprefix"], SHADOW["delimiter"], SHADOW["format"]
    basic = prefix.replace("\\(", "(").replace("\\)", ")").replace("\\|", "|")  # a BRE of GNU as one of Python
    for each in (auto(NOON), name(KEPT, NOON, [])):
        kind, _, rest = each.partition(delimiter)
        assert re.match(basic, kind)
        assert time.strptime(delimiter + rest, format)[:6] == (2026, 11, 23, 12, 0, 0)
    assert not re.match(basic, "automatic")


def test_what_others_took_is_never_ours() -> None:
    others = ["autosnap_2026-11-23_12:00:00_hourly", "auto-2026.11.23-12.00.00-x", "auto-2026.11.23", "snapper"]
    assert ours([*others, auto(NOON)]) == [auto(NOON)]


@pytest.mark.parametrize(
    ("schedule", "last", "wanted"),
    [
        ({}, None, False),
        ({"hourly": 1}, None, True),
        ({"hourly": 1}, NOON, False),
        ({"hourly": 1}, NOON - 1, True),
        ({"daily": 1}, NOON - 12 * HOUR, False),
        ({"daily": 1}, NOON - 12 * HOUR - 1, True),
        ({"weekly": 1}, NOON - 12 * HOUR, False),  # it is Monday
        ({"weekly": 1}, NOON - 12 * HOUR - 1, True),
        ({"monthly": 1}, NOON - 22 * DAY, False),
        ({"monthly": 1}, NOON - 23 * DAY, True),
        ({"daily": 7, "monthly": 1}, NOON - DAY, True),  # the most frequent decides
    ],
)
def test_one_is_due_in_each_slot(schedule: dict[str, int], last: int | None, wanted: bool) -> None:
    names = [] if last is None else [auto(last)]
    assert due([*names, name(KEPT, NOON, [])], Schedule(**schedule), NOON) is wanted


def test_the_newest_of_each_slot_is_kept() -> None:
    names = [auto(NOON - hours * HOUR) for hours in range(100)]
    left = sorted(set(names) - set(surplus(names, Schedule(hourly=3, daily=2, weekly=2))))
    assert left == [
        "auto-2026.11.22-23.00.00",  # yesterday's, and last week's
        "auto-2026.11.23-10.00.00",
        "auto-2026.11.23-11.00.00",
        "auto-2026.11.23-12.00.00",
    ]


@given(SCHEDULES, st.lists(MOMENTS, max_size=60), st.lists(MOMENTS, max_size=5))
def test_no_schedule_keeps_more_than_it_says_or_touches_what_is_kept(
    schedule: Schedule, moments: list[int], others: list[int]
) -> None:
    names = {auto(each) for each in moments} | {name(KEPT, each, []) for each in others}
    gone = set(surplus(names, schedule))
    assert all(each.startswith("auto-") for each in gone)
    left = names - gone
    assert surplus(left, schedule) == []
    if schedule.total:
        assert len([each for each in left if each.startswith("auto-")]) <= schedule.total
        assert not moments or auto(max(moments)) in left
    else:
        assert not gone, "an end of the schedule is no order to delete"


def test_a_schedule_that_explorer_would_not_show_is_refused() -> None:
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": {"kind": "zfs", "dataset": "tank/docs"}}
    with pytest.raises(Invalid) as caught:
        parse([{**share, "snapshots": {"hourly": 500, "daily": 13}}])
    assert [(fault.field, fault.message) for fault in caught.value.faults] == [
        ("share.docs.snapshots", "513 snapshots in all: Explorer shows none of more than 512")
    ]
    assert parse([{**share, "snapshots": {"hourly": 500, "daily": 12}}])
    with pytest.raises(Invalid, match=r"share\.docs\.snapshots\.weekly: Input should be greater than or equal to 0"):
        parse([{**share, "snapshots": {"weekly": -1}}])


def test_the_limit_is_explorers() -> None:
    names = [auto(NOON - each) for each in range(512)]
    assert full(names)
    assert not full(names[:-1])
