"""How clients find gateways by themselves: names in Explorer (WS-Discovery), and what avahi-daemon announces of each.

The files of avahi.service(5) lie there also without avahi-daemon: it announces them from the moment it is installed.
"""

import os
from collections.abc import Iterable

from .host import Host, locked
from .model import Gateway, Share, TimeMachinePurpose
from .step import Step

LOCK = "/run/pve-smbgateway-avahi.lock"  # of all installations on the node: the list of hosts is not ours alone
MODEL = "model=TimeCapsule8,119"  # the icon in Finder


def hidden(gateway: Gateway) -> str:
    """Why a gateway is not announced; empty where it is."""
    if not gateway.discovery:
        return "off"
    if gateway.cluster:
        return "not announced: its addresses move between nodes"
    if not _named(gateway) and gateway.mode.addresses:
        # Avahi knows the node by one name, for all its addresses; others there may be another gateway's.
        return "not announced: it has addresses of the node for itself"
    return ""


def name_in_explorer(gateway: Gateway, node: str) -> str:
    """The name by which Windows finds it; empty where it does not. What Explorer opens has no port."""
    if hidden(gateway) or gateway.mode.port != 445 or (gateway.mode.kind == "vm" and not _named(gateway)):
        return ""  # what comes to many at once is not passed on to a machine behind the node
    return (gateway.name if _named(gateway) else node).upper()


def _named(gateway: Gateway) -> bool:
    """Whether it has an address of its own, and so a name."""
    return bool(getattr(gateway.mode, "bridge", ""))


def steps(host: Host, folder: str, gateway: Gateway, shares: Iterable[Share]) -> list[Step]:
    """What is announced: the name of a container where it is one, and its services."""
    if hidden(gateway):
        return []
    service = _service(host, folder, gateway, shares)
    return [_name(host, folder, gateway), service] if _named(gateway) else [service]


def leftovers(host: Host, folder: str, gateway: Gateway, wanted: Iterable[Step]) -> list[Step]:
    """What is to go, because a gateway is announced in another way, or not at all."""
    names = {step.name for step in wanted}
    return [
        step for step in (_name(host, folder, gateway), _service(host, folder, gateway, [])) if step.name not in names
    ]


def _name(host: Host, folder: str, gateway: Gateway) -> Step:
    name, file = f"{gateway.name}.local", f"{folder}/hosts"
    address = next(iter(gateway.mode.addresses), "")

    def read() -> str | None:
        return next((line for line in (host.read(file) or "").splitlines() if line.split()[1:] == [name]), None)

    def write(value: str | None) -> None:
        with locked(LOCK):
            others = [line for line in (host.read(file) or "").splitlines() if line.split()[1:] != [name]]
            host.run("mkdir", "-p", "--", folder)
            host.write(file, "".join(f"{line}\n" for line in [*others, *([value] if value else [])]))

    return Step(f"name {name} in the network", f"{address} {name}", read, write)


def _service(host: Host, folder: str, gateway: Gateway, shares: Iterable[Share]) -> Step:
    file = f"{folder}/services/smbgw-{gateway.name}.service"

    def write(value: str | None) -> None:
        if value is None:
            host.run("rm", "-f", "--", file)
        else:
            host.run("mkdir", "-p", "--", os.path.dirname(file))
            host.write(file, value)

    return Step(
        f"announcement of gateway {gateway.name}", announcement(gateway, shares), lambda: host.read(file), write
    )


def announcement(gateway: Gateway, shares: Iterable[Share]) -> str:
    """A gateway as avahi-daemon announces it; shares for Time Machine by their names, so that Macs offer them."""
    host = f"{gateway.name}.local" if _named(gateway) else ""
    disks = sorted(share.name for share in shares if isinstance(share.purpose, TimeMachinePurpose))
    services = [_entry("_smb._tcp", gateway.mode.port, host), _entry("_device-info._tcp", 0, host, MODEL)]
    if disks:
        # adVF: 0x80 Time Machine over SMB, 0x02 it wants a login; 0x100 for the whole.
        texts = [f"dk{number}=adVN={name},adVF=0x82" for number, name in enumerate(disks)]
        services.append(_entry("_adisk._tcp", 9, host, "sys=waMa=0,adVF=0x100", *texts))
    head = '<?xml version="1.0" standalone="no"?>\n<!DOCTYPE service-group SYSTEM "avahi-service.dtd">\n'
    return f"{head}<service-group>\n <name>{gateway.name}</name>\n{''.join(services)}</service-group>\n"


def _entry(kind: str, port: int, host: str, *texts: str) -> str:
    name = f"<host-name>{host}</host-name>" if host else ""
    records = "".join(f"<txt-record>{text}</txt-record>" for text in texts)
    return f" <service><type>{kind}</type>{name}<port>{port}</port>{records}</service>\n"
