"""The quota monitor with real shares: a client fills one, and everybody learns of it; a disk that hangs harms none."""

import contextlib
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from bench.quota import NOON, Month
from lab import mounts
from lab.mounts import until
from lab.silent import silent
from smbgateway import notify
from smbgateway.api.app import make
from smbgateway.api.serve import PeerProtocol, _listen
from smbgateway.host import STUCK
from smbgateway.monitor import Monitor
from smbgateway.quota.published import read_history

from . import world
from .receiving import WebServer, web_server

MI = 1024 * 1024
CLI = [sys.executable, "-m", "smbgateway.cli"]


@dataclass
class Lab:
    """An installation whose monitor makes a round when a test says so, by a clock that the test turns."""

    site: world.Site
    web: WebServer
    now: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        part = self.site.engine.site
        self.courier = notify.make(part.store, part.paths, part.host, part.node)
        self.monitor = Monitor(self.site.engine, self.courier, lambda: self.now, lambda: self.now)

    def tick(self, seconds: float = 60) -> None:
        self.now += seconds
        self.monitor.round()

    def cli(self, words: str, exit_code: int = 0) -> str:
        """What the command prints."""
        environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "LC_ALL": "C.UTF-8"}
        command = [*CLI, "--root", self.site.paths.root, *shlex.split(words)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def lab(area: Path) -> Iterator[Lab]:
    with world.site(area, "quota") as made, web_server() as web:
        way = {"kind": "webhook", "url": web.url.replace("localhost", "127.0.0.1")}
        made.apply({"kind": "receiver", "name": "desk", "way": way}, world.user(), made.gateway())
        lab = Lab(made, web)
        server = uvicorn.Server(
            uvicorn.Config(make(made.engine, lab.monitor), http=PeerProtocol, lifespan="off", log_level="warning")
        )
        listener = _listen(made.paths)
        threads = [threading.Thread(target=server.run, args=([listener],)), threading.Thread(target=lab.courier.run)]
        for thread in threads:
            thread.start()
        try:
            yield lab
        finally:
            server.should_exit = True
            lab.courier.end()
            lab.monitor.history.close()
            for thread in threads:
                thread.join(20)


def test_a_client_fills_a_share_and_everybody_learns_of_it(lab: Lab) -> None:
    lab.site.apply(lab.site.image("docs"))
    lab.tick()
    assert "no shares" not in lab.cli("quota")
    assert lab.monitor.rows["files/docs"]["level"] == "ok"
    assert "putting file" in lab.site.smb("docs", f"put {filled(lab, 266)} big")
    lab.tick()
    lab.tick()
    until(lambda: len(lab.web.asked) == 1, "the receiver is told")
    (told,) = lab.web.asked[0][2]["notices"]
    assert (told["fields"]["kind"], told["fields"]["level"], told["fields"]["share"]) == ("raised", "warning", "docs")
    assert told["subject"] == "share docs is 89 % full (warning)"
    shown = lab.cli("quota")
    assert "files/docs" in shown
    assert "89 %" in shown
    assert "WARNING" in shown
    (row,) = json.loads(lab.cli("quota --json"))["shares"]
    assert 264 * MI <= row["used"] <= 268 * MI
    assert row["limit"] == 300 * MI
    for _ in range(8):
        lab.tick(900)
    (file,) = Path(lab.site.paths.config, "history").glob("*.json")
    assert len(read_history(file.read_text())["files/docs"]) >= 6
    assert json.loads(Path(lab.site.paths.config, "quotas/files/docs.json").read_text())["level"] == "warning"
    assert "\u2588" in lab.cli("quota history docs")
    assert lab.cli("quota history docs --csv").startswith("at,used,limit,low,high\n")
    assert json.loads(lab.cli("quota watch --count 1 --json"))["shares"][0]["level"] == "warning"
    assert len(lab.web.asked) == 1


def test_another_limit_clears_the_level_and_other_thresholds_count(lab: Lab) -> None:
    lab.site.apply(lab.site.image("docs"))
    assert "putting file" in lab.site.smb("docs", f"put {filled(lab, 240)} big")
    for _ in range(3):
        lab.tick()
    assert lab.monitor.rows["files/docs"]["level"] == "notice"
    lab.cli("quota set docs --quota 400M")
    lab.tick()
    assert (lab.monitor.rows["files/docs"]["level"], lab.monitor.rows["files/docs"]["limit"]) == ("ok", 400 * MI)
    lab.cli("quota set docs --notice 30 --warning 50")
    for _ in range(3):
        lab.tick()
    assert "WARNING" in lab.cli("quota show docs")
    assert "quota set wants at least one change" in failed(lab, "quota set docs")


def filled(lab: Lab, mebibytes: int) -> Path:
    """A file of that size."""
    big = Path(lab.site.paths.root) / "big"
    big.write_bytes(os.urandom(MI) * mebibytes)
    return big


def failed(lab: Lab, words: str) -> str:
    """What the command complains of."""
    command = [*CLI, "--root", lab.site.paths.root, *shlex.split(words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 2
    return done.stderr


def test_a_disk_that_hangs_delays_nobody_and_is_told_as_unknown(lab: Lab) -> None:
    """A FUSE that does not answer: its processes cannot be killed."""
    lab.site.apply(lab.site.share("docs"), lab.site.share("stuck"), lab.site.image("safe"))
    lab.tick()
    rows = lab.monitor.rows
    assert [rows[f"files/{name}"]["unknown"] for name in ("docs", "stuck", "safe")] == ["", "", ""]
    before = set(STUCK)
    with silent(lab.site.srv / "stuck") as disk:
        lab.tick()  # those that are asked together with it may be a round late, once
        until(lambda: bool(set(STUCK) - before), "the question hangs")
        for _ in range(4):
            began = time.monotonic()
            lab.tick()
            took = time.monotonic() - began
            rows = lab.monitor.rows
        assert took < 2
        assert rows["files/stuck"]["unknown"] == f"{lab.site.srv}/stuck gives no answer: its disk hangs"
        assert [(rows[f"files/{name}"]["unknown"], rows[f"files/{name}"]["at"]) for name in ("docs", "safe")] == [
            ("", int(lab.now)), ("", int(lab.now)),
        ]  # fmt: skip
        assert len(set(STUCK) - before) == 1, "it is not asked again while the first question hangs"
        assert "since" in lab.cli("quota", exit_code=1)
        disk.end()

    def known() -> bool:
        lab.tick()
        return not lab.monitor.rows["files/stuck"]["unknown"]

    until(known, "it is read again")


@pytest.fixture
def small(area: Path) -> Iterator[Path]:
    """A file system that is soon full."""
    folder = Path(tempfile.mkdtemp(prefix="small-", dir=area))
    mounts.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
    yield folder
    mounts.run("umount", "--lazy", folder)


def test_a_full_disk_is_told_and_levels_are_told_all_the_same(lab: Lab, small: Path) -> None:
    lab.site.apply(lab.site.image("docs"))
    lab.monitor.history.path = str(small / "history.sqlite")
    lab.tick()
    with (small / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))
    assert "putting file" in lab.site.smb("docs", f"put {filled(lab, 266)} big")
    for _ in range(40):
        lab.tick(900)
    assert lab.monitor.troubles == ["the history cannot be kept: database or disk is full"]
    assert "! the history cannot be kept: database or disk is full" in lab.cli("quota")
    (small / "filler").unlink()
    for _ in range(3):
        lab.tick(900)
    assert lab.monitor.troubles == []
    until(lambda: len(told(lab)) == 3, "the receiver is told")
    assert sorted(told(lab)) == [
        "quota monitor: the history can be written again",
        "quota monitor: the history cannot be kept: database or disk is full",
        "share docs is 89 % full (warning)",
    ]


def told(lab: Lab) -> list[str]:
    """What the receiver got so far."""
    return [each["subject"] for _, _, body in lab.web.asked for each in body["notices"]]


def test_killed_at_any_moment_it_goes_on_and_tells_nothing_twice(tmp_path: Path) -> None:
    """The monitor of another process, on shares whose usage goes up and down; it is killed three times."""
    code = f"""
from bench.quota import Month
made = Month({str(tmp_path)!r}, 30)
while True:
    made.time = START + 60 * made.turn
    made.go_on(1)
    made.turn += 1
    print(made.time, flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    now = float(NOON)
    for _ in range(3):
        words = [sys.executable, "-c", code.replace("START", str(now))]
        with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for _ in range(400):
                now = float(process.stdout.readline())
            process.kill()
        levels = {path.stem: json.loads(path.read_text())["level"] for path in tmp_path.rglob("quotas/files/*.json")}
        assert len(levels) == 30
        made = Month(str(tmp_path), 30)
        made.time = now
        made.go_on(60)
        now = made.time
        first = {notice.fields["share"]: notice.fields for notice in reversed(made.told.notices) if notice.fields}
        first = {share: fields for share, fields in first.items() if fields["about"] == "level"}
        assert all(fields["former"] == levels[share] != fields["level"] for share, fields in first.items())
        database = sqlite3.connect(made.history.path)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        made.history.close()
