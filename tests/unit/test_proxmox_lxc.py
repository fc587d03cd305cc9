"""Gateways in containers of Proxmox VE: what its API is asked, against the stand-in that keeps the containers."""

from dataclasses import dataclass
from typing import Any

import pytest

from lab.proxmox import BRIDGE, OLDER, STORAGE, TEMPLATE, TICKET, Guest, StandIn
from smbgateway.errors import CommandFailed, Invalid
from smbgateway.guests.container import Container
from smbgateway.host import Host
from smbgateway.model import Gateway, LxcMode
from smbgateway.modes.proxmox_guest import canonical
from smbgateway.modes.proxmox_lxc import BASE, MODULES, OURS, ProxmoxLxc, folder
from smbgateway.paths import Paths
from smbgateway.proxmox.client import Proxmox
from smbgateway.samba.instance import Instance
from smbgateway.step import Ledger, Step, StepFailed

from .machine import new_engine

MAC = "02:00:00:00:00:05"
SHARE = "/m/.guests/files/docs"


@dataclass
class Mounting(Host):
    """A node that mounts one directory, and a container that sees what was mounted when it was started."""

    node: StandIn
    mounted: bool = False
    seen: bool = False

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        inside = argv[0] == "lxc-attach"
        if argv[0] == "perl":
            return TICKET
        if "smbgateway.guests.idmap" in argv:
            assert argv[-4:] == ("/srv/docs", SHARE, str(BASE), "65536")
            self.mounted = True
        if argv[0] == "umount":
            self.mounted = False
        if inside and ("cat" in argv or (argv[-1] == "/srv/docs" and not self.seen)):
            raise CommandFailed(argv, 1, "No such file or directory")
        there = inside or argv[-1] == "/srv/docs" or self.mounted
        return ("0:7" if there else "0:1") if "--printf=%d:%i" in argv else "directory"

    def read(self, path: str) -> str | None:
        return f"1 1 0:7 / {SHARE} rw - ext4 /dev/x rw\n" if self.mounted else ""


def gateway(**more: Any) -> Gateway:
    fixed = {"bridge": BRIDGE, "address": "10.0.0.5/24", "mac": MAC, "vmid": 105, "storage": STORAGE}
    return Gateway(name="files", mode=LxcMode(**{**fixed, "template": TEMPLATE, **more}))


def mode(api: Proxmox, host: Host | None = None, **more: Any) -> ProxmoxLxc:
    return ProxmoxLxc(host or api.host, Paths("/"), gateway(**more), api)


def converge(*steps: Step) -> list[str]:
    ledger = Ledger()
    ledger.converge(steps)
    return [f"{change.verb} {change.step.name}" for change in ledger.changes]


def test_a_container_is_made_unprivileged_and_then_left_alone(api: Proxmox, node: StandIn) -> None:
    more = {"router": "10.0.0.1", "vlan": 7, "mtu": 1400, "firewall": True, "order": 3, "cores": 2, "memory": "256M"}
    wanted = mode(api, **more).steps()
    assert converge(*wanted) == ["created container 105", "created container 105 running"]
    made = next(given for method, path, given in node.calls if (method, path) == ("POST", "/nodes/one/lxc"))
    assert made == {
        "vmid": "105", "ostemplate": TEMPLATE, "rootfs": "local-zfs:2", "unprivileged": "1", "tags": "smbgateway",
        "ostype": "debian", "hostname": "files", "features": "nesting=1", "memory": "256", "swap": "0", "cores": "2",
        "onboot": "1", "startup": "order=3", "mp0": f"{OURS},mp={MODULES},replicate=0,ro=1,shared=1",
        "net0": f"bridge=vmbr0,firewall=1,gw=10.0.0.1,hwaddr={MAC},ip=10.0.0.5/24,mtu=1400,name=eth0,tag=7",
    }  # fmt: skip
    assert converge(*wanted) == []
    assert converge(*mode(api, memory="512M").steps()) == ["changed configuration of container 105"]
    config = node.guests[105].config
    assert (config["memory"], "cores" in config, "startup" in config, node.guests[105].runs) == ("512", 0, 0, True)
    Ledger().remove(wanted)
    assert node.guests == {}


@pytest.mark.parametrize("task", [False, True], ids=["call", "task"])
@pytest.mark.parametrize("failing", [1, 2])
def test_whichever_call_fails_nothing_stays(api: Proxmox, node: StandIn, failing: int, task: bool) -> None:
    node.failing[failing] = task
    ledger = Ledger()
    with pytest.raises(StepFailed, match=r"^cannot set container 105( running)?\n?"):
        ledger.converge(mode(api).steps())
    assert ledger.undo()[1] == []
    assert node.guests == {}


def test_an_update_that_fails_sets_the_configuration_back(api: Proxmox, node: StandIn) -> None:
    converge(*mode(api, cores=2).steps())
    before = dict(node.guests[105].config)
    ledger = Ledger()
    ledger.converge(mode(api, memory="512M").steps())
    assert node.guests[105].config != before
    assert ledger.undo() == (["configuration of container 105"], [])
    assert node.guests[105].config == before


def test_a_guest_of_that_number_that_is_not_ours_is_never_touched(api: Proxmox, node: StandIn) -> None:
    theirs = Guest("lxc", {"hostname": "files", "tags": "db"}, runs=True)
    node.guests[105] = theirs
    ledger = Ledger()
    with pytest.raises(StepFailed) as raised:
        ledger.converge(mode(api).steps())
    assert raised.value.again
    assert str(raised.value) == (
        "cannot set container 105: the number 105 is another guest's: "
        "unable to create CT 105 - CT 105 already exists on node 'one'"
    )
    assert ledger.undo() == (["container 105"], [])
    Ledger().remove(mode(api).steps())
    assert node.guests == {105: theirs}


def test_a_share_is_mounted_with_shifted_owners_and_seen_without_a_restart(api: Proxmox, node: StandIn) -> None:
    host = Mounting(node, seen=True)
    one = ProxmoxLxc(host, Paths("/"), gateway(), api)
    one.data = SHARE.removesuffix("/docs")
    converge(*one.steps())
    assert len(converge(*one.shown("docs", "/srv/docs"))) == 2
    assert node.guests[105].config["mp1"] == f"{SHARE},mp=/srv/docs,replicate=0"
    assert node.changes[2:] == ["PUT /nodes/one/lxc/105/config"]
    assert converge(*one.shown("docs", "/srv/docs")) == []


def test_a_container_that_started_before_its_data_was_mounted_is_started_again(api: Proxmox, node: StandIn) -> None:
    host = Mounting(node, mounted=True)
    node.started = lambda vmid, runs: setattr(host, "seen", runs and "mp1" in node.guests[vmid].config)
    one = ProxmoxLxc(host, Paths("/"), gateway(), api)
    one.data = SHARE.removesuffix("/docs")
    converge(*one.steps())
    point = one.shown("docs", "/srv/docs")[-1]
    assert converge(point) == ["created mount point /srv/docs of container 105"]
    restart = ["POST /nodes/one/lxc/105/status/stop", "POST /nodes/one/lxc/105/status/start"]
    assert node.changes[-2:] == restart
    host.seen = False
    assert point.read() == "not seen inside"
    assert converge(point) == ["changed mount point /srv/docs of container 105"]
    Ledger().remove([point])
    assert node.changes[-3:] == [restart[0], "PUT /nodes/one/lxc/105/config", restart[1]]
    assert "mp1" not in node.guests[105].config


def test_what_the_node_lacks_is_told_by_field(api: Proxmox) -> None:
    assert mode(api).look(None) == []
    faults = mode(api, bridge="vmbr9", template="local:vztmpl/x.tar.zst", storage="").look(None)
    assert [f"{fault.field}: {fault.message} ({fault.hint})" for fault in faults] == [
        "mode.bridge: this node has no bridge vmbr9 (it has vmbr0)",
        "mode.storage: this node has no storage (it has local-zfs, slow)",
        "mode.template: this node has no template local:vztmpl/x.tar.zst (it has local:vztmpl/debian.tar.zst, "
        f"local:vztmpl/{OLDER}, {TEMPLATE})",
    ]


def test_names_that_a_mount_point_cannot_have_are_replaced() -> None:
    assert (folder("docs"), folder("a,b")) == ("docs", "s-1eb7c54d52831bbf")
    net = {"net0": f"name=eth0,bridge=vmbr0,hwaddr={MAC.upper()},ip=10.0.0.5/24,type=veth"}
    same = {"net0": f"bridge=vmbr0,hwaddr={MAC},ip=10.0.0.5/24,name=eth0", "lock": "backup"}
    assert canonical(net, ProxmoxLxc.keys) == canonical(same, ProxmoxLxc.keys)


def test_the_engine_takes_the_next_number_where_another_was_faster(
    tmp_path: Any, api: Proxmox, node: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Container, "read", lambda container, path: None)
    monkeypatch.setattr(Container, "write", lambda container, path, text, mode=0o644: None)
    engine = new_engine(str(tmp_path))
    monkeypatch.setattr(Instance, "await_answer", lambda instance: None)  # no Samba runs
    vars(engine.site)["host"] = api.host
    vars(engine.site)["proxmox"] = api
    node.guests[100] = Guest("lxc", {"hostname": "other"})
    numbers = iter([100, 100, 101, 101])
    node.next_id = lambda: next(numbers)
    item = {"kind": "gateway", "name": "files", "mode": {"kind": "lxc", "bridge": BRIDGE, "address": "10.0.0.5/24"}}
    engine.apply([item])
    kept = engine.site.world().gateways["files"].mode
    assert (kept.vmid, kept.storage, kept.template) == (101, STORAGE, TEMPLATE)
    assert sorted(node.guests) == [100, 101]


def test_elsewhere_what_only_proxmox_ve_knows_is_refused() -> None:
    engine = new_engine("/nowhere")
    mode = {"kind": "lxc", "bridge": "br0", "address": "10.0.0.5/24", "vmid": 105, "firewall": True}
    with pytest.raises(Invalid) as raised:
        engine.apply([{"kind": "gateway", "name": "files", "mode": mode}])
    told = [f"{fault.field}: {fault.message} ({fault.hint})" for fault in raised.value.faults]
    assert told[-2:] == [
        "gateway.files.mode.vmid: only Proxmox VE knows this (leave it out)",
        "gateway.files.mode.firewall: only Proxmox VE knows this (leave it out)",
    ]
