"""What many shares use, by few questions: one for each pool or file system, each of which may hang without the others.

A kind of source that has no way of its own here is asked share by share, by `usage`.
"""

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CommandFailed, GatewayError, Unavailable
from ..host import Host
from ..model import Share, ZfsSource
from . import Source, Usage, btrfs, cells, image, own_xfs, projects, userquota, zfs
from .btrfs import Btrfs
from .cephfs import Cephfs
from .directory import Directory
from .image import Image
from .rbd import Rbd
from .xfs import Xfs
from .zfs import Zfs

PROGRAM = str(Path(__file__).with_name("space_call.py"))
PYTHON = "/usr/bin/python3"
SPACE_SECONDS, EACH = 3.0, 0.005  # and for each path: the program itself ends before, unless it hangs
THERE = "?"  # before a path: no more than whether it is there
MANY = 1000  # names on one command line
Found = dict[str, Usage | GatewayError]
Mounts = Mapping[str, dict[str, str]]
S = TypeVar("S", bound=Source)


@dataclass(frozen=True)
class Batch:
    """Shares that one question is about; `name` says which place it is that answers, or does not."""

    name: str
    keys: Sequence[str]
    read: Callable[[], Found]


@dataclass(frozen=True, slots=True)
class Space:
    """What a file system says of a path; bytes."""

    total: int
    used: int
    available: int
    size: int  # of the file itself
    volume: int  # number of the btrfs subvolume
    inside: int  # of an XFS, its log included


class Bulk:
    """Makes batches. It remembers where subvolumes lie, and which paths hang: these are asked apart."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._hung: dict[str, Callable[[], bool]] = {}
        self._folders: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)  # of CephFS subvolumes

    def batches(self, sources: Mapping[str, Source]) -> list[Batch]:
        """The questions that tell of all shares, by key."""
        table = cells.mounts(self.host)
        makers: dict[type, Callable[[dict[str, Any], Mounts], Iterable[Batch]]] = {
            Zfs: self._zfs, Btrfs: self._btrfs, Xfs: self._xfs, Cephfs: self._cephfs,
            Directory: self._files, Image: self._files, Rbd: self._files,
        }  # fmt: skip
        groups: dict[Any, dict[str, Source]] = defaultdict(dict)
        for key, source in sources.items():
            groups[makers.get(type(source), self._single)][key] = source
        return [batch for maker, group in groups.items() for batch in maker(group, table)]

    def users(self, shares: Iterable[Share], people: Callable[[Share], Mapping[str, int]]) -> Iterator[Batch]:
        """The questions that tell what each user of shares with limits for users has there, by SHARE:USER."""
        table = cells.mounts(self.host)
        places: dict[str, list[Share]] = defaultdict(list)
        for share in shares:
            if share.user_quota:
                pool = share.source.dataset if isinstance(share.source, ZfsSource) else ""
                places[pool or cells.mount_in(table, getattr(share.source, "path", "/"))].append(share)
        for place, some in places.items():
            uids = {user_key(share.key, name): uid for share in some for name, uid in people(share).items()}
            if uids:
                yield Batch(f"users of {place}", list(uids), partial(self._read_users, place, uids))

    def _read_users(self, place: str, uids: Mapping[str, int]) -> Found:
        """A pool's name has no slash in front, a mount point has."""
        if place.startswith("/"):
            counted = userquota.of_mount(self.host, place)
        else:
            counted = userquota.of_dataset(self.host, place, set(uids.values()))
        rows = {key: counted.get(uid, (0, None)) for key, uid in uids.items()}
        return {key: Usage(used, limit, max(0, (limit or used) - used)) for key, (used, limit) in rows.items()}

    @staticmethod
    def _single(group: dict[str, Source], table: Mounts) -> Iterator[Batch]:
        for key, source in group.items():
            yield Batch(f"share {key}", [key], partial(each, {key: source}, lambda source: source.usage()))

    # -- by statvfs(3) ----------------------------------------------------------------------------------------------

    def _files(self, group: dict[str, Source], table: Mounts) -> Iterator[Batch]:
        """All at once, but for what hung before."""
        apart = {key for key, source in group.items() if any(path in self._hung for path in asked(source))}
        together = {key: source for key, source in group.items() if key not in apart}
        for name, some in (("files", together), ("files that hung", {key: group[key] for key in sorted(apart)})):
            if some:
                yield Batch(name, list(some), partial(self._read_files, some, table))

    def _read_files(self, group: dict[str, Source], table: Mounts) -> Found:
        spaces = self.spaces(path for source in group.values() for path in asked(source))

        def usage(source: Source) -> Usage:
            if isinstance(source, Image):
                return self._of_image(source, spaces, table)
            if isinstance(source, Rbd) and source.place.mount not in table:
                raise Unavailable(f"{source.title} is not mounted")
            space = known(spaces[source.path])
            if isinstance(source, Rbd):
                return source.usage_of(own_xfs.round_up(space.inside), space.available)
            return Usage(space.used, None, space.available)

        return each(group, usage)

    def _of_image(self, source: Image, spaces: Mapping[str, Space | GatewayError], table: Mounts) -> Usage:
        if image.mounted_file(self.host, table.get(source.place.mount)) != source.file:
            raise Unavailable(f"{source.file} is not mounted")
        inside, outside = known(spaces[source.path]), known(spaces[source.file])
        limit = own_xfs.quota_of(min(outside.size, own_xfs.round_up(inside.inside)))
        return source.usage_of(limit, inside.available, outside.available)

    def spaces(self, paths: Iterable[str]) -> dict[str, Space | GatewayError]:
        """What file systems say of paths, as far as they answer."""
        wanted = list(dict.fromkeys(paths))
        free = [path for path in wanted if not self._hung.get(path, bool)()]
        said, hangs = self._ask(free)
        for path in free:
            self._hung.pop(path, None)
            if path not in said:
                self._hung[path] = hangs
        return {path: said.get(path) or _away(path, "gives no answer", "its disk hangs") for path in wanted}

    def _ask(self, paths: list[str]) -> tuple[dict[str, Space | GatewayError], Callable[[], bool]]:
        if not paths:
            return {}, bool
        try:
            seconds = SPACE_SECONDS + EACH * len(paths)
            text = self.host.run(PYTHON, "-I", "-S", PROGRAM, stdin="\0".join(paths), timeout=seconds)
            hangs: Callable[[], bool] = bool
        except CommandFailed as error:
            if error.code != -1:
                raise
            text, hangs = error.said, error.hangs
        lines = text[: text.rfind("\n") + 1].splitlines()
        rows = ([int(word) for word in line.split(" ")] for line in lines)
        return {paths[number]: read_space(paths[number], figures) for number, *figures in rows}, hangs

    # -- pools and file systems ---------------------------------------------------------------------------------------

    def _zfs(self, group: dict[str, Zfs], table: Mounts) -> Iterator[Batch]:
        pools: dict[str, dict[str, Zfs]] = defaultdict(dict)
        for key, source in group.items():
            pools[source.dataset.partition("/")[0]][key] = source
        for pool, some in pools.items():
            yield Batch(f"the ZFS pool {pool}", list(some), partial(self._read_zfs, some))

    def _read_zfs(self, group: dict[str, Zfs]) -> Found:
        names = sorted({source.dataset for source in group.values()})
        rows: dict[str, dict[str, str]] = {}
        for start in range(0, len(names), MANY):
            rows |= zfs.sizes(self.host, names[start : start + MANY])
        return each(group, lambda source: source.usage_of(rows.get(source.dataset)))

    def _btrfs(self, group: dict[str, Btrfs], table: Mounts) -> Iterator[Batch]:
        for mount, some in by_mount(group, table, lambda source: source.path).items():
            yield Batch(f"the btrfs at {mount}", list(some), partial(self._read_btrfs, mount, some))

    def _read_btrfs(self, mount: str, group: dict[str, Btrfs]) -> Found:
        spaces = self.spaces(source.path for source in group.values())
        counted = btrfs.qgroups(self.host, mount)

        def usage(source: Btrfs) -> Usage:
            space = known(spaces[source.path])
            return btrfs.usage_of(counted.get(f"0/{space.volume}"), space.used, space.available)

        return each(group, usage)

    def _xfs(self, group: dict[str, Xfs], table: Mounts) -> Iterator[Batch]:
        for mount, some in by_mount(group, table, lambda source: source.parent).items():
            yield Batch(f"the XFS at {mount}", list(some), partial(self._read_xfs, mount, some))

    def _read_xfs(self, mount: str, group: dict[str, Xfs]) -> Found:
        spaces = self.spaces([mount, *(THERE + source.path for source in group.values())])
        counted = projects.usages(self.host, mount)

        def usage(source: Xfs) -> Usage:
            known(spaces[THERE + source.path])
            return source.usage_of(counted, known(spaces[mount]).available)

        return each(group, usage)

    def _cephfs(self, group: dict[str, Cephfs], table: Mounts) -> Iterator[Batch]:
        volumes: dict[tuple[str, str, str], dict[str, Cephfs]] = defaultdict(dict)
        for key, source in group.items():
            volumes[source.conf, source.ceph.name, source.volume][key] = source
        for (conf, _, volume), some in volumes.items():
            yield Batch(f"the CephFS {volume} of {conf}", list(some), partial(self._read_cephfs, some))

    def _read_cephfs(self, group: dict[str, Cephfs]) -> Found:
        """By one connection."""
        one = next(iter(group.values()))
        names = [f"{source.group}/{source.name}" for source in group.values()]
        known = self._folders[one.conf, one.volume]
        told = one.ceph.usages(one.volume, [known.get(name, name) for name in names])
        rows = dict(zip(names, told, strict=True))
        self._folders[one.conf, one.volume] = {n: f"{n}/{row['folder']}" for n, row in rows.items() if "folder" in row}
        return each(group, lambda source: _of_cephfs(source, rows[f"{source.group}/{source.name}"]))


def each(group: Mapping[str, S], usage: Callable[[S], Usage]) -> Found:
    """What each share uses, or why that could not be read."""
    found: Found = {}
    for key, source in group.items():
        try:
            found[key] = usage(source)
        except GatewayError as error:
            found[key] = error
    return found


def user_key(share: str, user: str) -> str:
    """What a user of a share is called: no name of a share has a colon."""
    return f"{share}:{user}"


def asked(source: Source) -> list[str]:
    """The paths that tell of a directory or an image."""
    return [source.path, source.file] if isinstance(source, Image) else [source.path]


def read_space(path: str, figures: Sequence[int]) -> Space | GatewayError:
    """A line of the program."""
    if len(figures) > 1:
        return Space(*figures)
    return _away(path, "cannot be read", os.strerror(figures[0]))


def _away(path: str, what: str, why: str) -> Unavailable:
    return Unavailable(f"{path.removeprefix(THERE)} {what}", why)


def known(space: Space | GatewayError) -> Space:
    """The figures. Raises what was found instead."""
    if isinstance(space, GatewayError):
        raise space
    return space


def by_mount(group: Mapping[str, S], table: Mounts, where: Callable[[S], str]) -> dict[str, dict[str, S]]:
    """Sources by the mount point that they lie in."""
    found: dict[str, dict[str, S]] = defaultdict(dict)
    for key, source in group.items():
        found[cells.mount_in(table, where(source))][key] = source
    return found


def _of_cephfs(source: Cephfs, row: Mapping[str, Any]) -> Usage:
    if row.get("error") == errno.ENOENT:
        raise cells.gone(source.title)
    if "error" in row:
        raise Unavailable(f"{source.title} cannot be read", os.strerror(row["error"]))
    limit = row["limit"] or None
    return Usage(row["used"], limit, row["free"] if limit is None else max(0, limit - row["used"]))
