"""Snapshots of an RBD image, as Ceph takes them. Clients see none: each would have to be a mount of its own."""

import contextlib
import json
import os
import time
from collections.abc import Iterator

from ..errors import CommandFailed, Conflict, HoldsData
from ..host import Host
from ..step import Step
from . import cells, rbd_device
from .ceph import ABSENT, BUSY, Ceph

LONG = 600.0  # seconds for what touches every object
CLOSED_WITHIN = 20.0  # seconds for a client that was told to let go of an image


class RbdSnapshots:
    """Of the image POOL/[NAMESPACE/]IMAGE, whose XFS is mounted at `mount`."""

    parameters = None
    inside = False

    def __init__(self, host: Host, ceph: Ceph, title: str, mount: str) -> None:
        self.host, self.ceph, self.title, self.mount = host, ceph, title, mount
        above, name = os.path.split(mount)
        self.copy, self.where = f"{title}.smbgw-past", f"{above}/.past-{name}"  # no share's name begins with a dot

    def names(self) -> list[str]:
        """By one question."""
        try:
            found = json.loads(self.ceph.rbd("snap", "ls", "--format", "json", self.title))
        except CommandFailed as error:
            if error.code == ABSENT:
                raise cells.gone(self.title) from error
            raise
        return [str(each["name"]) for each in found]

    def snapshot(self, name: str) -> Step:
        """Of the image, with all that was written until then: its XFS is as after a power cut, which loses nothing."""
        which = f"{self.title}@{name}"

        def read() -> str | None:
            return "snapshot" if name in self.names() else None

        def take() -> None:
            self.host.run("sync", "-f", self.mount)
            self.ceph.rbd("snap", "create", "--no-progress", which)

        def drop() -> None:
            try:
                self.ceph.rbd("snap", "rm", "--no-progress", which, timeout=LONG)
            except CommandFailed as error:
                if error.code == BUSY:
                    hint = "flatten its clones first, or unprotect it"
                    raise HoldsData(f"snapshot {which} stays", error.output, hint=hint) from error
                raise

        return cells.snapshot(f"snapshot {which}", read, take, drop)

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[str]:
        """A clone of it, mounted for the time being: XFS wants to write before it can be read."""
        *above, image = self.copy.split("/")
        pool, space = above[0], "".join(above[1:])
        way = rbd_device.way(self.host, self.ceph, pool, space, image, rbd_device.folder(self.where))
        self._cloned()  # before anything of another image with that name is touched
        self._put_away(way)  # what a crash left
        try:
            self.ceph.rbd("clone", "--rbd-default-clone-format", "2", f"{self.title}@{name}", self.copy)
            way.attach()
            self.host.run("mkdir", "-p", "-m", "0700", "--", self.where)
            self.host.run(
                "mount", "-t", "xfs", "-o", "nouuid,nodev,nosuid,noexec", "--", way.device() or "", self.where
            )
            yield f"{self.where}/data"
        finally:
            self._put_away(way)

    def _put_away(self, way: rbd_device.Way) -> None:
        if cells.mounted(self.host, self.where):
            self.host.run("umount", "--", self.where)
        if cells.stat(self.host, self.where, "%F"):
            self.host.run("rmdir", "--", self.where)
        way.detach()
        deadline = time.monotonic() + CLOSED_WITHIN
        while self._cloned():
            try:
                self.ceph.rbd("rm", "--no-progress", self.copy, timeout=LONG)
            except CommandFailed as error:
                if error.code != BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _cloned(self) -> bool:
        """Whether the clone is there. Raises Conflict where that name is another image's."""
        try:
            found = json.loads(self.ceph.rbd("info", "--format", "json", self.copy))
        except CommandFailed as error:
            if error.code == ABSENT:
                return False
            raise
        if found.get("parent", {}).get("image") != self.title.rpartition("/")[2]:
            raise Conflict(f"{self.copy} is there, and no clone of {self.title}", hint="give that image another name")
        return True
