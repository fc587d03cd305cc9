"""The engine: takes requests, checks them, saves records, converges, and undoes what fails. One per node."""

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence

from . import journal as journals
from .advice import advice
from .convergence import Convergence, Result, Tell, outcome, silent
from .errors import GatewayError
from .host import Host
from .installation import Installation
from .intake import Intake, Options
from .model import KINDS, Gateway, Resource, Share, User
from .paths import Paths
from .recovery import Recovery
from .samba.accounts import nt_hash
from .step import Cell, Ledger, look
from .store import Store
from .world import World

PLAIN = Options()


class Engine:
    """All operations. Thread-safe: changes of one gateway wait for each other."""

    def __init__(self, store: Store, paths: Paths, host: Host, node: str) -> None:
        self.site = Installation(store, paths, host, node)
        self.intake = Intake(self.site)
        self.convergence = Convergence(self.site)
        self.recovery = Recovery(self.site, self.convergence)
        self.converged: dict[tuple[str, str], str] = {}  # digests of the records that this node is true to
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def plan(self, items: Iterable[object], options: Options = PLAIN) -> list[Cell]:
        """What `apply` would change, cell by cell; touches nothing. Raises Invalid."""
        former = self.site.world()
        records = self.intake.allocated(self.intake.checked(items, former, options), former)
        staged = former.staged(records)
        blueprint = self.site.blueprint(staged, options.allow_paths)
        cells: list[Cell] = []
        for scope in self.site.scopes(records, staged):
            cells += look(blueprint.everything(scope.gateway, scope.shares))
        return [cell for cell in cells if cell.differs]

    def drift(self, gateway: Gateway, shares: Sequence[Share]) -> list[Cell]:
        """The cells that are not as the records say."""
        steps = self.site.blueprint(self.site.world()).everything(gateway, shares)
        return [cell for cell in look(steps) if cell.differs]

    def apply(self, items: Iterable[object], options: Options = PLAIN, tell: Tell = silent) -> Result:
        """Make the world as the resources say. All or nothing. Raises Invalid, Conflict, Failed, NotProved."""
        records = self.intake.checked(items, self.site.world(), options)
        tell("request", "checked", 0)
        with self._locked(self.site.touched(records, self.site.world())):
            former, wanted, journal = self._save(records)
            ledger = self._ledger(journal, tell)
            try:
                result = self.convergence.forward(former, wanted, ledger, tell)
            except Exception as error:
                raise self.recovery.undone(error, ledger, journal, former, wanted) from error
            self.recovery.settle(wanted)
            self.converged |= {(record.kind, record.key): record.digest for record in wanted}
            journal.close()
        result.outcomes = [outcome(record, former.get(record)) for record in wanted]
        result.warnings += advice(wanted, former.staged(wanted))
        result.changes = ledger.changes
        return result

    def _save(self, records: list[Resource]) -> tuple[World, list[Resource], journals.Journal]:
        """Allocate and keep the records, under the lock of the store; secrets first."""
        with self.site.store.lock():
            former = self.site.world()
            wanted = [r.sealed("creating") for r in self.intake.checked_again(records, former)]
            before = [b for record in wanted if (b := former.get(record)) is not None]
            journal = journals.Journal(self.site.paths.journal, before, wanted)
            try:
                for record in wanted:
                    self._keep_password(record)
                    self.site.store.save(record)
            except GatewayError:
                self.recovery.restore(former, wanted)
                journal.close()
                raise
        return former, wanted, journal

    def _keep_password(self, record: Resource) -> None:
        if isinstance(record, User) and record.password:
            name = f"users/{record.name}"
            self.site.store.keep_secret(f"{name}.former", self.site.store.secret(name))
            self.site.store.keep_secret(name, nt_hash(record.password.get_secret_value()))

    def remove(self, names: Sequence[tuple[str, str]], options: Options = PLAIN, tell: Tell = silent) -> Result:
        """Remove resources (kind, key). Data stays unless `destroy_data`. Raises NotFound, Invalid, Failed."""
        world = self.site.world()
        removed = [world.find(kind, name) for kind, name in names]
        self.intake.check_removal(removed, world, options)
        tell("request", "checked", 0)
        with self._locked(self.site.touched(removed, world)):
            former = self.site.world()
            journal = journals.Journal(self.site.paths.journal, removed, [], removed, options.destroy_data)
            ledger = self._ledger(journal, tell)
            try:
                result = self.convergence.backward(former, removed, ledger, options.destroy_data)
            except Exception as error:
                raise self.recovery.undone(error, ledger, journal, former, []) from error
            self.recovery.forget(removed)
            for record in removed:
                self.converged.pop((record.kind, record.key), None)
            journal.close()
        result.outcomes = [{"kind": r.kind, "key": r.key, "outcome": "deleted"} for r in removed]
        result.changes = ledger.changes
        return result

    def recover(self) -> list[str]:
        """After a crash: finish every operation that did not end, or put it back. Returns what became of each."""
        said = []
        for entry in list(journals.entries(self.site.paths.journal)):
            with self._locked([gateway.name for gateway in self.site.world().gateways.values()]):
                said.append(self.recovery.resume(entry))
        return said

    def start(self) -> list[str]:
        """After a start or a reboot: prepare directories and the mount area, recover, bring up all that is ours."""
        paths = self.site.paths
        for folder, mode in ((paths.state, 0o711), (paths.run, 0o755), (paths.log, 0o750)):
            os.makedirs(folder, mode=mode, exist_ok=True)
        self.recovery.share_mounts()
        said = self.recover()
        world = self.site.world()
        for gateway in filter(self.site.owns, world.gateways.values()):
            said += self.bring_up(gateway)
        self.converged = self.digests()
        return said

    def bring_up(self, gateway: Gateway) -> list[str]:
        """Converge a whole gateway; returns what could not be."""
        with self._locked([gateway.name]):
            return self.recovery.bring_up(gateway, self.site.world())

    def digests(self) -> dict[tuple[str, str], str]:
        """The digests of all records that are ready: those still being created are left to who creates them."""
        world = self.site.world()
        records = [record for kind in KINDS for record in world.table(kind).values()]
        return {(record.kind, record.key): record.digest for record in records if record.state == "ready"}

    def _ledger(self, journal: journals.Journal, tell: Tell) -> Ledger:
        return Ledger(journal.note, lambda change: tell(change.step.name, change.verb, change.seconds))

    @contextlib.contextmanager
    def _locked(self, gateways: Sequence[str]) -> Iterator[None]:
        """One operation at a time per gateway; always in the order of names, so that no two wait for each other."""
        with contextlib.ExitStack() as stack:
            for name in sorted(gateways):
                with self._guard:
                    lock = self._locks.setdefault(name, threading.RLock())
                stack.enter_context(lock)
            yield
