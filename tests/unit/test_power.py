"""Gateways that are stopped, started, and found dead: what is refused, what is noted, what is told."""

import os
from pathlib import Path
from typing import Any

import pytest

from smbgateway.engine import Engine
from smbgateway.errors import Conflict, Invalid
from smbgateway.host import ending
from smbgateway.model import parse
from smbgateway.modes.native import Native
from smbgateway.watch import Watch

from .fakes import Call, FakeHost
from .machine import new_engine
from .test_advice import told as advised

GATEWAY: dict[str, Any] = {"kind": "gateway", "name": "files", "mode": {"kind": "native", "node": "one"}}
SHARE: dict[str, Any] = {
    "kind": "share", "name": "docs", "gateway": "files", "source": {"kind": "directory", "path": "/srv/docs"},
}  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = new_engine(str(tmp_path))
    os.makedirs(made.site.paths.run)
    save(made, GATEWAY, SHARE)
    return made


def save(engine: Engine, *items: dict[str, Any]) -> None:
    for record in parse(items):
        engine.site.store.save(record.sealed("ready"))


def test_a_stopped_gateway_has_one_step_and_no_drift(engine: Engine) -> None:
    save(engine, {**GATEWAY, "enabled": False})
    world = engine.site.world()
    assert engine.drift(world.gateways["files"], []) == []
    steps = engine.site.blueprint(world).everything(world.gateways["files"], [])
    assert [(step.name, step.read()) for step in steps] == [("gateway files stopped", "stopped")]


def test_what_a_stopped_gateway_refuses(engine: Engine) -> None:
    save(engine, {**GATEWAY, "enabled": False})
    with pytest.raises(Invalid) as raised:
        engine.remove([("share", "docs")])
    (fault,) = raised.value.faults
    told = (fault.field, fault.message, fault.hint)
    assert told == ("share.docs", "its gateway files is stopped", "start it first: gateway start files")
    with pytest.raises(Conflict) as refused:
        engine.restart("files")
    assert (refused.value.what, refused.value.hint) == ("gateway files is stopped", "gateway start files")


def test_a_share_on_a_stopped_gateway_is_told_to_wait() -> None:
    gateway, share = parse([{**GATEWAY, "enabled": False}, {**SHARE, "guest": "read"}])
    assert advised(share, rest=(gateway,))[-1] == (
        "share docs: it is served once its gateway is started: gateway start files"
    )


def test_the_dead_is_started_again_and_noted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    brought: list[str] = []
    monkeypatch.setattr(engine, "bring_up", lambda name: brought.append(name) or [])
    engine.converged = {key: digest for key, digest in engine.digests(engine.site.world()).items() if digest}
    watch = Watch(engine)
    watch.look()
    assert brought == ["files"]
    assert [text for _, text in engine.events["files"]] == ["it has ended, or was stopped from outside: started again"]
    save(engine, {**GATEWAY, "enabled": False})
    brought.clear()
    Watch(engine).look()
    assert (brought, len(engine.events["files"])) == (["files"], 1)  # adopted once, as it is changed; not started


def test_while_the_node_goes_down_nothing_is_started(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smbgateway.watch.ending", lambda host: True)
    engine.converged = {key: digest for key, digest in engine.digests(engine.site.world()).items() if digest}
    Watch(engine).look()
    assert engine.events == {}
    assert ending(FakeHost([Call(("systemctl", "is-system-running"), "stopping\n", 1)]))
    assert not ending(FakeHost([Call(("systemctl", "is-system-running"), "degraded\n", 1)]))


def test_killed_processes_are_told_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([2, 2, 3, 0, 2])
    monkeypatch.setattr(Native, "killed", lambda self: next(counts))
    watch, world = Watch(engine), engine.site.world()
    for _ in range(5):
        watch._count_killed(world)
    assert [text for _, text in engine.events["files"]] == [
        "1 of its processes was killed for want of memory: gateway update --memory gives it more",
        "2 of its processes were killed for want of memory: gateway update --memory gives it more",
    ]
