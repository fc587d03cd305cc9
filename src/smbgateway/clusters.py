"""The clusters of an installation, as this node's engine can ask them."""

from typing import Any

from .cluster.operations import Operations
from .errors import Conflict, NotFound
from .installation import Installation
from .model import Gateway


class Clusters:
    """Finds whom a request is for."""

    def __init__(self, site: Installation) -> None:
        self.site = site

    def status(self, name: str) -> dict[str, Any]:
        """Members and addresses. Raises NotFound, Conflict."""
        gateway = self.site.world().find("gateway", name)
        assert isinstance(gateway, Gateway)  # noqa: S101 - find keeps kinds
        if not gateway.cluster:
            raise Conflict(f"gateway {name} is no cluster", hint="pve-smbgateway status shows it")
        return self._operations(gateway).status()

    def move(self, address: str, node: str) -> dict[str, Any]:
        """Move an address to a node. Raises NotFound, Conflict, Unavailable."""
        found = [gateway for gateway in self._all() if address in gateway.addresses]
        if not found:
            known = [address for gateway in self._all() for address in gateway.addresses]
            raise NotFound(f"{address} is no address of a cluster", hint=f"there is: {', '.join(known) or 'none'}")
        operations = self._operations(found[0])
        operations.move(address, node)
        return operations.status()

    def drain(self, node: str, drained: bool) -> dict[str, Any]:
        """Move all addresses away from a node, or let it have some again. Raises NotFound, Conflict, Unavailable."""
        found = [gateway for gateway in self._all() if node in gateway.nodes]
        if not found:
            known = sorted({node for gateway in self._all() for node in gateway.nodes})
            raise NotFound(f"node {node} is no member of a cluster", hint=f"members: {', '.join(known) or 'none'}")
        operations = self._operations(found[0])
        operations.drain(node, drained)
        return operations.status()

    def _all(self) -> list[Gateway]:
        return [gateway for gateway in self.site.world().gateways.values() if gateway.cluster]

    def _operations(self, gateway: Gateway) -> Operations:
        if not self.site.owns(gateway):
            what = f"this node, {self.site.node}, is no member of gateway {gateway.name}"
            raise Conflict(what, hint=f"ask the engine of {', '.join(gateway.nodes)}")
        return Operations(self.site.blueprint(self.site.world()).member(gateway))
