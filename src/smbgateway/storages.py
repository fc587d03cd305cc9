"""Shares as storages of Proxmox VE: what its administrators remove, and what gets lost."""

from collections.abc import Iterator

from . import __version__
from .engine import Engine
from .finding import Finding
from .installation import Installation
from .model import Share
from .proxmox.sections import Notes, Sections, section_name
from .step import Ledger, Step
from .world import World


class Storages:
    """Beside the engine: heeds who removes a storage by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.notes = Notes(engine.site.paths.config)

    def heed(self, world: World) -> list[str]:
        """Mark the shares whose storage somebody removed: nothing else of them changes. Says which."""
        said: list[str] = []
        if not (notes := self.notes.all()):
            return said
        shares = {section_name(share.gateway, share.name): share for share in world.shares.values()}
        for name in notes:
            share = shares.get(name)
            if share is None or not share.storage:
                self.notes.drop(name)
            elif share.state == "ready" and self.engine.site.owns(world.gateways[share.gateway]):
                self._unlist(share)
                self.notes.drop(name)
                said.append(f"{share.title}: its storage {name} was removed from Proxmox VE; it is served as before")
        return said

    def _unlist(self, share: Share) -> None:
        with self.engine.locked([share.gateway]), self.engine.site.store.lock():
            now = self.engine.site.world().shares.get(share.key)
            if now is not None and now.digest == share.digest:
                kept = now.model_copy(update={"storage": False}).sealed("ready")
                self.engine.site.store.save(kept)
                self.engine.converged[kept.kind, kept.key] = kept.digest


def lost(site: Installation, world: World) -> Iterator[tuple[Share, Step]]:
    """Shares of this node whose storage Proxmox VE has no more, though nobody removed it. Raises ProxmoxFailed."""
    removed = set(Notes(site.paths.config).all())
    for share in world.shares.values():
        gateway = world.gateways.get(share.gateway)
        if gateway and site.owns(gateway) and share.state == "ready":
            for step in site.blueprint(world).listed(share):
                if section_name(share.gateway, share.name) not in removed and step.read() is None:
                    yield share, step


def look(site: Installation) -> Iterator[Finding]:
    """Storages that are lost, and nodes that would lose them."""
    if site.proxmox is None:
        return
    found = list(lost(site, site.world()))
    for share, step in found:
        what = f"{step.name} is gone, and nobody removed it: {share.title} is served, its history is not kept"
        yield Finding("storages", "warn", what, "doctor --fix adds it again")
    strangers = Sections(site.proxmox).strangers(__version__)
    for text in strangers:
        yield Finding("storages", "warn", text, "install the same version on all nodes: apt install pve-smbgateway")
    if not found and not strangers:
        yield Finding("storages", "ok", "shares are the storages that they shall be, and all nodes know them")


def mend(site: Installation) -> Iterator[Finding]:
    """Add again what is lost. Raises GatewayError."""
    for _, step in lost(site, site.world()) if site.proxmox else ():
        Ledger().converge([step])
        yield Finding("storages", "ok", f"{step.name} is added again")
