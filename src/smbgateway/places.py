"""Where a new share could lie: the pools and file systems of this node that are not its root disk."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .errors import CommandFailed, CommandMissing
from .host import Host
from .sources import cells
from .sources.projects import PROJECT_QUOTA


class Offer(NamedTuple):
    """A source that could be made now."""

    source: str  # KIND:SPEC
    free: int  # bytes
    where: str  # the pool or file system in words


def offers(host: Host, roots: Sequence[str], name: str) -> list[Offer]:
    """What could hold a share `name`, most free space first; `roots` are the directories below which paths may lie."""
    table = cells.mounts(host)
    root_disk = table["/"]["source"] if "/" in table else ""
    found = [*_pools(host, root_disk, name), *_file_systems(host, table, root_disk, roots, name)]
    return sorted(found, key=lambda offer: -offer.free)


def at(host: Host, path: str, limited: bool) -> str:
    """The source that a path alone stands for: a directory, or, if it is new, what its file system can limit."""
    path = path.rstrip("/") or "/"
    if not limited or not path.startswith("/") or not path.isprintable() or cells.stat(host, path, "%F"):
        return f"directory:{path}"
    folder, _, name = path.rpartition("/")
    table = cells.mounts(host)
    above = [mount for mount in table if f"{folder}/".startswith(f"{mount.rstrip('/')}/")]
    return _source(folder, table[max(above, key=len)], name) if above else f"directory:{path}"


def _pools(host: Host, root_disk: str, name: str) -> Iterator[Offer]:
    try:
        pools = host.run("zpool", "list", "-H", "-o", "name").split()
        # Not `zfs list -p`, which zfs-fuse does not know.
        listed = host.run("zfs", "get", "-Hp", "-o", "name,value", "available", *pools) if pools else ""
    except (CommandFailed, CommandMissing):  # no ZFS here
        return
    for line in listed.splitlines():
        pool, free = line.split("\t")
        if pool != root_disk.partition("/")[0]:
            yield Offer(f"zfs:{pool}/{name}", int(free), f"ZFS pool {pool}")


def _file_systems(
    host: Host, table: dict[str, dict[str, str]], root_disk: str, roots: Sequence[str], name: str
) -> Iterator[Offer]:
    for path, mount in table.items():
        allowed = any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)
        if not allowed or not mount["source"].startswith("/dev/") or mount["source"] == root_disk:
            continue
        _, _, free = cells.space(host, path)
        yield Offer(_source(path, mount, name), free, f"{mount['type']} at {path}")


def _source(path: str, mount: dict[str, str], name: str) -> str:
    if mount["type"] == "btrfs":
        return f"btrfs:{path}/{name}"
    if mount["type"] == "xfs" and PROJECT_QUOTA in mount["options"].split(","):
        return f"xfs:{path}/{name}"
    return f"image:{path}/{name}.img"
