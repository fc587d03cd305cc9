"""A volume of a Proxmox storage. The guest has it, and its mode makes it: what is inside is done in the guest."""

from typing import Protocol

from ..errors import Fault
from ..host import Host
from ..model import StorageSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells

GI = 1 << 30


class Volumes(Protocol):
    """The volumes of a guest, as its mode has them. `size` is in bytes, whole GiB."""

    @property
    def host(self) -> Host:
        """The guest."""

    def path(self, share: str) -> str:
        """Where the volume of a share is mounted in the guest."""

    def look(self, share: str, storage: str, size: int) -> tuple[list[Fault], bool]:
        """Read the world before anything is made: faults, field relative to the share; is it there."""

    def steps(self, share: str, storage: str, size: int) -> list[Step]:
        """Everything from a running guest to a file system mounted in it; the volume is a step that holds data."""

    def quota(self, share: str, size: int) -> Step:
        """The step that grows it. Removing it does nothing: the size goes with the volume."""


class Storage:
    """A volume, in which the directory `data` is served. It grows, and never shrinks."""

    has_quota = True
    shows_quota = True
    snapshots = None
    keeps_quota = True

    def __init__(self, volumes: Volumes, place: Place, spec: StorageSource) -> None:
        self.volumes, self.place, self.storage = volumes, place, spec.storage
        self.path = f"{volumes.path(place.share)}/data"

    def look(self) -> tuple[list[Fault], bool]:
        """Check storage and size."""
        if self.place.quota is None:
            return [Fault("quota", "a volume needs a quota: it is made in that size")], False
        return self.volumes.look(self.place.share, self.storage, self._size)

    def steps(self) -> list[Step]:
        """The volume, mounted in the guest, and the directory."""
        made = self.volumes.steps(self.place.share, self.storage, self._size)
        return [*made, cells.inner_directory(self.volumes.host, self.place, self.path)]

    def quota(self, limit: int | None) -> list[Step]:
        """The size."""
        return [] if limit is None else [self.volumes.quota(self.place.share, round_up(limit))]

    def usage(self) -> Usage:
        """What the file system inside says."""
        total, used, available = cells.space(self.volumes.host, self.path)
        return Usage(used, total, available)

    @property
    def _size(self) -> int:
        return round_up(self.place.quota or 0)


def round_up(quota: int) -> int:
    """The size that a volume really gets: whole GiB."""
    return -(-quota // GI) * GI


def size_faults(wanted: int, now: int, free: int, storage: str) -> list[Fault]:
    """What stands against a volume of `wanted` bytes that has `now` bytes, 0 where it is not there."""
    if wanted < now:
        message = f"a volume never shrinks: it has {show_size(now)}, {show_size(wanted)} was asked for"
        return [Fault("quota", message, "make a smaller share and copy the files")]
    if wanted - now > free:
        message = f"{show_size(wanted - now)} more is asked of storage {storage}, which has {show_size(free)} free"
        return [Fault("quota", message, "--force asks for it all the same", waivable=True)]
    return []
