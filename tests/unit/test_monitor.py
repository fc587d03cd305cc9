"""The monitor as a whole: what it tells, keeps, publishes, and how it bears what goes wrong."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from smbgateway.model import Gateway, Levels, Share
from smbgateway.quota.history import DAY, QUARTER
from smbgateway.quota.levels import Standing
from smbgateway.quota.published import Published, history_text, last_quarter, pack, read_history
from smbgateway.quota.reader import Reader
from smbgateway.sources import Usage
from smbgateway.sources.bulk import Batch, Found

from .monitored import GI, NOON, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with closing(Lab(tmp_path, "docs")) as lab:
        yield lab


def test_a_level_is_told_once_kept_and_taken_back(lab: Lab) -> None:
    assert lab.tick(times=3) == []
    lab.host.used["docs"] = 8 * GI
    assert lab.tick() == []
    assert lab.tick() == ["share docs is 80 % full (notice)"]
    assert lab.tick(times=20) == []
    lab.host.used["docs"] = int(9.6 * GI)
    assert lab.tick(times=20) == ["share docs is 96 % full (critical, was notice)"]
    row = lab.row()
    assert (row["used"], row["limit"], row["percent"], row["level"]) == (int(9.6 * GI), 10 * GI, 96.0, "critical")
    assert (row["available"], row["unknown"], row["at"]) == (10 * GI - int(9.6 * GI), "", int(lab.now))
    lab.host.used["docs"] = GI
    assert lab.tick(times=10) == []
    assert lab.tick(times=10) == ["share docs is 10 % full (ok, was critical)"]
    told = lab.monitor.events(10)
    assert [(event["kind"], event["level"], event["former"]) for event in told] == [
        ("cleared", "ok", "critical"), ("worse", "critical", "notice"), ("raised", "notice", "ok"),
    ]  # fmt: skip


def test_what_was_seen_once_and_went_back_is_forgotten(lab: Lab) -> None:
    lab.host.used["docs"] = 7 * GI
    lab.tick(times=10)
    for _ in range(3):
        lab.host.used["docs"] = 8 * GI
        assert lab.tick() == []
        lab.host.used["docs"] = 7 * GI
        assert lab.tick(times=2) == []


def test_what_moves_within_its_level_is_not_judged_until_it_leaves_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.host.used["docs"] = int(7.4 * GI)
    lab.tick(times=61)  # an outlook has just been made
    judged, judge = [], lab.monitor._judged
    monkeypatch.setattr(lab.monitor, "_judged", lambda *about: judged.append(about) or judge(*about))
    for number in range(5):
        lab.host.used["docs"] = int(7.4 * GI) + number
        assert lab.tick() == []
    assert judged == []
    assert lab.row()["used"] == int(7.4 * GI) + 4
    lab.host.used["docs"] = int(7.56 * GI)  # no news for the outlook
    assert lab.tick(times=2) == ["share docs is 76 % full (notice)"]


def test_after_a_restart_nothing_is_told_again(lab: Lab) -> None:
    lab.host.used["docs"] = 9 * GI
    assert lab.tick(times=3) == ["share docs is 90 % full (warning)"]
    lab.fresh()
    assert lab.tick(times=20) == []
    assert lab.row()["level"] == "warning"
    assert len(lab.monitor.events(10)) == 1


def test_the_limit_and_level_are_published_only_when_they_change(lab: Lab, tmp_path: Path) -> None:
    lab.tick()
    file = Path(f"{lab.engine.site.paths.config}/quotas/files/docs.json")
    number = file.stat().st_ino
    lab.tick(times=30)
    assert file.stat().st_ino == number
    lab.host.used["docs"] = 9 * GI
    lab.tick(times=3)
    assert json.loads(file.read_text())["level"] == "warning"
    lab.engine.site.store.delete(lab.engine.site.world().shares["files/docs"])
    lab.tick(3600)
    assert not file.exists()
    assert lab.monitor.rows == {}


def test_the_history_is_published_twice_an_hour(lab: Lab) -> None:
    written = set()
    for _ in range(120):
        lab.tick()
        written.add(Path(lab.monitor.published.history).stat().st_mtime_ns)
    assert 4 <= len(written) <= 5


def test_a_source_that_cannot_be_read_is_unknown_since_when_and_why(lab: Lab) -> None:
    lab.host.used["docs"] = 5 * GI
    lab.tick()
    seen = int(lab.now)
    lab.host.broken = "cannot open 'tank': pool I/O is currently suspended"
    lab.tick(times=60)
    row = lab.row()
    assert (row["used"], row["at"]) == (5 * GI, seen)
    assert row["unknown"].endswith("cannot open 'tank': pool I/O is currently suspended")
    assert lab.monitor.watched["files/docs"].reading.since == seen + 60
    assert len(lab.monitor.history.buckets("files/docs", "raw", 0, lab.now)) == 1
    lab.host.broken = ""
    lab.tick()
    assert (lab.row()["unknown"], lab.row()["at"]) == ("", int(lab.now))


def test_an_answer_that_comes_after_its_round_counts_in_the_next_one() -> None:
    come = threading.Event()

    def slow() -> Found:
        come.wait(10)
        return {"files/docs": Usage(1, None, 2)}

    reader, batch = Reader(lambda: NOON), Batch("slow", ["files/docs"], slow)
    reader.read([batch], 0)
    assert reader.readings == {}
    come.set()
    for thread in threading.enumerate():
        if thread.name == "read slow":
            thread.join()
    come.clear()
    reader.read([batch], 0)
    come.set()
    assert reader.readings["files/docs"].usage == Usage(1, None, 2)


def test_that_a_share_cannot_be_read_is_told_once_and_when_it_can_again(lab: Lab) -> None:
    lab.tick()
    lab.host.broken = "pool I/O is currently suspended"
    assert lab.tick(times=5) == []
    told = lab.tick(times=20)
    assert [line.partition(": ")[0] for line in told] == ["share docs cannot be read"]
    assert told[0].endswith("pool I/O is currently suspended")
    lab.fresh()
    assert lab.tick(times=20) == []
    lab.host.broken = ""
    assert lab.tick(times=15) == []
    assert lab.tick(times=30) == ["share docs can be read again"]
    cleared, raised = lab.monitor.events(10)
    assert (raised["about"], raised["kind"], cleared["kind"]) == ("unknown", "raised", "cleared")
    assert raised["reason"].endswith("suspended")


def test_a_place_that_fails_now_and_then_is_not_told_of(lab: Lab) -> None:
    for _ in range(10):
        lab.host.broken = "busy"
        assert lab.tick(times=4) == []
        lab.host.broken = ""
        assert lab.tick(times=1) == []


def test_a_share_whose_place_cannot_be_on_this_node_hides_no_other(lab: Lab) -> None:
    source = {"kind": "storage", "storage": "local"}
    lab.put(Share.model_validate({"name": "far", "gateway": "files", "source": source, "quota": GI}))
    lab.tick()
    assert lab.row("far")["unknown"] == "storages are those of Proxmox VE, which is not here"
    assert lab.row()["unknown"] == ""


def test_three_days_give_exactly_a_hundred_points_no_missed_level_and_a_forecast(lab: Lab) -> None:
    lab.share("calm")
    told = []
    for minute in range(0, 3 * 1440, 10):
        lab.host.used["docs"] = int(10 * GI * 0.9 * minute / (3 * 1440))
        told += lab.tick(600)
    assert [line for line in told if "fills" not in line] == [
        "share docs is 75 % full (notice)", "share docs is 85 % full (warning, was notice)",
    ]  # fmt: skip
    (soon,) = [line for line in told if "fills" in line]
    assert soon.startswith("share docs fills soon: full in ")
    (file,) = Path(f"{lab.engine.site.paths.config}/history").glob("*.json")
    assert {key: len(points) for key, points in read_history(file.read_text()).items()} == {
        "files/docs": 100, "files/calm": 100,
    }  # fmt: skip
    row = lab.row()
    assert row["change_24h"] == pytest.approx(3 * GI, rel=0.02)
    assert row["rate"] == pytest.approx(3 * GI, rel=0.02)
    assert row["full_earliest"] < row["full_in"] < row["full_latest"]
    assert row["full_in"] == pytest.approx(1 / 3, rel=0.1)
    assert lab.row("calm")["forecast"] == "no end in sight"


def test_a_clock_that_jumps_removes_nothing_and_tells_nothing_twice(lab: Lab) -> None:
    lab.host.used["docs"] = 8 * GI
    assert lab.tick(times=40) == ["share docs is 80 % full (notice)"]
    lab.now += 400 * DAY
    (said,) = lab.tick()
    assert said == f"quota monitor: the clock went on by {400 * DAY} s: nothing old is removed for a day"
    lab.now -= 400 * DAY
    assert len(lab.tick(times=70)) == 1
    assert lab.row()["level"] == "notice"
    assert len(lab.monitor.history.buckets("files/docs", "raw", NOON, lab.now)) == 110


def test_a_broken_history_is_set_aside_told_and_begun_anew_with_what_was_published(lab: Lab) -> None:
    lab.host.used["docs"] = 3 * GI
    lab.tick(900, times=20)
    file = Path(lab.engine.site.paths.history)
    lab.monitor.history.close()
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    file.write_bytes(b"nonsense" * 1000)
    told = lab.tick(900, times=2)
    assert [line for line in told if "broken" in line] == [
        f"quota monitor: the history was broken (file is not a database): it is kept as {file}.broken, "
        "and a new one is begun"
    ]
    assert len(lab.monitor.history.buckets("files/docs", "quarter", 0, lab.now)) > 10


def test_a_history_that_cannot_be_written_is_told_once_and_the_levels_go_on(lab: Lab, tmp_path: Path) -> None:
    lab.tick()
    state = Path(lab.engine.site.paths.history).parent
    lab.monitor.history.close()
    lab.monitor.history.path = str(state / "gone" / "history.sqlite")
    (state / "gone").write_text("in the way")
    lab.host.used["docs"] = 9 * GI
    told = lab.tick(times=4)
    assert told[1:] == ["share docs is 90 % full (warning)"] or told[:1] == ["share docs is 90 % full (warning)"]
    assert sum("the history cannot be kept" in line for line in told) == 1
    assert lab.monitor.troubles == ["the history cannot be kept: File exists"]
    (state / "gone").unlink()
    assert lab.tick(times=20) == ["quota monitor: the history can be written again"]
    assert lab.monitor.troubles == []


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Lab]:
    """What the second member of a cluster sees."""
    lab = Lab(tmp_path, "docs", node="two")
    gateway = lab.engine.site.world().gateways["files"].model_dump()
    members = [{"node": "one", "address": "10.0.0.1"}, {"node": "two", "address": "10.0.0.2"}]
    cluster = {
        "members": members,
        "addresses": [{"address": "10.0.0.9/24", "interface": "eth0"}],
        "lock": "file:/srv/l",
    }
    lab.put(Gateway.model_validate({**gateway, "cluster": cluster}))
    lab.host.used["docs"] = 9 * GI
    with closing(lab):
        yield lab


def test_the_second_member_of_a_cluster_tells_only_where_the_first_has_not(second: Lab) -> None:
    assert second.tick(times=3) == []
    assert second.tick(times=2) == ["share docs is 90 % full (warning)"]


def test_the_second_member_of_a_cluster_says_nothing_of_what_the_first_has_told(second: Lab) -> None:
    second.tick(times=2)
    first = Published(second.engine.site.paths.config, "one")
    first.keep("files/docs", Standing("warning", second.now, 10 * GI), Levels())
    assert second.tick(times=30) == []
    assert second.row()["level"] == "warning"


def published_by(lab: Lab, node: str, used: int, limit: int | None) -> None:
    """The file of another node that watches `far/docs`."""
    at = last_quarter(lab.now)
    folder = Path(f"{lab.engine.site.paths.config}/history")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{node}.json").write_text(history_text({"far/docs": pack([(at, used, limit)], at)}, at))


@pytest.fixture
def near(lab: Lab) -> Lab:
    """A node that has `files`, beside `two`, which has `far`."""
    lab.put(Gateway(name="far", mode={"kind": "native", "node": "two"}))
    source = {"kind": "zfs", "dataset": "tank/far"}
    lab.put(Share.model_validate({"name": "docs", "gateway": "far", "source": source, "quota": 10 * GI}))
    return lab


def test_shares_of_other_nodes_are_listed_as_those_publish_them(near: Lab) -> None:
    published_by(near, "two", 9 * GI, 10 * GI)
    Published(near.engine.site.paths.config, "two").keep("far/docs", Standing("warning", NOON, 10 * GI), Levels())
    near.tick()
    api = near.api()
    own, other = api.get("/v1/quota")[1]["shares"]
    assert (own["key"], own["node"], other["key"], other["node"]) == ("files/docs", "one", "far/docs", "two")
    assert (other["percent"], other["level"], other["since"]) == (90.0, "warning", NOON)
    assert other["at"] == int(near.now) // QUARTER * QUARTER
    assert (other["unknown"], other["forecast"]) == ("", "")


def test_all_about_a_share_of_another_node_is_what_that_published(near: Lab) -> None:
    api, show = near.api(), "/v1/quota/show?share=far/docs"
    status, body = api.get(show)
    assert (status, body["node"], body["used"], body["limit"]) == (200, "two", None, 10 * GI)
    assert api.get("/v1/quota/history?share=far/docs") == (200, {"interval": QUARTER, "points": []})
    published_by(near, "two", 9 * GI, 10 * GI)
    near.tick()
    body = api.get(show)[1]
    assert (body["node"], body["percent"], body["level"]) == ("two", 90.0, "ok")
    assert (body["trends"], body["users"]) == ({"day": None, "week": None, "month": None}, [])
    point = {"at": last_quarter(near.now), "used": 9 * GI, "limit": 10 * GI, "low": 9 * GI, "high": 9 * GI}
    for span in ("day", "year"):
        assert api.get(f"/v1/quota/history?share=far/docs&span={span}")[1] == {"interval": QUARTER, "points": [point]}
    assert api.get("/v1/quota/users?share=far/docs")[0] == 409, "these it does not publish"


def test_a_node_that_publishes_no_more_leaves_its_shares_unknown(near: Lab) -> None:
    published_by(near, "two", 9 * GI, None)
    near.tick()
    near.tick(3 * 3600)
    assert near.monitor.others["far/docs"]["unknown"] == "node two has published nothing since"
    assert near.told.subjects() == []


def test_a_file_of_another_node_that_is_not_one_hides_nothing(near: Lab) -> None:
    published_by(near, "two", 9 * GI, None)
    near.tick()
    (Path(f"{near.engine.site.paths.config}/history") / "three.json").write_bytes(b"\xff{")
    near.tick()
    assert list(near.monitor.others) == ["far/docs"]


def test_what_follows_is_sent_shares_that_changed(lab: Lab) -> None:
    lab.share("calm")
    lab.tick(times=2)
    before = dict(lab.monitor.changed)
    lab.host.used["docs"] = GI
    lab.tick()
    after = lab.monitor.changed
    assert (after["files/docs"], after["files/calm"]) == (lab.monitor.turn, before["files/calm"])


def test_what_prometheus_is_told(lab: Lab, tmp_path: Path) -> None:
    lab.host.used["docs"] = 8 * GI
    lab.monitor.textfile = str(tmp_path / "smbgateway.prom")
    lab.tick(times=40)
    answer = lab.api().client.get("/v1/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = answer.text.splitlines()
    assert 'smbgateway_quota_used_bytes{gateway="files",share="docs"} 8589934592' in lines
    assert 'smbgateway_quota_percent{gateway="files",share="docs"} 80' in lines
    assert 'smbgateway_quota_level{gateway="files",share="docs"} 1' in lines
    assert "# TYPE smbgateway_quota_level gauge" in lines
    assert lines == (tmp_path / "smbgateway.prom").read_text().splitlines()
    lab.host.broken = "the pool is gone"
    lab.tick()
    text = lab.monitor.metrics()
    assert 'smbgateway_quota_known{gateway="files",share="docs"} 0\n' in text
    assert "quota_used_bytes" not in text


def test_the_routes(lab: Lab) -> None:
    lab.host.used["docs"] = 8 * GI
    lab.tick(times=40)
    api = lab.api()
    status, body = api.get("/v1/quota")
    assert (status, body["troubles"]) == (200, [])
    assert body["shares"] == [lab.row()]
    status, shown = api.get("/v1/quota/show?share=docs")
    assert status == 200
    assert shown["levels"] == {"notice": 75.0, "warning": 85.0, "critical": 95.0, "fills_within": 7.0}
    assert (shown["trends"]["week"], shown["users"]) == (None, [])
    assert shown["trends"]["day"]["points"] == 3
    status, history = api.get("/v1/quota/history?share=files/docs&span=week")
    assert (status, history["interval"]) == (200, 900)
    assert [point["used"] for point in history["points"]] == [8 * GI] * 2
    assert api.get("/v1/quota/history?share=docs&span=hour")[0] == 422
    assert api.get("/v1/quota/users?share=docs") == (200, {"users": []})
    assert [event["subject"] for event in api.get("/v1/quota/events")[1]["events"]] == [
        "share docs is 80 % full (notice)"
    ]
    status, error = api.get("/v1/quota/show?share=nothing")
    assert (status, error["what"]) == (404, "there is no share nothing")
