"""An RBD image with its own XFS, mapped on one node at a time."""

import json
import time
from functools import cached_property
from typing import Any

from ..errors import CommandFailed, CommandMissing, Conflict, Fault, HoldsData, Unavailable
from ..host import Host
from ..model import RbdSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells, own_xfs, rbd_device
from .ceph import ABSENT, BUSY, NOT_EMPTY, Ceph
from .own_xfs import MI, MINIMUM, file_size, quota_of, round_up
from .rbd_snapshots import LONG, RbdSnapshots

EARMARK = "smbgateway"
TOLD_WITHIN = 20.0  # seconds for a kernel to see that an image has grown


class Rbd:
    """An image. Its size is the quota, so clients see the quota (and up to 4 % more) as the size of the share.

    It grows while in use and never shrinks. Ceph knows who watches an image: who finds another there after it has
    attached it lets go again, so no two nodes ever mount it (decision 23). An adopted image keeps what it holds.
    """

    has_quota = True
    shows_quota = True
    keeps_quota = True

    def __init__(self, host: Host, place: Place, spec: RbdSource) -> None:
        self.host, self.place, self.title = host, place, spec.image
        self.ceph = Ceph(host, spec.conf, spec.user)
        self.pool, *space, self.image = spec.image.split("/")
        self.space = "".join(space)
        self.path = f"{place.mount}/data"
        self.snapshots = RbdSnapshots(host, self.ceph, spec.image, place.mount)

    @cached_property
    def way(self) -> rbd_device.Way:
        """How it becomes a device here."""
        folder = rbd_device.folder(self.place.mount)
        return rbd_device.way(self.host, self.ceph, self.pool, self.space, self.image, folder)

    def look(self) -> tuple[list[Fault], bool]:
        """Check pool and image, whose it is, what it holds, who has it, and the quota."""
        faults, found = self._tools() + own_xfs.request_faults(self.place.quota), self._info()
        if found is None:
            return (faults + self._place_faults()) or self._size_faults(0), False
        faults += cells.owner_faults(self._read_earmark(), self.place, "source.image") or self._image_faults()
        return faults or self._size_faults(int(found["size"])), True

    def steps(self) -> list[Step]:
        """Image, earmark, device, file system, mount, directory."""
        destroy = cells.nothing if self.place.adopted else self._destroy
        mount = self.place.mount
        return [
            Step(f"image {self.title}", "image", self._kind, self._write_image, destroy=destroy),
            Step(f"earmark of {self.title}", self.place.earmark, self._read_earmark, self._write_earmark),
            Step(f"device of {self.title}", "attached", self._attached, self._write_device),
            Step(f"file system of {self.title}", "xfs", self._content, self._write_content),
            cells.mount_point(self.host, mount),
            cells.mount(self.host, mount, self.title, self._mounted, self._mount),
            cells.inner_directory(self.host, self.place, self.path),
        ]

    def quota(self, limit: int | None) -> list[Step]:
        """The step that grows the image. Removing it does nothing: the size goes with the image."""
        if limit is None:
            return []
        return [Step(f"quota of {self.title}", str(round_up(limit)), self._read_quota, self._write_quota)]

    def usage(self) -> Usage:
        """What XFS says, less what it keeps. Raises when not mounted."""
        if cells.mounted(self.host, self.place.mount) is None:
            raise Unavailable(f"{self.title} is not mounted")
        return self.usage_of(own_xfs.inside(self.host, self.place.mount), cells.space(self.host, self.path)[2])

    @staticmethod
    def usage_of(inside: int, available: int) -> Usage:
        """Of an XFS of so many bytes, its log included."""
        limit = quota_of(inside)
        available = min(available, limit)
        return Usage(limit - available, limit, available)

    def _tools(self) -> list[Fault]:
        """What is missing here."""
        if isinstance(self.way, rbd_device.Fuse):
            try:
                self.host.run("rbd-fuse", "--version")
            except CommandMissing:
                hint = "use a kernel that has it, or apt install rbd-fuse"
                return [Fault("source", "this kernel knows no RBD", hint)]
            except CommandFailed:
                pass  # it wants a cluster even for that
        return []

    def _place_faults(self) -> list[Fault]:
        """Whether there is such a pool, and such a namespace in it."""
        pools = self._pools()
        if self.pool not in pools:
            hint = f"there are: {', '.join(pools)}" if pools else f"ceph osd pool create {self.pool}"
            return [Fault("source.image", f"there is no pool {self.pool}", hint)]
        spaces = [row["name"] for row in json.loads(self.ceph.rbd("namespace", "ls", "--format", "json", self.pool))]
        if self.space in ("", *spaces):
            return []
        hint = f"rbd namespace create {self.pool}/{self.space}"
        return [Fault("source.image", f"pool {self.pool} has no namespace {self.space}", hint)]

    def _pools(self) -> dict[str, int]:
        """By name of each pool what is free for it."""
        return {each["name"]: int(each["stats"]["max_avail"]) for each in self.ceph.look("df")["pools"]}

    def _image_faults(self) -> list[Fault]:
        """Who else has it, and what is in it."""
        if self.way.device() is None and (others := self._watchers()):
            hint = "unmount and unmap it there first; of a client that died, Ceph forgets after 30 s"
            return [Fault("source.image", f"{self.title} is in use by a client at {others[0]}", hint)]
        content = self._content()
        if content in (None, "xfs"):
            return []
        message = f"{self.title} exists and is no XFS: it holds {content}"
        return [Fault("source.image", message, "choose another name; nothing is overwritten")]

    def _size_faults(self, size: int) -> list[Fault]:
        """Whether it can get the size, of a pool that gives space only as it is used."""
        more, free = file_size(self.place.quota or 0) - size, self._pools().get(self.pool, 0)
        faults = own_xfs.shrink_faults(self.place.quota, quota_of(size))
        if faults or more <= free:
            return faults
        message = f"{show_size(more)} is more than the {show_size(free)} that pool {self.pool} has free"
        return [Fault("quota", message, "--force sets it all the same", waivable=True)]

    def _info(self) -> dict[str, Any] | None:
        """What Ceph says of the image; None where it, or what it would lie in, is absent."""
        text = self._asked("info", "--format", "json", self.title)
        return None if text is None else dict(json.loads(text))

    def _asked(self, *words: str) -> str | None:
        try:
            return self.ceph.rbd(*words)
        except CommandFailed as error:
            if error.code == ABSENT:
                return None
            raise

    def _watchers(self) -> list[str]:
        """Addresses of clients that have it open."""
        text = self.ceph.rbd("status", "--format", "json", self.title)
        return [str(each["address"]).partition(":")[0] for each in json.loads(text)["watchers"]]

    def _kind(self) -> str | None:
        return None if self._info() is None else "image"

    def _write_image(self, value: str | None) -> None:
        present = self._kind()
        if value is None:
            if present is not None:
                self._remove_empty()
        elif present is None:
            if self.place.adopted:
                raise cells.gone(self.title)
            size = file_size(max(self.place.quota or 0, MINIMUM)) // MI
            self.ceph.rbd("create", "--size", f"{size}M", self.title)

    def _remove_empty(self) -> None:
        """Remove the image while nobody has put anything into it. Raises HoldsData."""
        content = self._content()
        if content == "xfs" and self._fresh():
            content = None
        if content is not None:
            cause = "files are in it" if content == "xfs" else f"it holds {content}"
            raise HoldsData(f"{self.title} stays", cause)
        self._remove()

    def _fresh(self) -> bool:
        """Whether its XFS holds no file."""
        self._attach()
        try:
            return own_xfs.fresh(self.host, self._device())
        finally:
            self.way.detach()

    def _remove(self) -> None:
        try:
            self.ceph.rbd("rm", "--no-progress", self.title, timeout=LONG)
        except CommandFailed as error:
            if error.code in (NOT_EMPTY, BUSY):
                cause = "it has snapshots" if error.code == NOT_EMPTY else "a client has it open"
                raise HoldsData(f"{self.title} stays", cause) from error
            raise

    def _destroy(self) -> None:
        if self._info() is not None:
            self.ceph.rbd("snap", "purge", "--no-progress", self.title, timeout=LONG)
            self._remove()

    def _read_earmark(self) -> str | None:
        found = self._asked("image-meta", "get", self.title, EARMARK)
        return None if found is None else found.removesuffix("\n")

    def _write_earmark(self, value: str | None) -> None:
        if value is not None:
            self.ceph.rbd("image-meta", "set", self.title, EARMARK, value)
        elif self._read_earmark() is not None:
            self.ceph.rbd("image-meta", "rm", self.title, EARMARK)

    def _device(self) -> str:
        """Raises Unavailable."""
        if device := self.way.device():
            return device
        raise Unavailable(f"{self.title} is not attached")

    def _attached(self) -> str | None:
        return "attached" if self.way.device() else None

    def _write_device(self, value: str | None) -> None:
        if value is None:
            self.way.detach()
        else:
            self._attach()

    def _attach(self) -> None:
        """Attach it, and let go again where another has it. Raises Conflict."""
        if self.way.device() is None:
            self.way.attach()
        others = self._watchers()
        if len(others) > 1:
            self.way.detach()
            hint = "unmount and unmap it there first; of a client that died, Ceph forgets after 30 s"
            raise Conflict(f"{self.title} is open elsewhere too", f"by clients at {', '.join(others)}", hint=hint)

    def _content(self) -> str | None:
        """What it holds: `xfs`, or `unknown data`; None where it is blank, or absent."""
        try:
            if self.ceph.magic(self.pool, self.space, self.image) == repr(b"XFSB"):
                return "xfs"
        except CommandFailed as error:
            if error.code == ABSENT:
                return None
            raise
        written = json.loads(self.ceph.rbd("diff", "--format", "json", self.title, timeout=LONG))
        return "unknown data" if written else None

    def _write_content(self, value: str | None) -> None:
        """It goes with the image."""
        present = self._content()
        if value is not None and value != present:
            cells.refuse_foreign(self.title, present, "xfs")
            own_xfs.make(self.host, self._device(), "-d", "noalign")  # stripes would take room

    def _mounted(self) -> str | None:
        """Our image, if it is mounted on our mount point; else what is."""
        found = cells.mounted(self.host, self.place.mount)
        if found is None:
            return None
        return self.title if found["source"] == self.way.device() else found["source"]

    def _mount(self) -> None:
        self.host.run("mount", "-t", "xfs", "-o", "nodev,nosuid,noexec", "--", self._device(), self.place.mount)

    def _read_quota(self) -> str | None:
        found = self._info()
        if found is None:
            return None
        size = int(found["size"])
        inside = own_xfs.inside(self.host, self.place.mount) if self._mounted() == self.title else size
        return str(quota_of(min(size, inside)))

    def _write_quota(self, value: str | None) -> None:
        if value is None:
            return
        if self._mounted() != self.title:
            raise Unavailable(f"{self.title} is not mounted")
        size = file_size(int(value))
        own_xfs.refuse_shrink(self.title, size, own_xfs.inside(self.host, self.place.mount))
        self._resize(size)
        self.host.run("xfs_growfs", "-d", self.place.mount)

    def _resize(self, size: int) -> None:
        """Resize the image, not below its file system, and wait until its device has that size. Raises Unavailable."""
        if (self._info() or {})["size"] != size:
            words = ("--no-progress", "--allow-shrink", "--size", f"{size // MI}M")  # what growing has not used yet
            self.ceph.rbd("resize", *words, self.title, timeout=LONG)
        device, deadline = self._device(), time.monotonic() + TOLD_WITHIN
        while int(self.host.run("blockdev", "--getsize64", device)) != size:
            if time.monotonic() > deadline:
                raise Unavailable(f"{device} has not the size of {self.title}", "the kernel was not told")
            time.sleep(0.1)
            self.way.grown(device)
