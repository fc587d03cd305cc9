"""A file that holds its own XFS, mounted by a loop device."""

import os
from collections.abc import Mapping

from ..errors import CommandFailed, Fault, HoldsData, Unavailable
from ..host import Host
from ..model import ImageSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells, own_xfs
from .own_xfs import MINIMUM, file_size, quota_of, round_up


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
        faults += own_xfs.request_faults(self.place.quota)
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

    def _size_faults(self, wanted: int) -> list[Fault]:
        if faults := own_xfs.shrink_faults(wanted, int(self._read_quota() or 0)):
            return faults
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
        found = own_xfs.signature(self.host, self.file)
        return found or (None if self._unfinished() else "unknown data")

    def _unfinished(self) -> bool:
        """Whether the file is what an interrupted making leaves: empty, or our earmark on it and zeros at its start."""
        if cells.stat(self.host, self.file, "%s") == "0":
            return True
        return cells.read_earmark(self.host, self.file) == self.place.earmark and own_xfs.starts_blank(
            self.host, self.file
        )

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
            own_xfs.make(self.host, self.file)

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
        if content is not None and not (content == "xfs" and own_xfs.fresh(self.host, self.file)):
            raise HoldsData(f"{self.file} stays", "files are in it" if content == "xfs" else f"it holds {content}")
        self.host.run("rm", "-f", "--", self.file)

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
        inside = own_xfs.inside(self.host, self.place.mount) if self._mounted() == self.file else size
        return str(quota_of(min(size, inside)))

    def _write_quota(self, value: str | None) -> None:
        if value is None:
            return
        if self._mounted() != self.file:
            raise Unavailable(f"{self.file} is not mounted")
        size = file_size(int(value))
        own_xfs.refuse_shrink(self.file, size, own_xfs.inside(self.host, self.place.mount))
        self.resize(size)
        self.host.run("losetup", "-c", self._device())
        self.host.run("xfs_growfs", "-d", self.place.mount)


def mounted_file(host: Host, mount: Mapping[str, str] | None) -> str | None:
    """The file that a mount shows, else its device."""
    device = mount["source"] if mount else ""
    backing = host.read(f"/sys/block/{os.path.basename(device)}/loop/backing_file") if device else None
    return (backing or device).rstrip("\n") or None
