"""What it costs to read the usage of many shares at once, beside the tool of the storage that lists them.

Projects of XFS and datasets of OpenZFS need other kernels: their figure is a test of ring `vm`.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab import ceph, mounts
from smbgateway.host import Node
from smbgateway.model import BtrfsSource, CephfsSource
from smbgateway.sources import Place, Source, Usage, make
from smbgateway.sources.bulk import Bulk
from smbgateway.sources.ceph import Ceph

from .figure import Bench, Goal, Promise, Reading
from .timing import checked, pair, say, wall

MANY, GROUP = 1000, "bench"
SECOND = Goal(1)
PROMISES = [
    Promise(
        "usage.cephfs", f"the usage of {MANY:,} CephFS subvolumes is read", "s", SECOND,
        "`ceph fs subvolume ls` of them",
    ),
    Promise(
        "usage.btrfs", f"the usage of {MANY:,} btrfs subvolumes is read", "s", SECOND,
        "`btrfs qgroup show` of them",
    ),
]  # fmt: skip


def measure(quick: bool) -> Iterator[Reading]:
    """On a cluster and a btrfs of this bench's own. `quick` makes a tenth."""
    count = MANY // 10 if quick else MANY
    rounds, note = (3, f"quick: {count:,} shares") if quick else (7, "")
    with tempfile.TemporaryDirectory(prefix="smbgw-bench-") as name:
        area = Path(name)
        yield Reading("usage.cephfs", *of_cephfs(area, count, rounds), note)
        yield Reading("usage.btrfs", *of_btrfs(area, count, rounds), note)


def of_cephfs(area: Path, count: int, rounds: int) -> tuple[float, float]:
    """The medians of ours and the tool's."""
    with ceph.cluster(area / "ceph") as cluster:
        cluster.volume("cephfs")
        cluster.ceph("fs", "subvolumegroup", "create", "cephfs", GROUP)
        asked = Ceph(Node(), str(cluster.conf), "admin")
        for number in range(count):
            words = {"vol_name": "cephfs", "group_name": GROUP, "sub_name": f"s{number}"}
            asked.ask("fs subvolume create", **words, size=1 << 30)
        say(f"{count:,} CephFS subvolumes are there")
        names = [f"cephfs/{GROUP}/s{number}" for number in range(count)]
        sources = [made(f"s{n}", CephfsSource(subvolume=each, conf=asked.conf)) for n, each in enumerate(names)]
        bare = ["ceph", "--conf", asked.conf, "fs", "subvolume", "ls", "cephfs", GROUP]
        return pair(rounds, lambda: wall(lambda: read(sources)), lambda: wall(lambda: checked(bare)))


def of_btrfs(area: Path, count: int, rounds: int) -> tuple[float, float]:
    """The medians of ours and the tool's."""
    with mounts.btrfs(area) as disk:
        mounts.run("btrfs", "quota", "enable", disk.path)
        for number in range(count):
            mounts.run("btrfs", "subvolume", "create", disk.path / f"s{number}")
            mounts.run("btrfs", "qgroup", "limit", "1G", disk.path / f"s{number}")
            (disk.path / f"s{number}" / "data").mkdir()
        say(f"{count:,} btrfs subvolumes are there")
        sources = [made(f"s{number}", BtrfsSource(path=f"{disk.path}/s{number}")) for number in range(count)]
        bare: list[str | Path] = ["btrfs", "qgroup", "show", "-re", "--raw", disk.path]
        return pair(rounds, lambda: wall(lambda: read(sources)), lambda: wall(lambda: checked(bare)))


def made(name: str, spec: BtrfsSource | CephfsSource) -> Source:
    """The source of a share."""
    return make(Node(), Place("files", name, f"/nowhere/{name}", ("/",), 20000), spec)


def read(sources: Sequence[Source]) -> None:
    """All at once, as the monitor does; each must be told."""
    batches = Bulk(Node()).batches({str(number): source for number, source in enumerate(sources)})
    told = {key: usage for batch in batches for key, usage in batch.read().items()}
    wrong = [str(usage) for usage in told.values() if not isinstance(usage, Usage)]
    if wrong or len(told) != len(sources):
        raise RuntimeError(f"{len(wrong)} of {len(sources)} could not be read: {json.dumps(wrong[:2])}")


BENCH = Bench("usage", PROMISES, measure)
