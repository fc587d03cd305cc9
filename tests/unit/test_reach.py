"""What keeps clients away from a container that serves, and who a number is that owns a file."""

import json
import socket
from typing import Any

import pytest

from lab.proxmox import BRIDGE, StandIn
from smbgateway.guests.reach import unreached
from smbgateway.host import Host
from smbgateway.model import LxcMode, parse
from smbgateway.owners import explain
from smbgateway.proxmox.client import Proxmox
from smbgateway.proxmox.firewall import closed
from smbgateway.world import World

from .fakes import Call, FakeHost
from .test_proxmox_lxc import converge, mode

HERE = [{"ifname": "br0", "addr_info": [{"local": "10.0.0.1"}, {"local": "fe80::1"}]}]


def addressed(*links: dict[str, Any]) -> FakeHost:
    return FakeHost([Call(("ip", "-json", "address"), json.dumps(links))])


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers."""

    def refuse(*arguments: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.mark.parametrize(
    ("host", "more", "told"),
    [
        (
            addressed(*HERE), {"address": "10.0.0.5/24"},
            "this node does not reach 10.0.0.5, port 445: does a firewall stand between? A rule that lets clients "
            "through: nft add rule inet filter forward ip daddr 10.0.0.5 tcp dport 445 accept",
        ),
        (
            addressed(*HERE), {"address": "10.7.0.5/24"},
            "this node does not reach 10.7.0.5, port 445: it has no address in 10.7.0.0/24 on br0, where clients do "
            "reach it. To have one: ip address add ADDRESS/24 dev br0",
        ),
        (
            addressed(), {"address": "fd00::5/64", "vlan": 7},
            "this node does not reach fd00::5, port 445: it has no address in fd00::/64 on br0, VLAN 7, where clients "
            "do reach it. To have one: ip link add link br0 name br0.7 type vlan id 7 && "
            "ip address add ADDRESS/64 dev br0.7",
        ),
    ],
)  # fmt: skip
def test_why_the_node_does_not_reach_it(alone: None, host: Host, more: dict[str, Any], told: str) -> None:
    assert unreached(host, LxcMode(bridge="br0", **more)) == told


def test_where_it_is_reached_nothing_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mode = LxcMode(bridge="br0", address="127.0.0.1/8")
        port = server.getsockname()[1]
        listening = type("Listening", (LxcMode,), {"port": property(lambda self: port)})
        assert unreached(FakeHost([]), listening(**mode.model_dump())) == ""


IN = {"type": "in", "action": "ACCEPT", "enable": 1}


@pytest.mark.parametrize(
    ("rules", "shut"),
    [
        ([], True),
        ([{**IN, "macro": "SMB"}], False),
        ([{**IN, "macro": "SMB", "enable": 0}], True),
        ([{**IN, "macro": "SSH"}], True),
        ([{**IN, "action": "DROP", "dport": "445"}], True),
        ([{**IN, "proto": "tcp", "dport": "22,440:450"}], False),
        ([{**IN, "proto": "udp", "dport": "445"}], True),
        ([{**IN, "dport": "ssh"}], True),
        ([{"type": "group", "action": "office", "enable": 1}], False),
    ],
)
def test_a_firewall_that_lets_no_smb_in(api: Proxmox, node: StandIn, rules: list[dict[str, Any]], shut: bool) -> None:
    node.firewall = {"cluster": {"enable": 1}, "guest": {"enable": 1}, "rules": rules}
    told = closed(api, "/nodes/one/lxc/105")
    assert told == (
        "the firewall of Proxmox VE has no rule that lets SMB in. One that does: pvesh create "
        "/nodes/one/lxc/105/firewall/rules --type in --action ACCEPT --macro SMB --enable 1"
        if shut
        else ""
    )
    node.firewall["cluster"] = {"enable": 0}
    assert closed(api, "/nodes/one/lxc/105") == ""


def test_the_firewall_is_asked_only_where_it_is_on(
    api: Proxmox, node: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbgateway.modes.proxmox_lxc.unreached", lambda host, mode: "far")
    converge(*mode(api, bridge=BRIDGE).steps())
    node.firewall = {"cluster": {"enable": 1}, "guest": {"enable": 1}, "rules": []}
    assert mode(api).unreached() == "far"
    assert "no rule that lets SMB in" in mode(api, firewall=True).unreached()


def test_who_a_number_is() -> None:
    alice, staff = parse(
        [{"kind": "user", "name": "alice", "uid": 20002}, {"kind": "group", "name": "staff", "gid": 20003}]
    )
    world = World({}, {}, {}, {}).staged([alice, staff])
    assert explain(world, 20002) == ["20002 is user alice, on disk and on this node as in every gateway"]
    assert explain(world, 120003)[0] == "120003 on this node is 20003 inside of a container of Proxmox VE: group staff"
    assert explain(world, 0x70000000)[0] == "1879048192 on this node is 0 inside of a container of ours: its root"
    assert explain(world, 101005)[0].endswith("is 1005 inside of a container of Proxmox VE: number 1005")
    assert explain(world, 20000)[0].startswith("20000 is the group of everybody with access")
    assert explain(world, 1000) == []
