"""What a member of a cluster is asked and told: its state, its addresses, and the Samba that the others have."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from smbgateway.allocate import allocate
from smbgateway.cluster import ctdbd, versions
from smbgateway.cluster.member import LISTENS, ClusterMember
from smbgateway.cluster.operations import Operations
from smbgateway.cluster.quorum import View
from smbgateway.engine import Engine
from smbgateway.errors import Conflict, Failed, NotFound, Unavailable
from smbgateway.model import Gateway, parse
from smbgateway.paths import Paths
from smbgateway.samba.instance import Instance
from smbgateway.samba.launch import Spawn
from smbgateway.store import MemoryStore
from smbgateway.watch import Watch
from smbgateway.world import World

from .fakes import Call, FakeHost
from .machine import new_engine
from .test_cluster import NODE, PUBLIC, Played, gateway


class Room:
    """Where a member runs that is native."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.asks = instance, ctdbd.Here(instance.own)

    def lock_file(self, path: str) -> str:
        return path


class Asked(FakeHost):
    """A node on which ctdb answers, wherever it is entered."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        self.done.append(argv)
        return {"all": "|Public IP|Node|\n|10.1.0.100|0|\n|10.1.0.101|-1|\n"}[argv[-1]]


def operations(own: Path) -> tuple[Operations, Asked]:
    Played(own)
    addresses = [*PUBLIC, {"address": "10.1.0.101/24", "interface": "vmbr0"}]
    (record,) = allocate(parse([gateway(addresses=addresses)]), World.of(MemoryStore()), NODE)
    assert isinstance(record, Gateway)
    running = {
        f"{own}/run/supervisor.pid": "7",
        "/proc/7/cmdline": f"python\0{own}\0",
        f"{own}/run/health": "9 no smbd\n",
    }
    host = Asked(files=running)
    instance = Instance(host, record, str(own), Spawn(host))
    return Operations(ClusterMember(Room(instance), "n3", contextlib.nullcontext, Paths(str(own)), host)), host


def test_the_status_of_a_cluster(tmp_path: Path) -> None:
    shown = operations(tmp_path)[0].status()
    assert [(row["node"], row["state"], row["leader"], row["addresses"], row["why"]) for row in shown["members"]] == [
        ("n1", "healthy", True, ["10.1.0.100"], ""),
        ("n2", "unreachable", False, [], ""),
        ("n3", "unhealthy", False, [], "no smbd"),
    ]
    assert shown["addresses"] == [{"address": "10.1.0.100", "node": "n1"}, {"address": "10.1.0.101", "node": ""}]


def test_the_status_tells_why_a_member_waits(tmp_path: Path) -> None:
    asked, host = operations(tmp_path)
    told = zip(("n1", "n2", "n3"), ("4.17.12", "4.22.1", "4.17.12"), strict=True)
    host.files |= {f"{Paths(str(tmp_path)).versions('files')}/{node}": version for node, version in told}
    rows = [(row["node"], row["version"], row["why"]) for row in asked.status()["members"]]
    why = "Samba 4.22.1 does not go with that of most members"
    assert rows == [("n1", "4.17.12", ""), ("n2", "4.22.1", why), ("n3", "4.17.12", "no smbd")]


def test_a_member_that_does_not_run_cannot_ask_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, _ = operations(tmp_path)
    monkeypatch.setattr(asked.member, "view", lambda within=0.0: None)
    with pytest.raises(Unavailable, match="member n3 does not run, so it cannot ask the others") as raised:
        asked.drain("n1", True)
    assert raised.value.hint == "ask the engine of another node; gateway status says why"


def test_the_last_healthy_member_is_not_drained(tmp_path: Path) -> None:
    asked, host = operations(tmp_path)
    with pytest.raises(Conflict, match="node n1 is not drained: no other member is healthy"):
        asked.drain("n1", True)
    with pytest.raises(Conflict, match=r"10.1.0.100 is not moved: node n2 is unreachable"):
        asked.move("10.1.0.100", "n2")
    with pytest.raises(NotFound, match="node n9 is no member of gateway files"):
        asked.drain("n9", False)
    assert not any("disable" in words or "moveip" in words for words in host.done)


def test_versions_of_samba_that_do_not_mix() -> None:
    """CTDB ends the member that came last: one with another version than most waits."""
    versions.check({"n1": "4.17.12", "n2": "4.17.9", "n3": "4.22.1"}, "n1")
    versions.check({"n1": "4.17.12"}, "n1")
    versions.check({"n1": "4.22.1", "n2": "4.22.1", "n3": "4.17.12"}, "n2")
    with pytest.raises(Failed) as caught:
        versions.check({"n1": "4.22.1", "n2": "4.17.12", "n3": "4.17.12"}, "n1")
    assert str(caught.value) == (
        "member n1 waits: Samba 4.22.1 does not go with that of most members: "
        "n2 has 4.17.12, n3 has 4.17.12, and CTDB ends the member that came last\n"
        "  upgrade the others, or this one; it starts when most have its version"
    )
    with pytest.raises(Failed, match=r"n2 has 4\.17\.12"):
        versions.check({"n1": "4.22.1", "n2": "4.17.12"}, "n1")


def test_who_runs_ends_where_most_have_another_version() -> None:
    """Half of them are not most: who serves goes on, and who comes waits."""
    assert versions.outvoted({"n1": "4.22.1", "n2": "4.22.1", "n3": "4.17.12"}, "n3")
    assert not versions.outvoted({"n1": "4.22.1", "n2": "4.22.1", "n3": "4.17.12"}, "n1")
    assert not versions.outvoted({"n1": "4.22.1", "n2": "4.17.12"}, "n2")
    assert not versions.outvoted({"n1": "4.22.1", "n2": "4.22.1"}, "n3"), "it has not told its own"


def test_a_member_does_not_start_among_others_of_another_version() -> None:
    paths = Paths("/x")
    asked = [Call(("smbd", "--version"), "Version 4.22.1-Debian\n"), Call(("ctdbd", "--usage"))]
    folder = paths.versions("files")
    host = FakeHost([*asked, Call(("mkdir", "-p", "--", folder))])
    host.files |= {f"{folder}/{node}": "4.17.12\n" for node in ("n2", "n3")}
    (record,) = allocate(parse([gateway()]), World.of(MemoryStore()), NODE)
    assert isinstance(record, Gateway)
    room = Room(Instance(host, record, "/own", Spawn(host)))
    member = ClusterMember(room, "n1", contextlib.nullcontext, paths, host)
    steps = {step.name: step for step in member.steps()}
    steps["version of member n1"].write("told")
    assert host.files[f"{folder}/n1"] == "4.22.1\n"
    with pytest.raises(Failed, match=r"member n1 waits: Samba 4\.22\.1"):
        steps["member n1 of gateway files"].write("running")
    assert not any("setsid" in words or "unshare" in words for words in host.done)


def test_what_a_member_tells_is_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where packages were upgraded below it, until it starts anew."""
    paths, host = Paths("/x"), FakeHost([Call(("smbd", "--version"), "Version 4.22.1-Debian\n")])
    host.files[f"{paths.versions('files')}/n1"] = "4.17.12\n"
    (record,) = allocate(parse([gateway()]), World.of(MemoryStore()), NODE)
    assert isinstance(record, Gateway)
    instance = Instance(host, record, "/own", Spawn(host))
    member = ClusterMember(Room(instance), "n1", contextlib.nullcontext, paths, host)
    version = {step.name: step for step in member.steps()}["version of member n1"]
    monkeypatch.setattr(instance, "pid", lambda: 7)
    assert version.read() == "told"
    monkeypatch.setattr(instance, "pid", lambda: None)
    assert version.read() == "4.17.12"


def test_a_member_starts_when_those_of_the_former_version_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    paths, asked = Paths("/x"), ("python3", "-I", "-c", LISTENS, "10.1.1.3")
    host = FakeHost([Call(("ctdbd", "--usage")), Call(asked), Call(asked, "", 1)])
    told = {"n1": "4.22.1", "n2": "4.22.1", "n3": "4.17.12"}
    host.files |= {f"{paths.versions('files')}/{node}": version for node, version in told.items()}
    (record,) = allocate(parse([gateway()]), World.of(MemoryStore()), NODE)
    assert isinstance(record, Gateway)
    instance, started = Instance(host, record, "/own", Spawn(host), python="python3"), list[str]()
    monkeypatch.setattr(instance.launcher, "start", lambda name, own: started.append(name))
    member = ClusterMember(Room(instance), "n1", contextlib.nullcontext, paths, host)
    monkeypatch.setattr(member, "view", lambda within=0.0: View(0, {0: frozenset()}, False))
    {step.name: step for step in member.steps()}["member n1 of gateway files"].write("running")
    assert started == ["files"]
    assert host.done.count(asked) == 2


@dataclass
class Beside:
    """The engine of a member, what the members have told, and the gateways that are brought up."""

    engine: Engine
    told: dict[str, str]
    brought: list[str]


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    made = Beside(new_engine(str(tmp_path)), {"one": "4.22.1", "two": "4.17.12", "three": "4.17.12"}, [])
    members = [{"node": node, "address": f"10.1.1.{number}"} for number, node in enumerate(made.told, 1)]
    (record,) = parse([gateway(members=members)])
    made.engine.site.store.save(record.sealed("ready"))
    digests = made.engine.digests(made.engine.site.world())
    made.engine.converged = {key: digest for key, digest in digests.items() if digest}
    monkeypatch.setattr(made.engine, "bring_up", lambda name: made.brought.append(name) or [])
    monkeypatch.setattr(ClusterMember, "told", lambda self: dict(made.told))
    return made


def test_a_member_that_waits_starts_as_soon_as_another_tells_its_version(beside: Beside) -> None:
    beside.engine.failing["files"] = (float("inf"), 10.0)
    watch = Watch(beside.engine)
    for _ in range(2):
        watch.look()
    assert beside.brought == []
    beside.told["two"] = "4.22.1"
    watch.look()
    assert beside.brought == ["files"]


def test_a_member_that_runs_ends_as_soon_as_most_tell_another_version(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any question to its databases, which would hang."""
    ended: list[str] = []
    monkeypatch.setattr(Instance, "pid", lambda self: None if ended else 7)
    monkeypatch.setattr(Instance, "stop", lambda self: ended.append(self.gateway.name))
    beside.told |= {"one": "4.17.12", "two": "4.22.1"}
    watch, engine = Watch(beside.engine), beside.engine
    watch.look()
    assert beside.brought == []
    beside.told["three"] = "4.22.1"
    watch.look()
    assert beside.brought == ["files"]
    why = "most members have another version of Samba now: this one waits"
    assert [text for _, text in engine.events["files"]] == [why]
    world = engine.site.world()
    (said,) = engine.recovery.bring_up(world.gateways["files"], world)
    assert ended == ["files"]
    assert "member one waits: Samba 4.17.12 does not go with that of most members" in said
