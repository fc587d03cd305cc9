"""What is: the views that `list` and `status` show."""

import functools
from dataclasses import asdict
from typing import Any

from . import __version__, discovery
from .engine import Engine
from .errors import GatewayError
from .model import Gateway, Share, show_source
from .samba import clients
from .samba.announcer import Announcer
from .samba.instance import Instance
from .world import World

LOG_LINES = 200


class Status:
    """Views of one engine's installation."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.said: list[str] = []  # what the last start had to tell

    def version(self) -> dict[str, str]:
        """Versions of the product and of Samba (empty where it is not installed)."""
        return {"version": __version__, "node": self.engine.site.node, "samba": self._samba()}

    @functools.lru_cache(maxsize=1)  # noqa: B019 - one engine, one Status
    def _samba(self) -> str:
        try:
            return self.engine.site.host.run("smbd", "--version").strip().removeprefix("Version ")
        except GatewayError:
            return ""

    def shares(self) -> list[dict[str, Any]]:
        """All shares, from records alone: quick at any number."""
        world = self.engine.site.world()
        return [self._row(share, world) for share in world.shares.values()]

    def _row(self, share: Share, world: World) -> dict[str, Any]:
        gateway = world.gateways.get(share.gateway)
        row: dict[str, Any] = {"key": share.key, "name": share.name, "gateway": share.gateway, "quota": share.quota}
        row |= {"source": show_source(share.source), "purpose": share.purpose.kind, "state": share.state}
        row |= {"mode": gateway.mode.kind if gateway else "", "port": gateway.mode.port if gateway else 0}
        return row | {"address": self.engine.site.unc(gateway, share) if gateway else ""}

    def overview(self) -> dict[str, Any]:
        """All gateways of this node with their drift, and what is wrong with the store."""
        world = self.engine.site.world()
        gateways = [self._gateway(gateway, world) for gateway in world.gateways.values()]
        broken = dict(getattr(self.engine.site.store, "broken", {}))
        version = {"node": self.engine.site.node, "version": __version__}
        return {**version, "gateways": gateways, "broken": broken, "said": self.said}

    def gateway(self, name: str) -> dict[str, Any]:
        """One gateway. Raises NotFound."""
        world = self.engine.site.world()
        gateway = world.find("gateway", name)
        assert isinstance(gateway, Gateway)  # noqa: S101 - find keeps kinds
        return self._gateway(gateway, world)

    def _gateway(self, gateway: Gateway, world: World) -> dict[str, Any]:
        shares = world.shares_of(gateway.name)
        nodes = ", ".join(gateway.nodes)
        body = {"name": gateway.name, "mode": gateway.mode.kind, "node": nodes, "shares": len(shares)}
        body |= {"address": ", ".join(gateway.addresses) or "all", "port": gateway.mode.port}
        body |= {"enabled": gateway.enabled}
        body |= {"events": [{"at": at, "text": text} for at, text in self.engine.events.get(gateway.name, ())]}
        if not self.engine.site.owns(gateway):
            return body | {"discovery": discovery.hidden(gateway) or "mDNS", "running": None, "drift": []}
        instance = self.engine.site.blueprint(world).instance(gateway)
        try:
            running = instance.pid() is not None
        except GatewayError as error:  # its machine runs, and does not answer
            return body | {"discovery": error.reason, "running": False, "drift": []}
        body |= {"discovery": self._discovery(gateway, instance) if running else "not while it does not run"}
        body |= {"running": running}
        return body | {"drift": [asdict(cell) for cell in self.engine.drift(gateway, shares)]}

    def _discovery(self, gateway: Gateway, instance: Instance) -> str:
        """How clients find it by themselves, or why not."""
        if hidden := discovery.hidden(gateway):
            return hidden
        name = discovery.name_in_explorer(gateway, self.engine.site.node)
        if not name:
            return f"mDNS; not in Explorer: that knows port 445 only, not {gateway.mode.port}"
        trouble = Announcer(instance).trouble()
        return f"mDNS; not in Explorer: {trouble}" if trouble else f"mDNS; in Explorer as {name}"

    def share(self, key: str) -> dict[str, Any]:
        """One share: usage, sessions, drift, whether it is served. Raises NotFound."""
        world = self.engine.site.world()
        share, gateway = self.engine.site.home(key, world)
        blueprint = self.engine.site.blueprint(world)
        instance, served = blueprint.instance(gateway), blueprint.served(share)
        drift = [asdict(cell) for cell in self.engine.drift(gateway, [share])]
        body: dict[str, Any] = {"share": share.model_dump(mode="json"), "address": self.engine.site.unc(gateway, share)}
        body |= {"port": gateway.mode.port, "drift": drift, "sessions": clients.clients(instance, share.name, served)}
        return body | {"serving": instance.pid() is not None and not drift} | self._usage(share, world)

    def disconnect(self, key: str, identity: str) -> None:
        """Close a share for one client. Raises NotFound."""
        world = self.engine.site.world()
        share, gateway = self.engine.site.home(key, world)
        clients.disconnect(self.engine.site.blueprint(world).instance(gateway), share.name, identity)

    def log(self, name: str) -> list[str]:
        """The last lines of a gateway's log. Raises NotFound, Conflict."""
        world = self.engine.site.world()
        gateway = world.find("gateway", name)
        assert isinstance(gateway, Gateway)  # noqa: S101 - find keeps kinds
        self.engine.site.check_own(gateway, gateway.title)
        instance = self.engine.site.blueprint(world).instance(gateway)
        return instance.host.run("tail", "-n", str(LOG_LINES), "--", f"{instance.own}/log/log.smbd").splitlines()

    def _usage(self, share: Share, world: World) -> dict[str, Any]:
        try:
            usage = self.engine.site.blueprint(world).source(share).usage()
        except GatewayError as error:
            return {"usage": None, "usage_error": str(error)}
        return {"usage": asdict(usage), "usage_error": ""}
