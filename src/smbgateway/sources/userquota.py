"""What each user may have on the file system of a share: zfs(8), or setquota(8) and repquota(8)."""

import csv
from collections.abc import Iterable

from ..errors import CommandFailed, Fault
from ..host import Host
from ..model import DirectorySource, Model, Share, XfsSource, ZfsSource
from ..sizes import show_size
from ..step import Step
from . import cells

KI, BLOCK = 1024, 64 * 1024  # limits are kept in whole blocks, of XFS up to 64 KiB
USERS = "usrquota"  # the mount option, as the kernel tells it


def faults(host: Host, share: Share, others: Iterable[Share]) -> list[Fault]:
    """Why the users of a share cannot be limited so; none where they can."""
    spec = share.source
    if isinstance(spec, ZfsSource):
        return []
    if not isinstance(spec, DirectorySource | XfsSource):
        hint = "use a zfs, xfs or directory source"
        return [Fault("user_quota", f"a {spec.kind} source has no quotas of users", hint)]
    mount, found = cells.mount_of(host, spec.path)
    if USERS not in found["options"].split(","):
        hint = f"add {USERS} to its options in /etc/fstab, then: umount {mount} && mount {mount}"
        return [Fault("user_quota", f"the {found['type']} at {mount} is mounted without quotas of users", hint)]
    for other in others:
        there = isinstance(other.source, DirectorySource | XfsSource) and cells.mount_of(host, other.source.path)[0]
        if there == mount and other.user_quota not in (None, share.user_quota):
            message = f"share {other.key} gives users {show_size(other.user_quota or 0)} on the same file system"
            return [Fault("user_quota", message, f"all of {mount} counts for a user: give both the same")]
    return []


def steps(host: Host, spec: Model, uids: Iterable[int], limit: int | None) -> list[Step]:
    """A limit for each user; of a file system that is shared with others it holds for all that the user has there."""
    if limit is None:
        return []
    rounded = -(-limit // BLOCK) * BLOCK
    if isinstance(spec, ZfsSource):
        return [_of_dataset(host, spec.dataset, uid, rounded) for uid in sorted(uids)]
    assert isinstance(spec, DirectorySource | XfsSource)  # noqa: S101 - the request was refused otherwise
    return [_of_mount(host, spec.path, uid, rounded) for uid in sorted(uids)]


def _of_dataset(host: Host, dataset: str, uid: int, limit: int) -> Step:
    name = f"userquota@{uid}"

    def read() -> str | None:
        try:
            found = host.run("zfs", "get", "-Hp", "-o", "value", name, dataset).strip()
        except CommandFailed as error:
            if "does not exist" in error.output:
                return None
            raise
        return None if found in ("0", "none", "-") else found

    def write(value: str | None) -> None:
        if value is not None or read() is not None:
            host.run("zfs", "set", f"{name}={value or 'none'}", dataset)

    return Step(f"quota of user {uid} in {dataset}", str(limit), read, write)


def _of_mount(host: Host, path: str, uid: int, limit: int) -> Step:
    mount, found = cells.mount_of(host, path)

    def read() -> str | None:
        return limits(host, mount).get(uid) if USERS in found["options"].split(",") else None

    def write(value: str | None) -> None:
        if value is not None or read() is not None:
            host.run("setquota", "-u", str(uid), "0", str(int(value or 0) // KI), "0", "0", mount)

    return Step(f"quota of user {uid} at {mount}", str(limit), read, write)


def limits(host: Host, mount: str) -> dict[int, str]:
    """By uid the limits in bytes, of all users of a file system that have one."""
    return {uid: str(limit) for uid, (_, limit) in of_mount(host, mount).items() if limit}


def of_mount(host: Host, mount: str) -> dict[int, tuple[int, int | None]]:
    """By uid what all users of a file system use, and their limits; by one command."""
    rows = csv.DictReader(host.run("repquota", "-u", "-n", "-v", "-O", "csv", mount).splitlines())
    return {
        int(row["User"].removeprefix("#")): (int(row["BlockUsed"]) * KI, int(row["BlockHardLimit"]) * KI or None)
        for row in rows
    }


def of_dataset(host: Host, dataset: str, uids: Iterable[int]) -> dict[int, tuple[int, int | None]]:
    """The same of some users of a ZFS dataset. Not by `zfs userspace`, which zfs-fuse has not."""
    wanted = ",".join(f"userused@{uid},userquota@{uid}" for uid in uids)
    text = host.run("zfs", "get", "-Hp", "-o", "property,value", wanted, dataset)
    values = {name: int(value) if value.isdecimal() else 0 for name, value in map(str.split, text.splitlines())}
    return {uid: (values[f"userused@{uid}"], values[f"userquota@{uid}"] or None) for uid in uids}
