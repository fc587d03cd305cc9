"""Where a new share could lie: pools and file systems of this node but its root disk, and storages of Proxmox VE."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .errors import CommandFailed, CommandMissing
from .host import Host
from .proxmox.client import Proxmox, ProxmoxFailed
from .proxmox.storages import GUESTS, Storages, place
from .sources import cells
from .sources.projects import PROJECT_QUOTA


class Offer(NamedTuple):
    """A source that could be made now."""

    source: str  # KIND:SPEC
    free: int  # bytes
    where: str  # the pool, file system or storage in words
    modes: Sequence[str] = ("native", "lxc")  # of gateways that can have it


def offers(host: Host, roots: Sequence[str], name: str, proxmox: Proxmox | None = None) -> list[Offer]:
    """What could hold a share `name`, most free space first; `roots` are the directories below which paths may lie."""
    table = cells.mounts(host)
    root_disk = table["/"]["source"] if "/" in table else ""
    machines = () if proxmox else ("vm",)  # to those of Proxmox VE a file of the node is no disk
    found = [*_pools(host, root_disk, name), *_file_systems(host, table, root_disk, roots, name, machines)]
    found += _storages(proxmox, roots, name) if proxmox else ()
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
    host: Host,
    table: dict[str, dict[str, str]],
    root_disk: str,
    roots: Sequence[str],
    name: str,
    machines: Sequence[str],
) -> Iterator[Offer]:
    for path, mount in table.items():
        if not _below(path, roots) or not mount["source"].startswith("/dev/") or mount["source"] == root_disk:
            continue
        _, _, free = cells.space(host, path)
        source = _source(path, mount, name)
        modes = ("native", "lxc", *(machines if source.startswith("image:") else ()))
        yield Offer(source, free, f"{mount['type']} at {path}", modes)


def _storages(proxmox: Proxmox, roots: Sequence[str], name: str) -> Iterator[Offer]:
    """Of those that are up: a volume of the guest where they hold such, else what they are on the node."""
    try:
        known, configs = Storages(proxmox).all(), Storages(proxmox).configs()
    except ProxmoxFailed:  # it is told of where a storage is asked for
        return
    for storage in (each for each in known.values() if each.active and each.name in configs):
        where = f"storage {storage.name} of Proxmox VE ({storage.kind})"
        own = place(configs[storage.name], name, limited=True)
        kind, _, path = own.partition(":")
        on_node = own and (kind in ("zfs", "cephfs", "rbd") or _below(path, roots))
        if guests := [mode for mode, content in GUESTS.items() if content in storage.content]:
            native = ["native"] if on_node else []  # for which a storage stands for its place on the node
            yield Offer(f"storage:{storage.name}", storage.free, where, (*native, *guests))
        elif on_node:
            yield Offer(own, storage.free, where)


def _below(path: str, roots: Sequence[str]) -> bool:
    return any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)


def _source(path: str, mount: dict[str, str], name: str) -> str:
    if mount["type"] == "btrfs":
        return f"btrfs:{path}/{name}"
    if mount["type"] == "xfs" and PROJECT_QUOTA in mount["options"].split(","):
        return f"xfs:{path}/{name}"
    return f"image:{path}/{name}.img"
