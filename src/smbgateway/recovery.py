"""Backward: undo of an operation that failed, and what an engine does about those that a crash cut off."""

import contextlib
import os
from collections.abc import Sequence

from . import journal as journals
from .blueprint import Blueprint
from .convergence import Convergence, silent
from .errors import Failed, GatewayError
from .installation import Installation
from .model import Gateway, Resource, User
from .samba.registry import Registry
from .step import Change, Ledger, Step
from .world import World


class Recovery:
    """Puts back, finishes, brings up."""

    def __init__(self, site: Installation, convergence: Convergence) -> None:
        self.site, self.convergence = site, convergence

    def undone(
        self, error: Exception, ledger: Ledger, journal: journals.Journal, former: World, wanted: Sequence[Resource]
    ) -> Exception:
        """Set back what was changed, then the records; returns the error with what was undone and what is left."""
        undone, left = ledger.undo()
        try:
            with self.site.store.lock():
                self.restore(former, wanted)
            left += self._mend(former, wanted)
            journal.close()
        except GatewayError as trouble:
            journal.keep()
            left.append(f"the records ({trouble}); the engine tries again when it starts")
        if isinstance(error, GatewayError):
            error.undone, error.left = undone, left
            return error
        return Failed("the engine failed", f"{type(error).__name__}: {error}", undone=undone, left=left)

    def restore(self, former: World, wanted: Sequence[Resource]) -> None:
        """The records as they were, and their passwords."""
        for record in wanted:
            before = former.get(record)
            if before is None:
                self.site.store.delete(record)
            else:
                self.site.store.save(before)
            name = f"users/{record.name}"
            if isinstance(record, User) and record.password_set != getattr(before, "password_set", None):
                self.site.store.keep_secret(name, self.site.store.secret(f"{name}.former"))
                self.site.store.keep_secret(f"{name}.former", None)

    def _mend(self, former: World, wanted: Sequence[Resource]) -> list[str]:
        """After an undo each running Samba loads its former configuration; returns what could not be mended."""
        ledger = Ledger()
        for scope in self.site.scopes(wanted, former):
            if scope.gateway.name in former.gateways:
                try:
                    ledger.converge(self.site.blueprint(former).guest(scope.gateway))
                except GatewayError as error:
                    return [str(error)]
        return []

    def settle(self, wanted: Sequence[Resource]) -> None:
        """All went well: the records are ready, former passwords go."""
        for record in wanted:
            self.site.store.save(record.sealed("ready"))
            if isinstance(record, User) and record.password:
                self.site.store.keep_secret(f"users/{record.name}.former", None)

    def forget(self, removed: Sequence[Resource]) -> None:
        """The records of what was removed go, and their secrets."""
        with self.site.store.lock():
            for record in removed:
                self.site.store.delete(record)
                if isinstance(record, User):
                    self.site.store.keep_secret(f"users/{record.name}", None)

    def resume(self, entry: journals.Entry) -> str:
        """Finish an operation that a crash cut off, or put it back; says which."""
        names = ", ".join(record.title for record in [*entry.wanted, *entry.removed])
        former = self.site.world().staged([], entry.wanted).staged(entry.former)
        try:
            if entry.removed:
                self.convergence.backward(former, entry.removed, Ledger(), entry.destroy)
                self.forget(entry.removed)
            else:
                for record in entry.wanted:
                    self.site.store.save(record)
                self.convergence.forward(former, entry.wanted, Ledger(), silent)
                self.settle(entry.wanted)
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
            for scope in self.site.scopes(records, world):
                steps |= {s.name: s for s in self.site.blueprint(world).everything(scope.gateway, scope.shares)}
        ledger = Ledger()
        ledger.changes = [Change(steps[name], value) for name, value in entry.writes if name in steps]
        _, left = ledger.undo()
        with self.site.store.lock():
            self.restore(former, entry.wanted)
        return left + self._mend(former, entry.wanted)

    def bring_up(self, gateway: Gateway, world: World) -> list[str]:
        """Converge a whole gateway; a share that fails is told and does not keep the others down."""
        said = []
        blueprint = self.site.blueprint(world)
        for share in world.shares_of(gateway.name):
            said += self._try(share.title, blueprint.storage(share))
        return said + (self._try(gateway.title, blueprint.guest(gateway)) or self._publish_all(gateway, blueprint))

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

    def share_mounts(self) -> None:
        """Mounts made later below our mount area are seen by every running instance (propagation)."""
        folder = self.site.paths.mounts
        os.makedirs(folder, mode=0o711, exist_ok=True)
        lines = (self.site.host.read("/proc/self/mountinfo") or "").splitlines()
        if not any(line.split(" ")[4] == folder and " shared:" in line for line in lines):
            self.site.host.run("mount", "--bind", folder, folder)
            self.site.host.run("mount", "--make-shared", folder)
