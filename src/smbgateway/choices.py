"""What a new share can be made of on this node: for who is to choose, before anything is asked for."""

import json
from typing import Any

from .errors import CommandFailed
from .host import Host
from .installation import Installation
from .model import Gateway, LxcMode, NativeMode, VmMode
from .places import offers
from .sources import cells

NOBODY = "192.0.2.1/24"  # an address that is nobody's (RFC 5737)


def choices(site: Installation, name: str) -> dict[str, Any]:
    """Modes and what is missing for them, places for a share `name`, addresses and bridges of the node."""
    links = json.loads(site.host.run("ip", "-json", "-details", "address"))
    bridges = sorted(link["ifname"] for link in links if link.get("linkinfo", {}).get("info_kind") == "bridge")
    return {
        "node": site.node,
        "modes": [{"kind": mode.kind, **_against(site, mode, bridges)} for mode in _modes(site)],
        "places": [offer._asdict() for offer in offers(site.host, site.paths.roots, name, site.proxmox)],
        "roots": [{"path": path, "free": _free(site.host, path)} for path in site.paths.roots],
        "addresses": _addresses(links),
        "bridges": bridges,
    }


def _modes(site: Installation) -> list[NativeMode | LxcMode | VmMode]:
    """How a gateway could run, to ask what stands against it here."""
    container = LxcMode(bridge="none", address=NOBODY, template=site.templates.newest())
    return [NativeMode(), container, VmMode(image=site.images.newest())]


def _against(site: Installation, mode: NativeMode | LxcMode | VmMode, bridges: list[str]) -> dict[str, str]:
    """Why a gateway cannot have a mode here, and what to do; empty where it can."""
    gateway = Gateway(name="probe", mode=mode)
    for fault in site.blueprint(site.world()).mode(gateway).look(None):
        if fault.field == "mode":
            return {"reason": fault.message, "hint": fault.hint}
    if mode.kind == "lxc" and not bridges:
        return {"reason": "this node has no bridge", "hint": "containers hang on one: make one first"}
    return {"reason": "", "hint": ""}


def _free(host: Host, path: str) -> int | None:
    try:
        return cells.space(host, path)[2]
    except CommandFailed:  # yet to be made
        return None


def _addresses(links: list[dict[str, Any]]) -> list[str]:
    """Where clients could reach the node."""
    found = [address for link in links for address in link.get("addr_info", ()) if address.get("scope") == "global"]
    return sorted(address["local"] for address in found if "local" in address)
