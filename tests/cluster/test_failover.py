"""What dies, and what a client notices: no acknowledged write is lost, and it is served again by itself."""

import time

import pytest

from lab.cluster import Lab
from lab.mounts import until

from .site import ADDRESSES, PASSWORD

PROGRAMS = ["ctdbd --interactive", "smbd --foreground", "smbgateway.cluster.fence", "smbgateway.samba.supervise"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_killed(lab: Lab, program: str) -> None:
    victim = lab.holder(ADDRESSES[0])
    former = victim.pid(program)
    with lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        victim.kill(program)
        until(lambda: any(pid != former for pid in victim.runs(program)), f"{program} runs again")
        until(lambda: lab.healthy() and lab.settled(), "all members are healthy again", 60)
        gap = client.gap(moment)
    assert gap < 30, f"the client waited {gap:.1f} s"
