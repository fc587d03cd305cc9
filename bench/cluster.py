"""What a client of a cluster notices when something dies, or is cut off. Beside it CTDB with its own tunables."""

import statistics
import time
from collections.abc import Callable, Iterator

from lab import mounts
from lab.cluster import PUBLIC, SHARED, ClusterNode, Lab, cluster
from lab.mounts import until
from smbgateway.cluster.files import TUNABLES

from .figure import Bench, Promise, Reading, at_most
from .timing import say

PASSWORD = "Open-Sesame-1"
ADDRESSES = [f"{PUBLIC}.10{number}" for number in range(3)]
ROUNDS, DEFAULT_ROUNDS, LONGEST = 10, 3, 60.0  # runs; seconds after which one with defaults counts as that long
DEFAULTS = {  # ctdb-tunables(7)
    "KeepaliveInterval": 5, "KeepaliveLimit": 5, "MonitorInterval": 15, "ElectionTimeout": 3, "RerecoveryTimeout": 10,
    "RecoverTimeout": 30, "TakeoverTimeout": 9, "ControlTimeout": 60, "RecoveryDropAllIPs": 120,
}  # fmt: skip
Fault = Callable[[Lab, ClusterNode, str], object]


def crash(lab: Lab, node: ClusterNode, address: str) -> None:
    """The node dies, and its connections with it."""
    node.crash()


def silence(lab: Lab, node: ClusterNode, address: str) -> None:
    """Nothing comes from the node any more, nor gets to it; its storage it still reaches."""
    for interface in ("eth0", "eth1"):
        node.cut(interface)


def kill_smbd(lab: Lab, node: ClusterNode, address: str) -> None:
    """The smbd of the node dies."""
    node.kill("smbd --foreground")


def unplug(lab: Lab, node: ClusterNode, address: str) -> None:
    """The cable of the clients' network."""
    node.link("eth0", False)


def move(lab: Lab, node: ClusterNode, address: str) -> None:
    """An address is moved by hand."""
    other = next(each for each in lab.nodes if each is not node)
    node.cli("gateway", "failover", address, "--to", other.name)


FAULTS: dict[str, tuple[str, str, float, Fault]] = {  # figure: what, who, goal, what is done
    "crash": ("a member dies", "other", 1.5, crash),
    "leader": ("the leader dies", "leader", 3, crash),
    "silent": ("a member is cut off", "other", 3, silence),
    "isolated": ("the leader is cut off with the lock in hand", "leader", 6, silence),
    "smbd": ("smbd is killed", "other", 3, kill_smbd),
    "link": ("the public link goes down", "other", 3, unplug),
    "move": ("an address is moved by hand", "other", 0.3, move),
}
BASELINE = "CTDB's own tunables, below the same fence"
FAILOVER = [
    Promise(f"failover.{name}", f"{what}: the client's last success to its next, median", "s", at_most(goal), BASELINE)
    for name, (what, _, goal, _) in FAULTS.items()
]
PARTITION = [
    Promise(
        "partition.last-write", "last write acknowledged on the losing side, after the cut, worst", "s", at_most(5)
    ),
    Promise("partition.doubled", "an address on two members, after the cut, worst", "s", at_most(5)),
    Promise("partition.lost", "acknowledged writes that are lost or doubled", "writes", at_most(0)),
    Promise("partition.memory", "memory of a member's ctdbd, fence and Samba (PSS), worst", "MiB", at_most(192)),
    Promise("partition.back", "after the heal, until all members are healthy again, median", "s", at_most(10)),
]


def records(lab: Lab) -> list[dict[str, object]]:
    """A cluster with a share."""
    source = {"kind": "directory", "path": f"{SHARED}/docs", "shared": True}
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": source, "access": {"alice": "write"}}
    return [lab.gateway(), {"kind": "user", "name": "alice", "password": PASSWORD}, share]


def whole(lab: Lab) -> bool:
    """Whether all members serve."""
    return lab.healthy() and lab.settled()


def victim(lab: Lab, who: str) -> tuple[ClusterNode, str]:
    """A node by its part, and an address that it has."""
    until(lambda: whole(lab), "all members are healthy", 90)
    leader = lab.leader()
    nodes = [leader] if who == "leader" else [each for each in lab.nodes if each is not leader]
    # Who came back gets one a moment later; whose was moved away by hand, none before something else happens.
    until(lambda: any(_addresses(lab, each) for each in nodes), f"{nodes[0].name} has an address", 30)
    node = next(each for each in nodes if _addresses(lab, each))
    return node, _addresses(lab, node)[0]


def _addresses(lab: Lab, node: ClusterNode) -> list[str]:
    return [address for address in ADDRESSES if lab.holders(address) == [node.name]]


def repair(lab: Lab, node: ClusterNode) -> None:
    """Undo any of the faults."""
    if node.engine and node.engine.poll() is not None:
        node.boot()
    lab.mend()


def gap(lab: Lab, who: str, fault: Fault) -> float:
    """One run: seconds without a success."""
    node, address = victim(lab, who)
    with lab.recorder(address, "docs", "alice", PASSWORD) as client:
        time.sleep(1)  # of success before
        moment = time.monotonic()
        fault(lab, node, address)
        until(lambda: time.monotonic() > moment + 3, "the fault is noticed")
        try:
            found = client.gap(moment - 0.5, LONGEST)
        except TimeoutError:
            found = LONGEST
        repair(lab, node)
    return found


def tune(lab: Lab, tunables: dict[str, int]) -> None:
    """Set tunables on all members."""
    until(lambda: whole(lab), "all members are healthy", 90)
    for node in lab.nodes:
        for name, value in tunables.items():
            node.ctdb("setvar", name, str(value))


def measure_failover(quick: bool) -> Iterator[Reading]:
    """All faults, with our tunables, then with CTDB's."""
    mounts.enter_private_namespace()
    with cluster() as lab:
        lab.node(1).apply(*records(lab))
        for name, (_, who, _, fault) in FAULTS.items():
            times = [gap(lab, who, fault) for _ in range(1 if quick else ROUNDS)]
            defaults = []
            for _ in range(0 if quick else DEFAULT_ROUNDS):
                tune(lab, DEFAULTS)
                defaults.append(gap(lab, who, fault))
            tune(lab, TUNABLES)
            say(f"{name}: {times} {defaults}")
            baseline = statistics.median(defaults) if defaults else None
            yield Reading(f"failover.{name}", statistics.median(times), baseline, f"worst {max(times):.1f} s")


def measure_partition(quick: bool) -> Iterator[Reading]:
    """Each side of a cut in turn loses its leader; clients write on both."""
    mounts.enter_private_namespace()
    last, doubled, back, memory, written = [0.0], [0.0], [], [0.0], 0
    with cluster() as lab:
        lab.node(1).apply(*records(lab))
        for number in range(2 if quick else ROUNDS):
            node, address = victim(lab, ("leader", "other")[number % 2])
            with lab.recorder(address, "docs", "alice", PASSWORD) as outside:
                with lab.recorder(f"{PUBLIC}.{node.number}", "docs", "alice", PASSWORD) as inside:
                    moment = time.monotonic()
                    node.cut("eth1")
                    doubled.append(watch_addresses(lab, moment, 8))
                    last.append(max(inside.acknowledged.values()) - moment)
                healed = time.monotonic()
                repair(lab, node)
                until(lambda: whole(lab), "all members are one again", 60)
                back.append(time.monotonic() - healed)
                memory += [node.memory() for node in lab.nodes]
                written += len(outside.acknowledged) + len(inside.acknowledged)
        yield Reading("partition.last-write", max(last))
        yield Reading("partition.doubled", max(doubled))
        yield Reading("partition.lost", 0, note=f"of {written}; one would have ended the bench")
        yield Reading("partition.memory", max(memory))
        yield Reading("partition.back", statistics.median(back))


def watch_addresses(lab: Lab, since: float, seconds: float) -> float:
    """When, after a moment, an address was last on two members."""
    last = 0.0
    while (now := time.monotonic() - since) < seconds:
        if any(len(lab.holders(address)) > 1 for address in ADDRESSES):
            last = now
    return last


BENCHES = [Bench("failover", FAILOVER, measure_failover), Bench("partition", PARTITION, measure_partition)]
