"""Whether the node reaches a machine of its own: a hint beside the proof, which is made from inside."""

import contextlib
import ipaddress
import json
import socket

from ..host import Host
from ..model import LxcMode

PATIENCE = 1.0  # seconds for a connection


def unreached(host: Host, mode: LxcMode) -> str:
    """Why the node does not reach a container, with what to do; empty where it does."""
    address, port = mode.addresses[0], mode.port
    with contextlib.suppress(OSError), socket.create_connection((address, port), PATIENCE):
        return ""
    what = f"this node does not reach {address}, port {port}"
    network = ipaddress.ip_interface(mode.address).network
    if any(own in network for own in _own(host)):
        family = "ip6" if network.version == 6 else "ip"
        rule = f"nft add rule inet filter forward {family} daddr {address} tcp dport {port} accept"
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
