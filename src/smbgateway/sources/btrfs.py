"""A btrfs subvolume with a qgroup limit."""

import os
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from ..errors import CommandFailed, Conflict, Fault, HoldsData
from ..host import Host
from ..model import BtrfsSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells

INSIDE = ".smbgw-snapshots"  # not `.snapshots`: in an adopted subvolume that is snapper's
ROOT_INODE = "256"  # of every subvolume's own directory, and of nothing else


class Qgroup(NamedTuple):
    """A subvolume's quota group; bytes. The kernel counts at each commit, so `used` may be 30 s old."""

    name: str
    used: int
    limit: int | None


ROW = re.compile(r"^(0/\d+)\s+(\d+)\s+\d+\s+(\d+|none)\s", re.MULTILINE)


def parse_qgroups(text: str) -> list[Qgroup]:
    """The groups of subvolumes in the answer of `btrfs qgroup show -re --raw`."""
    return [Qgroup(name, int(used), None if limit == "none" else int(limit)) for name, used, limit in ROW.findall(text)]


def qgroups(host: Host, path: str, *options: str) -> dict[str, Qgroup]:
    """Those of the file system of a path, or (-F) of the subvolume alone; none where it is absent, nothing counted."""
    try:
        text = host.run("btrfs", "qgroup", "show", *(options or ("-re",)), "--raw", path)
    except CommandFailed as error:
        if "quotas not enabled" in error.output or "No such file" in error.output:
            return {}
        raise
    return {group.name: group for group in parse_qgroups(text)}


def usage_of(group: Qgroup | None, used: int, available: int) -> Usage:
    """The group's figures; without one those of the whole file system."""
    if group is None:
        return Usage(used, None, available)
    room = available if group.limit is None else max(0, group.limit - group.used)
    return Usage(group.used, group.limit, min(room, available))


class BtrfsSnapshots:
    """Read-only snapshots of a subvolume, in a directory beside `data`: they go with the subvolume."""

    inside = True

    def __init__(self, host: Host, volume: str) -> None:
        self.host, self.volume = host, volume
        self.parameters: Mapping[str, str] = {"mountpoint": volume, "snapdir": INSIDE}

    def names(self) -> list[str]:
        """By one command; none where the directory is absent."""
        found = self.host.run("find", self.volume, "-maxdepth", "2", "-path", f"*/{INSIDE}/*", "-printf", "%f\\n")
        return found.splitlines()

    def snapshot(self, name: str) -> Step:
        """Of the subvolume alone: those inside of it are empty directories there."""
        which = f"{self.volume}/{INSIDE}/{name}"

        def read() -> str | None:
            return cells.stat(self.host, which, "%F") and "snapshot"

        def take() -> None:
            self.host.run("install", "-d", "-m", "755", "--", f"{self.volume}/{INSIDE}")
            self.host.run("btrfs", "subvolume", "snapshot", "-r", self.volume, which, timeout=600)

        def drop() -> None:
            self.host.run("btrfs", "subvolume", "delete", "--", which)

        return cells.snapshot(f"snapshot {which}", read, take, drop)

    def opened(self, name: str) -> AbstractContextManager[str]:
        """Below the directory of snapshots."""
        return nullcontext(f"{self.volume}/{INSIDE}/{name}/data")


class Btrfs:
    """A subvolume; its directory `data` is served, so that snapshots can lie beside it.

    An adopted subvolume keeps what it holds; files beside `data` stay unserved. The limit is of the whole subvolume.
    """

    has_quota = True
    shows_quota = False  # statvfs is that of the whole file system
    keeps_quota = True

    def __init__(self, host: Host, place: Place, spec: BtrfsSource) -> None:
        self.host, self.place, self.volume = host, place, spec.path
        self.parent = os.path.dirname(spec.path)
        self.path = f"{spec.path}/data"
        self.snapshots = BtrfsSnapshots(host, spec.path)

    def look(self) -> tuple[list[Fault], bool]:
        """Check the path, its file system, whose it is, and that the quota is not below what is used."""
        faults = cells.path_faults(self.host, self.volume, self.place, "source.path")
        if faults:
            return faults, False
        system = self.host.run("findmnt", "-nro", "FSTYPE", "-T", self.parent).strip()
        if system != "btrfs":
            return [Fault("source.path", f"{self.parent} is on {system}, not on btrfs", "is the btrfs mounted?")], False
        kind = self._kind()
        if kind not in (None, "subvolume"):
            return [Fault("source.path", f"{self.volume} is a {kind}, not a btrfs subvolume")], True
        mark = cells.read_earmark(self.host, self.volume)
        return cells.owner_faults(mark, self.place, "source.path") + self._quota_faults(), kind is not None

    def steps(self) -> list[Step]:
        """Subvolume, earmark, directory."""
        destroy = cells.nothing if self.place.adopted else self._destroy
        return [
            Step(f"subvolume {self.volume}", "subvolume", self._kind, self._write_volume, destroy=destroy),
            cells.earmark(self.host, self.place, self.volume),
            cells.inner_directory(self.host, self.place, self.path),
        ]

    def quota(self, limit: int | None) -> list[Step]:
        """Accounting of the whole file system, which is turned on and never off: others may use it; the limit."""
        if limit is None:
            return []
        accounting = f"quota accounting of the btrfs at {self.parent}"
        return [
            Step(accounting, "on", self._read_accounting, self._write_accounting, destroy=cells.nothing),
            Step(f"quota of {self.volume}", str(limit), self._read_limit, self._write_limit),
        ]

    def usage(self) -> Usage:
        """The quota group's figures; without accounting those of the whole file system."""
        _, used, available = cells.space(self.host, self.path)
        return usage_of(self._qgroup(self.volume), used, available)

    def _quota_faults(self) -> list[Fault]:
        group, wanted = self._qgroup(self.volume), self.place.quota
        if group is None or wanted is None or wanted >= group.used:
            return cells.oversized(self.host, self.parent, wanted)
        message = f"{show_size(wanted)} is less than the {show_size(group.used)} in use"
        return [Fault("quota", message, "--force sets it all the same", waivable=True)]

    def _kind(self) -> str | None:
        found = cells.stat(self.host, self.volume, "%i %F")
        if found is None:
            return None
        inode, kind = found.split(" ", 1)
        subvolume = kind == "directory" and inode == ROOT_INODE and self._on_btrfs()
        return "subvolume" if subvolume else kind

    def _on_btrfs(self) -> bool:
        return self.host.run("stat", "-f", "--printf=%T", "--", self.volume) == "btrfs"

    def _write_volume(self, value: str | None) -> None:
        present = self._kind()
        if value is None:
            self._remove_empty(present)
        elif value != present:
            cells.refuse_foreign(self.volume, present, "subvolume")
            if self.place.adopted:
                raise cells.gone(self.volume)
            self.host.run("btrfs", "subvolume", "create", self.volume)

    def _remove_empty(self, present: str | None) -> None:
        if present is None:
            return
        try:
            self.host.run("rmdir", "--", self.volume)  # of a subvolume too, and only while it is empty
        except CommandFailed as error:
            if "not empty" in error.output:
                raise HoldsData(f"{self.volume} stays", "files are in it") from error
            raise

    def _destroy(self) -> None:
        """Delete the subvolume and those inside it (snapshots), innermost first."""
        present = self._kind()
        if present is None:
            return
        cells.refuse_foreign(self.volume, present, "subvolume")
        found = self.host.run("find", self.volume, "-depth", "-type", "d", "-inum", ROOT_INODE, "-print0", timeout=3600)
        for volume in found.rstrip("\0").split("\0"):
            self.host.run("btrfs", "subvolume", "delete", "--", volume)

    def _qgroup(self, path: str) -> Qgroup | None:
        """The quota group of a subvolume; None where the subvolume is absent or nothing is counted."""
        return next(iter(qgroups(self.host, path, "-reF").values()), None)

    def _read_accounting(self) -> str | None:
        return "on" if self._qgroup(self.parent) else None

    def _write_accounting(self, value: str | None) -> None:
        if value is not None:
            self.host.run("btrfs", "quota", "enable", self.parent)

    def _read_limit(self) -> str | None:
        group = self._qgroup(self.volume)
        return None if group is None or group.limit is None else str(group.limit)

    def _write_limit(self, value: str | None) -> None:
        group = self._qgroup(self.volume)
        if group is None:
            if value is None:
                return
            raise Conflict(f"{self.volume} has no quota group", "is it a subvolume, and quota accounting on?")
        # By the group's name and from outside: a subvolume over its limit refuses the change of that limit (EDQUOT).
        self.host.run("btrfs", "qgroup", "limit", value or "none", group.name, self.parent)
