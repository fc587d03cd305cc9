"""Members of clusters in containers: their configuration, what their fence sees of the node, how ctdbd is asked."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from smbgateway.cluster import ctdbd, fence
from smbgateway.cluster.quorum import View
from smbgateway.guests.cgroup import UNIFIED
from smbgateway.model import Gateway
from smbgateway.modes import make
from smbgateway.modes.lxc_member import MARK, LxcMember, forsaken
from smbgateway.paths import Paths

from .fakes import Call, FakeHost

RECORD = {
    "name": "files",
    "mode": {"kind": "lxc", "bridge": "vmbr0", "memory": "256M", "router": "10.1.0.1"},
    "cluster": {
        "members": [{"node": f"n{number}", "address": f"10.1.1.{number}"} for number in (1, 2)],
        "addresses": [{"address": "10.1.0.100/24", "interface": "eth0"}],
        "lock": "file:/shared/locks/files",
        "bridge": "vmbr1",
        "length": 28,
    },
}


def member(host: FakeHost, root: str, node: str = "n2") -> LxcMember:
    made = make(host, Paths(root), Gateway(**RECORD), node=node)  # type: ignore[arg-type]
    assert isinstance(made, LxcMember)
    return made


def configured(root: str, node: str) -> str:
    host = FakeHost(files={UNIFIED: "memory"})
    folder = Path(root) / "var/lib/pve-smbgateway/templates/trixie-1/root"
    folder.mkdir(parents=True, exist_ok=True)
    (step,) = (s for s in member(host, root, node).steps() if s.name.startswith("configuration"))
    return step.want


def test_a_member_has_two_networks_and_sees_the_devices_of_the_node(tmp_path: Path) -> None:
    texts = [configured(str(tmp_path), node) for node in ("n1", "n2")]
    lines = texts[1].splitlines()
    assert texts[1].startswith(MARK)
    assert [line for line in lines if line.startswith("lxc.net") and "hwaddr" not in line] == [
        "lxc.net.0.type = veth", "lxc.net.0.name = eth0", "lxc.net.0.link = vmbr0", "lxc.net.0.flags = up",
        "lxc.net.1.type = veth", "lxc.net.1.name = eth1", "lxc.net.1.link = vmbr1", "lxc.net.1.flags = up",
        "lxc.net.1.ipv4.address = 10.1.1.2/28",
    ]  # fmt: skip
    assert "lxc.mount.entry = /sys/devices run/smbgateway/devices none bind,ro,create=dir 0 0" in lines
    macs = [line for text in texts for line in text.splitlines() if "hwaddr" in line]
    assert len({line.rpartition(" ")[2] for line in macs}) == 4, "each interface of each member has its own"
    assert configured(str(tmp_path), "n2") == texts[1]


def test_it_keeps_its_template_until_it_is_renewed(tmp_path: Path) -> None:
    (tmp_path / "var/lib/pve-smbgateway/templates/trixie-2/root").mkdir(parents=True)
    config = f"{tmp_path}/var/lib/pve-smbgateway/lxc/files"
    made = f"{MARK}lxc.rootfs.path = overlayfs:/t/root:{config}/delta/trixie-1\n"
    assert member(FakeHost(files={f"{config}/config": made}), str(tmp_path)).template == "trixie-1"
    assert member(FakeHost(), str(tmp_path)).template == "trixie-2"


def test_what_a_member_lacks_on_a_node(tmp_path: Path) -> None:
    links = json.dumps([{"ifname": "vmbr0", "linkinfo": {"info_kind": "bridge"}}])
    calls = [
        Call(("lxc-attach", "--version"), "5.0.2"),
        Call(("ip", "-json", "-details", "link", "show"), links),
    ]
    told = member(FakeHost(calls), str(tmp_path)).look(None)
    assert [(fault.field, fault.message, fault.hint) for fault in told] == [
        ("mode", "this node has no template for containers", "make one: template build"),
        ("cluster.bridge", "vmbr1 is not a bridge of this node", "its bridges: vmbr0"),
        ("cluster.lock", "there is no directory /shared/locks on this node", "make it on the shared file system"),
    ]
    (tmp_path / "var/lib/pve-smbgateway/templates/old-1/root").mkdir(parents=True)
    told = member(FakeHost(calls), str(tmp_path)).look(None)
    assert told[0].message == "template old-1 of this node is without ctdb"


def test_on_proxmox_it_is_refused(tmp_path: Path) -> None:
    made = member(FakeHost(), str(tmp_path))
    made.paths = SimpleNamespace(on_proxmox=True)  # type: ignore[assignment]
    (told,) = made.look(None)
    assert (told.field, told.message) == (
        "mode", "on Proxmox VE members of a cluster run on the nodes: a guest that moves would be the wrong member",
    )  # fmt: skip


def test_containers_of_others_are_not_forsaken(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    for name in ("files", "single", "mine"):
        (Path(paths.containers) / name).mkdir(parents=True)
    host = FakeHost(files={f"{paths.containers}/single/config": "lxc.include", f"{paths.containers}/mine/config": MARK})
    assert forsaken(host, paths, {"mine"}) == []
    assert host.done == []


def test_a_bridge_with_a_pulled_cable_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "DEVICES", str(tmp_path))
    assert fence.has_uplink("vmbr0"), "on the node itself nothing is known of bridges"

    def port(name: str, state: str) -> None:
        folder = tmp_path / f"virtual/net/vmbr0/brif/{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").write_text(f"{state}\n")

    port("veth105i0", "3")
    assert fence.has_uplink("vmbr0"), "it never led elsewhere"
    port("eno1", "0")
    assert not fence.has_uplink("vmbr0")
    port("eno2", "3")
    assert fence.has_uplink("vmbr0")


def test_ctdbd_in_a_container_is_asked_by_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    seen = View(1, {0: frozenset({"DISCONNECTED"}), 1: frozenset()}, False, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctdbd, "look", lambda own, within: seen if own == "/own" else None)
        assert ctdbd.main("/own", "1.5") == 0
        assert ctdbd.main("/other", "0") == 1
    program = ("python3", "-I", "-m", "smbgateway.cluster.ctdbd", "/own")
    host = FakeHost([Call((*program, "1.5"), capsys.readouterr().out), Call((*program, "0.0"), "down", 1)])
    asked = ctdbd.Inside(host, "python3", "/own")
    assert asked.view(1.5) == seen
    assert asked.view() is None
