"""What it costs to read the usage of many shares at once, beside the tool of the storage that lists them.

    python -m bench.usage xfs|zfs COUNT ROUNDS    measures here, and prints the medians as JSON

Projects of XFS and datasets of OpenZFS need other kernels: those of lab.uml and lab.vm, which have no KVM.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lab import ceph, mounts, uml, vm
from smbgateway.host import Node
from smbgateway.model import BtrfsSource, CephfsSource, XfsSource, ZfsSource
from smbgateway.sources import Place, Source, Usage, make
from smbgateway.sources.bulk import Bulk
from smbgateway.sources.ceph import Ceph

from .figure import Bench, Goal, Promise, Reading
from .timing import checked, pair, say, wall

MANY, GROUP, LIMIT = 1000, "bench", 1 << 30
SECOND = Goal(1)
PROMISES = [
    Promise(f"usage.{kind}", f"the usage of {MANY:,} {what} is read", "s", SECOND, f"`{tool}` of them")
    for kind, what, tool in (
        ("cephfs", "CephFS subvolumes", "ceph fs subvolume ls"),
        ("btrfs", "btrfs subvolumes", "btrfs qgroup show"),
        ("xfs", "XFS projects", "xfs_quota report"),
        ("zfs", "OpenZFS datasets", "zfs list"),
    )
]


def measure(quick: bool) -> Iterator[Reading]:
    """On a cluster and a btrfs of this bench's own. `quick` makes a tenth."""
    count = MANY // 10 if quick else MANY
    rounds, note = (3, f"quick: {count:,} shares") if quick else (7, "")
    with tempfile.TemporaryDirectory(prefix="smbgw-bench-") as name:
        area = Path(name)
        yield Reading("usage.cephfs", *of_cephfs(area, count, rounds), note)
        yield Reading("usage.btrfs", *of_btrfs(area, count, rounds), note)
    order = (sys.executable, "-m", "bench.usage")
    with uml.machine(["1G"]) as machine:
        yield Reading("usage.xfs", *of_machine(machine.run(*order, "xfs", str(count), str(rounds))), note)
    with vm.machine() as guest:
        result = guest.run("env", f"{mounts.KERNEL_ZFS}=1", *order, "zfs", str(count), str(rounds), seconds=1800)
        yield Reading("usage.zfs", *of_machine(result), note)


def of_machine(result: uml.Result) -> tuple[float, float]:
    """What a machine measured: its last line. Raises RuntimeError."""
    if result.status:
        raise RuntimeError(result.output[-3000:])
    value, baseline = json.loads(result.output.splitlines()[-1])
    return value, baseline


def of_cephfs(area: Path, count: int, rounds: int) -> tuple[float, float]:
    """The medians of ours and the tool's."""
    with ceph.cluster(area / "ceph") as cluster:
        cluster.volume("cephfs")
        cluster.ceph("fs", "subvolumegroup", "create", "cephfs", GROUP)
        asked = Ceph(Node(), str(cluster.conf), "admin")
        for number in range(count):
            words = {"vol_name": "cephfs", "group_name": GROUP, "sub_name": f"s{number}"}
            asked.ask("fs subvolume create", **words, size=LIMIT)
        say(f"{count:,} CephFS subvolumes are there")
        names = [f"cephfs/{GROUP}/s{number}" for number in range(count)]
        sources = [made(f"s{n}", CephfsSource(subvolume=each, conf=asked.conf)) for n, each in enumerate(names)]
        bare = ["ceph", "--conf", asked.conf, "fs", "subvolume", "ls", "cephfs", GROUP]
        return pair(rounds, reader(sources), lambda: wall(lambda: checked(bare)))


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
        return pair(rounds, reader(sources), lambda: wall(lambda: checked(bare)))


def of_xfs(area: Path, count: int, rounds: int) -> tuple[float, float]:
    """The medians of ours and the tool's. Needs the kernel of lab.uml."""
    with mounts.xfs(area) as disk:
        limits = [word for number in range(count) for word in ("-c", f"limit -p bhard={LIMIT} {number + 1}")]
        mounts.run("xfs_quota", "-D", "/dev/null", "-x", *limits, disk.path)
        sources = []
        for number in range(count):
            (disk.path / f"s{number}").mkdir()
            sources.append(made(f"s{number}", XfsSource(path=f"{disk.path}/s{number}"), project=number + 1))
        say(f"{count:,} XFS projects are there")
        bare: list[str | Path] = ["xfs_quota", "-x", "-c", "report -p -n -N -b", disk.path]
        return pair(rounds, reader(sources), lambda: wall(lambda: checked(bare)))


def of_zfs(area: Path, count: int, rounds: int) -> tuple[float, float]:
    """The medians of ours and the tool's."""
    with mounts.zfs_pool(area) as pool:
        for number in range(count):
            mounts.run("zfs", "create", "-o", "canmount=off", "-o", f"refquota={LIMIT}", f"{pool}/s{number}")
        say(f"{count:,} ZFS datasets are there")
        sources = [made(f"s{number}", ZfsSource(dataset=f"{pool}/s{number}")) for number in range(count)]
        bare = ["zfs", "list", "-H", "-r", "-o", "name,used,referenced,quota,refquota,available", pool]
        return pair(rounds, reader(sources), lambda: wall(lambda: checked(bare)))


def made(name: str, spec: BtrfsSource | CephfsSource | XfsSource | ZfsSource, project: int = 0) -> Source:
    """The source of a share."""
    return make(Node(), Place("files", name, f"/nowhere/{name}", ("/",), 20000, project=project), spec)


def reader(sources: Sequence[Source]) -> Callable[[], float]:
    """Reads all at once, again and again as the monitor does; each must be told. The seconds that it takes."""
    bulk, wanted = Bulk(Node()), {str(number): source for number, source in enumerate(sources)}

    def read() -> None:
        told = {key: usage for batch in bulk.batches(wanted) for key, usage in batch.read().items()}
        wrong = [str(usage) for usage in told.values() if not isinstance(usage, Usage)]
        if wrong or len(told) != len(sources):
            raise RuntimeError(f"{len(wrong)} of {len(sources)} could not be read: {json.dumps(wrong[:2])}")

    return lambda: wall(read)


BENCH = Bench("usage", PROMISES, measure)


def main() -> None:
    """The command."""
    kind, count, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    mounts.enter_private_namespace()
    with mounts.mount_area() as area:
        print(json.dumps({"xfs": of_xfs, "zfs": of_zfs}[kind](area, count, rounds)))


if __name__ == "__main__":
    main()
