"""The first of the two commands that the README offers."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lab.mounts import mounts_below

from .browsing import REPOSITORY


@pytest.fixture
def root() -> Iterator[Path]:
    """Where it may keep everything: users pass through."""
    with TemporaryDirectory(prefix="smbgw-quickstart-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "root"


def test_a_newcomer_has_a_share_that_a_client_uses_and_gets_rid_of_it(area: Path, root: Path) -> None:

    def quickstart(*words: str) -> list[str]:
        """What it says: to a pipe, whose end comes only when nobody it started holds on to it."""
        command = [REPOSITORY / "quickstart", *words, "--root", root]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    try:
        (line,) = quickstart("--json")
        made = json.loads(line)
        login = ("-A", root / "demo-login", "--configfile=/dev/null", "-p", str(made["port"]))
        use = ["smbclient", *login, f"//{made['address']}/{made['share']}", "-c", "put /etc/hostname kept; ls"]
        said = subprocess.run(use, capture_output=True, text=True, timeout=60).stdout
        assert "kept" in said
        assert Path(made["password_file"]).stat().st_mode & 0o777 == 0o600
        assert json.loads(quickstart("--json")[0]) == made, "a second run finds all as it is"
        assert quickstart("stop")[-1].startswith("stopped: ")
        assert mounts_below(root) == []
    finally:
        quickstart("clean")
    assert not root.exists()
