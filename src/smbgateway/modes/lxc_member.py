"""LXC mode of a cluster: each node's member is a container of that node, with two networks (lxc.container.conf(5)).

Its ctdbd, fence and smbd run inside, below the supervisor that a native member has. Refused on Proxmox VE: a guest that
moves, or goes back to a snapshot, would be the wrong member of its cluster (decision 52).
"""

import contextlib
import hashlib
import os

from ..cluster import ctdbd
from ..cluster.fence import DEVICES
from ..errors import CommandFailed, CommandMissing, Fault
from ..guests.container import Container
from ..guests.template import BASE
from ..host import Host
from ..model import Cluster, Gateway, LxcMode
from ..paths import Paths
from ..samba.launch import SUPERVISOR, Inside
from ..sources import cells
from ..step import Ledger, Step
from .lxc import PYTHON, SERVED, Lxc, bridge_faults, shifted

LOCK = ":lock"  # below SERVED; no share is called so
MARK = "# member of a cluster\n"


class LxcMember(Lxc):
    """This node's member, in a container."""

    def __init__(self, host: Host, paths: Paths, gateway: Gateway, node: str) -> None:
        super().__init__(host, paths, gateway)
        assert gateway.cluster  # noqa: S101 - who asks knows
        self.cluster: Cluster = gateway.cluster
        self.member = next((each for each in self.cluster.active if each.node == node), self.cluster.members[0])
        self.instance.launcher = Inside(self.container, PYTHON, "-I", "-m", SUPERVISOR)
        self.asks: ctdbd.Asked = ctdbd.Inside(self.container, PYTHON, self.instance.own)

    @property
    def template(self) -> str:
        """What it was made of, for as long as it is there; at first the newest of this node."""
        return self._made_of() or self.templates.newest()

    def renew(self) -> None:
        """Be made of the newest the next time."""
        self.host.run("rm", "-f", "--", f"{self.folder}/config")

    def look(self, former: Gateway | None) -> list[Fault]:
        """What is missing on the node."""
        if self.paths.on_proxmox:
            what = "on Proxmox VE members of a cluster run on the nodes: a guest that moves would be the wrong member"
            return [Fault("mode", what, "mode: native; or leave out cluster, and let Proxmox HA restart the container")]
        try:
            self.host.run("lxc-attach", "--version")
        except CommandMissing as error:
            return [Fault("mode", error.what, error.hint)]
        own = [Fault("cluster.bridge", fault.message, fault.hint)
               for fault in bridge_faults(self.host, self.cluster.bridge)]  # fmt: skip
        return [*self._template(), *bridge_faults(self.host, self.mode.bridge), *own, *self._unknown(), *self._lock()]

    def _template(self) -> list[Fault]:
        name = self.template
        if not name:
            return [Fault("mode", "this node has no template for containers", "make one: template build")]
        if os.path.lexists(f"{self.templates.root(name)}/usr/sbin/ctdbd"):
            return []
        return [Fault("mode", f"template {name} of this node is without ctdb", "make a newer one: template build")]

    def _lock(self) -> list[Fault]:
        folder = os.path.dirname(self._lock_path())
        if os.path.isdir(folder):
            return []
        return [
            Fault("cluster.lock", f"there is no directory {folder} on this node", "make it on the shared file system")
        ]

    def _lock_path(self) -> str:
        return str(self.cluster.lock).partition(":")[2]

    def lock_file(self, path: str) -> str:
        """Where it sees a lock file."""
        return f"{SERVED}/{LOCK}/{os.path.basename(path)}"

    def steps(self) -> list[Step]:
        """The container, running, with the directory of the lock."""
        folder, target = os.path.dirname(self._lock_path()), f"{self.data}/{LOCK}"
        lock = shifted(self.host, folder, target, BASE, self.gateway.name)
        return [self.directory(), *lock, self._configuration(), *self.running()]

    def unreached(self) -> str:
        """Its addresses are where CTDB has them."""
        return ""

    def _text(self) -> str:
        own = {"type": "veth", "name": "eth1", "link": self.cluster.bridge, "flags": "up", "hwaddr": self._mac("eth1")}
        family = "ipv6" if ":" in self.member.address else "ipv4"
        own[f"{family}.address"] = f"{self.member.address}/{self.cluster.length}"
        lines = "".join(f"lxc.net.1.{key} = {value}\n" for key, value in own.items())
        # Inside, the link always seems up: whether the node's own cables are, only the node's devices tell.
        devices = f"lxc.mount.entry = /sys/devices {DEVICES[1:]} none bind,ro,create=dir 0 0\n"
        return MARK + super()._text() + lines + devices

    def _as_made(self) -> LxcMode:
        # Clients get at it by addresses that move, so the node's routes and its own never tell of one.
        return self.mode.model_copy(update={"template": self.template, "mac": self._mac("eth0"), "router": None})

    def _mac(self, interface: str) -> str:
        """Always the same, and nobody else's: a new one would stay unknown for a while to who remembers the former."""
        words = f"{self.gateway.sid} {self.gateway.name} {self.member.address} {interface}"
        return ":".join(f"{byte:02x}" for byte in b"\x02" + hashlib.sha256(words.encode()).digest()[:5])


def forsaken(host: Host, paths: Paths, kept: set[str]) -> list[str]:
    """Remove the containers of members whose gateways are not in `kept`; their names."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in set(os.listdir(paths.containers)) - kept:
            if (host.read(f"{paths.containers}/{name}/config") or "").startswith(MARK):
                _remove(host, paths, name)
                found.append(name)
    return sorted(found)


def _remove(host: Host, paths: Paths, name: str) -> None:
    Container(host, paths.containers, name).stop()
    shown = paths.shown(name)
    for target in [path for path in cells.mounts(host) if path.startswith(f"{shown}/")]:
        with contextlib.suppress(CommandFailed):  # its peer has gone
            host.run("umount", "--lazy", "--", target)
        host.run("rmdir", "--", target)
    Ledger().remove([Lxc(host, paths, Gateway(name=name, mode=LxcMode(bridge="none"))).directory()])
