"""Guests that Proxmox VE's high availability starts elsewhere when their node is lost."""

import time
from collections.abc import Callable, Sequence

from ..errors import Fault, Unavailable
from ..step import Step
from .client import Proxmox

TURN_WAIT = 150.0  # seconds until its manager has done what was asked: it looks every ten


class HighAvailability:
    """Of one guest: `ct:105`. Without nodes that are named it may run on any."""

    def __init__(self, api: Proxmox, resource: str, nodes: Sequence[str]) -> None:
        self.api, self.resource, self.nodes = api, resource, ",".join(sorted(nodes))
        self.rule = f"smbgateway-{resource.replace(':', '-')}"

    def steps(self) -> list[Step]:
        """The resource, and the rule that names its nodes."""
        return [self._managed(), *([self._bound()] if self.nodes else [])]

    def _managed(self) -> Step:
        def read() -> str | None:
            found = [each for each in self.api.get("/cluster/ha/resources") if each["sid"] == self.resource]
            return str(found[0].get("state", "started")) if found else None

        def write(value: str | None) -> None:
            path, present = f"/cluster/ha/resources/{self.resource}", read()
            if value is None and present is not None:
                self.api.call("DELETE", path)
            elif value is not None and present is None:
                words = {"sid": self.resource, "state": value, "comment": "a gateway of pve-smbgateway"}
                self.api.call("POST", "/cluster/ha/resources", words)
            elif value is not None:
                self.api.call("PUT", path, {"state": value})

        return Step(f"high availability of {self.resource}", "started", read, write)

    def _bound(self) -> Step:
        def read() -> str | None:
            found = [each for each in self.api.get("/cluster/ha/rules") if each["rule"] == self.rule]
            return ",".join(sorted(str(found[0].get("nodes", "")).split(","))) if found else None

        def write(value: str | None) -> None:
            if read() is not None:
                self.api.call("DELETE", f"/cluster/ha/rules/{self.rule}")
            if value is not None:
                words = {"type": "node-affinity", "resources": self.resource, "nodes": value, "strict": True}
                self.api.call("POST", "/cluster/ha/rules", {"rule": self.rule, **words})

        return Step(f"nodes of {self.resource}", self.nodes, read, write)

    def look(self, storage: str, content: str) -> list[Fault]:
        """What stands against it: a system that other nodes do not have, nodes that are not there, or no other node.

        content  what storages hold such a system
        """
        known = [str(each["node"]) for each in self.api.get("/nodes")]
        faults = [
            Fault("mode.ha_nodes", f"there is no node {name}", f"nodes: {', '.join(known)}")
            for name in filter(None, self.nodes.split(","))
            if name not in known
        ]
        if len(known) < 2:
            faults.append(Fault("mode.ha", "there is no other node", "leave it out"))
        rows = {str(each["storage"]): each for each in self.api.get(f"{self.api.here}/storage")}
        if storage in rows and not rows[storage].get("shared"):
            shared = [name for name, each in rows.items() if each.get("shared") and content in str(each["content"])]
            hint = f"mode.storage: {' or '.join(shared)}" if shared else "add a storage that all nodes share"
            faults.append(Fault("mode.ha", f"its system is on storage {storage}, which only this node has", hint))
        return faults


def await_turn(title: str, wanted: bool, runs: Callable[[], bool]) -> None:
    """Wait until a guest runs, or not: with high availability a task ends before that. Raises Unavailable."""
    deadline = time.monotonic() + TURN_WAIT
    while runs() != wanted:
        if time.monotonic() > deadline:
            word = "start" if wanted else "stop"
            raise Unavailable(f"{title} does not {word} within {TURN_WAIT:g} s", hint="ha-manager status tells")
        time.sleep(0.5)
