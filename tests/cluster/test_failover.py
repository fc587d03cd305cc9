"""What dies, and what a client notices: no acknowledged write is lost, and it is served again by itself."""

import pytest

from lab.cluster import Lab

from .site import LONGEST, gap_of_death

PROGRAMS = ["ctdbd --interactive", "smbd --foreground", "smbgateway.cluster.fence", "smbgateway.samba.supervise"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_killed(lab: Lab, program: str) -> None:
    gap = gap_of_death(lab, program)
    assert gap < LONGEST, f"the client waited {gap:.1f} s"
