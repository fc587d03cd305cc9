"""One member of a cluster, as steps on its own node: ctdbd and the fence below the supervisor, then Samba on them.

Registry, accounts and the SID lie in databases of all members. Each engine converges them as its own, one at a time.
"""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ..errors import CommandFailed, Failed, Fault
from ..host import Host
from ..model import Cluster, Gateway, LxcMode, Member, NativeMode
from ..paths import Paths
from ..samba.config import global_section
from ..samba.instance import Instance, loads
from ..step import Step
from . import files, versions
from .ctdbd import Asked
from .quorum import View

READY_WAIT = 60.0  # seconds until a member is in a cluster; 10 s is usual, where the others are there
LISTENS = "import socket, sys; socket.create_connection((sys.argv[1], 4379), 1)"
Lock = Callable[[], contextlib.AbstractContextManager[None]]


class Place(Protocol):
    """Where a member runs."""

    instance: Instance
    asks: Asked  # its ctdbd

    def lock_file(self, path: str) -> str:
        """Where it sees a lock file."""


class ClusterMember:
    """This node's part of a gateway; `store` is where its records are seen: the node."""

    def __init__(self, place: Place, node: str, lock: Lock, paths: Paths, store: Host) -> None:
        self.place, self.instance, instance = place, place.instance, place.instance
        assert instance.gateway.cluster  # noqa: S101 - who asks knows
        self.host, self.store, self.lock, self.paths = instance.host, store, lock, paths
        self.gateway, self.own = instance.gateway, instance.own
        self.cluster: Cluster = instance.gateway.cluster
        self.member: Member = next(each for each in self.cluster.active if each.node == node)

    def steps(self) -> list[Step]:
        """From Samba's files to a member of the cluster that has prepared databases, but no smbd yet."""
        file, cluster = self.instance.file, self.cluster
        return [
            self._directories(),
            file("ctdb/etc/ctdb.conf", files.conf(self.member, self.own)),
            file("ctdb/etc/nodes", files.nodes(cluster)),
            file("ctdb/etc/public_addresses", files.public_addresses(cluster)),
            file("ctdb/etc/lock", self._lock(), 0o755),
            file("ctdb/etc/events/legacy/50.smbgateway.script", self._events(), 0o755),
            file("ctdb/fence.json", json.dumps(self._order()) + "\n"),
            self._version(),
            self._running(),
            self._nodes(),
            self.shared(self._sid()),
            file("run/prepared", "yes\n"),
        ]

    def _lock(self) -> str:
        locks = f"{self.paths.priv}/locks/{self.gateway.name}"
        python = self.instance.python
        return files.lock(self.cluster, self.own, self.member, locks, python, self.place.lock_file)

    def _events(self) -> str:
        return files.events(self.own, getattr(self.gateway.mode, "router", None))

    def _order(self) -> dict[str, Any]:
        mode, cluster = self.gateway.mode, self.cluster
        order = {"members": len(cluster.active), "quorum": cluster.quorum, "port": mode.port}
        return order | ({"bridge": mode.bridge} if isinstance(mode, LxcMode) else {})

    def _directories(self) -> Step:
        names = ("etc/events/legacy", "run", *(f"var/{kind}" for kind in files.DATABASES))
        folders = [f"{self.own}/ctdb/{name}" for name in names]

        def read() -> str | None:
            try:
                self.host.run("ls", "-d", "--", *folders)
            except CommandFailed:
                return None
            return "present"

        def write(value: str | None) -> None:
            if value is None:
                self.host.run("rm", "-rf", "--one-file-system", "--", f"{self.own}/ctdb")
            else:
                self.host.run("mkdir", "-p", "--", *folders)

        return Step(f"directories of ctdb of gateway {self.gateway.name}", "present", read, write)

    def _version(self) -> Step:
        """The Samba that runs here, or is about to, for the others to know."""

        def read() -> str | None:
            known = self.told().get(self.member.node)
            # What runs stays what it is where packages were upgraded below it.
            return "told" if known and (self.instance.pid() or known == self._installed()) else known

        def write(value: str | None) -> None:
            self.tell(versions.installed(self.host) if value else None)

        return Step(f"version of member {self.member.node}", "told", read, write)

    def _installed(self) -> str:
        """Empty where it is in a guest that does not run."""
        with contextlib.suppress(CommandFailed):
            return versions.installed(self.host)
        return ""

    def ctdb(self, *arguments: str, timeout: float = 10) -> str:
        """Run ctdb(1) on this member's ctdbd. Raises CommandFailed; Unavailable where nothing runs."""
        return self.instance.enter("ctdb", "-t", "5", *arguments, timeout=timeout)

    def view(self, leader_within: float = 0.0) -> View | None:
        """What this member sees of the cluster, None where ctdbd does not answer."""
        return self.place.asks.view(leader_within)

    def _running(self) -> Step:
        def read() -> str | None:
            return None if self.instance.pid() is None else "running" if self._joined() else "apart"

        def write(value: str | None) -> None:
            if value is None:
                self.instance.stop()
            elif self.instance.pid() is None:
                self.host.run("ctdbd", "--usage")
                versions.check(self.told(), self.member.node)
                self._await(lambda: not self._former(), "members of another version of Samba still run")
                self.instance.launcher.start(self.gateway.name, self.own)
            if value == "running":
                self._await(self._joined, f"member {self.member.node} does not join its cluster")

        return Step(f"member {self.member.node} of gateway {self.gateway.name}", "running", read, write)

    def told(self) -> dict[str, str]:
        """The Samba of each member that has told it."""
        return versions.known(self.store, self.paths.versions(self.gateway.name), self.gateway.nodes)

    def tell(self, version: str | None) -> None:
        """Let the others know of the Samba of this one, or that it has none."""
        versions.tell(self.store, self.paths.versions(self.gateway.name), self.member.node, version)

    def outvoted(self) -> bool:
        """Whether it runs, and is not to, as most members have another Samba."""
        return self.instance.pid() is not None and versions.outvoted(self.told(), self.member.node)

    def _former(self) -> list[str]:
        """Addresses of members of another version whose ctdbd still runs: they end within seconds.

        To meet one is the end of ours, and a ctdbd that ends in the middle of a recovery may hang.
        """
        others = versions.apart(self.told(), self.member.node)
        return [each.address for each in self.cluster.active if each.node in others and self._listens(each.address)]

    def _listens(self, address: str) -> bool:
        try:
            self.host.run(self.instance.python, "-I", "-c", LISTENS, address)
        except CommandFailed:
            return False
        return True

    def _joined(self) -> bool:
        view = self.view()
        return view is not None and not view.recovering and not view.flags[view.pnn] & {"BANNED"}

    def _nodes(self) -> Step:
        """The members that ctdbd knows. It takes the new ones from files, when those of all members are the same."""
        want = " ".join(str(pnn) for pnn, each in enumerate(self.cluster.members) if not each.removed)

        def read() -> str | None:  # not by listnodes, which reads the file
            view = self.view()
            return " ".join(map(str, sorted(view.flags))) if view else "unknown"

        def reloaded() -> bool:
            with self.lock():
                if read() != want:
                    with contextlib.suppress(CommandFailed):
                        self.ctdb("reloadnodes", timeout=30)
            return read() == want

        def write(value: str | None) -> None:
            if value == want:
                self._await(reloaded, "the members do not agree who they are")

        return Step(f"members of gateway {self.gateway.name}", want, read, write)

    def healthy(self) -> bool:
        """Whether it may have addresses."""
        view = self.view()
        return view is not None and not view.recovering and not view.flags[view.pnn]

    def _await(self, met: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_WAIT
        while not met():
            if time.monotonic() > deadline:
                view = self.view()
                seen = f"it sees {view.connected} of {len(self.cluster.active)} members" if view else "ctdbd is silent"
                health = (self.host.read(f"{self.own}/run/health") or "").partition(" ")[2].strip()
                hint = "are the engines of the other nodes running, and their network?"
                raise Failed(f"{what} within {READY_WAIT:g} s", f"{seen}; {health}", hint=hint)
            time.sleep(0.2)

    def shared(self, step: Step) -> Step:
        """A step on what all members share: written by one at a time, and only where it still differs."""

        def write(value: str | None) -> None:
            with self.lock():
                if step.read() != value:
                    step.write(value)

        return replace(step, write=write)

    def _sid(self) -> Step:
        """The machine SID, before the first smbd makes one of its own."""

        def read() -> str | None:
            return self.instance.tool("net", "getlocalsid").rpartition(": ")[2].strip() or None

        def write(value: str | None) -> None:
            if value is not None:
                self.instance.tool("net", "setlocalsid", value)

        return Step(f"SID of gateway {self.gateway.name}", self.gateway.sid, read, write)

    def daemon(self) -> Step:
        """The running smbd, below the fence; its value is the configuration it has loaded."""
        want = loads(global_section(self.gateway, self.own))

        def read() -> str | None:
            return self.host.read(f"{self.own}/run/loaded") if self.instance.pid() else None

        def write(value: str | None) -> None:
            if value is None:
                self.instance.stop()
                return
            self.instance.await_answer()
            self.instance.control("smbd", "reload-config")
            self._await(self.healthy, f"member {self.member.node} does not become healthy")
            self.host.write(f"{self.own}/run/loaded", loads(self.host.read(self.instance.conf) or ""))

        return Step(f"smbd of gateway {self.gateway.name}", want, read, write)


def look(host: Host, gateway: Gateway, cluster: Cluster, node: str, config: str) -> list[Fault]:
    """What stands against a cluster on this node: its member, its addresses, its store."""
    mine = next((each for each in cluster.active if each.node == node), None)
    if mine is None:
        return [Fault("cluster.members", f"this node, {node}, is none of them", "ask the engine of a member")]
    faults = _networks(host, cluster, mine) if isinstance(gateway.mode, NativeMode) else []
    mounted = [line.split(" ")[4] for line in (host.read("/proc/self/mountinfo") or "").splitlines()]
    if cluster.lock == "pmxcfs" and not config.startswith("/etc/pve/"):
        hint = "file:PATH on the shared file system, or rados:POOL/OBJECT"
        faults.append(Fault("cluster.lock", "this node is not one of Proxmox VE", hint))
    if not config.startswith("/etc/pve/") and config not in mounted:
        hint = f"mount a directory of a shared file system at {config}, on all members, and restart the engines"
        faults.append(Fault("cluster", "the records of this node are its own: other members would not see them", hint))
    return faults


def _networks(host: Host, cluster: Cluster, mine: Member) -> list[Fault]:
    """Whether the node has the address of its member, and the interfaces of the public ones."""
    faults = []
    links = json.loads(host.run("ip", "-json", "address"))
    present = {info["local"] for link in links for info in link.get("addr_info", [])}
    if mine.address not in present:
        faults.append(Fault("cluster.members", f"{mine.address} is not an address of this node"))
    for name in sorted({each.interface for each in cluster.addresses} - {link["ifname"] for link in links}):
        known = ", ".join(link["ifname"] for link in links if link["ifname"] != "lo")
        faults.append(Fault("cluster.addresses", f"there is no interface {name} on this node", f"there is: {known}"))
    return faults
