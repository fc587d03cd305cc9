"""doctor on a real node: what is well, what is away, and what is left of former times."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from lab import mounts
from smbgateway.installation import this_node

from .browsing import REPOSITORY, serving
from .world import Site, site, user


def findings(made: Site) -> dict[str, list[str]]:
    """Texts by state."""
    words = [sys.executable, "-m", "smbgateway.cli", "--root", made.paths.root, "doctor", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    found: dict[str, list[str]] = {"ok": [], "warn": [], "fail": []}
    for each in json.loads(done.stdout)["findings"]:
        found[each["state"]].append(each["text"])
    assert done.returncode == (3 if found["fail"] else 0)
    return found


def test_a_node_that_is_well_and_one_that_is_not(area: Path) -> None:
    with site(area, "doctor", this_node()) as made:
        made.apply(made.gateway(), user(), made.share())
        port = made.engine.site.world().gateways["files"].mode.port
        with serving(made):
            found = findings(made)
            assert found["fail"] == []
            assert {"gateway files is this node's, and runs", f"port {port} is served by a gateway"} <= {*found["ok"]}
            assert "nothing is left of what is no longer recorded" in found["ok"]
            (made.srv / "docs").rmdir()
            drift = f"directory {made.srv}/docs, earmark of {made.srv}/docs"
            assert f"gateway files: 2 things not as recorded: {drift}" in findings(made)["warn"]
        made.instance().stop()
        leave_over(made)
        with socket.create_server(("127.0.0.1", port)):
            found = findings(made)
        taken = f"port {port} is taken on 127.0.0.1 by {Path('/proc/self/comm').read_text().strip()} "
        assert taken + f"(process {os.getpid()}), which is not ours" in found["warn"]
        assert "gateway files is this node's, and does not run" in found["warn"]
        assert f"what is mounted on {made.paths.mounts}/files/gone is of no share" in found["warn"]
        assert f"{made.paths.instance('gone')} is of no gateway" in found["warn"]
        assert f"secrets cannot be written: Read-only file system: {made.paths.priv}" in found["fail"]
        assert found["fail"][-1] == f"cannot reach the engine at {made.paths.socket}: it does not run"


def leave_over(made: Site) -> None:
    gone = Path(made.paths.mounts, "files", "gone")
    gone.mkdir(parents=True)
    mounts.run("mount", "-t", "tmpfs", "tmpfs", gone)
    mounts.run("mount", "--bind", "-o", "ro", made.paths.priv, made.paths.priv)
    Path(made.paths.instance("gone")).mkdir()
