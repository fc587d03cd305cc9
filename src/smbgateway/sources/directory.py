"""A directory of the node, existing or new."""

from ..errors import Fault
from ..host import Host
from ..model import DirectorySource
from ..step import Step
from . import Place, Usage, cells


class Directory:
    """A directory. It has no quota: usage is that of the file system below it."""

    has_quota = False
    shows_quota = True
    snapshots = None
    keeps_quota = True

    def __init__(self, host: Host, place: Place, spec: DirectorySource) -> None:
        self.host, self.place, self.path = host, place, spec.path

    def look(self) -> tuple[list[Fault], bool]:
        """Check the path and whose it is."""
        faults = cells.path_faults(self.host, self.path, self.place, "source.path")
        if faults:
            return faults, False
        kind = cells.stat(self.host, self.path, "%F")
        if kind not in (None, "directory"):
            return [Fault("source.path", f"{self.path} is a {kind}, not a directory")], True
        return cells.owner_faults(cells.read_earmark(self.host, self.path), self.place, "source.path"), kind is not None

    def steps(self) -> list[Step]:
        """The directory, ours or opened to the gateway's group, and the earmark."""
        make = cells.opened_directory if self.place.adopted else cells.data_directory
        made = make(self.host, self.path, self.place.group)
        return [made, cells.earmark(self.host, self.place, self.path)]

    def quota(self, limit: int | None) -> list[Step]:
        """None: a plain directory has no quota."""
        return []

    def usage(self) -> Usage:
        """What the file system says (statvfs)."""
        _, used, available = cells.space(self.host, self.path)
        return Usage(used, None, available)
