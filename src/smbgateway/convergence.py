"""Forward: bring gateways to their records, prove the shares, publish them."""

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .blueprint import MANY, Blueprint
from .errors import GatewayError, NotProved
from .installation import Installation, Scope
from .model import Gateway, Group, Resource, Share, User
from .samba.proof import Candidate, Proof, Prover, candidate
from .samba.registry import Registry
from .sources.cells import closed_way
from .step import Change, Ledger, Step
from .world import World

SPREAD = 15.0  # seconds that other members have to serve what is new
Tell = Callable[[str, str, float], None]  # name of a thing, what became of it, seconds


def silent(name: str, outcome: str, seconds: float) -> None:
    """Tell nobody."""


@dataclass
class Result:
    """What an operation did: outcomes by resource, steps changed, proofs, warnings, what was kept on purpose."""

    outcomes: list[dict[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


class Convergence:
    """Moves the world to records, and away from them."""

    def __init__(self, site: Installation) -> None:
        self.site = site

    def forward(
        self, former: World, wanted: Sequence[Resource], ledger: Ledger, tell: Tell, anew: bool = False
    ) -> Result:
        """Converge what the saved records `wanted` reach, and prove changed shares, or all. Raises GatewayError."""
        world = former.staged(wanted)
        passwords = {r.name: r.password.get_secret_value() for r in wanted if isinstance(r, User) and r.password}
        result = Result()
        for scope in self.site.scopes(wanted, world):
            fresh = [share for share in scope.shares if outcome(share, former.get(share))["outcome"] != "unchanged"]
            before = former.gateways.get(scope.gateway.name)
            if before and before.mode.kind != scope.gateway.mode.kind:
                fresh = scope.shares
                ledger.remove([self.site.blueprint(former).instance(before).daemon()])  # never two at the same data
            elif anew or (before and self._runs_anew(before, scope.gateway)):
                fresh = scope.shares
            self._converge(scope, former, world, fresh, ledger, passwords, result, tell)
            if before and before.mode.kind != scope.gateway.mode.kind:
                result.warnings += self._leave(before, former)
        return result

    @staticmethod
    def _runs_anew(before: Gateway, now: Gateway) -> bool:
        """Whether it was stopped, or has another root from now on."""
        root = [getattr(gateway.mode, "template", "") for gateway in (before, now)]
        return not before.enabled or root[0] != root[1]

    def _leave(self, gateway: Gateway, former: World) -> list[str]:
        """Remove what a gateway was where it ran before; its data is served by now, so nothing is undone any more."""
        blueprint = self.site.blueprint(former)
        mode = blueprint.mode(gateway)
        shown = [step for share in former.shares_of(gateway.name) for step in blueprint.shown(share)]
        try:
            Ledger().remove([*mode.steps(), *shown, *mode.instance.steps()])
        except GatewayError as error:
            return [f"{gateway.title}: of its former place is left: {error.reason}"]
        return []

    def _converge(
        self, scope: Scope, former: World, world: World, fresh: list[Share], ledger: Ledger,
        passwords: dict[str, str], result: Result, tell: Tell,
    ) -> None:  # fmt: skip
        """Bring one gateway to its records: storage, Samba, proof, publication, proof of that."""
        blueprint = self.site.blueprint(world)
        foreseeing = blueprint.foreseeing(scope.shares)
        for share in scope.shares:
            ledger.converge(foreseeing.storage(share))
            ledger.remove(self._lifted(former, blueprint, share))
        ledger.remove([*blueprint.unannounced(scope.gateway), *self._released(former, blueprint, scope.gateway)])
        ledger.converge(blueprint.guest(scope.gateway))
        if not scope.gateway.enabled:
            return
        for share in self._seen_anew(scope, blueprint, ledger):
            ledger.converge(blueprint.shown(share))
        instance = blueprint.instance(scope.gateway)
        candidates = self._candidates(blueprint, fresh, list(passwords))
        started = time.monotonic()
        try:
            warnings = Prover(instance).shadow(candidates)
        except NotProved as error:
            ways = (closed_way(blueprint.data_host(share), blueprint.source(share).path) for share in fresh)
            error.hint = next(filter(None, ways), error.hint)
            raise
        shadowed = time.monotonic() - started
        self._publish(scope, blueprint, ledger)
        for number, one in enumerate(candidates):
            # Of many, the running smbd is asked for a few; the listing of its registry has confirmed the others.
            asked = number < MANY or bool(one.user and one.user.name in passwords)
            self._prove(Prover(instance), one, passwords, asked, warnings, shadowed / len(candidates), result, tell)
        for share in scope.shares:
            ledger.remove(self._unlisted(former, share))
            ledger.converge(blueprint.listed(share))
        before = former.gateways.get(scope.gateway.name)
        if fresh or before is None or before.digest != scope.gateway.digest:
            result.warnings += self._unreached(blueprint, scope.gateway)
        result.addresses += [self.site.unc(scope.gateway, share) for share in scope.shares]

    @staticmethod
    def _seen_anew(scope: Scope, blueprint: Blueprint, ledger: Ledger) -> list[Share]:
        """The shares whose data must be shown where Samba runs: all, where its machine was made or started again."""
        machine = {step.name for step in blueprint.mode(scope.gateway).steps()}
        if any(change.step.name in machine for change in ledger.changes):
            return blueprint.world.shares_of(scope.gateway.name)
        return scope.shares

    @staticmethod
    def _unreached(blueprint: Blueprint, gateway: Gateway) -> list[str]:
        """What may keep clients away. It never undoes anything: where clients are cannot be told from here."""
        with contextlib.suppress(GatewayError, OSError):
            told = blueprint.mode(gateway).unreached()
            return [f"{gateway.title}: {told}"] if told else []
        return []

    def _released(self, former: World, blueprint: Blueprint, gateway: Gateway) -> list[Step]:
        """What kept its machine running, and is to do so no more."""
        before = former.gateways.get(gateway.name)
        if before is None or before.mode.kind != gateway.mode.kind:
            return []
        kept = {step.name for step in blueprint.mode(gateway).running()}
        return [step for step in self.site.blueprint(former).mode(before).running() if step.name not in kept]

    def _lifted(self, former: World, blueprint: Blueprint, share: Share) -> list[Step]:
        """Limits that a share or its users had, and are to have no more."""
        before = former.shares.get(share.key)
        if before is None or not (before.quota or before.user_quota):
            return []
        kept = {step.name for step in blueprint.limits(share)}
        return [step for step in self.site.blueprint(former).limits(before) if step.name not in kept]

    def _unlisted(self, former: World, share: Share) -> list[Step]:
        """The storage of Proxmox VE that a share was, and is to be no more."""
        before = former.shares.get(share.key)
        return [] if before is None or share.storage else self.site.blueprint(former).listed(before)

    @staticmethod
    def _publish(scope: Scope, blueprint: Blueprint, ledger: Ledger) -> None:
        instance = blueprint.instance(scope.gateway)
        registry = Registry(instance)
        if any(change.former is None and change.step.name == instance.registry_title for change in ledger.changes):
            registry.new()
        for share in scope.shares:
            with contextlib.suppress(GatewayError):  # only what clients are told of the size; the monitor tries again
                blueprint.publish_size(share)
        steps = {share.name: blueprint.published(registry, share) for share in scope.shares}
        if len(steps) > MANY and not scope.gateway.cluster:
            registry.prefetch()
            absent = {s.name: blueprint.parameters(s) for s in scope.shares if steps[s.name].read() is None}
            if absent:
                new = [steps[name] for name in absent]
                ledger.create_all(new, lambda: registry.publish_all(absent), f"{len(new)} shares")
            registry.prefetch()
        ledger.converge(list(steps.values()))

    @staticmethod
    def _candidates(blueprint: Blueprint, shares: Iterable[Share], prefer: Sequence[str]) -> list[Candidate]:
        world = blueprint.world
        return [candidate(s, blueprint.parameters(s), world.users, world.groups, prefer) for s in shares]

    @staticmethod
    def _prove(
        prover: Prover, one: Candidate, passwords: dict[str, str], asked: bool, warnings: dict[str, str],
        seconds: float, result: Result, tell: Tell,
    ) -> None:  # fmt: skip
        started = time.monotonic()
        text, warning = prover.real(one, passwords.get(one.user.name) if one.user else None, asked)
        seconds += time.monotonic() - started
        proof = Proof(one.share.name, text, seconds, [w for w in {warning, warnings.get(one.share.name, "")} if w])
        result.proofs.append(proof)
        result.warnings += [f"share {proof.share}: {warning}" for warning in proof.warnings]
        tell(f"share {proof.share}", f"proved: {proof.text}", proof.seconds)

    def spread(self, former: World, wanted: Sequence[Resource], tell: Tell) -> list[str]:
        """Wait for other members of clusters to serve new shares, which they adopt once these are ready; warnings."""
        blueprint, started = self.site.blueprint(former.staged(wanted)), time.monotonic()
        warnings = []
        for share in [record for record in wanted if isinstance(record, Share) and former.get(record) is None][:MANY]:
            gateway = blueprint.world.gateways[share.gateway]
            if gateway.cluster and self.site.runs(gateway):
                left = Prover(blueprint.instance(gateway)).unserved(share.name, gateway.addresses, started + SPREAD)
                warnings += [f"{share.title}: {why}" for why in left]
                if not left:
                    tell(share.title, "served at every address", time.monotonic() - started)
        return warnings

    def backward(self, former: World, removed: Sequence[Resource], ledger: Ledger, destroy: bool) -> Result:
        """Remove what records stand for; data stays unless `destroy`, and mostly its limit. Raises GatewayError."""
        blueprint = self.site.blueprint(former)
        result = Result()
        for share in removed:
            if isinstance(share, Share):
                home = former.gateways[share.gateway]
                published = blueprint.published(Registry(blueprint.instance(home)), share)
                stays = {step.name for step in blueprint.quota(share) if blueprint.source(share).keeps_quota}
                steps = [
                    step for step in [*blueprint.storage(share), *blueprint.shown(share)] if step.name not in stays
                ]
                listed = blueprint.listed(share)
                result.kept += ledger.remove([*steps, published, *listed], destroy)
        for record in removed:
            if isinstance(record, Gateway):
                mode = blueprint.mode(record)
                told = blueprint.unannounced(record, gone=True)
                result.kept += mode.kept()
                ledger.remove([*mode.steps(), *mode.instance.steps(), mode.instance.daemon(), *told])
        after = former.staged([], removed)
        self._announce(after, removed, ledger)
        if any(isinstance(record, User | Group) for record in removed):
            for gateway in filter(self.site.runs, after.gateways.values()):
                ledger.converge(self.site.blueprint(after).guest(gateway))
        return result

    def _announce(self, after: World, removed: Sequence[Resource], ledger: Ledger) -> None:
        """Tell the network of what is left."""
        homes = {share.gateway for share in removed if isinstance(share, Share)} & after.gateways.keys()
        for gateway in filter(self.site.owns, (after.gateways[name] for name in sorted(homes))):
            ledger.converge(self.site.blueprint(after).announced(gateway))


def outcome(record: Resource, before: Resource | None) -> dict[str, Any]:
    """What became of a resource, for a result."""
    if before is None:
        word = "created"
    else:
        word = "unchanged" if before.digest == record.digest and before.state == "ready" else "updated"
    return {"kind": record.kind, "key": record.key, "outcome": word}
