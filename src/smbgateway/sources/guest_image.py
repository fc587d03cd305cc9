"""An image file as a disk of a virtual machine: the file is the node's, what is inside is mounted in the guest alone.

The file is that of an `image` source, made, marked and sized in the same way, so a share keeps it when its gateway
becomes another.
"""

from typing import Protocol

from ..errors import Conflict, Fault, Unavailable
from ..host import Host
from ..model import ImageSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells
from .image import Image
from .own_xfs import attach, file_size, inside, quota_of, round_up


class Disks(Protocol):
    """The disks of one virtual machine, as its mode has them."""

    @property
    def host(self) -> Host:
        """The guest."""

    def place(self, share: str) -> str:
        """Where the file system of a share is mounted in the guest."""

    def device(self, share: str) -> str:
        """Its disk, as the guest names it."""

    def attached(self, share: str, file: str) -> Step:
        """The file as a disk of the machine."""

    def grown(self, share: str, size: int) -> None:
        """Tell the machine that the file has more bytes."""


class GuestImage:
    """An image in a virtual machine; served is its directory `data`."""

    has_quota = True
    shows_quota = True
    snapshots = None
    keeps_quota = True

    def __init__(self, host: Host, disks: Disks, place: Place, spec: ImageSource) -> None:
        self.disks, self.place, self.image = disks, place, Image(host, place, spec)
        self.guest, self.mount = disks.host, disks.place(place.share)
        self.path = f"{self.mount}/data"

    def look(self) -> tuple[list[Fault], bool]:
        """As of the file on the node."""
        return self.image.look()

    def steps(self) -> list[Step]:
        """File and earmark on the node; disk, mount and directory in the guest."""
        share, file = self.place.share, self.image.file
        return [
            *self.image.file_steps(),
            self.disks.attached(share, file),
            cells.mount_point(self.guest, self.mount),
            cells.mount(self.guest, self.mount, f"the disk of share {share}", self._mounted, self._attach),
            cells.inner_directory(self.guest, self.place, self.path),
        ]

    def quota(self, limit: int | None) -> list[Step]:
        """The step that grows file, disk and file system. Removing it does nothing: the size goes with the file."""
        if limit is None:
            return []
        return [Step(f"quota of {self.image.file}", str(round_up(limit)), self._read_quota, self._write_quota)]

    def usage(self) -> Usage:
        """What its file system says. Raises Unavailable where it is not mounted."""
        if self._mounted() is None:
            raise Unavailable(f"{self.image.file} is not mounted in its machine")
        limit = int(self._read_quota() or 0)
        available = min(cells.space(self.guest, self.path)[2], limit)
        return Usage(limit - available, limit, available)

    def _mounted(self) -> str | None:
        found = cells.mounted(self.guest, self.mount)
        if found is None:
            return None
        own = self.guest.run("realpath", "--", self.disks.device(self.place.share)).strip()
        return f"the disk of share {self.place.share}" if found["source"] == own else found["source"]

    def _attach(self) -> None:
        device = self.disks.device(self.place.share)
        self.guest.run("udevadm", "wait", "--timeout=60", device, timeout=90)
        attach(self.guest, device, self.mount)

    def _read_quota(self) -> str | None:
        now = self.image.size()
        if now is None:
            return None
        return str(quota_of(min(now, inside(self.guest, self.mount)) if self._mounted() else now))

    def _write_quota(self, value: str | None) -> None:
        if value is None:
            return
        if self._mounted() is None:
            raise Unavailable(f"{self.image.file} is not mounted in its machine")
        size, now = file_size(int(value)), inside(self.guest, self.mount)
        if size < now:
            message = f"an image never shrinks: it has {show_size(quota_of(now))}"
            raise Conflict(f"{self.image.file} keeps its size", message, hint="make a smaller share and copy the files")
        self.image.resize(size)
        self.disks.grown(self.place.share, size)
        self.guest.run("xfs_growfs", "-d", self.mount)
