"""Members that are cut off: one side serves, the other ends, and after the heal all are one again."""

import signal
import time

import pytest

from lab.cluster import PUBLIC, ClusterNode, Lab
from lab.mounts import until

from .site import PASSWORD, address_of, gap_of_pulled_cable

LATEST = 10.0  # seconds; the goal of the bench `partition` is 5


def chosen(lab: Lab, who: str) -> ClusterNode:
    leader = lab.leader()
    return leader if who == "leader" else next(node for node in lab.nodes if node is not leader)


def mended(lab: Lab) -> bool:
    return lab.healthy() and lab.settled()


@pytest.mark.parametrize(
    ("who", "networks"),
    [("leader", ["eth1"]), ("leader", ["eth0", "eth1"]), ("other", ["eth0", "eth1"])],
    ids=["leader-own", "leader-all", "other-all"],
)
def test_one_member_is_cut_off(lab: Lab, who: str, networks: list[str]) -> None:
    """Two of three go on with all addresses; the third acknowledges nothing, and has none."""
    lost = chosen(lab, who)
    address = address_of(lab, lost)
    with lab.recorder(address, "docs", "alice", PASSWORD) as client:
        with lab.recorder(f"{PUBLIC}.{lost.number}", "docs", "alice", PASSWORD) as inside:
            moment = time.monotonic()
            for network in networks:
                lost.cut(network)
            until(lambda: lost.name not in lab.holders(address), "the address leaves", LATEST)
            until(lambda: lab.settled() and lost.name not in lab.holders(address), "others have all addresses")
            gap = client.gap(moment)
            last = max(inside.acknowledged.values()) - moment
        print(f"cut {networks} {who}: gap {gap:.1f} s, last write on the losing side {last:.1f} s after the cut")
        assert last < LATEST
        for network in networks:
            lost.cut(network, False)
        until(lambda: mended(lab), "all members are one again", 60)
        client.gap(moment)


def test_the_public_link_goes_down(lab: Lab) -> None:
    lost = chosen(lab, "other")
    print(f"link down: {gap_of_pulled_cable(lab, lost, address_of(lab, lost)):.1f} s")


def test_a_node_dies_and_comes_back(lab: Lab) -> None:
    lost = lab.leader()
    address = address_of(lab, lost)
    with lab.recorder(address, "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        lost.crash()
        until(lambda: lab.holders(address) != [], "another has the address")
        print(f"leader dies: {client.gap(moment):.1f} s")
        lost.boot()
        until(lambda: mended(lab), "the node is a member again", 60)


def test_a_leader_that_stood_still_serves_no_more(lab: Lab) -> None:
    """Its lock stays its own meanwhile, as its file system does not know that it stands still."""
    frozen = lab.leader()
    with lab.recorder(address_of(lab, frozen), "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        frozen.signal(signal.SIGSTOP)
        time.sleep(5)  # how long it stands still is what is tested
        thawed = time.monotonic()
        frozen.signal(signal.SIGCONT)
        until(lambda: "stood still" in frozen.log("fence.log"), "the fence has seen it")
        until(lambda: mended(lab), "all members are healthy", 60)
        print(f"frozen leader: {client.gap(moment):.1f} s, {client.gap(thawed):.1f} s after")
