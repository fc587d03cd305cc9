"""Members that change: an engine dies in the middle of it, and one more is added; while a client writes."""

import random
import threading
import time
from typing import Any

import pytest

from lab.cluster import ClusterNode, Lab
from lab.mounts import until

from .site import ADDRESSES, PASSWORD, agree, wanted


@pytest.mark.parametrize("victim", [1, 3], ids=["who-is-asked", "who-leaves"])
def test_an_engine_dies_while_members_change(lab: Lab, victim: int) -> None:
    """Whenever that is, what comes of it is one of both; and the same order again is carried out."""
    pause = random.uniform(0.1, 2.5)
    print(f"engine {victim} is killed after {pause:.2f} s")
    node = lab.node(victim)
    for members in ([1, 2], [1, 2, 3]):
        order = wanted(lab.node(1), members)
        thread = threading.Thread(target=tried, args=(lab.node(1), order))
        thread.start()
        time.sleep(pause)  # the moment is what is varied
        node.kill_engine()
        node.start_engine()
        node.wait_for_engine()
        thread.join()
        until(lambda: agree(lab, [1, 2]) or agree(lab, [1, 2, 3]), "the members are those of the record", 120)
        lab.node(1).apply(wanted(lab.node(1), members))
        until(lambda: agree(lab, members), "the order is carried out", 90)  # noqa: B023


def tried(node: ClusterNode, order: dict[str, Any]) -> None:
    try:
        node.apply(order)
    except RuntimeError as error:
        print(f"told: {error}")


def test_a_member_is_added(lab: Lab) -> None:
    """A fourth, with a number that nobody had; while a client writes."""
    with lab.another() as fourth, lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        lab.node(1).apply(wanted(lab.node(1), [1, 2, 3, 4]))
        until(lambda: agree(lab, [1, 2, 3, 4]), "four serve", 90)
        lab.node(2).apply(wanted(lab.node(1), [1, 2, 3]))
        until(lambda: agree(lab, [1, 2, 3]) and fourth.supervisor() is None, "three serve", 90)
        client.gap(time.monotonic() - 1)
