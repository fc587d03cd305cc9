"""Whether the node reaches a machine of its own: a hint beside the proof, which is made from inside."""

import contextlib
import ipaddress
import json
import socket
import time

from ..host import Host
from ..model import LxcMode, VmMode

PATIENCE = 1.0  # seconds for a connection
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def unreached(host: Host, mode: LxcMode | VmMode, wait: float = 0) -> str:
    """Why the node does not reach a machine with an address of its own, with what to do; empty where it does.

    wait  how long it may take until its network is there, where the node is in the same
    """
    address, deadline = mode.addresses[0], time.monotonic() + wait
    interface = ipaddress.ip_interface(mode.address or address)
    near: bool | None = None
    while not _answers(address, mode.port):
        near = any(own in interface.network for own in _own(host)) if near is None else near
        if not near or time.monotonic() > deadline:
            return _told(mode, interface, near)
        time.sleep(PATIENCE / 4)
    return ""


def _answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), PATIENCE):
        return True
    return False


def _told(mode: LxcMode | VmMode, interface: Interface, near: bool) -> str:
    address, network = interface.ip, interface.network
    what = f"this node does not reach {address}, port {mode.port}"
    if near:
        family = "ip6" if network.version == 6 else "ip"
        rule = f"nft add rule inet filter forward {family} daddr {address} tcp dport {mode.port} accept"
        return f"{what}: does a firewall stand between? A rule that lets clients through: {rule}"
    link = mode.bridge if mode.vlan is None else f"{mode.bridge}.{mode.vlan}"
    made = f"ip link add link {mode.bridge} name {link} type vlan id {mode.vlan} && " if mode.vlan else ""
    where = f"{network} on {mode.bridge}" + (f", VLAN {mode.vlan}" if mode.vlan else "")
    how = f"{made}ip address add ADDRESS/{network.prefixlen} dev {link}"
    return f"{what}: it has no address in {where}, where clients do reach it. To have one: {how}"


def _own(host: Host) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    links = json.loads(host.run("ip", "-json", "address"))
    found = [address["local"] for link in links for address in link.get("addr_info", []) if "local" in address]
    return [ipaddress.ip_address(address) for address in found]
