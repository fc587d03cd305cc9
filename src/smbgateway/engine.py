"""The engine: takes requests, checks them, saves records, converges, and undoes what fails. One per node."""

import collections
import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from . import journal as journals
from .advice import advice
from .convergence import Convergence, Result, Tell, outcome, silent
from .errors import Conflict, Failed, GatewayError
from .host import Host
from .installation import Installation
from .intake import Intake, Options
from .model import KINDS, Gateway, Receiver, Resource, Share, User
from .paths import Paths
from .recovery import Recovery
from .secret import secret_name, secret_value
from .step import Cell, Ledger, look
from .store import Store
from .world import World

PLAIN = Options()
EVENTS = 20  # of a gateway that are kept in mind
CLASHES = 3  # times that a change is made anew because what was chosen for it is gone
RETRY, LONGEST_RETRY = 10.0, 600.0  # seconds until a gateway that is not whole is tried again


@dataclass(frozen=True)
class Planned:
    """What an operation would do: the cells that are not as they shall be, and what is to be known before."""

    cells: list[Cell]
    warnings: list[str]


class Engine:
    """All operations. Thread-safe: changes of one gateway wait for each other."""

    def __init__(self, store: Store, paths: Paths, host: Host, node: str) -> None:
        self.site = Installation(store, paths, host, node)
        self.intake = Intake(self.site)
        self.convergence = Convergence(self.site)
        self.recovery = Recovery(self.site, self.convergence)
        self.converged: dict[tuple[str, str], str] = {}  # digests of the records that this node is true to
        self.failing: dict[str, tuple[float, float]] = {}  # gateways not whole: when to try again, and the pause
        self.debts: set[str] = set()  # journals of operations that neither ended nor could be put back
        self.events: dict[str, collections.deque[tuple[int, str]]] = {}  # of gateways: when, and what became of it
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def plan(self, items: Iterable[object], options: Options = PLAIN) -> Planned:
        """What `apply` would change and warn of; touches nothing. Raises Invalid."""
        former = self.site.world()
        records = self.intake.allocated(self.intake.checked(items, former, options), former)
        staged = former.staged(records)
        blueprint = self.site.blueprint(staged, options.allow_paths)
        cells: list[Cell] = []
        for scope in self.site.scopes(records, staged):
            cells += look(blueprint.everything(scope.gateway, scope.shares))
        return Planned([cell for cell in cells if cell.differs], self._advice(records, staged))

    def _advice(self, records: Sequence[Resource], staged: World) -> list[str]:
        blueprint = self.site.blueprint(staged)
        hidden = [blueprint.hides_versions(record) for record in records if isinstance(record, Share)]
        return [*advice(records, staged), *filter(None, hidden)]

    def drift(self, gateway: Gateway, shares: Sequence[Share]) -> list[Cell]:
        """The cells that are not as the records say."""
        steps = self.site.blueprint(self.site.world()).everything(gateway, shares)
        return [cell for cell in look(steps) if cell.differs]

    def apply(self, items: Iterable[object], options: Options = PLAIN, tell: Tell = silent) -> Result:
        """Make the world as the resources say. All or nothing. Raises Invalid, Conflict, Failed, NotProved."""
        items = list(items)
        for _ in range(CLASHES):
            try:
                return self._apply(items, options, tell)
            except GatewayError as error:
                if not error.again:
                    raise
        return self._apply(items, options, tell)

    def _apply(self, items: Iterable[object], options: Options, tell: Tell) -> Result:
        world = self.site.world()
        records = self.intake.checked(items, world, options)
        tell("request", "checked", 0)
        with self._turn(records, world):
            former, wanted, journal = self._save(records, world)
            ledger = self._ledger(journal, tell)
            try:
                result = self.convergence.forward(former, wanted, ledger, tell)
                self.converged |= {(record.kind, record.key): record.digest for record in wanted}
                self.recovery.settle(former, wanted)
            except Exception as error:
                raise self._undone(error, ledger, journal, former, wanted) from error
            journal.close()
        result.outcomes = [outcome(record, former.get(record)) for record in wanted]
        result.warnings += self._advice(wanted, former.staged(wanted)) + self.convergence.spread(former, wanted, tell)
        result.changes = ledger.changes
        return result

    def _save(self, records: list[Resource], checked: World) -> tuple[World, list[Resource], journals.Journal]:
        """Allocate and keep the records, which were checked in a world, under the lock of the store; secrets first."""
        with self.site.store.lock():
            former = self.site.world()
            wanted = [r.sealed("creating") for r in self.intake.checked_again(records, former, checked)]
            before = [b for record in wanted if (b := former.get(record)) is not None]
            journal = journals.Journal.begin(self.site.paths.journal, before, wanted)
            try:
                for record in wanted:
                    if isinstance(record, User | Receiver) and (secret := secret_value(record)):
                        self.site.store.keep_secret(secret_name(record), secret)
                    self.site.store.save(record)
                journal.mark("saved")
            except Exception as error:
                raise self._undone(error, Ledger(), journal, former, wanted) from error
        return former, wanted, journal

    def _undone(
        self, error: Exception, ledger: Ledger, journal: journals.Journal, former: World, touched: Sequence[Resource]
    ) -> Exception:
        told = self.recovery.undone(error, ledger, journal, former, touched)
        if os.path.exists(journal.path):
            self.debts.add(journal.path)
        return told

    def remove(self, names: Sequence[tuple[str, str]], options: Options = PLAIN, tell: Tell = silent) -> Result:
        """Remove resources (kind, key). Data stays unless `destroy_data`. Raises NotFound, Invalid, Failed."""
        world = self.site.world()
        wanted = [world.find(kind, name) for kind, name in names]
        self.intake.check_removal(wanted, world, options)
        tell("request", "checked", 0)
        with self._turn(wanted, world):
            former, removed, journal = self._mark_removed(wanted, options)
            ledger = self._ledger(journal, tell)
            try:
                result = self.convergence.backward(former, removed, ledger, options.destroy_data)
                for record in removed:
                    self.converged.pop((record.kind, record.key), None)
                self.recovery.forget(removed)
            except Exception as error:
                raise self._undone(error, ledger, journal, former, removed) from error
            journal.close()
        result.outcomes = [{"kind": r.kind, "key": r.key, "outcome": "deleted"} for r in removed]
        result.changes = ledger.changes
        return result

    def _mark_removed(
        self, wanted: Sequence[Resource], options: Options
    ) -> tuple[World, list[Resource], journals.Journal]:
        """Check again under the lock of the store, and mark the records: a store that is read-only refuses here."""
        with self.site.store.lock():
            former = self.site.world()
            removed = [former.find(record.kind, record.key) for record in wanted]
            self.intake.check_removal(removed, former, options)
            journal = journals.Journal.begin(self.site.paths.journal, removed, [], removed, options.destroy_data)
            try:
                for record in removed:
                    self.site.store.save(record.sealed("deleting"))
                journal.mark("saved")
            except Exception as error:
                raise self._undone(error, Ledger(), journal, former, removed) from error
        return former, removed, journal

    def recover(self) -> list[str]:
        """Finish every operation that a crash or a read-only store cut off, or put it back; says what became of each.

        What can be neither stays a debt, for `recover` to try again.
        """
        said = []
        for path in sorted(self.debts, key=os.path.getmtime):
            with self.locked(["", *self.site.world().gateways]):
                told, settled = self.recovery.resume(path)
            said.append(told)
            if settled:
                self.debts.discard(path)
        return said

    def start(self) -> list[str]:
        """After a start or a reboot: prepare directories and the mount area, recover, bring up all that is ours."""
        paths = self.site.paths
        for folder, mode in ((paths.state, 0o711), (paths.run, 0o755), (paths.log, 0o750)):
            os.makedirs(folder, mode=mode, exist_ok=True)
        self.recovery.share_mounts()
        self.recovery.sweep()
        self.debts = set(journals.unfinished(paths.journal))
        said = self.recover()
        for gateway in filter(self.site.owns, self.site.world().gateways.values()):
            said += self.bring_up(gateway.name)
        self.converged = {key: digest for key, digest in self.digests(self.site.world()).items() if digest}
        return said

    def note(self, name: str, text: str) -> None:
        """Keep in mind, and write to the log, what became of a gateway unasked."""
        self.events.setdefault(name, collections.deque(maxlen=EVENTS)).append((int(time.time()), text))
        print(f"gateway {name}: {text}", flush=True)

    def restart(self, name: str, tell: Tell = silent) -> Result:
        """Stop a gateway with the machine that it runs in, and start both again. Raises NotFound, Conflict, Failed."""
        gateway = self.site.world().find("gateway", name)
        assert isinstance(gateway, Gateway)  # noqa: S101 - find keeps kinds
        self.site.check_own(gateway, gateway.title)
        if not gateway.enabled or gateway.cluster:
            hint = f"gateway start {name}" if not gateway.enabled else "gateway drain moves its addresses from a node"
            raise Conflict(f"{gateway.title} is {'a cluster' if gateway.cluster else 'stopped'}", hint=hint)
        tell("request", "checked", 0)
        with self.locked([name]):
            mode = self.site.blueprint(self.site.world()).mode(gateway)
            ledger = Ledger(tell=lambda change: tell(change.step.name, "stopped", change.seconds))
            ledger.remove([*mode.running(), mode.instance.daemon()])
            started = time.monotonic()
            if said := self.bring_up(name):
                raise Failed(f"{gateway.title} is not whole after its start", "; ".join(said))
            tell(gateway.title, "started", time.monotonic() - started)
        return Result(changes=ledger.changes)

    def bring_up(self, name: str) -> list[str]:
        """Converge a whole gateway; returns what could not be."""
        with self.locked([name]):
            world = self.site.world()
            gateway = world.gateways.get(name)
            if gateway is None or not self.site.owns(gateway):
                return []
            try:
                said = self.recovery.bring_up(gateway, world)
            except (GatewayError, OSError) as error:
                said = [f"{gateway.title}: {error}"]
        self._brought_up(name, bool(said))
        # What another node has not finished may yet be put back: looked at again as soon as it is ready, or gone.
        for record in (*world.users.values(), *world.groups.values()):
            if record.state != "ready":
                self.converged[record.kind, record.key] = ""
        return said

    def _brought_up(self, name: str, failed: bool) -> None:
        """Keep when a gateway that is not whole is tried again: ever more rarely."""
        _, pause = self.failing.pop(name, (0.0, RETRY / 2))
        if failed:
            pause = min(pause * 2, LONGEST_RETRY)
            self.failing[name] = time.monotonic() + pause, pause

    def busy(self, name: str) -> bool:
        """Whether an operation of a gateway is on its way, which may last."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.RLock())
        free = lock.acquire(blocking=False)
        if free:
            lock.release()
        return not free

    def digests(self, world: World) -> dict[tuple[str, str], str | None]:
        """The digests of all records; of those being changed what is known, as they are left to who changes them.

        But for clusters, which change by all their members at once.
        """
        records = {(kind, key): record for kind in KINDS for key, record in world.table(kind).items()}
        known = self.converged
        return {
            key: record.digest if record.state == "ready" or getattr(record, "cluster", None) else known.get(key)
            for key, record in records.items()
        }

    @contextlib.contextmanager
    def _turn(self, records: Sequence[Resource], world: World) -> Iterator[None]:
        """Wait for the gateways that a change reaches; people and gateways change one at a time: they reach all."""
        everybody = [] if all(isinstance(record, Share) for record in records) else [""]
        with self.locked(everybody), self.locked(self.site.touched(records, world)):
            yield

    def _ledger(self, journal: journals.Journal, tell: Tell) -> Ledger:
        return Ledger(journal.note, lambda change: tell(change.step.name, change.verb, change.seconds))

    @contextlib.contextmanager
    def locked(self, gateways: Sequence[str]) -> Iterator[None]:
        """One operation at a time per gateway; always in the order of names, so that no two wait for each other."""
        with contextlib.ExitStack() as stack:
            for name in sorted(gateways):
                with self._guard:
                    lock = self._locks.setdefault(name, threading.RLock())
                stack.enter_context(lock)
            yield
