"""Faults in a row, drawn by lot: clients write through every address, and no acknowledged write is lost or doubled."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

from lab.cluster import ClusterNode, Lab
from lab.mounts import until

from .site import ADDRESSES, PASSWORD
from .test_failover import PROGRAMS

ROUNDS = 5
Fault = Callable[[Lab, ClusterNode], None]


def killed(lab: Lab, node: ClusterNode) -> None:
    node.kill(random.choice(PROGRAMS))


def engine(lab: Lab, node: ClusterNode) -> None:
    node.kill_engine()


def crashed(lab: Lab, node: ClusterNode) -> None:
    node.crash()
    time.sleep(random.uniform(0, 4))
    node.boot()


def cut(lab: Lab, node: ClusterNode) -> None:
    for interface in random.choice([["eth1"], ["eth0", "eth1"]]):
        node.cut(interface)


def unplugged(lab: Lab, node: ClusterNode) -> None:
    node.link(random.choice(["eth0", "eth1"]), False)


def frozen(lab: Lab, node: ClusterNode) -> None:
    node.signal(signal.SIGSTOP)
    time.sleep(random.uniform(1, 5))
    node.signal(signal.SIGCONT)


def moved(lab: Lab, node: ClusterNode) -> None:
    node.cli("gateway", "failover", random.choice(ADDRESSES), "--to", node.name)


def drained(lab: Lab, node: ClusterNode) -> None:
    node.cli("gateway", "drain", node.name)
    node.cli("gateway", "undrain", node.name)


FAULTS: list[Fault] = [killed, engine, crashed, cut, unplugged, frozen, moved, drained]


def test_faults_in_a_row(lab: Lab) -> None:
    seed = int(os.environ.get("SMBGW_SEED", time.time_ns() % 1_000_000))
    random.seed(seed)
    print(f"SMBGW_SEED={seed}")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(lab.recorder(each, "docs", "alice", PASSWORD)) for each in ADDRESSES]
        for fault in random.sample(FAULTS, ROUNDS):
            node, moment = random.choice(lab.nodes), time.monotonic()
            fault(lab, node)
            time.sleep(random.uniform(0, 4))
            lab.mend()
            until(lambda: lab.healthy() and lab.settled(), f"all serve after {fault.__name__}", 90)
            gaps = [f"{client.gap(moment):.1f}" for client in clients]
            print(f"{fault.__name__} {node.name}: {' '.join(gaps)} s")
