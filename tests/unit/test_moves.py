"""Guests that move between nodes, and high availability that moves them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.proxmox import STORAGE, StandIn
from smbgateway.checks import check
from smbgateway.engine import Engine
from smbgateway.errors import CommandFailed
from smbgateway.model import Gateway, parse
from smbgateway.moves import Moves
from smbgateway.proxmox.client import Proxmox
from smbgateway.proxmox.ha import HighAvailability
from smbgateway.step import Ledger
from smbgateway.watch import Watch
from smbgateway.world import World

from .machine import ProxmoxMachine, new_engine
from .test_proxmox_lxc import converge, mode

CONF = "hostname: files\ntags: db;smbgateway\nmemory: 128\n\n[snapshot]\nhostname: other\n"


class Reading(ProxmoxMachine):
    """A node whose files are there."""

    def read(self, path: str) -> str | None:
        return Path(path).read_text() if Path(path).is_file() else ""


@pytest.fixture
def engine(tmp_path: Path, api: Proxmox) -> Engine:
    made = new_engine(str(tmp_path))
    vars(made.site).update(host=Reading(), proxmox=api)
    (record,) = parse([ITEM])
    made.site.store.save(record.sealed("ready"))
    return made


@dataclass
class Mapped(Reading):
    """A node with an RBD image, mounted; at first something has it open."""

    point: str = ""
    busy: bool = True

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        super().run(*argv, stdin=stdin, timeout=timeout)
        if "showmapped" in argv:
            row = {"pool": "rbd", "namespace": "", "name": "docs", "snap": "-", "device": "/dev/rbd0"}
            return json.dumps([row])
        if "unmap" in argv and self.busy:
            raise CommandFailed(argv, 16, "Device or resource busy")
        return ""

    def read(self, path: str) -> str | None:
        mounted = f"1 1 0:7 / {self.point} rw - xfs /dev/rbd0 rw\n"
        return mounted if path == "/proc/self/mountinfo" else super().read(path)


LXC: dict[str, Any] = {
    "kind": "lxc", "node": "two", "bridge": "vmbr0", "address": "10.0.0.5/24", "vmid": 105, "storage": STORAGE,
}  # fmt: skip
ITEM: dict[str, Any] = {"kind": "gateway", "name": "files", "mode": LXC}


def guest(folder: Path, node: str, text: str = CONF) -> Path:
    path = folder / node / "lxc/105.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_whose_guest_has_come_adopts_the_gateway(engine: Engine, tmp_path: Path) -> None:
    moves, store = Moves(engine, str(tmp_path / "nodes")), engine.site.store
    there = guest(tmp_path / "nodes", "two")
    assert moves.look(engine.site.world()) == []
    there.unlink()
    guest(tmp_path / "nodes", "one")
    assert moves.look(engine.site.world()) == ["gateway files: its guest has come from two: this node serves it now"]
    record = store.all(Gateway)["files"]
    assert (record.mode.node, record.state) == ("one", "ready")
    assert engine.converged == {}  # the watch brings it up as any record that changed
    assert moves.look(engine.site.world()) == []


def test_a_virtual_machine_is_followed_in_the_same_way(engine: Engine, tmp_path: Path) -> None:
    machine = {"kind": "vm", "node": "two", "bridge": "vmbr0", "address": "10.0.0.6/24", "vmid": 106}
    (record,) = parse([{"kind": "gateway", "name": "box", "mode": machine}])
    engine.site.store.save(record.sealed("ready"))
    place = tmp_path / "nodes/one/qemu-server"
    place.mkdir(parents=True)
    (place / "106.conf").write_text("agent: enabled=1\nname: box\ntags: smbgateway\n")
    said = Moves(engine, str(tmp_path / "nodes")).look(engine.site.world())
    assert said == ["gateway box: its guest has come from two: this node serves it now"]
    assert engine.site.world().gateways["box"].mode.node == "one"


@pytest.mark.parametrize("text", [CONF.replace("db;smbgateway", "db"), CONF.replace("files", "other"), ""])
def test_a_guest_that_is_not_ours_is_nobodys(engine: Engine, tmp_path: Path, text: str) -> None:
    guest(tmp_path / "nodes", "one", text)
    assert Moves(engine, str(tmp_path / "nodes")).look(engine.site.world()) == []
    assert engine.site.world().gateways["files"].mode.node == "two"


def test_whose_guest_has_left_lets_the_gateway_go(engine: Engine, tmp_path: Path) -> None:
    (record,) = parse([{**ITEM, "mode": {**LXC, "node": "one"}}])
    engine.site.store.save(record.sealed("ready"))
    engine.converged = {key: digest for key, digest in engine.digests(engine.site.world()).items() if digest}
    guest(tmp_path / "nodes", "two")
    watch = Watch(engine)
    watch.moves = Moves(engine, str(tmp_path / "nodes"))
    (tmp_path / "run/pve-smbgateway").mkdir(parents=True)
    watch.look()
    assert (watch.moves.away, engine.events) == ({"files"}, {})  # and is not made anew here
    assert watch.moves.look(engine.site.world()) == []
    (record,) = parse([ITEM])
    engine.site.store.save(record.sealed("ready"))
    watch.moves.look(engine.site.world())
    assert watch.moves.away == set()


def test_an_image_is_unmapped_where_its_guest_has_left(engine: Engine, tmp_path: Path) -> None:
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": {"kind": "rbd", "image": "rbd/docs"}}
    for record in parse([{**ITEM, "mode": {**LXC, "node": "one"}}, {**share, "quota": "1G"}]):
        engine.site.store.save(record.sealed("ready"))
    point = f"{engine.site.paths.mounts}/files/docs"
    Path(point).mkdir(parents=True)
    host = vars(engine.site)["host"] = Mapped(point=point)
    guest(tmp_path / "nodes", "two")
    moves = Moves(engine, str(tmp_path / "nodes"))
    assert moves.look(engine.site.world()) == [
        "gateway files: its guest is on two now: left to that node",
        "share files/docs: its guest is elsewhere, and this node cannot let go: "
        "rbd unmap --options noudev /dev/rbd0: Device or resource busy",
    ]
    host.busy = False
    assert moves.look(engine.site.world()) == []
    given_back = [words[-4:] for words in host.done if words[0] == "umount" or "unmap" in words][-2:]
    assert given_back == [("umount", "--lazy", "--", point), ("unmap", "--options", "noudev", "/dev/rbd0")]
    before = len(host.done)
    assert (moves.look(engine.site.world()), host.done[before:]) == ([], [])  # once is enough


def test_high_availability_goes_with_the_running_machine(api: Proxmox, node: StandIn) -> None:
    node.releases = (9,)  # 8 has groups where 9 has rules
    wanted = mode(api, ha=True, ha_nodes=("two", "one")).steps()
    assert converge(*wanted)[-2:] == ["created high availability of ct:105", "created nodes of ct:105"]
    assert node.managed == {"ct:105": {"state": "started", "comment": "a gateway of pve-smbgateway"}}
    rule = {"type": "node-affinity", "resources": "ct:105", "nodes": "one,two", "strict": "1"}
    assert node.rules == {"smbgateway-ct-105": rule}
    assert converge(*wanted) == []
    node.managed["ct:105"]["state"] = "stopped"
    assert converge(*wanted) == ["changed high availability of ct:105"]
    Ledger().remove(mode(api, ha=True, ha_nodes=("two", "one")).running())
    assert (node.managed, node.rules, node.guests[105].runs) == ({}, {}, False)


def test_where_high_availability_would_lose_something_it_is_refused(api: Proxmox, node: StandIn) -> None:
    told = [
        f"{fault.field}: {fault.message}"
        for fault in HighAvailability(api, "ct:105", ["three"]).look(STORAGE, "rootdir")
    ]
    assert told == [
        "mode.ha_nodes: there is no node three",
        "mode.ha: there is no other node",
        f"mode.ha: its system is on storage {STORAGE}, which only this node has",
    ]


@pytest.mark.parametrize(
    ("source", "refused"),
    [
        ({"kind": "directory", "path": "/srv/docs"}, True),
        ({"kind": "directory", "path": "/srv/docs", "shared": True}, False),
        ({"kind": "image", "path": "/srv/docs.img"}, True),
        ({"kind": "zfs", "dataset": "tank/docs"}, True),
        ({"kind": "cephfs", "subvolume": "cephfs/docs"}, False),
    ],
)
def test_data_of_one_node_and_high_availability_exclude_each_other(source: dict[str, Any], refused: bool) -> None:
    share, gateway = parse(
        [{"kind": "share", "name": "docs", "gateway": "files", "source": source}, {**ITEM, "mode": {**LXC, "ha": True}}]
    )
    staged = World({}, {}, {}, {}).staged([gateway, share.sealed("ready")])
    faults = check(staged, World({}, {}, {}, {}), [share, gateway])
    fields = [fault.field for fault in faults]
    assert ("share.docs.source" in fields, "gateway.files.mode.ha" in fields) == (refused, refused)
