"""What an administrator does to a cluster that runs, while a client writes."""

import json
import time
from typing import Any

import pytest

from lab.cluster import Lab
from lab.mounts import until

from .site import ADDRESSES, PASSWORD


def status(lab: Lab, node: int = 1) -> dict[str, dict[str, Any]]:
    shown = json.loads(lab.node(node).cli("gateway", "status", "files", "--json"))
    return {member["node"]: member for member in shown["members"]}


def test_the_status_is_the_same_on_all_members(lab: Lab) -> None:
    seen = [status(lab, number) for number in (1, 2, 3)]
    assert seen[0] == seen[1] == seen[2]
    assert [member["state"] for member in seen[0].values()] == ["healthy"] * 3
    assert [node for node, member in seen[0].items() if member["leader"]] == [lab.leader().name]
    for node, member in seen[0].items():
        assert all(lab.holders(address) == [node] for address in member["addresses"])


def test_an_address_is_moved_by_hand(lab: Lab) -> None:
    """And the cluster goes on to move addresses by itself at once."""
    former = lab.holder(ADDRESSES[0])
    target, third = (node for node in lab.nodes if node is not former)
    with lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        former.cli("gateway", "failover", ADDRESSES[0], "--to", target.name)
        assert lab.holders(ADDRESSES[0]) == [target.name]
        print(f"planned move: {client.gap(moment):.2f} s")
        moment = time.monotonic()
        target.kill("ctdbd --interactive")
        until(lambda: lab.holders(ADDRESSES[0]) not in ([], [target.name]), "it is moved on", 12)
        print(f"death right after a move: {client.gap(moment):.2f} s")
    assert third.name in {node.name for node in lab.nodes}


def test_a_node_is_drained_and_comes_back(lab: Lab) -> None:
    node = lab.holder(ADDRESSES[1])
    other = next(each for each in lab.nodes if each is not node)
    with lab.recorder(ADDRESSES[1], "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        other.cli("gateway", "drain", node.name)
        assert status(lab, other.number)[node.name]["state"] == "drained"
        assert status(lab, other.number)[node.name]["addresses"] == []
        print(f"drain: {client.gap(moment):.2f} s")
        other.cli("gateway", "undrain", node.name)
        until(lambda: status(lab, other.number)[node.name]["addresses"] != [], "it has addresses again")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["drain", "n9"], "node n9 is no member of a cluster\n  members: n1, n2, n3"),
        (["failover", "10.9.9.9", "--to", "n1"], "10.9.9.9 is no address of a cluster\n  there is: 10.77.0.100"),
        (["failover", "10.77.0.100", "--to", "n9"], "node n9 is no member of gateway files\n  members: n1, n2, n3"),
        (["status", "nowhere"], "there is no gateway nowhere"),
    ],
)
def test_what_is_not_there_is_named(lab: Lab, words: list[str], told: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        lab.node(1).cli("gateway", *words)
    assert told in str(caught.value)
