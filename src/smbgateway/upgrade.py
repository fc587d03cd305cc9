"""Another, newer system for a gateway's machine; its data, users, SID and configuration stay."""

import time

from .convergence import Result, Tell, silent
from .engine import Engine
from .errors import Conflict, Failed, GatewayError
from .host import Host
from .model import Gateway, LxcMode, VmMode
from .modes import LxcMember
from .step import Ledger

APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "Dpkg::Options::=--force-confold")
APT_WAIT = 1800.0  # seconds
STAY = "packages are not taken back; a backup of the guest has the former ones, and shares keep their data"


class Upgrade:
    """Of gateways of this node."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def check(self, name: str) -> Gateway:
        """The gateway, if it can be upgraded. Raises NotFound, Conflict."""
        gateway = self.engine.site.world().find("gateway", name)
        assert isinstance(gateway, Gateway)  # noqa: S101 - find keeps kinds
        self.engine.site.check_own(gateway, gateway.title)
        if gateway.mode.kind == "native":
            what = f"{gateway.title} runs on the node itself, with the node's own packages"
            again = "reboot the node, drained before" if gateway.cluster else f"gateway restart {name}"
            raise Conflict(what, hint=f"apt upgrade, then: {again}")
        if not gateway.enabled:
            raise Conflict(f"{gateway.title} is stopped, so nothing could be proved", hint=f"gateway start {name}")
        return gateway

    def run(self, name: str, template: str = "", tell: Tell = silent) -> Result:
        """Replace the root, or upgrade the packages inside; prove every share. Raises GatewayError.

        A root is put back where the proof fails; packages are not.
        """
        gateway = self.check(name)
        if gateway.cluster:
            return self._member(gateway, template, tell)
        if self.engine.site.proxmox is None and isinstance(gateway.mode, LxcMode | VmMode):
            return self._root(gateway, gateway.mode, template, tell)
        if template:
            raise Conflict(f"{gateway.title} is upgraded by packages, not by a template", hint="leave it out")
        return self._packages(gateway, tell)

    def _root(self, gateway: Gateway, mode: LxcMode | VmMode, template: str, tell: Tell) -> Result:
        site, field = self.engine.site, "template" if isinstance(mode, LxcMode) else "image"
        wanted = template or (site.templates if field == "template" else site.images).newest()
        if wanted == getattr(mode, field):
            tell("request", "checked", 0)
            hint = f"template build --mode {mode.kind} makes a newer one"
            return Result(warnings=[f"{gateway.title} has {wanted} already: {hint}"])
        record = gateway.model_dump(mode="json") | {"mode": {**mode.model_dump(mode="json"), field: wanted}}
        return self.engine.apply([record], tell=tell)

    def _member(self, gateway: Gateway, template: str, tell: Tell) -> Result:
        """Make this node's member of a cluster anew, of the newest template."""
        site, started = self.engine.site, time.monotonic()
        blueprint = site.blueprint(site.world())
        mode = blueprint.mode(gateway)
        assert isinstance(mode, LxcMember)  # noqa: S101 - `check` refuses others
        if template:
            raise Conflict(f"members of {gateway.title} are made of the newest of their nodes", hint="leave it out")
        before, wanted = mode.template, mode.templates.newest()
        if before == wanted:
            hint = "template build makes a newer one"
            return Result(warnings=[f"member {site.node} of {gateway.title} has {wanted} already: {hint}"])
        with self.engine.locked([gateway.name]):
            mode.instance.stop()
            # Told now: who starts or ends because of it does so meanwhile, as perhaps nobody serves until then.
            blueprint.member(gateway).tell(mode.templates.samba(wanted))
            mode.renew()
            said = self.engine.bring_up(gateway.name)
        if said:
            hint = "its engine tries again: gateway status shows it"
            raise Failed(f"member {site.node} of {gateway.title} does not serve yet", "; ".join(said), hint=hint)
        tell(f"member {site.node} of {gateway.title}", f"{before} to {wanted}", time.monotonic() - started)
        return Result()

    def _packages(self, gateway: Gateway, tell: Tell) -> Result:
        site, name = self.engine.site, gateway.name
        tell("request", "checked", 0)
        with self.engine.locked([name]):
            world = site.world()
            instance = site.blueprint(world).instance(gateway)
            before, started = _samba(instance.host), time.monotonic()
            instance.host.run(*APT, "update", timeout=APT_WAIT)
            instance.host.run(*APT, "upgrade", timeout=APT_WAIT)
            told = f"upgraded, Samba {before} to {_samba(instance.host)}"
            tell(f"packages of {gateway.title}", told, time.monotonic() - started)
            Ledger().remove([instance.daemon()])
            try:
                return self.engine.convergence.forward(world, [gateway], Ledger(), tell, anew=True)
            except GatewayError as error:
                error.left, error.hint = [f"Samba {_samba(instance.host)} in its machine"], STAY
                raise


def _samba(host: Host) -> str:
    return host.run("smbd", "--version").strip().removeprefix("Version ")
