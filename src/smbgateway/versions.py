"""Snapshots of shares (Previous Versions): taken by hand or by schedule, listed, deleted, restored."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import retention
from .convergence import Result, Tell, silent
from .engine import Engine
from .errors import Conflict, Failed, GatewayError, NotFound, Unavailable
from .model import MOST_SNAPSHOTS, Gateway, Share
from .retention import KEPT, SCHEDULED
from .samba.clients import clients
from .samba.registry import Registry
from .sources import Snapshots, without_snapshots
from .step import Ledger
from .world import World

HOUR, RETRY = 3600.0, 600.0  # seconds between looks at a share with a schedule; after a failure
CLOSED_WITHIN = 20.0  # seconds, for every client of a share to be gone


@dataclass(frozen=True)
class Open:
    """A share of this node while nobody else changes its gateway."""

    share: Share
    gateway: Gateway
    world: World
    snapshots: Snapshots
    names: list[str]  # ours, oldest first


class Versions:
    """The snapshots of one engine's shares."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self.engine, self.clock = engine, clock
        self._next: dict[str, tuple[str, float]] = {}  # share: digest looked at, when to look again
        self._world: World | None = None
        self._scheduled: list[Share] = []  # those of that world which have a schedule

    def all(self, key: str) -> list[str]:
        """The names of a share's snapshots, oldest first. Raises GatewayError."""
        world = self.engine.site.world()
        share, _ = self.engine.site.home(key, world)
        return retention.ours(self._of(share, world).names())

    def take(self, key: str, tell: Tell = silent) -> Result:
        """Take one that stays until it is deleted. Raises GatewayError."""
        with self._turn(key) as here:
            self._refuse_full(here)
            tell("request", "checked", 0)
            return self._taken(here, retention.name(KEPT, self.clock(), here.names), tell)

    def drop(self, key: str, name: str, tell: Tell = silent) -> Result:
        """Delete one. Raises GatewayError."""
        with self._turn(key) as here:
            self._refuse_unknown(here, name)
            tell("request", "checked", 0)
            return self._dropped(here, [name], tell)

    def restore(self, key: str, name: str, tell: Tell = silent) -> Result:
        """Put the data back to a snapshot, clients shut out, after taking another of how it is. Raises GatewayError."""
        with self._turn(key) as here:
            self._refuse_unknown(here, name)
            self._refuse_full(here)
            self.engine.site.host.run("rsync", "--version")
            tell("request", "checked", 0)
            ledger = _ledger(tell)
            try:
                return self._restored(here, name, ledger, tell)
            except Exception as error:
                undone, left = ledger.undo()
                if isinstance(error, GatewayError):
                    error.undone, error.left = undone, left
                raise

    def _restored(self, here: Open, name: str, ledger: Ledger, tell: Tell) -> Result:
        blueprint = self.engine.site.blueprint(here.world)
        registry = Registry(blueprint.instance(here.gateway))
        published = blueprint.published(registry, here.share)
        ledger.remove([published])
        self._wait_until_closed(here)
        present = retention.name(KEPT, self.clock(), here.names)
        taken = self._taken(here, present, tell)
        ledger.converge([blueprint.restoration(here.share, here.snapshots).data(present, name)])
        ledger.converge([published])
        return Result(changes=[*taken.changes, *ledger.changes])

    def _wait_until_closed(self, here: Open) -> None:
        """What a client still writes would be in neither snapshot."""
        instance = self.engine.site.blueprint(here.world).instance(here.gateway)
        deadline = time.monotonic() + CLOSED_WITHIN
        while clients(instance, here.share.name):
            if time.monotonic() > deadline:
                raise Failed(f"share {here.share.name} is still open", "its clients were cut, and hold on", "try again")
            time.sleep(0.1)

    def serve(self, world: World) -> list[str]:
        """Take what schedules want now and delete what they keep no longer; returns what could not be."""
        now, said = self.clock(), []
        if world is not self._world:
            self._world, self._scheduled = world, [each for each in world.shares.values() if each.snapshots.total]
        for share in self._scheduled:
            digest, after = self._next.get(share.key, ("", 0.0))
            looked = digest == share.digest and 0 < after - now <= HOUR
            if share.state == "ready" and not looked and self._free(share, world):
                said += self._serve(share, now)
        return said

    def _free(self, share: Share, world: World) -> bool:
        """Whether its gateway is this node's, and not in an operation, which may last."""
        gateway = world.gateways.get(share.gateway)
        return gateway is not None and self.engine.site.owns(gateway) and not self.engine.busy(gateway.name)

    def _serve(self, share: Share, now: float) -> list[str]:
        self._next[share.key] = share.digest, now + RETRY
        try:
            with self._turn(share.key) as here:
                wanted = [retention.name(SCHEDULED, now, here.names)]
                wanted = wanted if retention.due(here.names, here.share.snapshots, now) else []
                # Before the new one is taken: at no time are there more than Explorer shows.
                self._dropped(here, retention.surplus([*here.names, *wanted], here.share.snapshots), silent)
                if wanted:
                    self._taken(here, wanted[0], silent)
        except GatewayError as error:
            return [f"snapshots of {share.title}: {error}"]
        self._next[share.key] = share.digest, (now // HOUR + 1) * HOUR
        return []

    @staticmethod
    def _taken(here: Open, name: str, tell: Tell) -> Result:
        ledger = _ledger(tell)
        ledger.converge([here.snapshots.snapshot(name)])
        return Result(changes=ledger.changes)

    @staticmethod
    def _dropped(here: Open, names: list[str], tell: Tell) -> Result:
        ledger = _ledger(tell)
        ledger.remove([here.snapshots.snapshot(name) for name in names], destroy=True)
        return Result()

    @contextlib.contextmanager
    def _turn(self, key: str) -> Iterator[Open]:
        """Wait for the gateway of a share. Raises NotFound, Conflict, Unavailable."""
        world = self.engine.site.world()
        _, gateway = self.engine.site.home(key, world)
        with self.engine.locked([gateway.name]):
            world = self.engine.site.world()
            share, gateway = self.engine.site.home(key, world)
            snapshots = self._of(share, world)
            yield Open(share, gateway, world, snapshots, retention.ours(snapshots.names()))

    def _of(self, share: Share, world: World) -> Snapshots:
        snapshots = self.engine.site.blueprint(world).source(share).snapshots
        if snapshots is None:
            cause, hint = without_snapshots(share.source.kind)
            raise Unavailable(f"{share.title} has no snapshots", cause, hint=hint)
        return snapshots

    @staticmethod
    def _refuse_full(here: Open) -> None:
        if retention.full(here.names):
            cause = f"Explorer shows none of more than {MOST_SNAPSHOTS}"
            hint = "delete some that are not needed, or keep fewer by schedule"
            raise Conflict(f"{here.share.title} has {len(here.names)} snapshots", cause, hint=hint)

    @staticmethod
    def _refuse_unknown(here: Open, name: str) -> None:
        if name not in here.names:
            known = f"the newest is {here.names[-1]}" if here.names else "there are none"
            raise NotFound(f"{here.share.title} has no snapshot {name[:50]}", hint=known)


def _ledger(tell: Tell) -> Ledger:
    return Ledger(tell=lambda change: tell(change.step.name, change.verb, change.seconds))
