"""One installation as one node sees it: records, paths, host, and which gateways are whose."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .blueprint import Blueprint
from .errors import Conflict
from .guests.image import Images
from .guests.template import Templates
from .host import Host
from .model import Gateway, Group, Resource, Share, User
from .paths import Paths
from .proxmox.client import Proxmox
from .proxmox.templates import ProxmoxTemplates
from .store import Store
from .world import World


@dataclass(frozen=True)
class Scope:
    """What an operation converges: a gateway of this node and some of its shares."""

    gateway: Gateway
    shares: list[Share]


@dataclass(frozen=True)
class Installation:
    """What every operation works on."""

    store: Store
    paths: Paths
    host: Host
    node: str

    def world(self) -> World:
        """All records as they are now."""
        return World.of(self.store)

    def blueprint(self, world: World, roots: Sequence[str] = ()) -> Blueprint:
        """Records to steps; `roots` are further directories below which sources may lie."""
        return Blueprint(self.host, self.paths, self.store, world, roots, self.node, self.proxmox)

    @cached_property
    def proxmox(self) -> Proxmox | None:
        """Its API, on a node of Proxmox VE."""
        return Proxmox(self.host, self.node) if self.paths.on_proxmox else None

    @property
    def templates(self) -> Templates | ProxmoxTemplates:
        """What containers of this node are made of."""
        if self.proxmox:
            return ProxmoxTemplates(self.host, self.proxmox)
        return Templates(self.host, self.paths.templates)

    @property
    def images(self) -> Images:
        """What virtual machines of this node are made of."""
        return Images(self.host, self.paths.images)

    def owns(self, gateway: Gateway) -> bool:
        """Whether this node runs a gateway."""
        return self.node in gateway.nodes or gateway.nodes == ("",)

    def runs(self, gateway: Gateway) -> bool:
        """Whether this node runs a gateway, and it shall run."""
        return gateway.enabled and self.owns(gateway)

    def home(self, key: str, world: World) -> tuple[Share, Gateway]:
        """A share and its gateway. Raises NotFound, and Conflict where they are another node's."""
        share = world.find("share", key)
        assert isinstance(share, Share)  # noqa: S101 - find keeps kinds
        gateway = world.find("gateway", share.gateway)
        assert isinstance(gateway, Gateway)  # noqa: S101 - find keeps kinds
        self.check_own(gateway, share.title)
        return share, gateway

    def check_own(self, gateway: Gateway, title: str) -> None:
        """Raises Conflict where a gateway, or what is of it, is another node's."""
        if not self.owns(gateway):
            what = f"{title} is node {', '.join(gateway.nodes)}'s, this is {self.node}"
            raise Conflict(what, hint="ask the engine of that node")

    def touched(self, records: Iterable[Resource], world: World) -> list[str]:
        """The gateways that a change of records reaches: all, for users and groups."""
        names: set[str] = set()
        for record in records:
            if isinstance(record, Gateway):
                names.add(record.name)
            elif isinstance(record, Share):
                names.add(record.gateway)
            elif isinstance(record, User | Group):
                names |= set(world.gateways)
        return sorted(names)

    def scopes(self, records: Sequence[Resource], world: World) -> list[Scope]:
        """The gateways of this node that a change reaches, each with the shares to converge."""
        changed = {record.key for record in records if isinstance(record, Share)}
        whole = {record.name for record in records if isinstance(record, Gateway)}
        people = any(isinstance(record, User | Group) for record in records)
        scopes = []
        for name in self.touched(records, world):
            gateway = world.gateways.get(name)
            if gateway and self.owns(gateway):
                shares = world.shares_of(name)
                homes = people and any(share.purpose.kind == "homes" for share in shares)
                chosen = [
                    s for s in shares if s.key in changed or name in whole or (homes and s.purpose.kind == "homes")
                ]
                if gateway.enabled or chosen or name in whole:
                    scopes.append(Scope(gateway, chosen))
        return scopes

    @staticmethod
    def unc(gateway: Gateway, share: Share) -> str:
        """Where Windows finds a share."""
        address = gateway.addresses[0] if gateway.addresses else os.uname().nodename
        return f"\\\\{address}\\{share.name}"


def this_node() -> str:
    """The name of this node: the host's own, without its domain."""
    return os.uname().nodename.partition(".")[0].lower()
