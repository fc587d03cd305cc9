"""How an RBD image becomes a block device of the node: by the kernel, or where that cannot by rbd-fuse and a loop."""

import json
import os
from typing import Protocol

from ..errors import CommandFailed, CommandMissing
from ..host import Host
from . import cells
from .ceph import Ceph

BUS = "/sys/bus/rbd"
MAP = "noudev"  # the kernel makes the node itself, and not everywhere is there somebody to wait for


class Way(Protocol):
    """One way, for one image."""

    def device(self) -> str | None:
        """The device that it has here, None where it has none."""

    def attach(self) -> None:
        """Make one."""

    def detach(self) -> None:
        """End it, after its file system was unmounted."""

    def grown(self, device: str) -> None:
        """Have the device as large as the image has become."""


def way(host: Host, ceph: Ceph, pool: str, space: str, image: str, folder: str) -> Way:
    """The kernel's where it knows RBD; `folder` is a directory of ours for the other. Raises CommandMissing."""
    if kernel_knows(host):
        return Kernel(host, ceph, pool, space, image)
    return Fuse(host, ceph, pool, space, image, folder)


def kernel_knows(host: Host) -> bool:
    """Whether this kernel maps images, its module loaded where it must be."""
    if cells.stat(host, BUS, "%F"):
        return True
    try:
        host.run("modprobe", "--quiet", "rbd")
    except (CommandFailed, CommandMissing):
        return False
    return True


class Kernel:
    """Mapped by the kernel (rbd(8), device map)."""

    def __init__(self, host: Host, ceph: Ceph, pool: str, space: str, image: str) -> None:
        self.host, self.ceph, self.place = host, ceph, (pool, space, image)
        self.title = "/".join(word for word in self.place if word)

    def device(self) -> str | None:
        """As the list of mapped images has it."""
        return mapped(self.host.run("rbd", "showmapped", "--format", "json"), self.place)

    def attach(self) -> None:
        """Map it."""
        self.ceph.rbd("map", "--options", MAP, self.title)

    def detach(self) -> None:
        """Unmap it."""
        if device := self.device():
            self.ceph.rbd("unmap", "--options", MAP, device)

    def grown(self, device: str) -> None:
        """Nothing to do: the cluster tells the kernel, a moment later."""


def mapped(text: str, place: tuple[str, str, str]) -> str | None:
    """The device of an image, pool and namespace and name, in what `rbd showmapped --format json` prints."""
    for row in json.loads(text):
        if (row["pool"], row["namespace"], row["name"], row["snap"]) == (*place, "-"):
            return str(row["device"])
    return None


class Fuse:
    """A file of rbd-fuse(8), and a loop device on it."""

    def __init__(self, host: Host, ceph: Ceph, pool: str, space: str, image: str, folder: str) -> None:
        self.host, self.ceph, self.folder = host, ceph, folder
        self.pool, self.space, self.image = pool, space, image
        self.file = f"{folder}/{image}"

    def device(self) -> str | None:
        """The loop device on it."""
        if cells.mounted(self.host, self.folder) is None:
            return None
        found = self.host.run("losetup", "-n", "-O", "NAME", "-j", self.file).split()
        return found[0] if found else None

    def attach(self) -> None:
        """Show it as a file, and take that as a device."""
        if cells.mounted(self.host, self.folder) is None:
            words = ["-c", self.ceph.conf, "-n", self.ceph.name, "-p", self.pool, "-r", self.image]
            words += [f"--namespace={self.space}"] if self.space else []
            self.host.run("mkdir", "-p", "-m", "0700", "--", self.folder)
            self.host.run(*cells.outlasting(self.host), "rbd-fuse", *words, self.folder)
        self.host.run("losetup", "--find", "--", self.file)

    def detach(self) -> None:
        """Give both back."""
        if device := self.device():
            self.host.run("losetup", "-d", device)
        if cells.mounted(self.host, self.folder):
            self.host.run("umount", "--", self.folder)
        if cells.stat(self.host, self.folder, "%F"):
            self.host.run("rmdir", "--", self.folder)

    def grown(self, device: str) -> None:
        """A loop device is told."""
        self.host.run("losetup", "-c", device)


def folder(mount: str) -> str:
    """The directory for rbd-fuse of a share that is mounted at `mount`: no share's name begins with a dot."""
    above, name = os.path.split(mount)
    return f"{above}/.rbd-{name}"
