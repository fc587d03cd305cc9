"""LXC mode on Proxmox VE: the container is one of its own, made and changed by its API, with systemd inside.

Commands run in it as in any container of LXC's. The data of a share is mounted on the node with shifted owners, and
that mount is a mount point of the container.
"""

import hashlib
import re
from collections.abc import Mapping

from ..errors import CommandMissing, Fault
from ..guests import cgroup
from ..guests.container import Container
from ..guests.reach import unreached
from ..host import Host
from ..model import Gateway, LxcMode
from ..paths import Paths
from ..proxmox.choices import Choices
from ..proxmox.client import Proxmox
from ..proxmox.firewall import closed
from ..samba.instance import Instance
from ..samba.launch import Inside
from ..sources import cells
from ..step import Step
from .lxc import MODULES, OURS, PYTHON, SERVED, STATE, shifted
from .proxmox_guest import Config, ProxmoxGuest, startup
from .proxmox_volumes import MountPoints

FOLDER = "/var/lib/lxc"  # where Proxmox VE puts what LXC reads
BASE = 100_000  # the first id of its unprivileged containers on the node
ROOT = 2  # GiB


class ProxmoxLxc(ProxmoxGuest):
    """A gateway in a container of Proxmox VE's."""

    kind, named, word = "lxc", "hostname", "ct"
    keys = ("cores", "features", "hostname", "memory", "mp0", "net0", "onboot", "startup", "swap", "tags")

    def __init__(self, host: Host, paths: Paths, gateway: Gateway, api: Proxmox) -> None:
        assert isinstance(gateway.mode, LxcMode)  # noqa: S101 - the registry of modes goes by it
        super().__init__(api, gateway, gateway.mode, "container")
        self.host, self.mode = host, gateway.mode
        self.data = paths.shown(gateway.name)
        self.container = Container(host, FOLDER, str(self.mode.vmid))
        launcher, own = Inside(self.container, "sh", f"{MODULES}/samba/supervise.sh"), f"{STATE}/{gateway.name}"
        self.instance = Instance(self.container, gateway, own, launcher, f"{gateway.name} in its container", PYTHON)
        self.volumes = MountPoints(
            self.container, api, self.path, self.title, self.config, self.runs, self.at_rest,
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
        ] + (self.ha.look(self.mode.storage, "rootdir") if self.ha else [])

    def steps(self) -> list[Step]:
        """The container, as it shall be, running."""
        return [self.made(), self.configuration(), *self.running()]

    def killed(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        return cgroup.killed(self.container)

    def unreached(self) -> str:
        """Whether the node reaches it, and the firewall lets clients in."""
        told = closed(self.api, self.path) if self.mode.firewall else ""
        return told or unreached(self.host, self.mode)

    def fixed(self) -> Mapping[str, object]:
        """Its root."""
        rest = {"rootfs": f"{self.mode.storage}:{ROOT}", "ostype": "debian"}
        return {"ostemplate": self.mode.template, "unprivileged": True, **rest}

    def settings(self) -> Config:
        """What the record says of it, as the API takes it."""
        values = {
            "features": "nesting=1",  # systemd wants it
            "hostname": self.gateway.name,
            "memory": str(self.mode.memory >> 20),
            "mp0": f"{OURS},mp={MODULES},replicate=0,ro=1,shared=1",
            "net0": _network(self.mode),
            "onboot": str(int(self.gateway.enabled)),
            "swap": str((self.mode.swap or 0) >> 20),
            **startup(self.mode),
        }
        if self.mode.cores:
            values["cores"] = str(self.mode.cores)
        return values

    def running(self) -> list[Step]:
        """The container as it runs."""

        def write(value: str | None) -> None:
            if value is None and self.runs():
                self.instance.stop()
            self.power(value is not None)

        running = Step(f"{self.title} running", "running", lambda: "running" if self.runs() else None, write)
        return [running, *self.watched()]

    def power(self, on: bool) -> None:
        """Start or stop it, where it is not so already."""
        self.turn(on, "start" if on else "stop")

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
            config = self.config() or {}
            return config, next((name for name in config if f",mp={where}," in f"{config[name]},"), "")

        def seen() -> bool:
            # A container that was started before the node had mounted the data sees an empty place.
            inside = cells.stat(self.container, where, "%d:%i") if self.runs() else ""
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
                    self.at_rest(lambda: None)
            elif name:
                with self.volumes.unprotected():
                    self.at_rest(lambda: self.api.call("PUT", path, {"delete": name}))

        return Step(f"mount point {where} of {self.title}", want, read, write)


def _network(mode: LxcMode) -> str:
    six = "6" if ":" in (mode.address or "") else ""
    parts: dict[str, object] = {"name": "eth0", "bridge": mode.bridge, "hwaddr": mode.mac, f"ip{six}": mode.address}
    parts |= {f"gw{six}": mode.router, "mtu": mode.mtu, "tag": mode.vlan, "firewall": 1 if mode.firewall else None}
    return ",".join(sorted(f"{key}={value}" for key, value in parts.items() if value is not None))


def folder(share: str) -> str:
    """The name of a share where it can stand in a mount point, else a name made of it."""
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", share)
    return share if plain else f"s-{hashlib.sha256(share.encode()).hexdigest()[:16]}"
