"""The engine: takes requests, checks them, allocates, converges, proves, undoes. One per node."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import journal as journals
from .allocate import allocate
from .blueprint import Blueprint
from .checks import check, check_removed, doubled
from .errors import Conflict, Failed, Fault, GatewayError, HoldsData, Invalid
from .host import Host
from .model import Gateway, Group, Resource, Share, User, parse
from .paths import Paths
from .samba.accounts import nt_hash
from .samba.proof import Candidate, Proof, Prover, candidate
from .samba.registry import Registry
from .step import Cell, Change, Ledger, Step, look
from .store import Store
from .world import World

Tell = Callable[[str, str, float], None]  # name of a thing, what became of it, seconds


def silent(name: str, outcome: str, seconds: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Options:
    """What a caller may add to a request. `allow_paths` is for root alone."""

    force: bool = False
    destroy_data: bool = False
    allow_paths: tuple[str, ...] = ()


@dataclass
class Result:
    """What an operation did: outcomes by resource, steps changed, proofs, warnings, what was kept on purpose."""

    outcomes: list[dict[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scope:
    """What an operation converges: a gateway of this node and some of its shares."""

    gateway: Gateway
    shares: list[Share]


class Engine:
    """All operations. Thread-safe: changes of one gateway wait for each other."""

    def __init__(self, store: Store, paths: Paths, host: Host, node: str) -> None:
        self.store, self.paths, self.host, self.node = store, paths, host, node
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    # -- reading --------------------------------------------------------------------------------------------------

    def world(self) -> World:
        """All records as they are now."""
        return World.of(self.store)

    def blueprint(self, world: World, options: Options = Options()) -> Blueprint:
        """Records to steps."""
        return Blueprint(self.host, self.paths, self.store, world, options.allow_paths)

    def owns(self, gateway: Gateway) -> bool:
        """Whether this node runs a gateway."""
        return gateway.mode.node in ("", self.node)

    def plan(self, items: Iterable[object], options: Options = Options()) -> list[Cell]:
        """What `apply` would change, cell by cell; touches nothing. Raises Invalid."""
        former = self.world()
        records = self._checked(parse(items), former, options)
        staged = former.staged(records)
        blueprint = self.blueprint(staged, options)
        cells: list[Cell] = []
        for scope in self._scopes(records, staged):
            cells += look(blueprint.everything(scope.gateway, scope.shares))
        return [cell for cell in cells if cell.differs]

    def drift(self, gateway: Gateway, shares: Sequence[Share]) -> list[Cell]:
        """The cells that are not as the records say."""
        steps = self.blueprint(self.world()).everything(gateway, shares)
        return [cell for cell in look(steps) if cell.differs]

    # -- apply ----------------------------------------------------------------------------------------------------

    def apply(self, items: Iterable[object], options: Options = Options(), tell: Tell = silent) -> Result:
        """Make the world as the resources say. All or nothing. Raises Invalid, Conflict, Failed, NotProved."""
        records = parse(items)
        self._checked(records, self.world(), options)
        with self._locked(self._touched(records, self.world())):
            former, wanted, journal = self._save(records, options)
            ledger = self._ledger(journal, tell)
            try:
                result = self._forward(former, wanted, ledger, options, tell)
            except Exception as error:
                raise self._undone(error, ledger, journal, former, wanted) from error
            self._settle(wanted)
            journal.close()
        result.outcomes = [_outcome(record, former.get(record)) for record in wanted]
        result.changes = ledger.changes
        return result

    def _checked(self, records: list[Resource], former: World, options: Options) -> list[Resource]:
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
                lines = self.host.run("getent", database).splitlines()
                taken |= {int(line.split(":")[2]) for line in lines}
        return allocate(records, former, self.node, taken, int(time.time()))

    def _adopt(self, record: Resource, former: World, options: Options) -> Resource:
        """A new share over a source that exists is marked: we never destroy it."""
        if not isinstance(record, Share) or former.get(record) is not None:
            return record
        with contextlib.suppress(GatewayError):  # told by _look
            exists = self.blueprint(former, options).source(record).look()[1]
            return record.model_copy(update={"adopted": exists})
        return record

    def _look(self, records: Sequence[Resource], staged: World, former: World, options: Options) -> list[Fault]:
        """What stands against the records in the world outside."""
        faults: list[Fault] = []
        blueprint = self.blueprint(staged, options)
        for record in records:
            found: list[Fault] = []
            if isinstance(record, Gateway):
                found = self._look_gateway(record, blueprint, former)
            elif isinstance(record, Share) and record.gateway in staged.gateways:
                found = self._look_share(record, blueprint, options)
            faults += [Fault(f"{record.kind}.{record.name}.{f.field}", f.message, f.hint) for f in found]
        return faults

    def _look_gateway(self, gateway: Gateway, blueprint: Blueprint, former: World) -> list[Fault]:
        if not self.owns(gateway):
            hint = "ask the engine of that node"
            return [Fault("mode.node", f"the gateway is node {gateway.mode.node}'s, this is {self.node}", hint)]
        return blueprint.mode(gateway).look(former.gateways.get(gateway.name))

    def _look_share(self, share: Share, blueprint: Blueprint, options: Options) -> list[Fault]:
        if not self.owns(blueprint.world.gateways[share.gateway]):
            node = blueprint.world.gateways[share.gateway].mode.node
            return [Fault("gateway", f"it is node {node}'s, this is {self.node}", "ask the engine of that node")]
        source = blueprint.source(share)
        try:
            faults = source.look()[0]
        except GatewayError as error:
            return [Fault("source", str(error), error.hint)]
        if share.quota and not source.has_quota:
            hint = "use an image, btrfs or zfs source, which have one"
            faults.append(Fault("quota", f"a {share.source.kind} source has no quota of its own", hint))
        return [fault for fault in faults if not (options.force and fault.waivable)]

    def _save(self, records: list[Resource], options: Options) -> tuple[World, list[Resource], journals.Journal]:
        """Allocate and keep the records, under the lock of the store; secrets first."""
        with self.store.lock():
            former = self.world()
            wanted = [r.sealed("creating") for r in self._checked_again(records, former, options)]
            before = [b for record in wanted if (b := former.get(record)) is not None]
            journal = journals.Journal(self.paths.journal, before, wanted)
            try:
                for record in wanted:
                    self._keep_password(record)
                    self.store.save(record)
            except GatewayError:
                self._restore(former, wanted)
                journal.close()
                raise
        return former, wanted, journal

    def _checked_again(self, records: list[Resource], former: World, options: Options) -> list[Resource]:
        """Others may have been faster: the pure checks again, on what is true under the lock."""
        for record in records:
            self._check_digest(record, former)
        wanted = [self._adopt(record, former, options) for record in self._allocate(records, former)]
        if faults := check(former.staged(wanted), former, wanted):
            raise Invalid.of(faults)
        return wanted

    def _keep_password(self, record: Resource) -> None:
        if isinstance(record, User) and record.password:
            name = f"users/{record.name}"
            self.store.keep_secret(f"{name}.former", self.store.secret(name))
            self.store.keep_secret(name, nt_hash(record.password.get_secret_value()))

    def _forward(
        self, former: World, wanted: Sequence[Resource], ledger: Ledger, options: Options, tell: Tell
    ) -> Result:
        world = self.world()
        passwords = {r.name: r.password.get_secret_value() for r in wanted if isinstance(r, User) and r.password}
        result = Result()
        for scope in self._scopes(wanted, world):
            fresh = [share for share in scope.shares if _outcome(share, former.get(share))["outcome"] != "unchanged"]
            self._converge(scope, fresh, ledger, passwords, result, tell)
        return result

    def _converge(
        self, scope: Scope, fresh: list[Share], ledger: Ledger, passwords: dict[str, str], result: Result, tell: Tell
    ) -> None:
        """Bring one gateway to its records: storage, Samba, proof, publication, proof of that."""
        blueprint = self.blueprint(self.world())
        for share in scope.shares:
            ledger.converge(blueprint.storage(share))
        ledger.converge(blueprint.guest(scope.gateway))
        instance = blueprint.instance(scope.gateway)
        candidates = self._candidates(blueprint, fresh, list(passwords))
        started = time.monotonic()
        warnings = Prover(instance).shadow(candidates)
        shadowed = time.monotonic() - started
        registry = Registry(instance)
        if len(scope.shares) > 10:
            registry.prefetch()
        for share in scope.shares:
            with contextlib.suppress(GatewayError):  # only what clients are told of the size; the monitor tries again
                blueprint.publish_size(share)
        ledger.converge([blueprint.published(registry, share) for share in scope.shares])
        for one in candidates:
            self._prove(Prover(instance), one, passwords, warnings, shadowed / len(candidates), result, tell)
        result.addresses += [self._unc(scope.gateway, share) for share in scope.shares]

    @staticmethod
    def _candidates(blueprint: Blueprint, shares: Iterable[Share], prefer: Sequence[str]) -> list[Candidate]:
        world = blueprint.world
        return [candidate(s, blueprint.parameters(s), world.users, world.groups, prefer) for s in shares]

    @staticmethod
    def _prove(
        prover: Prover, one: Candidate, passwords: dict[str, str], warnings: dict[str, str], seconds: float,
        result: Result, tell: Tell,
    ) -> None:  # fmt: skip
        started = time.monotonic()
        text, warning = prover.real(one, passwords.get(one.user.name) if one.user else None)
        seconds += time.monotonic() - started
        proof = Proof(one.share.name, text, seconds, [w for w in {warning, warnings.get(one.share.name, "")} if w])
        result.proofs.append(proof)
        result.warnings += [f"share {proof.share}: {warning}" for warning in proof.warnings]
        tell(f"share {proof.share}", f"proved: {proof.text}", proof.seconds)

    def _settle(self, wanted: Sequence[Resource]) -> None:
        """All went well: the records are ready, former passwords go."""
        for record in wanted:
            self.store.save(record.sealed("ready"))
            if isinstance(record, User) and record.password:
                self.store.keep_secret(f"users/{record.name}.former", None)

    # -- remove ---------------------------------------------------------------------------------------------------

    def remove(self, names: Sequence[tuple[str, str]], options: Options = Options(), tell: Tell = silent) -> Result:
        """Remove resources (kind, key). Data stays unless `destroy_data`. Raises NotFound, Invalid, Failed."""
        world = self.world()
        removed = [world.find(kind, name) for kind, name in names]
        self._check_removal(removed, world, options)
        with self._locked(self._touched(removed, world)):
            former = self.world()
            journal = journals.Journal(self.paths.journal, removed, [], removed, options.destroy_data)
            ledger = self._ledger(journal, tell)
            try:
                result = self._backward(former, removed, ledger, options.destroy_data)
            except Exception as error:
                raise self._undone(error, ledger, journal, former, []) from error
            self._forget(removed)
            journal.close()
        result.outcomes = [{"kind": r.kind, "key": r.key, "outcome": "deleted"} for r in removed]
        result.changes = ledger.changes
        return result

    def _check_removal(self, removed: Sequence[Resource], world: World, options: Options) -> None:
        if faults := check_removed(world.staged([], removed), removed):
            raise Invalid.of(faults)
        for record in removed:
            if options.destroy_data and isinstance(record, Share) and record.adopted:
                raise HoldsData(
                    f"the data of share {record.name} is not destroyed",
                    "it was there before the share was made",
                    hint="delete the share without --destroy-data, then remove the data by hand",
                )

    def _backward(self, former: World, removed: Sequence[Resource], ledger: Ledger, destroy: bool) -> Result:
        blueprint = self.blueprint(former)
        result = Result()
        for share in removed:
            if isinstance(share, Share):
                home = former.gateways[share.gateway]
                published = blueprint.published(Registry(blueprint.instance(home)), share)
                steps = [s for s in blueprint.storage(share) if s.name not in {q.name for q in blueprint.quota(share)}]
                result.kept += ledger.remove([*steps, published], destroy)
        for record in removed:
            if isinstance(record, Gateway):
                instance = blueprint.instance(record)
                ledger.remove([*instance.steps(), instance.daemon()])
        after = former.staged([], removed)
        if any(isinstance(record, User | Group) for record in removed):
            for gateway in filter(self.owns, after.gateways.values()):
                ledger.converge(self.blueprint(after).guest(gateway))
        return result

    def _forget(self, removed: Sequence[Resource]) -> None:
        with self.store.lock():
            for record in removed:
                self.store.delete(record)
                if isinstance(record, User):
                    self.store.keep_secret(f"users/{record.name}", None)

    # -- undo and recovery ----------------------------------------------------------------------------------------

    def _undone(
        self, error: Exception, ledger: Ledger, journal: journals.Journal, former: World, wanted: Sequence[Resource]
    ) -> Exception:
        """Set back what was changed, then the records; returns the error with what was undone and what is left."""
        undone, left = ledger.undo()
        try:
            with self.store.lock():
                self._restore(former, wanted)
            left += self._mend(former, wanted)
            journal.close()
        except GatewayError as trouble:
            journal.keep()
            left.append(f"the records ({trouble}); the engine tries again when it starts")
        if isinstance(error, GatewayError):
            error.undone, error.left = undone, left
            return error
        return Failed("the engine failed", f"{type(error).__name__}: {error}", undone=undone, left=left)

    def _restore(self, former: World, wanted: Sequence[Resource]) -> None:
        """The records as they were, and their passwords."""
        for record in wanted:
            before = former.get(record)
            if before is None:
                self.store.delete(record)
            else:
                self.store.save(before)
            name = f"users/{record.name}"
            if isinstance(record, User) and record.password_set != getattr(before, "password_set", None):
                self.store.keep_secret(name, self.store.secret(f"{name}.former"))
                self.store.keep_secret(f"{name}.former", None)

    def _mend(self, former: World, wanted: Sequence[Resource]) -> list[str]:
        """After an undo each running Samba loads its former configuration; returns what could not be mended."""
        ledger = Ledger()
        for scope in self._scopes(wanted, former):
            if scope.gateway.name in former.gateways:
                try:
                    ledger.converge(self.blueprint(former).guest(scope.gateway))
                except GatewayError as error:
                    return [str(error)]
        return []

    def recover(self) -> list[str]:
        """After a crash: finish every operation that did not end, or put it back. Returns what became of each."""
        said = []
        for entry in list(journals.entries(self.paths.journal)):
            with self._locked([gateway.name for gateway in self.world().gateways.values()]):
                said.append(self._resume(entry))
        return said

    def _resume(self, entry: journals.Entry) -> str:
        names = ", ".join(record.title for record in [*entry.wanted, *entry.removed])
        former = self.world().staged(entry.former, [r for r in entry.wanted if r not in entry.former])
        former = World.of(self.store).staged([], entry.wanted).staged(entry.former)
        try:
            if entry.removed:
                self._backward(former, entry.removed, Ledger(), entry.destroy)
                self._forget(entry.removed)
            else:
                for record in entry.wanted:
                    self.store.save(record)
                self._forward(former, entry.wanted, Ledger(), Options(), silent)
                self._settle(entry.wanted)
            outcome = "finished"
        except GatewayError as error:
            left = self._put_back(entry, former)
            outcome = f"put back ({error.what}: {error.cause})" + (f"; left: {', '.join(left)}" if left else "")
        os.unlink(entry.path)
        return f"{names}: {outcome}"

    def _put_back(self, entry: journals.Entry, former: World) -> list[str]:
        """Undo by the journal what an engine that crashed had written."""
        steps: dict[str, Step] = {}
        for world, records in ((former, entry.former), (former.staged(entry.wanted), entry.wanted)):
            for scope in self._scopes(records, world):
                steps |= {s.name: s for s in self.blueprint(world).everything(scope.gateway, scope.shares)}
        ledger = Ledger()
        ledger.changes = [Change(steps[name], value) for name, value in entry.writes if name in steps]
        _, left = ledger.undo()
        with self.store.lock():
            self._restore(former, entry.wanted)
        return left + self._mend(former, entry.wanted)

    def start(self) -> list[str]:
        """After a start or a reboot: prepare directories and the mount area, recover, bring up all that is ours."""
        for folder, mode in ((self.paths.state, 0o711), (self.paths.run, 0o755), (self.paths.log, 0o750)):
            os.makedirs(folder, mode=mode, exist_ok=True)
        self._share_mounts()
        said = self.recover()
        world = self.world()
        for gateway in filter(self.owns, world.gateways.values()):
            said += self.bring_up(gateway, world)
        return said

    def bring_up(self, gateway: Gateway, world: World) -> list[str]:
        """Converge a whole gateway; a share that fails is told and does not keep the others down."""
        said = []
        blueprint = self.blueprint(world)
        with self._locked([gateway.name]):
            for share in world.shares_of(gateway.name):
                said += self._try(share.title, blueprint.storage(share))
            said += self._try(gateway.title, blueprint.everything(gateway, [])) or self._publish_all(gateway, blueprint)
        return said

    def _publish_all(self, gateway: Gateway, blueprint: Blueprint) -> list[str]:
        registry = Registry(blueprint.instance(gateway))
        shares = blueprint.world.shares_of(gateway.name)
        with contextlib.suppress(GatewayError):
            registry.prefetch()
        return [said for s in shares for said in self._try(s.title, [blueprint.published(registry, s)])]

    @staticmethod
    def _try(title: str, steps: Sequence[Step]) -> list[str]:
        try:
            Ledger().converge(steps)
        except GatewayError as error:
            return [f"{title}: {error}"]
        return []

    def _share_mounts(self) -> None:
        """Mounts made later below our mount area are seen by every running instance (propagation)."""
        folder = self.paths.mounts
        os.makedirs(folder, mode=0o711, exist_ok=True)
        lines = (self.host.read("/proc/self/mountinfo") or "").splitlines()
        if not any(line.split(" ")[4] == folder and " shared:" in line for line in lines):
            self.host.run("mount", "--bind", folder, folder)
            self.host.run("mount", "--make-shared", folder)

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _ledger(self, journal: journals.Journal, tell: Tell) -> Ledger:
        return Ledger(journal.note, lambda change: tell(change.step.name, change.verb, change.seconds))

    def _touched(self, records: Iterable[Resource], world: World) -> list[str]:
        """The gateways that a change of records reaches: all, for users and groups."""
        names: set[str] = set()
        for record in records:
            if isinstance(record, Gateway):
                names.add(record.name)
            elif isinstance(record, Share):
                names.add(record.gateway)
            else:
                names |= set(world.gateways)
        return sorted(names)

    def _scopes(self, records: Sequence[Resource], world: World) -> list[Scope]:
        """The gateways of this node that a change reaches, each with the shares to converge."""
        changed = {record.key for record in records if isinstance(record, Share)}
        whole = {record.name for record in records if isinstance(record, Gateway)}
        people = any(isinstance(record, User | Group) for record in records)
        scopes = []
        for name in self._touched(records, world):
            gateway = world.gateways.get(name)
            if gateway and self.owns(gateway):
                shares = world.shares_of(name)
                homes = people and any(share.purpose.kind == "homes" for share in shares)
                chosen = [
                    s for s in shares if s.key in changed or name in whole or (homes and s.purpose.kind == "homes")
                ]
                scopes.append(Scope(gateway, chosen))
        return scopes

    @contextlib.contextmanager
    def _locked(self, gateways: Sequence[str]) -> Iterator[None]:
        """One operation at a time per gateway; always in the order of names, so that no two wait for each other."""
        with contextlib.ExitStack() as stack:
            for name in sorted(gateways):
                with self._guard:
                    lock = self._locks.setdefault(name, threading.RLock())
                stack.enter_context(lock)
            yield

    @staticmethod
    def _unc(gateway: Gateway, share: Share) -> str:
        address = gateway.mode.addresses[0] if gateway.mode.addresses else os.uname().nodename
        return f"\\\\{address}\\{share.name}"


def _outcome(record: Resource, before: Resource | None) -> dict[str, Any]:
    if before is None:
        outcome = "created"
    else:
        outcome = "unchanged" if before.digest == record.digest and before.state == "ready" else "updated"
    return {"kind": record.kind, "key": record.key, "outcome": outcome}
