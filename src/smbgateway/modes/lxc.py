"""LXC mode: an unprivileged container for each gateway, its root an overlay over a template (lxc.container.conf(5)).

All containers have the same ids (template.BASE). The data of a share is mounted for one of them alone, with owners
shifted to these: on disk the numbers are those of a native gateway. What Samba keeps is outside of the root, which can
be replaced.
"""

import contextlib
import hashlib
import json
import re
import sys
from pathlib import Path

from ..errors import CommandFailed, CommandMissing, Fault
from ..guests import cgroup
from ..guests.cgroup import Limits
from ..guests.container import Container
from ..guests.reach import unreached
from ..guests.template import BASE, COUNT, Templates
from ..host import Host
from ..model import Gateway, LxcMode
from ..paths import Paths
from ..samba.instance import Instance
from ..samba.launch import Inside
from ..sources import cells
from ..step import Step

PYTHON = "/usr/bin/python3"
STATE, SERVED = "/var/lib/smbgateway", "/srv"  # inside
SIZES = ":sizes"  # below SERVED; no share is called so
OURS = str(Path(__file__).resolve().parents[1])  # our modules: mounted there, so that they are always of our version
MODULES = "/usr/lib/python3/dist-packages/smbgateway"
LIMITS = "lxc.cgroup"  # how lines of limits begin: these change while it runs


class Lxc:
    """A gateway in a container of its own."""

    sizes = f"{SERVED}/{SIZES}"
    volumes = disks = None

    def __init__(self, host: Host, paths: Paths, gateway: Gateway) -> None:
        assert isinstance(gateway.mode, LxcMode)  # noqa: S101 - the registry of modes goes by it
        self.host, self.paths, self.gateway, self.mode = host, paths, gateway, gateway.mode
        self.folder, self.data = f"{paths.containers}/{gateway.name}", paths.shown(gateway.name)
        self.templates = Templates(host, paths.templates)
        self.container = Container(host, paths.containers, gateway.name)
        launcher, own = Inside(self.container, "sh", f"{MODULES}/samba/supervise.sh"), f"{STATE}/{gateway.name}"
        self.instance = Instance(self.container, gateway, own, launcher, f"{gateway.name} in its container", PYTHON)

    def kept(self) -> list[str]:
        """Nothing: data is the node's."""
        return []

    def look(self, former: Gateway | None) -> list[Fault]:
        """What is missing on the node."""
        try:
            self.host.run("lxc-attach", "--version")
        except CommandMissing as error:
            return [Fault("mode", error.what, error.hint)]
        return [*self._template(), *bridge_faults(self.host, self.mode.bridge), *self._unknown()]

    def _unknown(self) -> list[Fault]:
        given = [name for name in LxcMode.on_proxmox if getattr(self.mode, name)]
        faults = [Fault(f"mode.{name}", "only Proxmox VE knows this", "leave it out") for name in given]
        if self.mode.swap and not cgroup.unified(self.host):
            faults.append(Fault("mode.swap", "this node has control groups of version 1 too, which do not count swap"))
        return faults

    def _template(self) -> list[Fault]:
        name = self.mode.template
        if name and name in [template.name for template in self.templates.all()]:
            return []
        if name:
            hint = "leave it out to get the newest: template list"
            return [Fault("mode.template", f"there is no template {name} on this node", hint)]
        return [Fault("mode", "this node has no template for containers", "make one: template build")]

    def steps(self) -> list[Step]:
        """The container, running."""
        return [self.directory(), self._configuration(), *self.running()]

    def killed(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        return cgroup.killed(self.container)

    def unreached(self) -> str:
        """Whether the node reaches it."""
        return unreached(self.host, self.mode)

    def directory(self) -> Step:
        """Where all of it lies."""
        inner = [f"{self.folder}/{name}" for name in ("", "delta", "state")]

        def write(value: str | None) -> None:
            if value is None:
                self.host.run("rm", "-rf", "--one-file-system", "--", self.folder, f"{self.data}/{SIZES}")
                with contextlib.suppress(CommandFailed):  # absent, or the mount points of shares are in it yet
                    self.host.run("rmdir", "--", self.data)
            else:
                self.host.run("install", "-d", "-m", "711", "--", self.paths.containers)
                self.host.run("install", "-d", "-m", "711", "-o", str(BASE), "-g", str(BASE), "--", *inner)
                self.host.run("mkdir", "-p", "-m", "755", "--", self.data)

        read = lambda: cells.stat(self.host, self.folder, "%u:%g %a")  # noqa: E731
        return Step(f"directory of container {self.gateway.name}", f"{BASE}:{BASE} 711", read, write)

    def _configuration(self) -> Step:
        path = f"{self.folder}/config"

        def write(value: str | None) -> None:
            if value is None:
                self.host.run("rm", "-f", "--", path)
            else:
                self.host.write(path, value)

        want = self._text()
        return Step(f"configuration of container {self.gateway.name}", want, lambda: self.host.read(path), write)

    def _text(self) -> str:
        mode = self._as_made()
        root = self.templates.root(mode.template)
        return configuration(self.gateway.name, mode, root, self.folder, self.data, cgroup.unified(self.host))

    def _as_made(self) -> LxcMode:
        """The mode with all that is chosen."""
        return self.mode

    def _prepare_root(self) -> None:
        """A directory for what is changed of the root that it is started with; that of a former root goes."""
        delta, name = f"{self.folder}/delta", self._made_of() or self.mode.template
        self.host.run("install", "-d", "-m", "755", "-o", str(BASE), "-g", str(BASE), "--", f"{delta}/{name}")
        others = ("-mindepth", "1", "-maxdepth", "1", "!", "-name", name, "-exec", "rm", "-rf", "{}", "+")
        self.host.run("find", delta, "-xdev", *others)

    def _made_of(self) -> str:
        """The template that its configuration names; empty where there is none."""
        delta = re.escape(f"{self.folder}/delta")
        found = re.search(rf"^lxc\.rootfs\.path = .*:{delta}/(\S+)$", self._configured(), re.MULTILINE)
        return found[1] if found else ""

    def _configured(self) -> str:
        return self.host.read(f"{self.folder}/config") or ""

    def _limits(self) -> Step:
        """Those that hold now: a change needs no new start."""
        wanted = limits_of(self.mode).values(cgroup.unified(self.host))
        want = "".join(f"{name} {value}\n" for name, value in wanted.items())
        read = lambda: cgroup.limits(self.container, list(wanted))  # noqa: E731
        write = lambda value: cgroup.set_limits(self.container, value or "")  # noqa: E731
        return Step(f"limits of container {self.gateway.name}", want, read, write)

    def running(self) -> list[Step]:
        """The container as it runs, whose value is the digest of what it was started with; and its limits."""
        started = f"{self.folder}/started"

        def write(value: str | None) -> None:
            self.instance.stop()
            self.container.stop()
            if value is not None:
                self._prepare_root()
                self.container.start()
                self.host.write(started, _digest(self._configured()))

        def read() -> str | None:
            return (self.host.read(started) or "unknown") if self.container.runs() else None

        return [Step(f"container {self.gateway.name}", _digest(self._text()), read, write), self._limits()]

    def served(self, share: str, path: str) -> str:
        """Below one directory, by the name of the share."""
        return f"{SERVED}/{share}"

    def tell_size(self, name: str, text: str) -> None:
        """On the node, beside what the container sees of shares: it may read it and change nothing."""
        path = f"{self.data}/{SIZES}/{name}"
        try:
            self.host.write(path, text, 0o755)
        except FileNotFoundError:
            self.host.run("mkdir", "-p", "-m", "755", "--", f"{self.data}/{SIZES}")
            self.host.write(path, text, 0o755)

    def shown(self, share: str, path: str) -> list[Step]:
        """A mount of the data that only the container sees, with the owners shifted to its ids."""
        return shifted(self.host, path, f"{self.data}/{share}", BASE, self.gateway.name)


def bridge_faults(host: Host, bridge: str) -> list[Fault]:
    """Whether the node has such a bridge."""
    links = json.loads(host.run("ip", "-json", "-details", "link", "show"))
    bridges = [link["ifname"] for link in links if link.get("linkinfo", {}).get("info_kind") == "bridge"]
    if bridge in bridges:
        return []
    hint = f"its bridges: {', '.join(bridges)}" if bridges else "it has none: bridge_ports in interfaces(5)"
    return [Fault("mode.bridge", f"{bridge} is not a bridge of this node", hint)]


def shifted(host: Host, path: str, target: str, base: int, container: str) -> list[Step]:
    """A mount of `path` at `target`, with the owners shifted to the ids from `base` on."""

    def read() -> str | None:
        if cells.mounted(host, target) is None:
            return None
        same = cells.stat(host, path, "%d:%i") == cells.stat(host, target, "%d:%i")
        return path if same else "something else"

    def write(value: str | None) -> None:
        if read() is not None:
            host.run("umount", "--lazy", "--", target)  # a client may still have a file of it open
        if value is not None:
            program = (sys.executable, "-I", "-m", "smbgateway.guests.idmap")
            host.run(*program, path, target, str(base), str(COUNT))

    return [cells.mount_point(host, target), Step(f"{path} in container {container}", path, read, write)]


def configuration(name: str, mode: LxcMode, root: str, folder: str, data: str, unified: bool) -> str:
    """The whole configuration of a container: its root is an overlay of `folder` over `root`, its shares are `data`."""
    lines = [
        "lxc.include = /usr/share/lxc/config/common.conf",
        "lxc.include = /usr/share/lxc/config/userns.conf",
        f"lxc.idmap = u 0 {BASE} {COUNT}",
        f"lxc.idmap = g 0 {BASE} {COUNT}",
        f"lxc.uts.name = {name}",
        f"lxc.rootfs.path = overlayfs:{root}:{folder}/delta/{mode.template}",
        f"lxc.init.cmd = /bin/sh {MODULES}/guests/init.sh",
        f"lxc.mount.entry = {_word(OURS)} {MODULES[1:]} none bind,ro,create=dir 0 0",
        f"lxc.mount.entry = {_word(f'{folder}/state')} {STATE[1:]} none bind,create=dir 0 0",
        f"lxc.mount.entry = {_word(data)} {SERVED[1:]} none rbind,create=dir 0 0",
        "lxc.mount.entry = tmpfs dev/shm tmpfs rw,nosuid,nodev,noexec,create=dir 0 0",
        *_network(mode),
        *limits_of(mode).lines(unified),
    ]
    return "".join(f"{line}\n" for line in lines)


def _network(mode: LxcMode) -> list[str]:
    values = {"type": "veth", "name": "eth0", "link": mode.bridge, "flags": "up", "hwaddr": mode.mac}
    family = "ipv6" if ":" in (mode.address or "") else "ipv4"
    if mode.address:
        values[f"{family}.address"] = mode.address
    if mode.router:
        values[f"{family}.gateway"] = mode.router
    if mode.mtu:
        values["mtu"] = str(mode.mtu)
    if mode.vlan:
        values["veth.vlan.id"] = str(mode.vlan)
    return [f"lxc.net.0.{key} = {value}" for key, value in values.items()]


def limits_of(mode: LxcMode) -> Limits:
    """What the container may use."""
    return Limits(mode.memory, mode.swap or 0, mode.cores)


def _word(path: str) -> str:
    """A path as fstab(5) has it."""
    return path.replace("\\", "\\134").replace(" ", "\\040")


def _digest(text: str) -> str:
    """Of a configuration, but for the limits."""
    lines = [line for line in text.splitlines() if not line.startswith(LIMITS)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
