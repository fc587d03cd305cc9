"""Volumes of guests of Proxmox VE, made, grown and removed by its API; here, those of containers: mount points.

A guest with volumes is protected: neither it nor a disk of it goes by mistake. Each change of ours lifts that.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from ..errors import Conflict, Fault, HoldsData
from ..host import Host
from ..proxmox.client import Proxmox
from ..proxmox.storages import GUESTS, Storage, Storages
from ..sizes import show_size
from ..sources import cells
from ..sources.storage import GI, size_faults
from ..step import Step

UNSEEN = "not seen inside"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MOST = 256  # mount points of a container
Config = dict[str, str]


@dataclass(frozen=True)
class ProxmoxVolumes(ABC):
    """Those of one guest.

    config   what Proxmox VE has written of it, None where it is not there
    at_rest  does a change while it stands still
    place    where the data of a share is mounted inside
    content  what a storage must hold to have them, and
    of       whose they are
    """

    host: Host
    api: Proxmox
    url: str
    title: str
    config: Callable[[], Config | None]
    runs: Callable[[], bool]
    at_rest: Callable[[Callable[[], object]], None]
    place: Callable[[str], str]

    content: ClassVar[str]
    of: ClassVar[str]

    @abstractmethod
    def slot(self, share: str) -> str:
        """Where the volume of a share stands in the configuration; empty where there is none."""

    @abstractmethod
    def kept(self) -> list[str]:
        """Where there are volumes."""

    @abstractmethod
    def steps(self, share: str, storage: str, size: int) -> list[Step]:
        """Protection, volume, and what makes it seen inside."""

    def path(self, share: str) -> str:
        """As any share's."""
        return self.place(share)

    def look(self, share: str, storage: str, size: int) -> tuple[list[Fault], bool]:
        """Whether this node has such a storage, and it room for it."""
        storages = Storages(self.api)
        known, now = storages.all(), int(self.size(share) or 0)
        found = known.get(storage)
        if found is None or self.content not in found.content:
            hint = f"those that hold them: {self._names(known)}"
            if found and (own := storages.place(storage, share, True)):
                hint = f"its node's own side is {own}; {hint}"
            what = f"storage {storage} ({found.kind}) holds no volumes of {self.of}" if found else ""
            return [Fault("source.storage", what or f"this node has no storage {storage}", hint)], bool(now)
        if not found.active:
            return [Fault("source.storage", f"storage {storage} is not active on this node", "pvesm status")], bool(now)
        return size_faults(size, now, found.free, storage), bool(now)

    def _names(self, known: dict[str, Storage]) -> str:
        return ", ".join(name for name, each in known.items() if self.content in each.content) or "none"

    def quota(self, share: str, size: int) -> Step:
        """The size, as Proxmox VE keeps it."""

        def write(value: str | None) -> None:
            now = int(self.size(share) or 0)
            if value is not None and int(value) < now:
                told = f"a volume never shrinks: it has {show_size(now)}"
                raise Conflict(f"{self.name(share)} keeps its size", told)
            if value is not None and int(value) != now:
                self.grow(share, int(value))

        return Step(f"size of {self.name(share)}", str(size), lambda: self.size(share), write)

    def grow(self, share: str, size: int) -> None:
        """Give it so many bytes, whole GiB; it has less."""
        with self.unprotected():
            self.api.task("PUT", f"{self.url}/resize", {"disk": self.slot(share), "size": f"{size // GI}G"})

    def size(self, share: str) -> str | None:
        """Its bytes, None where it is not there."""
        slot = self.slot(share)
        return str(in_bytes(member((self.config() or {})[slot], "size"))) if slot else None

    def protected(self) -> Step:
        """Neither the guest nor a disk of it goes by mistake."""

        def read() -> str | None:
            return "protected" if (self.config() or {}).get("protection") == "1" else None

        def write(value: str | None) -> None:
            if value is not None or (read() and not self.kept()):
                self._protect(value is not None)

        return Step(f"protection of {self.title}", "protected", read, write)

    def _protect(self, on: bool) -> None:
        self.api.call("PUT", f"{self.url}/config", {"protection": on})

    @contextlib.contextmanager
    def unprotected(self) -> Iterator[None]:
        """While disks and mount points are changed."""
        guarded = (self.config() or {}).get("protection") == "1"
        if guarded:
            self._protect(False)
        try:
            yield
        finally:
            if guarded:
                self._protect(True)

    def name(self, share: str) -> str:
        """For sentences."""
        return f"volume {self.path(share)} of {self.title}"


class MountPoints(ProxmoxVolumes):
    """Those of a container."""

    content, of = GUESTS["lxc"], "containers"

    def kept(self) -> list[str]:
        """Where they are mounted."""
        return [member(value, "mp") for name, value in (self.config() or {}).items() if _is_volume(name, value)]

    def slot(self, share: str) -> str:
        """The mount point."""
        config, where = self.config() or {}, self.path(share)
        named = (name for name, value in config.items() if _is_volume(name, value) and member(value, "mp") == where)
        return next(named, "")

    def steps(self, share: str, storage: str, size: int) -> list[Step]:
        """Protection, volume."""
        return [self.protected(), self._volume(share, storage, size)]

    def _volume(self, share: str, storage: str, size: int) -> Step:
        where = self.path(share)

        def read() -> str | None:
            slot = self.slot(share)
            if not slot:
                return None
            return (self.config() or {})[slot].partition(":")[0] if self._seen(where) else UNSEEN

        def write(value: str | None) -> None:
            present = read()
            if value is None:
                self._remove_empty(share)
                return
            if present is None:
                self._make(f"{value}:{size // GI},mp={where},backup=1")
            elif present != UNSEEN:
                cells.refuse_foreign(self.name(share), present, value)
            if not self._seen(where):
                self.at_rest(lambda: None)

        return Step(self.name(share), storage, read, write, destroy=lambda: self._drop(share))

    def _make(self, value: str) -> None:
        config = self.config() or {}
        free = next(slot for number in range(MOST) if (slot := f"mp{number}") not in config)
        with self.unprotected():
            self.api.call("PUT", f"{self.url}/config", {free: value})

    def _seen(self, where: str) -> bool:
        """Whether it is mounted in the container, if that runs."""
        return not self.runs() or cells.mounted(self.host, where) is not None

    def _remove_empty(self, share: str) -> None:
        """Remove a volume in which nobody has put anything. Raises HoldsData."""
        where = self.path(share)
        if not self.slot(share):
            return
        if not self.runs():
            raise HoldsData(f"{self.name(share)} stays", "the container stands still: nobody can look inside")
        found = self.host.run("find", where, "-mindepth", "1", "-maxdepth", "1", "!", "-name", "lost+found")
        if found:
            raise HoldsData(f"{self.name(share)} stays", "files are in it")
        self._drop(share)

    def _drop(self, share: str) -> None:
        """Take it out of the container, which Proxmox VE then keeps as unused, and destroy that."""
        slot = self.slot(share)
        if not slot:
            return
        volume = (self.config() or {})[slot].partition(",")[0]
        with self.unprotected():
            self.at_rest(lambda: self.api.call("PUT", f"{self.url}/config", {"delete": slot}))
            unused = [name for name, value in (self.config() or {}).items() if name != slot and value == volume]
            if unused:
                self.api.call("PUT", f"{self.url}/config", {"delete": ",".join(unused)})


def _is_volume(name: str, value: str) -> bool:
    """Whether it is a mount point of a volume, not of a directory of the node."""
    return name.startswith("mp") and not value.startswith("/")


def member(value: str, key: str) -> str:
    """A member of KEY=VALUE,..."""
    return next((word[len(key) + 1 :] for word in value.split(",") if word.startswith(f"{key}=")), "")


def in_bytes(size: str) -> int:
    """A size as Proxmox VE writes it, such as 10G; 0 for none."""
    unit = UNITS.get(size[-1:], 0)
    return int(float(size[:-1]) * unit) if unit else int(size or 0)
