"""Requests before anything is touched: allocation, and every fault at once."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .allocate import allocate
from .blueprint import Blueprint
from .checks import check, check_removed, doubled
from .errors import Conflict, Fault, GatewayError, HoldsData, Invalid
from .installation import Installation
from .model import Gateway, Group, Resource, Share, User
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

    def checked(self, records: list[Resource], former: World, options: Options) -> list[Resource]:
        """Every fault at once: of the request, between resources, of the world. Raises Invalid, Conflict."""
        faults = doubled(records)
        for record in records:
            self._check_digest(record, former)
        complete = [self._adopt(record, former, options) for record in self._allocate(records, former)]
        staged = former.staged(complete)
        faults += check(staged, former, complete)
        faults += self._look(complete, staged, former, options)
        if faults:
            raise Invalid.of(list(dict.fromkeys(faults)))
        return complete

    def checked_again(self, records: list[Resource], former: World, options: Options) -> list[Resource]:
        """Others may have been faster: the pure checks again, on what is true under the lock."""
        for record in records:
            self._check_digest(record, former)
        wanted = [self._adopt(record, former, options) for record in self._allocate(records, former)]
        if faults := check(former.staged(wanted), former, wanted):
            raise Invalid.of(faults)
        return wanted

    def check_removal(self, removed: Sequence[Resource], world: World, options: Options) -> None:
        """What stands against a removal. Raises Invalid, HoldsData, Conflict."""
        for record in removed:
            gateway = world.gateways.get(getattr(record, "gateway", record.name))
            if isinstance(record, Share | Gateway) and gateway and not self.site.owns(gateway):
                node = gateway.mode.node
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

    def _allocate(self, records: Sequence[Resource], former: World) -> list[Resource]:
        taken: set[int] = set()
        if any(isinstance(record, User | Group) for record in records):
            for database in ("passwd", "group"):
                lines = self.site.host.run("getent", database).splitlines()
                taken |= {int(line.split(":")[2]) for line in lines}
        return allocate(records, former, self.site.node, taken, int(time.time()))

    def _adopt(self, record: Resource, former: World, options: Options) -> Resource:
        """A new share over a source that exists is marked: we never destroy it."""
        if not isinstance(record, Share) or former.get(record) is not None:
            return record
        with contextlib.suppress(GatewayError):  # told by _look
            exists = self.site.blueprint(former, options.allow_paths).source(record).look()[1]
            return record.model_copy(update={"adopted": exists})
        return record

    def _look(self, records: Sequence[Resource], staged: World, former: World, options: Options) -> list[Fault]:
        """What stands against the records in the world outside."""
        faults: list[Fault] = []
        blueprint = self.site.blueprint(staged, options.allow_paths)
        for record in records:
            found: list[Fault] = []
            if isinstance(record, Gateway):
                found = self._look_gateway(record, blueprint, former)
            elif isinstance(record, Share) and record.gateway in staged.gateways:
                found = self._look_share(record, blueprint, options)
            faults += [Fault(f"{record.kind}.{record.name}.{f.field}", f.message, f.hint) for f in found]
        return faults

    def _look_gateway(self, gateway: Gateway, blueprint: Blueprint, former: World) -> list[Fault]:
        if not self.site.owns(gateway):
            hint = "ask the engine of that node"
            return [Fault("mode.node", f"the gateway is node {gateway.mode.node}'s, this is {self.site.node}", hint)]
        return blueprint.mode(gateway).look(former.gateways.get(gateway.name))

    def _look_share(self, share: Share, blueprint: Blueprint, options: Options) -> list[Fault]:
        if not self.site.owns(blueprint.world.gateways[share.gateway]):
            node = blueprint.world.gateways[share.gateway].mode.node
            return [Fault("gateway", f"it is node {node}'s, this is {self.site.node}", "ask the engine of that node")]
        source = blueprint.source(share)
        try:
            faults = source.look()[0]
        except GatewayError as error:
            return [Fault("source", str(error), error.hint)]
        if share.quota and not source.has_quota:
            hint = "use an image, btrfs or zfs source, which have one"
            faults.append(Fault("quota", f"a {share.source.kind} source has no quota of its own", hint))
        return [fault for fault in faults if not (options.force and fault.waivable)]
