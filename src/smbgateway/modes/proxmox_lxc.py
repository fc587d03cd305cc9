"""LXC mode on Proxmox VE: the container is one of its own, made and changed by its API, with systemd inside.

Commands run in it as in any container of LXC's. The data of a share is mounted on the node with shifted owners, and
that mount is a mount point of the container.
"""

import hashlib
import json
import re
from collections.abc import Callable

from ..errors import CommandMissing, Conflict, Fault
from ..guests import cgroup
from ..guests.container import Container
from ..guests.reach import unreached
from ..host import Host
from ..model import Gateway, LxcMode
from ..paths import Paths
from ..proxmox.choices import Choices
from ..proxmox.client import Proxmox, ProxmoxFailed
from ..proxmox.firewall import closed
from ..proxmox.ha import HighAvailability, await_turn
from ..samba.instance import Instance
from ..samba.launch import Inside
from ..sources import cells
from ..step import Step
from .lxc import MODULES, OURS, PYTHON, SERVED, STATE, shifted
from .proxmox_volumes import ProxmoxVolumes

FOLDER = "/var/lib/lxc"  # where Proxmox VE puts what LXC reads
BASE = 100_000  # the first id of its unprivileged containers on the node
TAG, RETIRED = "smbgateway", "smbgateway-retired"
ROOT = 2  # GiB
KEYS = ("cores", "features", "hostname", "memory", "mp0", "net0", "onboot", "startup", "swap", "tags")


class VmidTaken(Conflict):
    """Somebody else has made a guest of that number meanwhile."""

    again = True


class ProxmoxLxc:
    """A gateway in a container of Proxmox VE's. A guest that has its number and is not ours counts as absent."""

    disks = None

    def __init__(self, host: Host, paths: Paths, gateway: Gateway, api: Proxmox) -> None:
        assert isinstance(gateway.mode, LxcMode)  # noqa: S101 - the registry of modes goes by it
        self.host, self.gateway, self.mode, self.api = host, gateway, gateway.mode, api
        self.data = paths.shown(gateway.name)
        self.title = f"container {self.mode.vmid}"
        self.path = f"{api.here}/lxc/{self.mode.vmid}"
        self.container = Container(host, FOLDER, str(self.mode.vmid))
        launcher, own = Inside(self.container, f"{MODULES}/samba/supervise.sh"), f"{STATE}/{gateway.name}"
        self.instance = Instance(self.container, gateway, own, launcher, f"{gateway.name} in its container", PYTHON)
        self.volumes = ProxmoxVolumes(
            self.container, api, self.path, self.title, self._config, self._runs, self._at_rest,
            lambda share: f"{SERVED}/{folder(share)}",
        )  # fmt: skip

    def look(self, former: Gateway | None) -> list[Fault]:
        """What is missing on the node."""
        try:
            self.host.run("lxc-attach", "--version")
        except CommandMissing as error:
            return [Fault("mode", error.what, error.hint)]
        choices = Choices(self.api)
        storages = [str(each["storage"]) for each in choices.storages("rootdir")]
        known = {"bridge": choices.bridges(), "storage": storages, "template": choices.templates()}
        return [
            Fault(f"mode.{name}", f"this node has no {name} {wanted}".rstrip(), f"it has {', '.join(there) or 'none'}")
            for name, there in known.items()
            if (wanted := getattr(self.mode, name)) not in there
        ] + (self._ha().look(self.mode.storage) if self.mode.ha else [])

    def steps(self) -> list[Step]:
        """The container, as it shall be, running."""
        return [self._made(), self._configuration(), *self.running()]

    def killed(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        return cgroup.killed(self.container)

    def unreached(self) -> str:
        """Whether the node reaches it, and the firewall lets clients in."""
        told = closed(self.api, self.path) if self.mode.firewall else ""
        return told or unreached(self.host, self.mode)

    def _made(self) -> Step:
        def write(value: str | None) -> None:
            if value is not None:
                self._create()
            elif self._config() is not None:
                self._power("stop")
                if self.volumes.kept():
                    self._retire()
                else:
                    self.api.task("DELETE", self.path, {"purge": True})

        return Step(self.title, "made", lambda: None if self._config() is None else "made", write)

    def kept(self) -> list[str]:
        """The container, while it has volumes: destroying it would destroy them."""
        where = ", ".join(self.volumes.kept())
        return [f"{self.title}, stopped and tagged {RETIRED}, with its volumes: {where}"] if where else []

    def _retire(self) -> None:
        self.api.call("PUT", f"{self.path}/config", {"tags": RETIRED, "onboot": False})

    def _create(self) -> None:
        fixed = {"vmid": self.mode.vmid, "ostemplate": self.mode.template, "unprivileged": True}
        rest = {"rootfs": f"{self.mode.storage}:{ROOT}", "ostype": "debian", **settings(self.gateway)}
        try:
            self.api.task("POST", f"{self.api.here}/lxc", {**fixed, **rest})
        except ProxmoxFailed as error:
            if "already exists" in error.cause:
                raise VmidTaken(f"the number {self.mode.vmid} is another guest's", error.cause) from error
            raise

    def _config(self) -> dict[str, str] | None:
        """What Proxmox VE has written of it; None where it is not there."""
        if self.mode.vmid not in [int(each["vmid"]) for each in self.api.get(f"{self.api.here}/lxc")]:
            return None
        found = {name: str(value) for name, value in self.api.get(f"{self.path}/config").items()}
        ours = TAG in re.split("[;, ]", found.get("tags", "")) and found.get("hostname") == self.gateway.name
        return found if ours else None

    def _configuration(self) -> Step:
        def read() -> str | None:
            found = self._config()
            return None if found is None else canonical(found)

        def write(value: str | None) -> None:
            if value is not None:
                wanted = json.loads(value)
                gone = [name for name in KEYS if name in (self._config() or {}) and name not in wanted]
                self.api.call("PUT", f"{self.path}/config", {**wanted, "delete": ",".join(gone) or None})

        want = canonical(settings(self.gateway))
        return Step(f"configuration of {self.title}", want, read, write)

    def running(self) -> list[Step]:
        """The container as it runs."""

        def write(value: str | None) -> None:
            if value is None and self._runs():
                self.instance.stop()
            self._power("stop" if value is None else "start")

        return [
            Step(f"{self.title} running", "running", lambda: "running" if self._runs() else None, write),
            *self._watched(),
        ]

    def _watched(self) -> list[Step]:
        return self._ha().steps() if self.mode.ha else []

    def _ha(self) -> HighAvailability:
        return HighAvailability(self.api, f"ct:{self.mode.vmid}", self.mode.ha_nodes)

    def _runs(self) -> bool:
        return self._config() is not None and self.api.get(f"{self.path}/status/current")["status"] == "running"

    def _power(self, verb: str) -> None:
        """Start or stop it, where it is not so already."""
        if self._runs() != (verb == "start"):
            self.api.task("POST", f"{self.path}/status/{verb}")
            await_turn(self.title, verb == "start", self._runs)

    def served(self, share: str, path: str) -> str:
        """Below one directory, by the name of the share where Proxmox VE takes it."""
        return f"{SERVED}/{folder(share)}"

    @property
    def sizes(self) -> str:
        """With the instance: all that the node could show it would be one more mount point."""
        return f"{self.instance.own}/run"

    def tell_size(self, name: str, text: str) -> None:
        """Write it inside."""
        self.container.write(f"{self.sizes}/{name}", text, 0o755)

    def shown(self, share: str, path: str) -> list[Step]:
        """The data with shifted owners on the node, and that as a mount point of the container."""
        target = f"{self.data}/{folder(share)}"
        return [*shifted(self.host, path, target, BASE, self.gateway.name), self._mount_point(share, target)]

    def _mount_point(self, share: str, target: str) -> Step:
        where = self.served(share, target)
        want = f"{target},mp={where},replicate=0" + (",shared=1" if self.mode.ha else "")  # others have it too

        def slot() -> tuple[dict[str, str], str]:
            config = self._config() or {}
            return config, next((name for name in config if f",mp={where}," in f"{config[name]},"), "")

        def seen() -> bool:
            # A container that was started before the node had mounted the data sees an empty place.
            inside = cells.stat(self.container, where, "%d:%i") if self._runs() else ""
            return inside in ("", cells.stat(self.host, target, "%d:%i"))

        def read() -> str | None:
            config, name = slot()
            return None if not name else config[name] if seen() else "not seen inside"

        def write(value: str | None) -> None:
            config, name = slot()
            path = f"{self.path}/config"
            if value is not None:
                free = next(each for number in range(1, 256) if (each := f"mp{number}") not in config)
                with self.volumes.unprotected():
                    self.api.call("PUT", path, {name or free: want})
                if not seen():
                    self._at_rest(lambda: None)
            elif name:
                with self.volumes.unprotected():
                    self._at_rest(lambda: self.api.call("PUT", path, {"delete": name}))

        return Step(f"mount point {where} of {self.title}", want, read, write)

    def _at_rest(self, change: Callable[[], object]) -> None:
        """Do what Proxmox VE does only while the container stands still, and let it go on as it was."""
        ran = self._runs()
        served = ran and self.instance.pid() is not None
        if ran:
            self.instance.stop()
            self._power("stop")
        change()
        if ran:
            self._power("start")
        if served:
            daemon = self.instance.daemon()
            daemon.write(daemon.want)


def settings(gateway: Gateway) -> dict[str, str]:
    """What the record says of a container, as the API takes it."""
    mode = gateway.mode
    assert isinstance(mode, LxcMode)  # noqa: S101 - the registry of modes goes by it
    values = {
        "features": "nesting=1",  # systemd wants it
        "hostname": gateway.name,
        "memory": str(mode.memory >> 20),
        "mp0": f"{OURS},mp={MODULES},replicate=0,ro=1,shared=1",
        "net0": _network(mode),
        "onboot": str(int(gateway.enabled)),
        "swap": str((mode.swap or 0) >> 20),
        "tags": ";".join(sorted({TAG, *mode.tags})),
    }
    if mode.cores:
        values["cores"] = str(mode.cores)
    if mode.order is not None:
        values["startup"] = f"order={mode.order}"
    return values


def _network(mode: LxcMode) -> str:
    six = "6" if ":" in mode.address else ""
    parts: dict[str, object] = {"name": "eth0", "bridge": mode.bridge, "hwaddr": mode.mac, f"ip{six}": mode.address}
    parts |= {f"gw{six}": mode.router, "mtu": mode.mtu, "tag": mode.vlan, "firewall": 1 if mode.firewall else None}
    return ",".join(sorted(f"{key}={value}" for key, value in parts.items() if value is not None))


def canonical(config: dict[str, str]) -> str:
    """What we set of a configuration, in one order; Proxmox VE adds a type, and writes hardware in capitals."""
    kept = {name: config[name] for name in KEYS if name in config}
    if "net0" in kept:
        words = [re.sub("^hwaddr=.*", lambda found: found[0].lower(), word) for word in kept["net0"].split(",")]
        kept["net0"] = ",".join(sorted(word for word in words if not word.startswith("type=")))
    if "tags" in kept:
        kept["tags"] = ";".join(sorted(re.split("[;, ]+", kept["tags"])))
    return json.dumps(kept, sort_keys=True)


def folder(share: str) -> str:
    """The name of a share where it can stand in a mount point, else a name made of it."""
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", share)
    return share if plain else f"s-{hashlib.sha256(share.encode()).hexdigest()[:16]}"
