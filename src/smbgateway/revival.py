"""Mounts that a program serves (ceph-fuse), and that program has died: mounted again, and their clients cut loose."""

import contextlib
import errno
import os
from collections import defaultdict

from .engine import Engine
from .errors import GatewayError
from .model import Gateway, Share
from .sources import cells
from .sources.bulk import Bulk
from .world import World

SERVED_BY_PROGRAM = "fuse"  # what the types of such file systems begin with
DIED = os.strerror(errno.ENOTCONN)


class Revival:
    """Beside the engine: looks after the mounts of this node's shares."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.bulk = engine, Bulk(engine.site.host)

    def look(self, world: World) -> list[str]:
        """One round; says what could not be mounted again. Where no share has such a mount it asks nobody."""
        dead: dict[str, list[Share]] = defaultdict(list)
        for share in self._dead(world):
            dead[share.gateway].append(share)
        said = []
        for name, shares in dead.items():
            if not self.engine.busy(name) and name not in self.engine.failing:
                names = ", ".join(share.title for share in shares)
                self.engine.note(name, f"the mount of {names} had died: mounted again")
                said += self._revive(world.gateways[name], shares, world)
        return said

    def _dead(self, world: World) -> list[Share]:
        """Shares whose mount is there, and nobody behind it."""
        paths, table = self.engine.site.paths, cells.mounts(self.engine.site.host)
        places = {f"{paths.mounts}/{key}": share for key, share in world.shares.items() if share.state == "ready"}
        asked = [path for path in places if table.get(path, {}).get("type", "").startswith(SERVED_BY_PROGRAM)]
        told = self.bulk.spaces(asked)
        dead = [path for path in asked if isinstance(space := told[path], GatewayError) and space.cause == DIED]
        return [places[path] for path in dead if self._own(places[path], world)]

    def _own(self, share: Share, world: World) -> bool:
        gateway = world.gateways.get(share.gateway)
        return gateway is not None and self.engine.site.owns(gateway)

    def _revive(self, gateway: Gateway, shares: list[Share], world: World) -> list[str]:
        """Who has one open holds on to what is dead: cut, so that he connects anew."""
        said = self.engine.bring_up(gateway.name)
        with contextlib.suppress(GatewayError):  # its Samba does not run: then nobody holds on
            for share in shares:
                self.engine.site.blueprint(world).instance(gateway).control("smbd", "close-share", share.name)
        return said
