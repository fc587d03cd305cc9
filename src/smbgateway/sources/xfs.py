"""A directory on an XFS as a project: what is in it is counted by itself, and limited."""

import os
import re
from collections.abc import Mapping

from ..errors import CommandFailed, Conflict, Fault, Unavailable
from ..host import Host
from ..model import XfsSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells, projects

BLOCK = 64 * 1024  # the largest that XFS has: it keeps limits in whole blocks
IN_PART = "in part"
WALK = 3600.0  # seconds that it may take to mark every file of an adopted directory


def round_up(quota: int) -> int:
    """The limit that XFS really keeps."""
    return -(-quota // BLOCK) * BLOCK


class Xfs:
    """A directory, served as it is: without its XFS it is not there, so nothing is ever written beneath.

    It stays when the share goes; its project does not, and with it goes the limit.
    """

    has_quota = True
    shows_quota = True
    keeps_quota = False
    snapshots = None

    def __init__(self, host: Host, place: Place, spec: XfsSource) -> None:
        self.host, self.place, self.path, self.number = host, place, spec.path, place.project
        self.parent = os.path.dirname(spec.path)

    def look(self) -> tuple[list[Fault], bool]:
        """Check path and file system, whose the directory is, and that the quota is not below what is used."""
        faults = cells.path_faults(self.host, self.path, self.place, "source.path") or self._mount_faults()
        if faults:
            return faults, False
        kind = cells.stat(self.host, self.path, "%F")
        if kind not in (None, "directory"):
            return [Fault("source.path", f"{self.path} is a {kind}, not a directory")], True
        mark = cells.read_earmark(self.host, self.path)
        faults = cells.owner_faults(mark, self.place, "source.path")
        if mark != self.place.earmark and not faults:
            faults = self._project_faults()
        return faults + self._quota_faults(), kind is not None

    def steps(self) -> list[Step]:
        """Directory, earmark, project."""
        make = cells.opened_directory if self.place.adopted else cells.data_directory
        made = make(self.host, self.path, self.place.group)

        def write(value: str | None) -> None:
            if value is not None:
                self._mount()
            if value is not None and self.place.adopted and made.read() is None:
                raise cells.gone(self.path)
            made.write(value)

        return [
            Step(made.name, made.want, made.read, write, destroy=made.destroy),
            cells.earmark(self.host, self.place, self.path),
            Step(f"project {self.number} of {self.path}", str(self.number), self._read_project, self._write_project),
        ]

    def quota(self, limit: int | None) -> list[Step]:
        """The limit of the project; XFS says "no space left" where it is reached."""
        if limit is None:
            return []
        return [Step(f"quota of {self.path}", str(round_up(limit)), self._read_limit, self._write_limit)]

    def usage(self) -> Usage:
        """What XFS counts: exact and at once."""
        mount = self._mount()
        return self.usage_of(projects.usages(self.host, mount, self.number), cells.space(self.host, mount)[2])

    def usage_of(self, counted: Mapping[int, tuple[int, int | None]], room: int) -> Usage:
        """The same from what its XFS counts of projects, and has free."""
        used, limit = counted.get(self.number, (0, None))
        return Usage(used, limit, room if limit is None else min(max(0, limit - used), room))

    def _mount_faults(self) -> list[Fault]:
        """What keeps the directory from being a project; none where all is well."""
        if cells.mounted(self.host, self.path):
            message = f"{self.path} is a mount point: without the mount, clients would fill the disk below"
            return [Fault("source.path", message, f"name a directory in it, such as {self.path}/share")]
        mount, found = cells.mount_of(self.host, self.parent)
        if found["type"] != "xfs":
            return [Fault("source.path", f"{self.parent} is on {found['type']}, not on XFS", "is the XFS mounted?")]
        if projects.PROJECT_QUOTA in found["options"].split(","):
            return []
        hint = f"add prjquota to its options in /etc/fstab, then: umount {mount} && mount {mount}; a remount is no help"
        if mount == "/":
            hint = "add rootflags=prjquota to the command line of the kernel, and reboot"
        return [Fault("source.path", f"the XFS at {mount} is mounted without project quotas", hint)]

    def _mount(self) -> str:
        """Where the XFS is mounted. Raises Unavailable where it is not, or has no project quotas."""
        for fault in self._mount_faults():
            raise Unavailable(fault.message, hint=fault.hint)
        return cells.mount_of(self.host, self.parent)[0]

    def _project_faults(self) -> list[Fault]:
        for path in (self.path, self.parent):
            if number := self._marked(path):
                hint = f"xfs_quota -x -c 'project -C -p {path} {number}' MOUNTPOINT frees it; or choose another place"
                return [Fault("source.path", f"{path} belongs to project {number} already", hint)]
        return []

    def _quota_faults(self) -> list[Fault]:
        number, wanted = self._marked(self.path), self.place.quota
        used, _ = projects.usages(self.host, self._mount(), number).get(number, (0, None)) if number else (0, None)
        if wanted is None or wanted >= used:
            return cells.oversized(self.host, self.parent, wanted)
        message = f"{show_size(wanted)} is less than the {show_size(used)} in use"
        return [Fault("quota", message, "--force sets it all the same", waivable=True)]

    def _marked(self, path: str) -> int | None:
        """The project that new files in a directory belong to: 0 for none, None where there is no such directory."""
        try:
            number, flags, _ = self.host.run("lsattr", "-pd", "--", path).split(None, 2)
        except CommandFailed as error:
            if re.search("No such file|Not a directory|not supported|Inappropriate ioctl", error.output):
                return None
            raise
        return int(number) if "P" in flags else 0

    @property
    def _lines(self) -> dict[str, str]:
        """By list, what it shall say of the project; the name is for people, and no two are alike."""
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.place.gateway}.{self.place.share}.{self.number}")
        return {projects.PATHS: f"{self.number}:{self.path}", projects.NAMES: f"{name}:{self.number}"}

    def _read_project(self) -> str | None:
        found = [projects.line(self.host, file, self.number) == text for file, text in self._lines.items()]
        found.append(self._marked(self.path) == self.number)
        return str(self.number) if all(found) else IN_PART if any(found) else None

    def _write_project(self, value: str | None) -> None:
        """The name is written, and removed, after the walk: of a walk that was cut off it tells."""
        present = self._read_project()
        if value is None:
            if present is not None:
                self._free()
            return
        if present is None:
            self._refuse_used()
        self._walk("-s")
        projects.put(self.host, projects.NAMES, self.number, self._lines[projects.NAMES])

    def _free(self) -> None:
        """Give the number back, with nothing on it; what has gone with its disk is free already."""
        if self._marked(self.path) is not None:
            self._walk("-C")
            self._write_limit(None)
        for file in (projects.PATHS, projects.NAMES):
            projects.put(self.host, file, self.number, None)

    def _refuse_used(self) -> None:
        used, limit = projects.usages(self.host, self._mount(), self.number).get(self.number, (0, None))
        if used or limit:
            what = f"project {self.number} has files or a limit already"
            raise Conflict(what, f"on the XFS at {self._mount()}", hint="give the share another, as its project")

    def _walk(self, option: str) -> None:
        """Mark (-s) or free (-C) every file and directory. The path comes from the list: it may have blanks."""
        projects.put(self.host, projects.PATHS, self.number, self._lines[projects.PATHS])
        self.host.run("xfs_quota", "-x", "-c", f"project {option} {self.number}", self._mount(), timeout=WALK)
        if (self._marked(self.path) == self.number) is not (option == "-s"):
            raise Unavailable(f"{self.path} cannot be marked", "xfs_quota did nothing, and does not say why")

    def _read_limit(self) -> str | None:
        if self._mount_faults():
            return None
        _, limit = projects.usages(self.host, self._mount(), self.number).get(self.number, (0, None))
        return None if limit is None else str(limit)

    def _write_limit(self, value: str | None) -> None:
        if value is not None or self._read_limit() is not None:
            projects.ask(self.host, self._mount(), f"limit -p bhard={value or 0} {self.number}")
