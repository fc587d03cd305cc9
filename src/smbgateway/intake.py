"""Requests before anything is touched: allocation, and every fault at once."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import __version__
from .allocate import Node, allocate
from .blueprint import Blueprint
from .checks import check, check_removed, doubled
from .cluster.member import look as look_member
from .errors import Conflict, Fault, GatewayError, HoldsData, Invalid
from .installation import Installation
from .model import (
    Gateway,
    Group,
    LxcMode,
    Receiver,
    Resource,
    Share,
    StorageSource,
    User,
    VmMode,
    XfsSource,
    examine,
)
from .proxmox.choices import Choices
from .proxmox.sections import Sections
from .sources import userquota, without_snapshots
from .sources.projects import taken as taken_projects
from .world import World


@dataclass(frozen=True)
class Options:
    """What a caller may add to a request. `allow_paths` is for root alone."""

    force: bool = False
    destroy_data: bool = False
    allow_paths: tuple[str, ...] = ()


class Intake:
    """Checks requests."""

    def __init__(self, site: Installation) -> None:
        self.site = site

    def checked(self, items: Iterable[object], former: World, options: Options) -> list[Resource]:
        """The resources of a request, after every check: of each, between them, of the world outside.

        Raises Invalid with every fault at once, Conflict where a record was changed meanwhile.
        """
        items = list(items)
        records, faults = examine(items)
        faults += doubled(records)
        for record in records:
            self._check_digest(record, former)
        records, seen = self._looked(records, former, options)
        complete = self.allocated(records, former)
        staged = former.staged(complete)
        more = [*check(staged, former, complete), *seen, *self._look_gateways(complete, staged, former, options)]
        more += self._look_receivers(complete)
        faults += _worth_telling(more, faults, items, records)
        if faults:
            raise Invalid.of(list(dict.fromkeys(faults)))
        return records

    def checked_again(self, records: list[Resource], former: World, checked: World) -> list[Resource]:
        """Others may have been faster: the checks between records again, unless all is as when they were `checked`.

        Returns the records complete with what was allocated. Raises Invalid, Conflict.
        """
        wanted = self.allocated(records, former)
        if former == checked:
            return wanted
        for record in records:
            self._check_digest(record, former)
        if faults := check(former.staged(wanted), former, wanted):
            raise Invalid.of(faults)
        return wanted

    def allocated(self, records: Sequence[Resource], former: World) -> list[Resource]:
        """The records, complete with what is chosen for them."""
        taken: set[int] = set()
        if any(isinstance(record, User | Group) for record in records):
            for database in ("passwd", "group"):
                lines = self.site.host.run("getent", database).splitlines()
                taken |= {int(line.split(":")[2]) for line in lines}
        on_xfs = any(isinstance(record, Share) and isinstance(record.source, XfsSource) for record in records)
        projects = taken_projects(self.site.host) if on_xfs else set()
        node = Node(self.site.node, taken, projects, self.site.templates.newest(), int(time.time()))
        node = replace(node, image=self.site.images.newest())
        if self.site.proxmox and any(isinstance(r, Gateway) and isinstance(r.mode, LxcMode | VmMode) for r in records):
            node = replace(node, **vars(Choices(self.site.proxmox).chosen()))
        return allocate(records, former, node)

    def check_removal(self, removed: Sequence[Resource], world: World, options: Options) -> None:
        """What stands against a removal. Raises Invalid, HoldsData, Conflict."""
        for record in removed:
            gateway = world.gateways.get(getattr(record, "gateway", record.name))
            if isinstance(record, Share | Gateway) and gateway and not self.site.owns(gateway):
                node = ", ".join(gateway.nodes)
                raise Conflict(f"{record.title} is node {node}'s", hint="ask the engine of that node")
        if faults := check_removed(world.staged([], removed), removed):
            raise Invalid.of(faults)
        for record in removed:
            if options.destroy_data and isinstance(record, Share) and record.adopted:
                raise HoldsData(
                    f"the data of share {record.name} is not destroyed",
                    "it was there before the share was made",
                    hint="delete the share without --destroy-data, then remove the data by hand",
                )

    @staticmethod
    def _check_digest(record: Resource, former: World) -> None:
        before = former.get(record)
        if record.digest and before is not None and before.digest != record.digest:
            raise Conflict(
                f"{record.title} was changed meanwhile",
                f"its digest is {before.digest}, the request was made for {record.digest}",
                hint="look at it again (show), then repeat the change",
            )

    def _looked(self, records: list[Resource], former: World, options: Options) -> tuple[list[Resource], list[Fault]]:
        """Look at the source of every share, once. A new share over one that exists is marked: never destroy it."""
        blueprint = self.site.blueprint(former.staged(self._with_guests(records, former)), options.allow_paths)
        looked: list[Resource] = []
        faults: list[Fault] = []
        for record in records:
            if isinstance(record, Share):
                found, exists = self._look_share(record, blueprint, options)
                found += self._look_storage(record, former, options)
                faults += _placed(record, found)
                if former.get(record) is None:  # it may be another machine's: what it says of its data counts there
                    foreign = exists and blueprint.has_rights_of_its_own(record)
                    record = record.model_copy(update={"adopted": exists, "foreign": foreign, "made": False})
            looked.append(record)
        return looked, faults

    def _with_guests(self, records: list[Resource], former: World) -> list[Resource]:
        """The records; gateways that shall have volumes with what is chosen for them, to be found by."""
        owners = {r.gateway for r in records if isinstance(r, Share) and isinstance(r.source, StorageSource)}
        return [r if r.kind != "gateway" or r.name not in owners else self.allocated([r], former)[0] for r in records]

    def _look_share(self, share: Share, blueprint: Blueprint, options: Options) -> tuple[list[Fault], bool]:
        gateway = blueprint.world.gateways.get(share.gateway)
        if gateway is None and isinstance(share.source, StorageSource):
            return [], False  # that it is missing is told by the checks
        if gateway and not self.site.owns(gateway):
            told = f"it is node {', '.join(gateway.nodes)}'s, this is {self.site.node}"
            return [Fault("gateway", told, "ask the engine of that node")], False
        try:
            source = blueprint.source(share)
            faults, exists = source.look()
        except GatewayError as error:
            return [Fault("source", error.reason, error.hint)], False
        if share.quota and not source.has_quota:
            hint = "use an image, btrfs, xfs or zfs source, which have one"
            faults.append(Fault("quota", f"a {share.source.kind} source has no quota of its own", hint))
        if share.user_quota:
            others = [other for other in blueprint.world.shares.values() if other.key != share.key]
            faults += userquota.faults(self.site.host, share, others)
        if share.snapshots.total and not source.snapshots:
            faults.append(Fault("snapshots", *without_snapshots(share.source.kind)))
        return [fault for fault in faults if not (options.force and fault.waivable)], exists

    def _look_storage(self, share: Share, former: World, options: Options) -> list[Fault]:
        """Whether a share can be a storage of Proxmox VE; looked at where it is to become one."""
        before = former.shares.get(share.key)
        if not share.storage or (before and before.storage):
            return []
        if self.site.proxmox is None:
            return [Fault("storage", "this node is not one of Proxmox VE", "leave it out")]
        try:
            faults = Sections(self.site.proxmox).look(share.gateway, share.name, __version__)
        except GatewayError as error:
            return [Fault("storage", error.reason, error.hint)]
        return [fault for fault in faults if not (options.force and fault.waivable)]

    def _look_gateways(
        self, records: Sequence[Resource], staged: World, former: World, options: Options
    ) -> list[Fault]:
        """What stands against gateways in the world outside."""
        blueprint = self.site.blueprint(staged, options.allow_paths)
        faults: list[Fault] = []
        for record in records:
            if isinstance(record, Gateway):
                faults += _placed(record, self._look_gateway(record, blueprint, former))
        return faults

    def _look_gateway(self, gateway: Gateway, blueprint: Blueprint, former: World) -> list[Fault]:
        if not self.site.owns(gateway):
            told = f"the gateway is node {', '.join(gateway.nodes)}'s, this is {self.site.node}"
            return [Fault("mode.node", told, "ask the engine of that node")]
        mode = blueprint.mode(gateway)
        faults = mode.look(former.gateways.get(gateway.name))
        if gateway.cluster:
            faults += look_member(self.site.host, gateway, gateway.cluster, self.site.node, self.site.paths.config)
        return faults

    def _look_receivers(self, records: Sequence[Resource]) -> list[Fault]:
        """Whether there is a way to those who shall be told."""
        faults: list[Fault] = []
        for record in records:
            if isinstance(record, Receiver) and record.way.kind == "proxmox" and not self.site.paths.on_proxmox:
                told = Fault("way", "this node is not one of Proxmox VE", "use mail, webhook or journal")
                faults += _placed(record, [told])
        return faults


def _placed(record: Resource, faults: Iterable[Fault]) -> list[Fault]:
    """Faults with their field seen from the request."""
    return [replace(fault, field=f"{record.kind}.{record.name}.{fault.field}") for fault in faults]


def _worth_telling(
    more: Iterable[Fault], known: Sequence[Fault], items: Sequence[object], records: Sequence[Resource]
) -> list[Fault]:
    """Not what only follows from a fault that is told already: same field, or a resource that is itself faulty."""
    fields = {fault.field for fault in known}
    told: list[Fault] = []
    good = {(record.kind, record.name) for record in records}
    words = [(item.get("kind"), item.get("name")) for item in items if isinstance(item, Mapping)]
    named = {(kind, name) for kind, name in words if isinstance(kind, str) and isinstance(name, str)}
    missing = {f"there is no {kind} {name}" for kind, name in named - good}
    for fault in more:
        if fault.field not in fields and not any(fault.message.startswith(text) for text in missing):
            told.append(fault)
            fields.add(fault.field)
    return told
