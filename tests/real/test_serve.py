"""The engine as a process: its socket, its end, and what goes on without it."""

import fcntl
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbgateway.api.relay import relay_ids
from smbgateway.cli.client import Client
from smbgateway.cli.problem import Problem

from .browsing import serving
from .world import HeldOpen, Site, site, user


@pytest.fixture(scope="module")
def made(area: Path) -> Iterator[Site]:
    with site(area, "serve") as one:
        one.apply(one.gateway(), user(), one.share("docs"))
        yield one


def test_an_engine_that_was_killed_is_followed_by_another_and_no_client_notices(made: Site) -> None:
    pids = made.pids()
    with HeldOpen(made, "docs") as held:
        with serving(made) as first:
            found = os.stat(made.paths.socket)
            mode = 0o660 if relay_ids() else 0o600  # a machine on which quickstart ran has the relay's user
            assert (stat.S_ISSOCK(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid) == (True, mode, 0)
            first.kill()
            first.wait(10)
            assert "NT_STATUS_" not in held.do("ls")
        with pytest.raises(Problem):
            Client(made.paths.socket).get("/v1/version")
        with serving(made):
            assert Client(made.paths.socket).get("/v1/version")["node"] == "one"
            assert "NT_STATUS_" not in held.do("put /etc/hostname kept; del kept")
    assert made.pids() == pids


def test_an_engine_told_to_end_ends_beside_a_listener_and_a_change_and_the_next_one_settles_it(made: Site) -> None:
    with serving(made) as engine, open(made.paths.lock) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else's turn, so that the change is under way until this ends
        caller = Client(made.paths.socket)
        events = caller.events(caller.post("/v1/apply", {"resources": [made.share("late")]})["job"])
        assert next(events)[2]["name"] == "request"
        started = time.monotonic()
        engine.terminate()
        assert engine.wait(30) == -signal.SIGTERM
        assert time.monotonic() - started < 15
    with serving(made):
        status = Client(made.paths.socket).get("/v1/status")
        assert (status["said"], [gateway["drift"] for gateway in status["gateways"]]) == ([], [[]])
        shares = [share["name"] for share in Client(made.paths.socket).get("/v1/shares")["shares"]]
        assert made.works("docs")
        assert ("late" in shares) == made.works("late")


def test_a_change_in_the_midst_of_which_the_engine_is_killed_is_finished_by_the_next_one(made: Site) -> None:
    caller, wanted = Client(made.paths.socket), {"resources": [made.image("half")]}
    with serving(made) as engine:
        steps = (event["name"] for _, _, event in caller.events(caller.post("/v1/apply", wanted)["job"]))
        assert f"image {made.srv}/half.img" in steps  # made, and nothing of what follows is waited for
        engine.kill()
        engine.wait(10)
    with serving(made, "share half: finished"):
        assert caller.get("/v1/status")["gateways"][0]["drift"] == caller.post("/v1/plan", wanted)["cells"] == []
        assert caller.get("/v1/jobs") == {"jobs": []}
        assert made.works("half")
