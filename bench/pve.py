"""What we cost Proxmox VE: every command of it loads our plugin, and pvestatd asks it for all storages every 10 s.

Its classes are stand-ins here (`tests/pve/standin`): measured is our Perl, not that of Proxmox VE.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smbgateway.host import replace_file
from smbgateway.live import live_text
from smbgateway.model import parse
from smbgateway.paths import Paths
from smbgateway.sources import Usage
from smbgateway.store import FileStore

from .figure import Bench, Promise, Reading, at_most, excess_at_most
from .installation import Installation
from .timing import child_cpu, pair

SHARES = 1000
REPOSITORY = Path(__file__).resolve().parents[1]
STANDIN, OURS = REPOSITORY / "tests/pve/standin", REPOSITORY / "perl"
PROMISES = [
    Promise("pve-load.plugin", "CPU to load the storage plugin, in each command of Proxmox VE", "ms",
            excess_at_most(30), "the same command without it"),
    Promise("pve-load.status", f"CPU of the status of {SHARES} storages in total, their snapshot read anew", "ms",
            at_most(50)),
    Promise("pve-load.list", f"the API's list of {SHARES} shares, permissions and the engine included", "ms",
            at_most(150)),
]  # fmt: skip
STATUS = """
use PVE::Storage; use JSON; use Time::HiRes qw(clock_gettime CLOCK_PROCESS_CPUTIME_ID);
sub cpu { return clock_gettime(CLOCK_PROCESS_CPUTIME_ID) }
my $given = decode_json(do { local $/; <STDIN> });
$PVE::Storage::Custom::SMBGateway::SNAPSHOT = $given->{snapshot};
my $config = PVE::Storage::Plugin->parse_config($given->{config});
my @took;
for (1 .. $given->{rounds}) {
    utime(undef, undef, $given->{snapshot});
    my $started = cpu();
    my $found = PVE::Storage::storage_info($config);
    push @took, cpu() - $started;
    die "not all are active\\n" if grep { !$_->{active} } values %$found;
}
print encode_json([sort { $a <=> $b } @took]);
"""
LIST = """
use PVE::API2::SMBGateway; use JSON; use Time::HiRes qw(time);
my $given = decode_json(do { local $/; <STDIN> });
$PVE::API2::SMBGateway::Engine::SOCKET = $given->{socket};
my @took;
for (1 .. $given->{rounds}) {
    my $started = time();
    my $found = PVE::RESTHandler::call('PVE::API2::SMBGateway', 'GET', 'shares', { node => 'one' });
    push @took, time() - $started;
    die "not all are listed\\n" if @$found != $given->{shares};
}
print encode_json([sort { $a <=> $b } @took]);
"""


def measure(quick: bool) -> Iterator[Reading]:
    """Load, ask, list."""
    rounds = 7 if quick else 21
    with tempfile.TemporaryDirectory(prefix="pve-load-") as folder:
        bare = Path(folder, "PVE/Storage/Custom")
        bare.mkdir(parents=True)
        load = ["perl", "-T", f"-I{STANDIN}", "-e", "use JSON; use PVE::Storage;"]
        with_it, without = [*load[:2], f"-I{OURS}", *load[2:]], [*load[:2], f"-I{folder}", *load[2:]]
        ours, theirs = pair(rounds, lambda: child_cpu(with_it), lambda: child_cpu(without))
        yield Reading("pve-load.plugin", ours * 1000, theirs * 1000, f"median of {rounds}")
        snapshot = f"{folder}/status.json"
        names = [f"files/s{number}" for number in range(SHARES)]
        replace_file(snapshot, live_text("one", dict.fromkeys(names, Usage(1 << 30, 4 << 30, 3 << 30)), time.time()))
        sections = (f"smbgateway: s{n}\n\tsmbgw-share {name}\n\tcontent none\n" for n, name in enumerate(names))
        given = {"snapshot": snapshot, "config": "\n".join(sections), "rounds": rounds}
        yield Reading("pve-load.status", taken(STATUS, given)[rounds // 2], note=f"median of {rounds}")
    yield Reading("pve-load.list", listed(rounds), note=f"quickest of {rounds}")


def listed(rounds: int) -> float:
    """Milliseconds to list the shares of an engine that has so many, of another node's gateway."""
    made = Installation()
    store = FileStore(Paths(str(made.root)))
    gateway = {"kind": "gateway", "name": "files", "mode": {"kind": "native", "node": "another"}}
    shares = [{**made.share(f"s{number}"), "access": {}} for number in range(SHARES)]
    for record in parse([gateway, *shares]):
        store.save(record.sealed("ready"))
    with made:
        given = {"socket": str(made.root / "run/pve-smbgateway/engine.sock"), "rounds": rounds, "shares": SHARES}
        return taken(LIST, given)[0]


def taken(program: str, given: dict[str, Any]) -> list[float]:
    """What a program of Perl says of its rounds, in milliseconds, the quickest first."""
    command = ["perl", f"-I{STANDIN}", f"-I{OURS}", "-e", program]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    return [seconds * 1000 for seconds in json.loads(done.stdout)]


BENCH = Bench("pve-load", PROMISES, measure)
