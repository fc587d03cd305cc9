"""A file that holds its own XFS, mounted by a loop device."""

import os
import re
from bisect import bisect_right
from collections.abc import Mapping

from ..errors import CommandFailed, Conflict, Fault, HoldsData, Unavailable
from ..host import Host
from ..model import ImageSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells

MI = 1024 * 1024
MINIMUM = 300 * MI  # mkfs.xfs refuses smaller ones
LOG_MEBI, KEPT_MEBI = 64, 32  # without a size of ours, the log of a large image has 512 MiB
FRESH_INODES = 3  # of an XFS with no files: the root directory and two of its own


def _file_mebi(quota: int) -> int:
    # Measured (xfsprogs 6.1): the log, what XFS keeps back (5 %, at most 32 MiB), and 0.7 % for its trees.
    return quota + LOG_MEBI + min(KEPT_MEBI, -(-quota // 16)) + -(-quota // 128)


def file_size(quota: int) -> int:
    """Bytes of the image whose user may write `quota` bytes, a whole number of MiB."""
    return _file_mebi(-(-quota // MI)) * MI


def quota_of(size: int) -> int:
    """The inverse: bytes that users may write to an image of `size` bytes, 0 where it is smaller than its overhead."""
    return max(0, bisect_right(range(size // MI + 1), size // MI, key=_file_mebi) - 1) * MI


def round_up(quota: int) -> int:
    """The quota that an image really gets: whole MiB."""
    return -(-quota // MI) * MI


def inside(host: Host, mount: str) -> int:
    """Bytes of a mounted XFS; less than the image where growing was interrupted."""
    text = host.run("xfs_info", mount)
    match = re.search(r"^data\s.*?bsize=(\d+)\s+blocks=(\d+)", text, re.MULTILINE)
    if not match:
        raise CommandFailed(["xfs_info", mount], 0, f"unknown answer: {text}")
    return round_up(int(match[1]) * int(match[2]))  # it leaves up to 64 blocks at the end unused


class Image:
    """An image. Its size is the quota, so clients see the quota (and up to 4 % more) as the size of the share.

    It grows while in use and never shrinks. Thick (the default) takes its space on the host at once; thin takes it as
    used, gives it back (discard), and can run out of it. An adopted image is mounted as it is; what is served is its
    directory `data`, made where it is missing, and files beside that stay unserved.
    """

    has_quota = True
    shows_quota = True
    snapshots = None
    keeps_quota = True

    def __init__(self, host: Host, place: Place, spec: ImageSource) -> None:
        self.host, self.place, self.file, self.thin = host, place, spec.path, spec.thin
        self.path = f"{place.mount}/data"

    def look(self) -> tuple[list[Fault], bool]:
        """Check the path, what the file holds, whose it is, and that the quota fits."""
        faults = cells.path_faults(self.host, self.file, self.place, "source.path")
        kind = None if faults else cells.stat(self.host, self.file, "%F")
        if kind is not None:
            faults = self._file_faults(kind)
        faults += self._request_faults()
        return faults or self._size_faults(self.place.quota or 0), kind is not None

    def steps(self) -> list[Step]:
        """Image, earmark, mount point, mount, directory."""
        return [
            *self.file_steps(),
            cells.mount_point(self.host, self.place.mount),
            cells.mount(self.host, self.place.mount, self.file, self._mounted, self._attach),
            cells.inner_directory(self.host, self.place, self.path),
        ]

    def file_steps(self) -> list[Step]:
        """Image and earmark."""
        destroy = cells.nothing if self.place.adopted else lambda: self.host.run("rm", "-f", "--", self.file)
        made = Step(f"image {self.file}", "xfs", self._content, self._write_image, destroy=destroy)
        return [made, cells.earmark(self.host, self.place, self.file)]

    def quota(self, limit: int | None) -> list[Step]:
        """The step that grows the image. Removing it does nothing: the size goes with the file."""
        if limit is None:
            return []
        return [Step(f"quota of {self.file}", str(round_up(limit)), self._read_quota, self._write_quota)]

    def usage(self) -> Usage:
        """What XFS says, less what it keeps; a thin image has no more room than its host. Raises when not mounted."""
        if self._mounted() != self.file:
            raise Unavailable(f"{self.file} is not mounted")
        limit = int(self._read_quota() or 0)
        return self.usage_of(limit, cells.space(self.host, self.path)[2], cells.space(self.host, self.file)[2])

    def usage_of(self, limit: int, inside: int, outside: int) -> Usage:
        """The same from what is free inside of it, and where it lies."""
        available = min(inside, limit)
        return Usage(limit - available, limit, min(available, outside) if self.thin else available)

    def _file_faults(self, kind: str) -> list[Fault]:
        if not kind.startswith("regular"):
            return [Fault("source.path", f"{self.file} is a {kind}, not a file")]
        mark, content = cells.read_earmark(self.host, self.file), self._content()
        if content != "xfs" and not (content is None and mark == self.place.earmark):
            message = f"{self.file} exists and is no XFS image: it holds {content or 'nothing'}"
            return [Fault("source.path", message, "choose another name; nothing is overwritten")]
        if faults := cells.owner_faults(mark, self.place, "source.path"):
            return faults
        users = [] if self._mounted() == self.file else self._loops()
        return [Fault("source.path", f"{self.file} is in use as {user}", "unmount it first") for user in users[:1]]

    def _request_faults(self) -> list[Fault]:
        wanted = self.place.quota
        if wanted is None:
            return [Fault("quota", "an image needs a quota: it is made in that size")]
        if wanted >= MINIMUM:
            return []
        return [Fault("quota", f"{show_size(wanted)} is too small: an XFS image has at least {show_size(MINIMUM)}")]

    def _size_faults(self, wanted: int) -> list[Fault]:
        now = int(self._read_quota() or 0)
        if round_up(wanted) < now:
            message = f"an image never shrinks: it has {show_size(now)}, {show_size(wanted)} was asked for"
            return [Fault("quota", message, "make a smaller share and copy the files")]
        taken = 512 * int(cells.stat(self.host, self.file, "%b") or 0)
        parent, need = os.path.dirname(self.file), file_size(wanted) - taken
        free = cells.space(self.host, parent)[2]
        if self.thin or need <= free:
            return []
        message = f"{show_size(need)} are needed in {parent}, {show_size(free)} are free"
        return [Fault("quota", message, "ask for less, make room, or make it thin")]

    def _content(self) -> str | None:
        """What the file holds: `xfs`, another signature, `unknown data`; None: it is absent, empty, or ours unmade."""
        if cells.stat(self.host, self.file, "%F") is None:
            return None
        try:
            found = self.host.run("blkid", "-p", "-o", "export", "--", self.file)
        except CommandFailed as error:
            if error.code == 2:  # no signature
                return None if self._unfinished() else "unknown data"
            raise
        words = dict(line.split("=", 1) for line in found.splitlines() if "=" in line)
        return words.get("TYPE") or f"a partition table ({words.get('PTTYPE', 'of unknown kind')})"

    def _unfinished(self) -> bool:
        """Whether the file is what an interrupted making leaves: empty, or our earmark on it and zeros at its start."""
        if cells.stat(self.host, self.file, "%s") == "0":
            return True
        return cells.read_earmark(self.host, self.file) == self.place.earmark and self._starts_blank()

    def _starts_blank(self) -> bool:
        try:
            self.host.run("cmp", "-n", str(MI), "--", self.file, "/dev/zero")
        except CommandFailed as error:
            if error.code != 1:
                raise
            return error.output.startswith("cmp: EOF on")
        return True

    def _write_image(self, value: str | None) -> None:
        if value is None:
            self._remove_empty()
        elif value != (present := self._content()):
            cells.refuse_foreign(self.file, present, "xfs")
            if self.place.adopted:
                raise cells.gone(self.file)
            self.host.run("install", "-m", "0600", "-T", "--", "/dev/null", self.file)
            cells.earmark(self.host, self.place, self.file).write(self.place.earmark)
            self.resize(file_size(max(self.place.quota or 0, MINIMUM)))
            # No -f: mkfs itself refuses a file with a signature. Without rmapbt the overhead is the one measured.
            self.host.run(
                "mkfs.xfs", "-q", "-K", "-l", f"size={LOG_MEBI}m", "-m", "rmapbt=0,reflink=1", self.file, timeout=600
            )

    def size(self) -> int | None:
        """Bytes of the file, None where it is absent."""
        found = cells.stat(self.host, self.file, "%s")
        return None if found is None else int(found)

    def resize(self, size: int) -> None:
        """Give the file so many bytes."""
        now = int(cells.stat(self.host, self.file, "%s") or 0)
        if self.thin or size < now:
            self.host.run("truncate", f"--size={size}", "--", self.file)
        elif size > now:
            self.host.run("fallocate", "--length", str(size), "--", self.file, timeout=600)

    def _remove_empty(self) -> None:
        """Remove the file while nobody has put anything into it. Raises HoldsData."""
        content, users = self._content(), self._loops()
        if users:
            raise HoldsData(f"{self.file} stays", f"it is in use as {users[0]}")
        if content is not None and not (content == "xfs" and self._fresh()):
            raise HoldsData(f"{self.file} stays", "files are in it" if content == "xfs" else f"it holds {content}")
        self.host.run("rm", "-f", "--", self.file)

    def _fresh(self) -> bool:
        """Whether the unmounted XFS holds no file. Its counters are true only with a clean log."""
        if "<CLEAN>" not in self.host.run("xfs_logprint", "-t", self.file):
            return False
        text = self.host.run("xfs_db", "-r", "-c", "sb 0", "-c", "print icount ifree", self.file)
        counts = dict(re.findall(r"^(\w+) = (\d+)$", text, re.MULTILINE))
        return int(counts["icount"]) - int(counts["ifree"]) == FRESH_INODES

    def _loops(self) -> list[str]:
        """Loop devices that the file is attached to."""
        if cells.stat(self.host, self.file, "%F") is None:
            return []
        return self.host.run("losetup", "-n", "-O", "NAME", "-j", self.file).split()

    def _device(self) -> str:
        found = cells.mounted(self.host, self.place.mount)
        return found["source"] if found else ""

    def _mounted(self) -> str | None:
        """The file that is mounted on our mount point, else whatever is."""
        return mounted_file(self.host, cells.mounted(self.host, self.place.mount))

    def _attach(self) -> None:
        options = "loop,nodev,nosuid,noexec" + (",discard" if self.thin else "")
        self.host.run("mount", "-t", "xfs", "-o", options, "--", self.file, self.place.mount)
        try:
            self.host.run("losetup", "--direct-io=on", self._device())  # else all is cached twice
        except CommandFailed as error:
            if "Invalid argument" not in error.output:  # the file system below has no direct I/O
                raise

    def _read_quota(self) -> str | None:
        size = self.size()
        if size is None:
            return None
        return str(quota_of(min(size, inside(self.host, self.place.mount)) if self._mounted() == self.file else size))

    def _write_quota(self, value: str | None) -> None:
        if value is None:
            return
        if self._mounted() != self.file:
            raise Unavailable(f"{self.file} is not mounted")
        size, now = file_size(int(value)), inside(self.host, self.place.mount)
        if size < now:
            message = f"an image never shrinks: it has {show_size(quota_of(now))}"
            raise Conflict(f"{self.file} keeps its size", message, hint="make a smaller share and copy the files")
        self.resize(size)
        self.host.run("losetup", "-c", self._device())
        self.host.run("xfs_growfs", "-d", self.place.mount)


def mounted_file(host: Host, mount: Mapping[str, str] | None) -> str | None:
    """The file that a mount shows, else its device."""
    device = mount["source"] if mount else ""
    backing = host.read(f"/sys/block/{os.path.basename(device)}/loop/backing_file") if device else None
    return (backing or device).rstrip("\n") or None
