"""What is told of a share, and several things told as one."""

import time

import pytest

from smbgateway.model import Share, parse
from smbgateway.notify.notice import Notice, merged
from smbgateway.quota.forecast import Forecast
from smbgateway.quota.levels import Event
from smbgateway.quota.telling import notice

GIB = 2**30
AT = 1_795_431_665.0
SOON = Forecast("fills", 864000, 5 * 86400, 4.2 * 86400, 6.9 * 86400)
NEVER = Forecast("open", 864000)


@pytest.fixture
def share() -> Share:
    source = {"kind": "btrfs", "path": "/srv/docs"}
    (record,) = parse([{"kind": "share", "name": "docs", "gateway": "files", "source": source, "quota": "10G"}])
    assert isinstance(record, Share)
    return record


def event(kind: str, former: str, level: str, topic: str = "level") -> Event:
    return Event(kind, topic, former, level, AT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "used", "forecast", "severity", "level", "subject"),
    [
        (event("raised", "ok", "notice"), 7.6, SOON, "notice", "notice", "share docs is 76 % full (notice)"),
        (
            event("worse", "warning", "critical"), 9.6, SOON, "error", "critical",
            "share docs is 96 % full (critical, was warning)",
        ),
        (
            event("cleared", "critical", "ok"), 1, NEVER, "info", "critical",
            "share docs is 10 % full (ok, was critical)",
        ),
        (
            event("raised", "ok", "ok", "forecast"), 5, SOON, "warning", "warning",
            "share docs fills soon: full in 4 to 7 days (80 %)",
        ),
        (
            event("cleared", "ok", "ok", "forecast"), 5, NEVER, "info", "warning",
            "share docs no longer fills soon: no end in sight",
        ),
    ],
)  # fmt: skip
def test_words_of_an_event(
    share: Share, event: Event, used: float, forecast: Forecast, severity: str, level: str, subject: str
) -> None:
    told = notice(event, share, int(used * GIB), 10 * GIB, forecast)
    assert (told.severity, told.level, told.subject, told.at) == (severity, level, subject, AT)


def test_the_text_says_all_there_is(share: Share) -> None:
    told = notice(event("raised", "ok", "warning"), share, 9 * GIB, 10 * GIB, SOON)
    assert told.text.splitlines()[:6] == [
        "share docs is 90 % full (warning)",
        "",
        "  gateway   files",
        "  used      9 GiB of 10 GiB used",
        "  forecast  full in 4 to 7 days (80 %)",
        time.strftime("  since     %Y-%m-%d %H:%M:%S %z", time.localtime(AT)),
    ]
    assert told.fields["percent"] == 90.0
    assert told.fields["full_in"] == 5 * 86400


def test_a_quota_that_went_is_told(share: Share) -> None:
    told = notice(event("cleared", "critical", "ok"), share, 9 * GIB, None, Forecast("no quota"))
    assert told.subject == "share docs has no quota any more (was critical)"


def test_who_wants_to_know_of_it_wants_to_know_that_it_is_over(share: Share) -> None:
    told = notice(event("cleared", "critical", "ok"), share, GIB, 10 * GIB, NEVER)
    assert [told.wanted(least) for least in ("notice", "warning", "critical")] == [True, True, True]
    told = notice(event("raised", "ok", "notice"), share, 8 * GIB, 10 * GIB, NEVER)
    assert [told.wanted(least) for least in ("notice", "warning", "critical")] == [True, False, False]


def test_several_are_told_as_one_as_bad_as_the_worst() -> None:
    def one(severity: str, subject: str) -> Notice:
        return Notice("notice", severity, "smbgateway-quota", subject, f"{subject}.", AT)  # type: ignore[arg-type]

    assert merged([one("info", "a")]) == one("info", "a")
    whole = merged([one("info", "a"), one("error", "b"), one("notice", "c")])
    assert (whole.severity, whole.subject, whole.text) == ("error", "3 notices: b, ...", "a.\n\nb.\n\nc.")
