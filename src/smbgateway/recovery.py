"""Backward: undo of an operation that failed, and what an engine does about those that a crash cut off."""

import contextlib
import glob
import os
from collections.abc import Sequence
from dataclasses import replace

from . import journal as journals
from .blueprint import Blueprint
from .convergence import Convergence, silent
from .errors import Failed, GatewayError
from .installation import Installation
from .model import Gateway, Receiver, Resource, Share, User
from .modes.lxc_member import forsaken
from .samba.instance import Instance, scratch
from .samba.launch import launcher
from .samba.registry import Registry
from .samba.session import PROOF_FILE
from .secret import secret_name
from .step import Change, Ledger, Step
from .world import World


class Recovery:
    """Puts back, finishes, brings up."""

    def __init__(self, site: Installation, convergence: Convergence) -> None:
        self.site, self.convergence = site, convergence

    def undone(
        self, error: Exception, ledger: Ledger, journal: journals.Journal, former: World, touched: Sequence[Resource]
    ) -> Exception:
        """Set back what was changed, then the records; returns the error with what was undone and what is left.

        The journal stays where the records could not be set back.
        """
        with contextlib.suppress(OSError):
            journal.mark("undoing")
        undone, left = ledger.undo()
        try:
            self.restore(former, touched)
            left += self._mend(touched)
            journal.close()
        except (GatewayError, OSError) as trouble:
            journal.keep()
            left.append(f"the records ({trouble}); the engine tries again")
        if isinstance(error, GatewayError):
            error.undone, error.left = undone, left
            return error
        return Failed("the engine failed", f"{type(error).__name__}: {error}", undone=undone, left=left)

    def restore(self, former: World, touched: Sequence[Resource]) -> None:
        """The records as they were, and their passwords; not those that another engine changed since."""
        with self.site.store.lock():
            present = self.site.world()
            for record in touched:
                now, before = present.get(record), former.get(record)
                if now is not None and now.digest == record.digest and now != before:
                    if before is None:
                        self.site.store.delete(record)
                    else:  # ready, also where another engine was about to change it: that one has ended, or does so yet
                        self.site.store.save(before.sealed("ready"))
                if now is None or now.digest == record.digest:
                    self._drop_password(record, before)

    def _drop_password(self, record: Resource | None, kept: Resource | None) -> None:
        """Forget the password of a record, unless it is also that of the one kept."""
        if isinstance(record, User | Receiver) and record.password_set not in (
            None,
            getattr(kept, "password_set", None),
        ):
            name = secret_name(record)
            if self.site.store.secret(name) is not None:
                self.site.store.keep_secret(name, None)

    def _mend(self, touched: Sequence[Resource]) -> list[str]:
        """After an undo each running Samba loads its former configuration; returns what could not be mended.

        A machine that was started again for it has lost its mounts.
        """
        world = self.site.world()
        blueprint = self.site.blueprint(world)
        for scope in self.site.scopes(touched, world):
            inside = [share for share in world.shares_of(scope.gateway.name) if blueprint.inside(share)]
            try:
                Ledger().converge(blueprint.guest(scope.gateway))
                for share in inside if scope.gateway.enabled else ():
                    Ledger().converge(blueprint.shown(share))
            except GatewayError as error:
                return [str(error)]
        return []

    def settle(self, former: World, wanted: Sequence[Resource]) -> None:
        """All went well: the records are ready, former passwords go."""
        with self.site.store.lock():
            present = self.site.world()
            for record in wanted:
                now = present.get(record)
                if now is not None and now.digest == record.digest:
                    self.site.store.save(record.sealed("ready"))
                if now is not None:  # also where another engine has set a further one since
                    self._drop_password(former.get(record), now)

    def forget(self, removed: Sequence[Resource]) -> None:
        """The records of what was removed go, and their secrets."""
        with self.site.store.lock():
            present = self.site.world()
            for record in removed:
                now = present.get(record)
                if now is None or now.digest == record.digest:
                    self.site.store.delete(record)
                    self._drop_password(record, None)

    def resume(self, path: str) -> tuple[str, bool]:
        """Finish an operation that a crash cut off, or put it back; says which, and whether that is the end of it."""
        entry = journals.load(path)
        names = ", ".join(record.title for record in [*entry.wanted, *entry.removed])
        mine = self._mine(entry)
        former = self.site.world().staged([], mine.wanted).staged(mine.former)
        self._sweep_proofs([share for share in mine.wanted if isinstance(share, Share)], former.staged(mine.wanted))
        journal = journals.Journal.resume(path)
        try:
            said = self._finish(mine, former, journal) if entry.forward else self._put_back(mine, former)
        except (GatewayError, OSError) as error:
            journal.keep()
            return f"{names}: neither finished nor put back, tried again later ({error})", False
        journal.close()
        return f"{names}: {said}", True

    def _mine(self, entry: journals.Entry) -> journals.Entry:
        """The operation without the records that another engine changed or removed since."""
        world = self.site.world()
        before = {(record.kind, record.key): record.digest for record in entry.former}

        def untouched(record: Resource) -> bool:
            now = world.get(record)
            if now is None:
                return record in entry.removed or "saved" not in entry.marks or "undoing" in entry.marks
            return now.digest in (record.digest, before.get((record.kind, record.key)))

        wanted, removed = (list(filter(untouched, records)) for records in (entry.wanted, entry.removed))
        keys = {(record.kind, record.key) for record in [*wanted, *removed]}
        former = [record for record in entry.former if (record.kind, record.key) in keys]
        return replace(entry, wanted=wanted, removed=removed, former=former)

    def _finish(self, entry: journals.Entry, former: World, journal: journals.Journal) -> str:
        ledger = Ledger(journal.note)
        try:
            if entry.removed:
                self.convergence.backward(former, entry.removed, ledger, entry.destroy)
                self.forget(entry.removed)
            else:
                self.convergence.forward(former, entry.wanted, ledger, silent)
                self.settle(former, entry.wanted)
        except (GatewayError, OSError) as error:
            journal.mark("undoing")
            cause = error.reason if isinstance(error, GatewayError) else str(error)
            # Also what was written just now: it stands in the journal as well.
            return self._put_back(replace(entry, writes=journals.load(entry.path).writes), former, f" ({cause})")
        return "finished"

    def _put_back(self, entry: journals.Entry, former: World, why: str = "") -> str:
        """Undo by the journal what an engine that crashed had written."""
        touched = [*entry.wanted, *entry.removed]
        steps: dict[str, Step] = {}
        for world, records in ((former, entry.former), (former.staged(entry.wanted), touched)):
            for scope in self.site.scopes(records, world):
                steps |= {s.name: s for s in self.site.blueprint(world).everything(scope.gateway, scope.shares)}
        ledger = Ledger()
        ledger.changes = [Change(steps[name], value) for name, value in entry.writes if name in steps]
        _, left = ledger.undo()
        self.restore(former, touched)
        left += self._mend(touched)
        return f"put back{why}" + (f"; left: {', '.join(left)}" if left else "")

    def sweep(self) -> None:
        """Remove what a crash left of files on their way into place, and of proofs: some hold a password."""
        paths = self.site.paths
        with contextlib.suppress(GatewayError), self.site.store.lock():
            for folder in (paths.config, paths.priv):
                self._sweep(folder, "-type", "f", "-name", ".new-*", "-delete")
        for folder in glob.glob(f"{glob.escape(paths.instance(''))}*"):
            self._sweep(folder, "-maxdepth", "2", "-type", "f", "-name", ".new-*", "-delete")
            for private in ("import", "*.smbgw-*"):
                self._sweep(f"{folder}/private", "-type", "f", "-name", private, "-delete")
            memory, _, name = scratch(folder).rpartition("/")
            self._sweep(memory, "-maxdepth", "1", "-name", f"{name}*", "-exec", "rm", "-rf", "{}", "+")
            for proof in ("login-*", f"{PROOF_FILE}*"):
                self._sweep(f"{folder}/run", "-maxdepth", "1", "-name", proof, "-exec", "rm", "-rf", "{}", "+")

    def _sweep_proofs(self, shares: Sequence[Share], world: World) -> None:
        blueprint = self.site.blueprint(world)
        for share in shares:
            with contextlib.suppress(GatewayError):
                folder, host = blueprint.source(share).path, blueprint.data_host(share)
                host.run("find", folder, "-xdev", "-maxdepth", "1", "-type", "f", "-name", f"{PROOF_FILE}*", "-delete")

    def _sweep(self, folder: str, *test: str) -> None:
        if os.path.isdir(folder):
            self.site.host.run("find", folder, "-xdev", "-mindepth", "1", *test)

    def bring_up(self, gateway: Gateway, world: World) -> list[str]:
        """Converge a whole gateway; a share that fails is told and does not keep the others down."""
        said = []
        blueprint = self.site.blueprint(world)
        if gateway.cluster and blueprint.member(gateway).outvoted():
            blueprint.instance(gateway).stop()  # first: alone it is in recovery, where each word to a database hangs
        shares = world.shares_of(gateway.name)
        foreseeing = blueprint.foreseeing(shares)
        for share in shares:
            said += self._try(share.title, foreseeing.storage(share, joins=bool(gateway.cluster)))
        trouble = self._try(gateway.title, blueprint.guest(gateway))
        return said + (trouble or (self._publish_all(gateway, blueprint) if gateway.enabled else []))

    def _publish_all(self, gateway: Gateway, blueprint: Blueprint) -> list[str]:
        registry = Registry(blueprint.instance(gateway))
        shares = blueprint.world.shares_of(gateway.name)
        with contextlib.suppress(GatewayError):
            registry.prefetch()
        return [
            said for s in shares for said in self._try(s.title, [*blueprint.shown(s), blueprint.published(registry, s)])
        ]

    def release(self, world: World) -> list[str]:
        """End members of clusters that are no longer ours: another engine removed us, or the gateway."""
        if getattr(self.site.store, "broken", {}):  # a record that cannot be read is not one that is gone
            return []
        said = []
        for own in glob.glob(f"{glob.escape(self.site.paths.instance(''))}*/ctdb/fence.json"):
            name = own.split("/")[-3]
            gateway = world.gateways.get(name)
            if gateway is None or not self.site.owns(gateway):
                instance = Instance(self.site.host, gateway or Gateway(name=name), self.site.paths.instance(name),
                                    launcher(self.site.host, self.site.paths.root))  # fmt: skip
                instance.stop()
                self.site.host.run("rm", "-rf", "--one-file-system", "--", instance.own)
                said.append(f"gateway {name}: this node is no member any more")
        kept = {gateway.name for gateway in world.gateways.values() if self.site.owns(gateway)}
        gone = forsaken(self.site.host, self.site.paths, kept)
        return said + [f"gateway {name}: this node is no member any more" for name in gone]

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
            # First out of the peers of what it lies in: else each source would be mounted there a second time.
            self.site.host.run("mount", "--make-private", folder)
            self.site.host.run("mount", "--make-shared", folder)
