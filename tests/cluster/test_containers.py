"""Members in containers: the same ctdbd, fence and Samba, on two bridges of each node."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster import Lab
from lab.mounts import run, until
from smbgateway.guests.template import BASE

from .site import ADDRESSES, LONGEST, PASSWORD, gap_of_death, gap_of_pulled_cable, in_containers, smb

MOST = 192.0  # MiB; the bench `partition` measures more of it


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with in_containers() as made:
        yield made


def test_every_address_serves_the_same_files(lab: Lab) -> None:
    for number, address in enumerate(ADDRESSES):
        assert "putting file" in smb(lab, address, f"put /etc/hostname of-{number}")
    for address in ADDRESSES:
        assert all(f"of-{number}" in smb(lab, address, "ls") for number in range(3))
    assert (lab.area / "shared/shared/docs/of-0").stat().st_uid < BASE, "on disk the numbers are those of the node"
    for node in lab.nodes:
        status = Path(f"/proc/{node.pid('ctdbd --interactive')}/status").read_text()
        assert f"Uid:\t{BASE}\t" in status, "ctdbd is not root on the node"
        assert (memory := node.memory()) < MOST, f"a member has {memory:.0f} MiB"


@pytest.mark.parametrize("program", ["ctdbd --interactive", "smbgateway/guests/init.sh"])
def test_a_program_is_killed(lab: Lab, program: str) -> None:
    """ctdbd alone, or the container with all that runs in it."""
    gap = gap_of_death(lab, program, moves=True)
    print(f"{program}: {gap:.1f} s")
    assert gap < LONGEST, f"the client waited {gap:.1f} s"


def test_a_cable_of_the_node_is_pulled(lab: Lab) -> None:
    """A container's link seems up all the time: the fence looks at that of the node."""
    lost = lab.holder(ADDRESSES[1])
    print(f"the public link goes down: {gap_of_pulled_cable(lab, lost, ADDRESSES[1]):.1f} s")


def test_status_and_operations_reach_into_containers(lab: Lab) -> None:
    former = lab.holder(ADDRESSES[0])
    target = next(node for node in lab.nodes if node is not former)
    shown = former.cli("gateway", "failover", ADDRESSES[0], "--to", target.name)
    assert re.search(rf"^{target.name} .*healthy.* {re.escape(ADDRESSES[0])}\b", shown, re.MULTILINE)
    assert lab.holders(ADDRESSES[0]) == [target.name]


def test_a_member_is_made_of_a_newer_template(lab: Lab) -> None:
    """By the engine of its node, while the others serve."""
    node = lab.node(3)
    run("cp", "-al", next((lab.area / "templates").iterdir()), lab.area / "templates/newer-1")
    with lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        lab.node(1).cli("gateway", "drain", node.name)
        moment = time.monotonic()
        assert "to newer-1" in node.cli("gateway", "upgrade", "files")
        assert "/delta/newer-1\n" in (node.state / "lxc/files/config").read_text()
        until(lambda: lab.healthy() and lab.settled(), "all members are healthy", 60)
        print(f"a member is made anew: {client.gap(moment):.1f} s")
