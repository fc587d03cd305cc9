"""Guests that Proxmox VE moves: where the file of one lies is whose gateway it is."""

import glob
import os
import re

from .engine import Engine
from .errors import GatewayError
from .model import Gateway
from .paths import PVE
from .sources.cells import mounts
from .world import World

FOLDERS = {"lxc": "lxc", "vm": "qemu-server"}
NAME = re.compile(r"^(?:hostname|name): (\S+)$", re.MULTILINE)
OURS = re.compile(r"^tags: (?:.*[;, ])?smbgateway(?:[;, ]|$)", re.MULTILINE)


class Moves:
    """Beside the engine: takes over gateways whose guest has come, and lets go those whose guest has left."""

    def __init__(self, engine: Engine, nodes: str = f"{PVE}/nodes") -> None:
        self.engine, self.nodes = engine, nodes
        self.away: set[str] = set()  # gateways that are recorded as this node's, with their guest on another
        self.free: set[str] = set()  # those of other nodes of which nothing is left here

    def look(self, world: World) -> list[str]:
        """One round; says what became of gateways."""
        guests = [gateway for gateway in world.gateways.values() if getattr(gateway.mode, "vmid", None)]
        if not guests or self.engine.site.proxmox is None:
            return []
        said = []
        for gateway in guests:
            said += self._one(gateway, world)
        return said

    def _one(self, gateway: Gateway, world: World) -> list[str]:
        here, node = self.engine.site.node, self._where(gateway)
        mine = gateway.mode.node == here
        if node == here and not mine and gateway.state == "ready":
            self._adopt(gateway, here)
            return [f"gateway {gateway.name}: its guest has come from {gateway.mode.node}: this node serves it now"]
        if mine and node in ("", here):
            self.free.discard(gateway.name)
            return []
        said = []
        if mine and gateway.name not in self.away:
            self.away.add(gateway.name)
            said = [f"gateway {gateway.name}: its guest is on {node} now: left to that node"]
        elif not mine:
            self.away.discard(gateway.name)
        return said + self._let_go(gateway, world)

    def _where(self, gateway: Gateway) -> str:
        """The node on which its guest is; empty where there is none, or it is another's."""
        file = f"{FOLDERS[gateway.mode.kind]}/{getattr(gateway.mode, 'vmid', 0)}.conf"
        for path in glob.glob(f"{glob.escape(self.nodes)}/*/{file}"):
            text = self.engine.site.host.read(path) or ""
            text = text.partition("\n[")[0]  # below are snapshots of it
            named = NAME.search(text)
            if named and named[1] == gateway.name and OURS.search(text):
                return path.split("/")[-3]
        return ""

    def _adopt(self, gateway: Gateway, node: str) -> None:
        """Its record is this node's from now on; the watch converges what changed in the store."""
        with self.engine.locked([gateway.name]), self.engine.site.store.lock():
            now = self.engine.site.world().gateways.get(gateway.name)
            if now is not None and now.digest == gateway.digest:
                mode = now.mode.model_copy(update={"node": node})
                self.engine.site.store.save(now.model_copy(update={"mode": mode}).sealed("ready"))

    def _let_go(self, gateway: Gateway, world: World) -> list[str]:
        """What this node has for it, mounted or mapped, it has no more: the other node cannot map what is open here."""
        if gateway.name in self.free:
            return []
        site = self.engine.site
        areas = (f"{site.paths.shown(gateway.name)}/", f"{site.paths.mounts}/{gateway.name}/")
        if any(map(os.path.isdir, areas)):
            for path in reversed([path for path in mounts(site.host) if path.startswith(areas)]):
                site.host.run("umount", "--lazy", "--", path)
            for share in world.shares_of(gateway.name):
                try:
                    site.blueprint(world).detach(share)
                except GatewayError as error:
                    return [f"share {share.key}: its guest is elsewhere, and this node cannot let go: {error}"]
        self.free.add(gateway.name)
        return []
