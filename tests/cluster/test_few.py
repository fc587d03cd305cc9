"""Few members: two of them, one that is left, none; and all of them back. A client writes all the time."""

import random
import time
from collections.abc import Iterator

import pytest

from lab.cluster import PUBLIC, ClusterNode, Lab
from lab.mounts import until

from .site import ADDRESSES, PASSWORD, agree, wanted

LATEST = 10.0  # seconds; the goal of the bench `partition` is 5


def silent(lab: Lab) -> bool:
    return not any(lab.holders(address) for address in ADDRESSES)


def test_two_of_three_die_and_the_last_serves_when_told_to(lab: Lab) -> None:
    """A single survivor cannot know whether the others are dead: it needs an order, which its own engine can take."""
    last, *dead = random.sample(lab.nodes, 3)
    with lab.recorder(f"{PUBLIC}.{last.number}", "docs", "alice", PASSWORD) as inside:
        moment = time.monotonic()
        for node in dead:
            node.crash()
        until(lambda: silent(lab), "nobody has an address", LATEST)
        time.sleep(3)  # in which nothing may be acknowledged
        assert max(inside.acknowledged.values()) - moment < LATEST
    last.apply(wanted(last, [1, 2, 3], quorum="lock"))
    until(lambda: all(lab.holders(address) == [last.name] for address in ADDRESSES), "the survivor has all addresses")
    with lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        for node in dead:
            node.boot()
        until(lambda: lab.healthy() and lab.settled(), "all members are back", 90)
        client.gap(time.monotonic() - 1)
    lab.node(1).apply(wanted(lab.node(1), [1, 2, 3], quorum="majority"))


def test_all_nodes_go_down_and_come_back(lab: Lab) -> None:
    with lab.recorder(ADDRESSES[2], "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        for node in lab.nodes:
            node.crash()
        for node in lab.nodes:
            node.boot()
        print(f"all nodes boot: {client.gap(moment, 90):.1f} s")
        until(lambda: lab.healthy() and lab.settled(), "all members are healthy", 90)


@pytest.fixture
def two(lab: Lab) -> Iterator[Lab]:
    """Without its third member, which leaves and comes back while a client writes; its number stays its own."""
    with lab.recorder(ADDRESSES[1], "docs", "alice", PASSWORD) as client:
        lab.node(1).apply(wanted(lab.node(1), [1, 2]))
        until(lambda: agree(lab, [1, 2]), "two serve", 90)
        until(lambda: lab.node(3).supervisor() is None, "the member ends")
        client.gap(time.monotonic() - 1)
    nodes = (lab.node(1).own("files") / "ctdb/etc/nodes").read_text().splitlines()
    assert nodes[:3] == ["10.77.1.1", "10.77.1.2", "#10.77.1.3"]
    yield lab
    lab.mend()
    with lab.recorder(ADDRESSES[1], "docs", "alice", PASSWORD) as client:
        lab.node(2).apply(wanted(lab.node(1), [1, 2, 3]))
        until(lambda: agree(lab, [1, 2, 3]), "three serve", 90)
        client.gap(time.monotonic() - 1)


def other_of(lab: Lab, node: ClusterNode) -> ClusterNode:
    return next(each for each in lab.nodes[:2] if each is not node)


def test_of_two_that_part_the_one_with_the_lock_serves(two: Lab) -> None:
    leader = two.leader()
    other = other_of(two, leader)
    with two.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        with two.recorder(f"{PUBLIC}.{other.number}", "docs", "alice", PASSWORD) as inside:
            moment = time.monotonic()
            other.cut("eth1")
            until(lambda: all(two.holders(each) == [leader.name] for each in ADDRESSES), "one has all", 30)
            client.gap(moment)
            assert max(inside.acknowledged.values()) - moment < LATEST
        other.cut("eth1", False)
        until(lambda: agree(two, [1, 2]), "two serve again", 90)
        # The one with the lock, when nobody can reach it, gives it up.
        leader = two.leader()
        other, moment = other_of(two, leader), time.monotonic()
        for interface in ("eth0", "eth1"):
            leader.link(interface, False)
        until(lambda: all(two.holders(each) == [other.name] for each in ADDRESSES), "the other has all", 30)
        print(f"of two, the leader's links go down: {client.gap(moment):.1f} s")
        for interface in ("eth0", "eth1"):
            leader.link(interface, True)
        until(lambda: agree(two, [1, 2]), "two serve again", 90)
