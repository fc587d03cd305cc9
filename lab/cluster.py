"""Several nodes on one machine: network and mount namespaces with an engine each, two bridges, and a client.

    python -m lab.cluster          three nodes, and a shell on the client's side of the network

Node N is 10.77.0.N on the clients' network (eth0) and 10.77.1.N on the members' own (eth1); the client is 10.77.0.200.
Nodes share a directory: records and secrets as on a shared store, and data. All processes end with the lab.
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smbgateway.cli.client import Client
from smbgateway.cluster import ctdbd
from smbgateway.cluster.quorum import View
from smbgateway.guests.template import Templates
from smbgateway.host import Node

from . import ceph, mounts
from .mounts import run, until

PUBLIC, PRIVATE = "10.77.0", "10.77.1"
CEPH = f"{PRIVATE}.250"
SHARED = "/srv/shared"
LETTERS = itertools.cycle("abcdefgh")  # of the labs of one process
PROGRAM = Path(__file__).resolve().parent / "recorder.py"


@dataclass
class Machine:
    """A network namespace with a mount namespace, held by a process that sleeps."""

    lab: str
    name: str
    holder: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        command = ["unshare", "--net", "--mount", "--propagation", "private", "--", "sleep", "infinity"]
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], start_new_session=True)
        until(lambda: os.path.exists(f"/proc/{self.holder.pid}/ns/net") and self._apart(), f"{self.name} is there")

    def _apart(self) -> bool:
        return os.readlink(f"/proc/{self.holder.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt")

    def enter(self, *argv: str) -> list[str]:
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", "--", *argv]

    def run(self, *argv: str, check: bool = True) -> str:
        done = subprocess.run(self.enter(*argv), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(argv)}: {done.stderr or done.stdout}")
        return done.stdout + ("" if check else done.stderr)

    def plug(self, interface: str, bridge: str, address: str) -> None:
        """An interface of its own on a bridge."""
        outside = self.outside(interface)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", interface, "netns", str(self.holder.pid))
        run("ip", "link", "set", outside, "master", bridge, "up")
        self.run("ip", "address", "add", f"{address}/24", "dev", interface)
        self.run("ip", "link", "set", interface, "up")

    def outside(self, interface: str) -> str:
        return f"{self.lab}{self.name}{interface[-1]}"

    def link(self, interface: str, up: bool) -> None:
        """The cable."""
        run("ip", "link", "set", self.outside(interface), "up" if up else "down")

    def cut(self, interface: str, cut: bool = True) -> None:
        """The switch passes on nothing more, and both ends have their carrier."""
        bridge = ["nomaster"] if cut else ["master", self.bridges[interface]]
        run("ip", "link", "set", self.outside(interface), *bridge)

    @property
    def bridges(self) -> dict[str, str]:
        return {"eth0": f"{self.lab}pub", "eth1": f"{self.lab}own"}

    def pids(self) -> list[int]:
        """All that runs in its network, but the holder; and what these have started in others: containers."""
        network: dict[int, str] = {}
        parent: dict[int, int] = {}
        for pid in (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()):
            with contextlib.suppress(OSError):
                network[pid] = os.readlink(f"/proc/{pid}/ns/net")
                parent[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        spaces = {network[self.holder.pid]}
        while more := {network[pid] for pid, of in parent.items() if network.get(of) in spaces} - spaces:
            spaces |= more
        return [pid for pid in parent if network[pid] in spaces and pid != self.holder.pid]

    def signal(self, number: signal.Signals) -> None:
        """All its processes at once."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self) -> None:
        deadline = time.monotonic() + 10
        while self.pids() and time.monotonic() < deadline:
            self.signal(signal.SIGKILL)
            time.sleep(0.02)
        self.holder.kill()
        self.holder.wait()
        for interface in self.bridges:  # its network lives on while a socket of the dead waits for an answer
            with contextlib.suppress(RuntimeError):  # it was never plugged
                run("ip", "link", "delete", self.outside(interface))


@dataclass
class ClusterNode(Machine):
    """A node with an engine."""

    area: Path = Path("/")
    number: int = 1
    engine: "subprocess.Popen[bytes] | None" = None

    @property
    def root(self) -> Path:
        return self.area / self.name

    @property
    def inside(self) -> Path:
        """Its root as it sees that itself, the same on all nodes: paths of shares are in databases of all."""
        return self.area / "root"

    @property
    def state(self) -> Path:
        return self.root / "var/lib/pve-smbgateway"

    @property
    def client(self) -> Client:
        return Client(f"{self.root}/run/pve-smbgateway/engine.sock")

    def prepare(self) -> None:
        """Network, and the directories that all nodes have mounted."""
        self.run("ip", "link", "set", "lo", "up")
        self.plug("eth0", self.bridges["eth0"], f"{PUBLIC}.{self.number}")
        self.plug("eth1", self.bridges["eth1"], f"{PRIVATE}.{self.number}")
        for name in ("config", "priv"):
            (self.state / name).mkdir(parents=True)
        self.run("mount", "--bind", str(self.root), str(self.inside))
        for name in ("config", "priv"):
            where = self.inside / self.state.relative_to(self.root) / name
            self.run("mount", "--bind", str(self.area / "store" / name), str(where))
        self.run("mount", "--bind", str(self.area / "shared"), "/srv")
        # As on a node, where mounts are shared: those of namespaces made from this one are seen below.
        self.run("mount", "--make-rshared", "/")

    def kill_engine(self) -> None:
        assert self.engine
        self.engine.kill()
        self.engine.wait()

    def start_engine(self) -> None:
        with (self.area / f"{self.name}.log").open("ab") as log:
            program = [sys.executable, "-m", "smbgateway.cli", "--root", str(self.inside), "serve", "--node", self.name]
            self.engine = subprocess.Popen(
                self.enter(*program), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def end(self) -> None:
        super().end()
        if self.engine:
            self.engine.wait()

    def wait_for_engine(self) -> None:
        until(lambda: self.answers(), f"the engine of {self.name} answers", 60)

    def answers(self) -> bool:
        try:
            self.client.get("/v1/version", 2)
        except Exception:
            return False
        return True

    def crash(self) -> None:
        """All its processes at once, and with them their connections; then its network."""
        self.signal(signal.SIGKILL)
        until(lambda: not self.pids(), f"all of {self.name} ends")
        self.run("ip", "address", "flush", "dev", "eth0")
        for interface in ("eth0", "eth1"):
            self.link(interface, False)
        self.kill_engine()

    def boot(self) -> None:
        self.run("ip", "address", "add", f"{PUBLIC}.{self.number}/24", "dev", "eth0")
        for interface in ("eth0", "eth1"):
            self.link(interface, True)
        self.start_engine()

    def log(self, name: str, gateway: str = "files") -> str:
        return read(self.own(gateway) / "log" / name) or ""

    def cli(self, *words: str, stdin: str = "") -> str:
        """Run our command on this node; RuntimeError with what it said."""
        program = [sys.executable, "-m", "smbgateway.cli", "--root", str(self.root), *words]
        done = subprocess.run(program, input=stdin, capture_output=True, text=True, timeout=150)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def apply(self, *records: dict[str, Any]) -> str:
        return self.cli("apply", "-f", "-", stdin=json.dumps(records))

    def supervisor(self, gateway: str = "files") -> int | None:
        text = read(self.own(gateway) / "run/supervisor.pid")
        return int(text) if text and os.path.exists(f"/proc/{text.strip()}") else None

    def ctdb(self, *words: str) -> str:
        """What ctdb(1) says on this node; empty where nothing runs."""
        supervisor = self.supervisor()
        if supervisor is None:
            return ""
        enter = ["nsenter", f"--target={supervisor}", "--mount", "--", "ctdb", "-t", "2", *words]
        return subprocess.run(enter, capture_output=True, text=True, timeout=20).stdout

    def view(self, leader_within: float = 0.0, gateway: str = "files") -> View | None:
        return ctdbd.look(str(self.own(gateway)), leader_within)

    def runs(self, program: str) -> list[int]:
        """Processes here with a command line in which words stand."""
        lines = {pid: read(Path(f"/proc/{pid}/cmdline")) or "" for pid in self.pids()}
        return [pid for pid, line in lines.items() if program in line.replace("\0", " ")]

    def memory(self) -> float:
        """MiB of its member: of all that runs here but the engine, what is shared counted by its part (PSS)."""
        engine = self.engine.pid if self.engine else 0
        shown = (read(Path(f"/proc/{pid}/smaps_rollup")) or "" for pid in self.pids() if pid != engine)
        return sum(int(kib) for text in shown for kib in re.findall(r"^Pss: +(\d+)", text, re.MULTILINE)) / 1024

    def pid(self, program: str) -> int:
        """The oldest of those."""
        found = self.runs(program)
        assert found, f"{program} runs on {self.name}"
        return min(found)

    def kill(self, program: str) -> None:
        os.kill(self.pid(program), signal.SIGKILL)

    def own(self, gateway: str) -> Path:
        return self.state / "native" / gateway

    def public_addresses(self) -> str:
        """What ip-address(8) says of those of its member."""
        return self.run("ip", "-4", "-o", "address", "show", "dev", "eth0")


@dataclass
class ContainerNode(ClusterNode):
    """A node whose member is a container: it has two bridges, and a template."""

    def prepare(self) -> None:
        super().prepare()
        self.run("sh", "-ec", OWN_SYS, str(self.area / f"{self.name}.cgroup"))
        folder = self.inside / "var/lib/pve-smbgateway/templates"
        self.run("mkdir", str(folder))
        self.run("mount", "--bind", str(self.area / "templates"), str(folder))
        for interface, bridge in (("eth0", "vmbr0"), ("eth1", "vmbr1")):
            self.run("ip", "link", "add", bridge, "type", "bridge")
            self.run("ip", "address", "flush", "dev", interface)
            self.run("ip", "link", "set", interface, "master", bridge)
            self.run("ip", "link", "set", bridge, "up")

    def own(self, gateway: str) -> Path:
        return self.state / "lxc" / gateway / "state" / gateway

    def supervisor(self, gateway: str = "files") -> int | None:
        """By its number here; the file tells that in the container."""
        return next(iter(self.runs("-m smbgateway.samba.supervise")), None)

    def public_addresses(self) -> str:
        for first in self.runs("smbgateway/guests/init.sh"):
            enter = ["nsenter", f"--target={first}", "--net", "ip", "-4", "-o", "address", "show", "dev", "eth0"]
            return subprocess.run(enter, capture_output=True, text=True, timeout=20).stdout
        return ""


# A file system /sys of its own network, with the control groups of the machine: else no bridge is seen there.
OWN_SYS = """
mkdir "$0"; mount --rbind /sys/fs/cgroup "$0"; mount -t sysfs sysfs /sys
mount --rbind "$0" /sys/fs/cgroup; mount --make-rprivate "$0"; umount --lazy "$0"
"""


class Recorder:
    """A client that writes through an address, and what was acknowledged to it."""

    def __init__(self, lab: "Lab", address: str, share: str, user: str, password: str) -> None:
        self.lab, self.path = lab, lab.area / f"record-{time.monotonic_ns()}"
        program = [sys.executable, str(PROGRAM), address, share, user, password]
        command = ["setpriv", "--pdeathsig", "KILL", *lab.client.enter(*program)]
        with self.path.open("wb") as out, (lab.area / "recorder.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
            )

    @property
    def acknowledged(self) -> dict[str, float]:
        """Names of files, and when (time.monotonic)."""
        lines = self.path.read_text().splitlines(keepends=True)
        words = (line.split() for line in lines if line.endswith("\n"))
        return {name: float(when) for name, when in words}

    def gap(self, moment: float, seconds: float = 30) -> float:
        """Wait until writes are acknowledged again; the longest time without one since a moment, in seconds."""
        until(lambda: self._times()[-1] > max(moment, time.monotonic() - 0.2), "the client is served again", seconds)
        return max(after - before for before, after in itertools.pairwise(self._times()) if after > moment)

    def _times(self) -> list[float]:
        return sorted(self.acknowledged.values())

    def end(self) -> dict[str, float]:
        """Stop; what was acknowledged in all."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return self.acknowledged


@dataclass
class Storage:
    """A Ceph on a machine of its own."""

    machine: Machine
    cluster: ceph.Cluster

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Where its commands work."""
        return mounts.network_of(self.machine.holder.pid)


@dataclass
class Lab:
    """The nodes, and a client."""

    area: Path
    nodes: list[ClusterNode]
    client: Machine

    def node(self, number: int) -> ClusterNode:
        return self.nodes[number - 1]

    def healthy(self, members: int = 3) -> bool:
        """Whether all members see each other, and serve."""
        views = [node.view() for node in self.nodes[:members]]
        return all(view and not view.recovering and not any(view.flags.values()) for view in views)

    def leader(self) -> ClusterNode:
        view = self.node(1).view(5)
        assert view is not None
        assert view.leader is not None
        return self.nodes[view.leader]

    def holder(self, address: str) -> ClusterNode:
        return next(node for node in self.nodes if node.name in self.holders(address))

    def mend(self) -> None:
        """Whatever a test has done: cables, switches, frozen processes, engines."""
        for node in self.nodes:
            node.signal(signal.SIGCONT)
            for interface in ("eth0", "eth1"):
                node.cut(interface, False)
                node.link(interface, True)
            if node.engine is None or node.engine.poll() is not None:
                node.kill_engine()
                node.start_engine()
        for node in self.nodes:
            node.wait_for_engine()

    def holders(self, address: str) -> list[str]:
        """The nodes that have an address on an interface."""
        shown = {node.name: node.public_addresses() for node in self.nodes}
        return [name for name, text in shown.items() if f" {address}/" in text]

    def settled(self, addresses: int = 3) -> bool:
        """Whether every public address is on one node."""
        return all(len(self.holders(f"{PUBLIC}.10{number}")) == 1 for number in range(addresses))

    @contextlib.contextmanager
    def another(self) -> Iterator[ClusterNode]:
        """One more node, while the block runs."""
        number = len(self.nodes) + 1
        node = ClusterNode(self.client.lab, f"n{number}", self.area, number)
        self.nodes.append(node)
        try:
            node.prepare()
            node.start_engine()
            node.wait_for_engine()
            yield node
        finally:
            self.nodes.remove(node)
            node.end()

    @contextlib.contextmanager
    def storage(self) -> Iterator["Storage"]:
        """A Ceph on the members' own network, known to all nodes as theirs."""
        with contextlib.ExitStack() as stack:
            machine = Machine(self.client.lab, "s")
            stack.callback(machine.end)
            machine.run("ip", "link", "set", "lo", "up")
            machine.plug("eth1", self.nodes[0].bridges["eth1"], CEPH)
            with mounts.network_of(machine.holder.pid):
                made = stack.enter_context(ceph.cluster(self.area / "ceph", CEPH))
            lines = made.conf.read_text().splitlines()  # of clients on several nodes
            text = "\n".join(line for line in lines if not line.startswith(("public_addr", "cluster_addr", "pid_file")))
            (self.area / "etc-ceph").mkdir()
            (self.area / "etc-ceph/ceph.conf").write_text(text + "\n")
            for node in self.nodes:
                node.run("mount", "--bind", str(self.area / "etc-ceph"), "/etc/ceph")
            yield Storage(machine, made)

    @contextlib.contextmanager
    def recorder(
        self, address: str, share: str, user: str, password: str, folder: Path | None = None
    ) -> Iterator[Recorder]:
        """A client that writes while the block runs; at its end each acknowledged write must be there, once.

        folder    where the data of the share lies, if not in the directory that the nodes share
        """
        recorder = Recorder(self, address, share, user, password)
        try:
            until(lambda: bool(recorder.acknowledged), f"a first write through {address}", 20)
            yield recorder
        finally:
            acknowledged = recorder.end()
        folder = folder or self.area / "shared/shared" / share
        wrong = [name for name in acknowledged if read(folder / name) != name]
        assert not wrong, f"{len(wrong)} of {len(acknowledged)} acknowledged writes are lost or doubled: {wrong[:3]}"

    def gateway(self, name: str = "files", members: int = 3, **more: Any) -> dict[str, Any]:
        cluster = {
            "members": [{"node": n.name, "address": f"{PRIVATE}.{n.number}"} for n in self.nodes[:members]],
            "addresses": [{"address": f"{PUBLIC}.10{i}/24", "interface": "eth0"} for i in range(members)],
            "lock": f"file:{SHARED}/lock",
        }
        return {"kind": "gateway", "name": name, "cluster": {**cluster, **more}}


def read(path: Path) -> str | None:
    """A file, None where it is not there."""
    try:
        return path.read_text()
    except OSError:
        return None


@contextlib.contextmanager
def cluster(count: int = 3, template: Path | None = None) -> Iterator[Lab]:
    """Make one; needs root and a private mount namespace (mounts.enter_private_namespace).

    template    a tar file: members are containers that are made of it
    """
    lab = f"g{os.getpid() % 100000}{next(LETTERS)}"
    area = Path(tempfile.mkdtemp(prefix="smbgw-cluster-")).resolve()
    area.chmod(0o755)
    for name in ("store/config", "store/priv", "shared/shared", "root"):
        (area / name).mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, area)
        stack.callback(mounts.unmount_below, area)
        if template:
            Templates(Node(), str(area / "templates")).bring(str(template))
        for bridge in (f"{lab}pub", f"{lab}own"):
            run("ip", "link", "add", bridge, "type", "bridge")
            stack.callback(run, "ip", "link", "delete", bridge)
            run("ip", "link", "set", bridge, "up")
        nodes: list[ClusterNode] = []
        for number in range(1, count + 1):
            nodes.append((ContainerNode if template else ClusterNode)(lab, f"n{number}", area, number))
            stack.callback(nodes[-1].end)
        client = Machine(lab, "c")
        stack.callback(client.end)
        client.plug("eth0", f"{lab}pub", f"{PUBLIC}.200")
        for node in nodes:
            node.prepare()
            node.start_engine()
        for node in nodes:
            node.wait_for_engine()
        yield Lab(area, nodes, client)


def main() -> None:
    """A shell beside a running lab."""
    mounts.enter_private_namespace()
    with cluster() as lab:
        print(f"nodes below {lab.area}; this shell is the client", flush=True)
        subprocess.run(lab.client.enter(os.environ.get("SHELL", "sh")))


if __name__ == "__main__":
    main()
