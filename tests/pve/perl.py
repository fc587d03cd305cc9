"""Our Perl, run as the daemons of Proxmox VE run it (-T), on small stand-ins of its classes (`standin/`).

The stand-ins refuse what the real ones refuse; where a fault would stop every daemon there, it stops Perl here.
"""

import json
import os
import subprocess
from typing import Any

from .conftest import REPOSITORY

STANDIN = REPOSITORY / "tests/pve/standin"
PERL = REPOSITORY / "perl"
PROLOGUE = """
use strict; use warnings; use JSON;
my $given = decode_json(do { local $/; <STDIN> });
sub told { print encode_json($_[0]), "\\n" }
"""


def attempt(code: str, given: Any = None, *include: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Perl; `given` reaches it as $given, tainted."""
    folders = [word for each in (*include, STANDIN, PERL) for word in ("-I", str(each))]
    return subprocess.run(
        ["perl", "-T", *folders, "-e", PROLOGUE + code], input=json.dumps(given), capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment}, timeout=60,
    )  # fmt: skip


def perl(code: str, given: Any = None, *include: str, **environment: str) -> Any:
    """What the code told, as JSON; it prints nothing else, and nothing to standard error."""
    done = attempt(code, given, *include, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)
