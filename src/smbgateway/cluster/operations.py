"""What an administrator asks of a running cluster: how it is, an address to a node, a node without addresses."""

import time
from typing import Any

from ..errors import Conflict, GatewayError, NotFound, Unavailable
from ..model import Member
from . import versions
from .member import ClusterMember
from .quorum import View

MOVE_WAIT = 15.0  # seconds
LEADER_WAIT = 1.5  # seconds, in which a leader says a word
AWAY = ("unknown", "unreachable")
STATES = {
    "DISCONNECTED": "unreachable",
    "BANNED": "banned",
    "STOPPED": "stopped",
    "DISABLED": "drained",
    "UNHEALTHY": "unhealthy",
}


class Operations:
    """Asked of one member, effective on all."""

    def __init__(self, member: ClusterMember) -> None:
        self.member, self.cluster = member, member.cluster

    def status(self) -> dict[str, Any]:
        """Members with their state and addresses; where ctdbd is silent, what the fence says of this one."""
        view, holders = self.member.view(LEADER_WAIT), self._holders()
        told = self.member.told()
        rows = [
            self._row(pnn, each, view, holders, told) | {"version": told.get(each.node, "")}
            for pnn, each in enumerate(self.cluster.members)
            if not each.removed
        ]
        public = [each.address.partition("/")[0] for each in self.cluster.addresses]
        addresses = [{"address": address, "node": holders.get(address, "")} for address in public]
        return {"name": self.member.gateway.name, "members": rows, "addresses": addresses}

    def _row(
        self, pnn: int, each: Member, view: View | None, holders: dict[str, str], told: dict[str, str]
    ) -> dict[str, Any]:
        own = each.node == self.member.member.node
        health = (self.member.host.read(f"{self.member.own}/run/health") or "").partition(" ")[2].strip()
        row: dict[str, Any] = {"node": each.node, "address": each.address, "state": self._state(pnn, view)}
        row["leader"] = view is not None and view.leader == pnn
        row["addresses"] = [address for address, node in holders.items() if node == each.node]
        if row["state"] in AWAY and versions.waits(told, each.node):
            return row | {"why": versions.REASON.format(told[each.node])}
        return row | {"why": health if own and health != "ok" else ""}

    @staticmethod
    def _state(pnn: int, view: View | None) -> str:
        if view is None or pnn not in view.flags:
            return "unknown"
        flags = view.flags[pnn]
        recovering = pnn == view.pnn and view.recovering
        return next((word for flag, word in STATES.items() if flag in flags), "recovering" if recovering else "healthy")

    def _holders(self) -> dict[str, str]:
        """The node of each public address that has one."""
        try:
            lines = self.member.ctdb("-X", "ip", "all").splitlines()[1:]
        except GatewayError:
            return {}
        found = (line.strip("|").split("|") for line in lines)
        return {words[0]: self.cluster.members[int(words[1])].node for words in found if not words[1].startswith("-")}

    def drain(self, node: str, drained: bool) -> None:
        """Let a node have no addresses, or have them again. Raises NotFound, Conflict, Unavailable."""
        pnn = self._pnn(node)
        if self.member.view() is None:
            what = f"member {self.member.member.node} does not run, so it cannot ask the others"
            raise Unavailable(what, hint="ask the engine of another node; gateway status says why")
        if drained and all(row["node"] == node or row["state"] != "healthy" for row in self.status()["members"]):
            raise Conflict(f"node {node} is not drained", "no other member is healthy", hint="see gateway status")
        self.member.ctdb("-n", str(pnn), "disable" if drained else "enable", timeout=30)
        if drained:
            what = f"node {node} still has addresses"
            self._await(lambda: node not in self._holders().values(), what)

    def move(self, address: str, node: str) -> None:
        """Move an address to a node; the next change in the cluster may move it on. Raises as `drain`."""
        pnn = self._pnn(node)
        state = self._state(pnn, self.member.view())
        if state != "healthy":
            raise Conflict(f"{address} is not moved", f"node {node} is {state}", hint="see gateway status")
        self.member.ctdb("moveip", address, str(pnn), timeout=30)
        self.member.place.asks.allow_takeover()
        self._await(lambda: self._holders().get(address) == node, f"{address} did not come to node {node}")

    def _pnn(self, node: str) -> int:
        for pnn, each in enumerate(self.cluster.members):
            if each.node == node and not each.removed:
                return pnn
        known = ", ".join(each.node for each in self.cluster.active)
        raise NotFound(f"node {node} is no member of gateway {self.member.gateway.name}", hint=f"members: {known}")

    @staticmethod
    def _await(met: Any, what: str) -> None:
        deadline = time.monotonic() + MOVE_WAIT
        while not met():
            if time.monotonic() > deadline:
                raise Unavailable(f"{what} after {MOVE_WAIT:g} s", hint="see gateway status")
            time.sleep(0.05)
