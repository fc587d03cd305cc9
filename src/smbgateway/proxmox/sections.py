"""Shares as storages of Proxmox VE: the sections of its storage.cfg that our plugin serves, with content `none`.

They tell how full a share is, and Proxmox VE keeps that for years. What they are removed or lost by never touches data.
"""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from typing import Any

from ..errors import Conflict, Fault
from ..step import Step
from .client import Proxmox, ProxmoxFailed

TYPE = "smbgateway"
LONGEST = 40


def section_name(gateway: str, share: str) -> str:
    """The id of a share's storage: `smb-docs` where the gateway is called as the share is, else `smb-GATEWAY-SHARE`."""
    wanted = share if gateway == share.lower() else f"{gateway}-{share}"
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).strip("-._")[:LONGEST].rstrip("-._")
    if plain != wanted:  # two names may look alike by now
        plain = f"{plain}-{hashlib.sha256(f'{gateway}/{share}'.encode()).hexdigest()[:6]}".lstrip("-")
    return f"smb-{plain}"


class Sections:
    """Those of the cluster. Raises ProxmoxFailed."""

    def __init__(self, api: Proxmox) -> None:
        self.api = api

    def step(self, gateway: str, share: str, nodes: Sequence[str]) -> Step:
        """The storage of a share; one of that name that is another's is never touched."""
        name = section_name(gateway, share)
        want = {"content": "none", "nodes": ",".join(sorted(nodes)), "smbgw-share": f"{gateway}/{share}"}

        def read() -> str | None:
            found = self._ours(name, want["smbgw-share"])
            return None if found is None else json.dumps({key: found.get(key, "") for key in want}, sort_keys=True)

        def write(value: str | None) -> None:
            self._write(name, want["smbgw-share"], None if value is None else json.loads(value))

        return Step(f"storage {name} of Proxmox VE", json.dumps(want, sort_keys=True), read, write)

    def _write(self, name: str, share: str, wanted: dict[str, str] | None) -> None:
        present = self._ours(name, share)
        if wanted is not None and present is not None:
            self.api.call("PUT", f"/storage/{name}", {"nodes": wanted["nodes"], "content": wanted["content"]})
        elif wanted is not None:
            self._add(name, wanted)
        elif present is not None:
            self.api.call("DELETE", f"/storage/{name}")

    def _add(self, name: str, wanted: dict[str, str]) -> None:
        try:
            self.api.call("POST", "/storage", {"storage": name, "type": TYPE, **wanted})
        except ProxmoxFailed as error:
            if "already defined" in error.cause:
                raise Conflict(f"there is another storage {name}", error.cause, hint="remove or rename it") from error
            raise

    def _ours(self, name: str, share: str) -> dict[str, str] | None:
        """What Proxmox VE has written of a storage; `nodes` in an order of our own."""
        for each in self.api.get("/storage"):
            if each["storage"] == name and each.get("type") == TYPE and each.get("smbgw-share") == share:
                nodes = ",".join(sorted(str(each.get("nodes", "")).split(",")))
                return {key: str(value) for key, value in {**each, "nodes": nodes}.items()}
        return None

    def look(self, gateway: str, share: str, version: str) -> list[Fault]:
        """Whether a storage can be added: a node without our plugin drops its section with its next change of any."""
        name = section_name(gateway, share)
        other = [
            e for e in self.api.get("/storage") if e["storage"] == name and e.get("smbgw-share") != f"{gateway}/{share}"
        ]
        taken = [Fault("storage", f"there is another storage {name}", "remove it, or name the share otherwise")]
        return (taken if other else []) + [
            Fault("storage", text, "install it there, or leave out storage; or force", waivable=True)
            for text in self.strangers(version)
        ]

    def strangers(self, version: str) -> list[str]:
        """Nodes of the cluster that lack our package, or have it in another version."""
        said = []
        for node in self.api.get("/nodes"):
            if node["node"] != self.api.node and node.get("status") == "online":
                said += self._stranger(str(node["node"]), version)
        return said

    def _stranger(self, node: str, version: str) -> list[str]:
        try:
            found: Any = self.api.get(f"/nodes/{node}/smbgateway/version")
        except ProxmoxFailed as error:
            if error.code in (404, 501):
                return [f"node {node} has no pve-smbgateway, and would drop the storages of shares"]
            return [f"node {node} does not say which pve-smbgateway it has: {error.cause}"]
        there = str(found["version"])
        return [] if there == version else [f"node {node} has pve-smbgateway {there}, this node {version}"]


class Notes:
    """What the plugin leaves when somebody removes a storage: a file of its name in a directory of the store."""

    def __init__(self, config: str) -> None:
        self.folder = f"{config}/forgotten"

    def all(self) -> list[str]:
        """The names."""
        return sorted(os.listdir(self.folder)) if os.path.isdir(self.folder) else []

    def drop(self, name: str) -> None:
        """Seen to."""
        os.unlink(f"{self.folder}/{name}")
