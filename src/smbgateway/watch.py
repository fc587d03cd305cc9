"""What the engine does unasked: adopt changed records, restart and mount again what died, take snapshots."""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable

from .engine import Engine
from .errors import GatewayError
from .host import ending
from .model import Gateway
from .moves import Moves
from .revival import Revival
from .storages import Storages
from .versions import Versions
from .world import World

POLL = 2.0  # seconds; the store has no events across nodes
MACHINES = 5  # rounds between two looks at virtual machines: each look is some commands inside
AGAIN = 15.0  # seconds between two looks at mounts and at what the kernel killed
RECORDS = 60.0  # seconds after which records are read although they seem unchanged: one may be edited in place


class Watch:
    """A thread beside the API."""

    def __init__(
        self, engine: Engine, clock: Callable[[], float] = time.time, changed: Callable[[], object] = bool
    ) -> None:
        self.engine, self.changed = engine, changed
        self.versions = Versions(engine, clock)
        self.storages = Storages(engine)
        self.moves = Moves(engine)
        self.revival = Revival(engine)
        self._ended = threading.Event()
        self._stamp: tuple[int, ...] = ()
        self._world: World | None = None  # read anew when the store changed: 100 records cost 2 ms
        self._read = self._looked = 0.0
        self._unsure = False
        self._killed: dict[str, int] = {}
        self._told: dict[str, dict[str, str]] = {}  # versions of the members of clusters, as last seen
        self._rounds = itertools.count()

    def run(self) -> None:
        """Look every two seconds until `end`. A failure is told once a round and never ends the watch."""
        while not self._ended.wait(POLL):
            try:
                self.look()
            except (GatewayError, OSError) as error:
                print(f"watch: {error}", flush=True)

    def end(self) -> None:
        """Stop the thread."""
        self._ended.set()

    def look(self) -> None:
        """One round."""
        if self.engine.debts:
            self._tell(self.engine.recover())
        now, moved = time.monotonic(), self._records_moved()
        if self._world is None or moved or self._unsure or now - self._read > RECORDS:
            self._unsure = moved  # a second change within one tick of the clock has the same stamp: read once more
            self._world, self._read = self.engine.site.world(), now
            self._adopt(self._world)
            self._tell(self.engine.recovery.release(self._world))
        self._tell(self.moves.look(self._world))
        self._revive(self._world)
        self._tell(self.versions.serve(self._world))
        self._tell(self.storages.heed(self._world))
        if now - self._looked > AGAIN:
            self._looked = now
            self._count_killed(self._world)
            self._tell(self.revival.look(self._world))
        if moved:
            self.changed()

    def _records_moved(self) -> bool:
        """Whether any directory of the store changed: renames within it show in its mtime."""
        config = self.engine.site.paths.config
        stamp = []
        for folder in ("gateways", "shares", "users", "groups"):
            with contextlib.suppress(FileNotFoundError):
                stamp.append(os.stat(f"{config}/{folder}").st_mtime_ns)
        with contextlib.suppress(FileNotFoundError):
            stamp += [entry.stat().st_mtime_ns for entry in os.scandir(f"{config}/shares")]
        moved, self._stamp = tuple(stamp) != self._stamp, tuple(stamp)
        return moved

    def _adopt(self, world: World) -> None:
        """Converge the gateways of ours whose records another node changed, or people's anywhere."""
        now, known = self.engine.digests(world), self.engine.converged
        changed = {key for key in now.keys() | known.keys() if now.get(key) != known.get(key)}
        gateways = world.gateways
        people = any(kind in ("user", "group") for kind, _ in changed)
        names = set(gateways) if people else {key.partition("/")[0] for _, key in changed}
        for key in changed:  # before the work: what changes meanwhile is a new change
            if digest := now.get(key):
                known[key] = digest
            else:
                known.pop(key, None)
        for name in sorted(names & set(gateways)):
            if self._ours(gateways[name]):
                self._tell(self.engine.bring_up(name))

    def _revive(self, world: World) -> None:
        """Start again what died (a supervisor that was killed takes its smbd along), and try again what failed.

        Not while the node goes down, which stops its guests before us.
        """
        machines = next(self._rounds) % MACHINES == 0
        for gateway in filter(self._free, world.gateways.values()):
            if failing := self.engine.failing.get(gateway.name):
                if self._told_anew(gateway, world) or time.monotonic() > failing[0]:
                    self._tell(self.engine.bring_up(gateway.name))
            elif machines or gateway.mode.kind != "vm":
                self._revive_one(gateway, world)

    def _revive_one(self, gateway: Gateway, world: World) -> None:
        if gateway.enabled and (why := self._trouble(gateway, world)) and not ending(self.engine.site.host):
            self.engine.note(gateway.name, why)
            self._tell(self.engine.bring_up(gateway.name))

    def _told_anew(self, gateway: Gateway, world: World) -> bool:
        """Whether a member of a cluster has told another version since the last look: who waits for it may start."""
        if not gateway.cluster:
            return False
        told = self.engine.site.blueprint(world).member(gateway).told()
        former, self._told[gateway.name] = self._told.get(gateway.name, told), told
        return told != former

    def _trouble(self, gateway: Gateway, world: World) -> str:
        """Why it must be looked after, empty where it runs."""
        blueprint = self.engine.site.blueprint(world)
        try:
            if not blueprint.instance(gateway).pid():
                return "it has ended, or was stopped from outside: started again"
        except GatewayError as error:  # its machine runs, and does not answer
            return error.reason
        outvoted = gateway.cluster and blueprint.member(gateway).outvoted()
        return "most members have another version of Samba now: this one waits" if outvoted else ""

    def _count_killed(self, world: World) -> None:
        """Note processes that the kernel killed for want of memory: that costs a connection, never the gateway."""
        for gateway in filter(self._free, world.gateways.values()):
            with contextlib.suppress(GatewayError):
                killed = self.engine.site.blueprint(world).mode(gateway).killed() if gateway.enabled else 0
                more = killed - self._killed.get(gateway.name, killed)  # less than none: it was started anew
                self._killed[gateway.name] = killed
                if more > 0:
                    what = f"{more} of its processes {'was' if more == 1 else 'were'} killed for want of memory"
                    self.engine.note(gateway.name, f"{what}: gateway update --memory gives it more")

    def _ours(self, gateway: Gateway) -> bool:
        """A cluster comes to be by all its members at once."""
        state = "creating" if gateway.cluster and gateway.state == "creating" else "ready"
        return gateway.state == state and self.engine.site.owns(gateway) and gateway.name not in self.moves.away

    def _free(self, gateway: Gateway) -> bool:
        """Ours, and not in an operation: the other gateways do not wait for that."""
        return self._ours(gateway) and not self.engine.busy(gateway.name)

    @staticmethod
    def _tell(said: list[str]) -> None:
        for line in said:
            print(f"watch: {line}", flush=True)
