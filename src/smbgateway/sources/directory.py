"""A directory of the node, existing or new."""

from ..errors import CommandFailed, Fault
from ..host import Host
from ..model import DirectorySource
from ..step import Step
from . import Place, Usage, cells


class Directory:
    """A directory. It has no quota: usage is that of the file system below it."""

    has_quota = False
    shows_quota = True

    def __init__(self, host: Host, place: Place, spec: DirectorySource) -> None:
        self.host, self.place, self.path = host, place, spec.path

    def look(self) -> tuple[list[Fault], bool]:
        """Check the path and whose it is."""
        faults = cells.path_faults(self.host, self.path, self.place.roots, "source.path")
        if faults:
            return faults, False
        kind = cells.stat(self.host, self.path, "%F")
        if kind not in (None, "directory"):
            return [Fault("source.path", f"{self.path} is a {kind}, not a directory")], True
        return cells.owner_faults(cells.read_earmark(self.host, self.path), self.place, "source.path"), kind is not None

    def steps(self) -> list[Step]:
        """The directory, ours or opened to the gateway's group, and the earmark."""
        made = self._opened() if self.place.adopted else cells.data_directory(self.host, self.path, self.place.group)
        return [made, cells.earmark(self.host, self.place, self.path)]

    def quota(self, limit: int | None) -> list[Step]:
        """None: a plain directory has no quota."""
        return []

    def usage(self) -> Usage:
        """What the file system says (statvfs)."""
        total, free, available, block = (
            int(word) for word in self.host.run("stat", "-f", "--printf=%b %f %a %S", "--", self.path).split()
        )
        return Usage((total - free) * block, None, available * block)

    def _opened(self) -> Step:
        """An existing directory keeps its owner and mode; the gateway's group gets an ACL entry, also for new files."""
        entry = f"group:{self.place.group}:rwx"

        def read() -> str | None:
            try:
                lines = self.host.run("getfacl", "-n", "-p", "-E", "-c", "--", self.path).splitlines()
            except CommandFailed as error:
                if "No such file" in error.output:
                    return None
                raise
            return "\n".join(line for line in lines if line)

        def acl(value: str | None) -> None:
            if value is not None:
                self.host.run("setfacl", "--set-file=-", "--", self.path, stdin=value + "\n")

        def current() -> str | None:
            lines = (read() or "").splitlines()
            return entry if entry in lines and f"default:{entry}" in lines else "\n".join(lines) or None

        def write(value: str | None) -> None:
            if value == entry:
                self.host.run("setfacl", "-n", "-m", f"{entry},default:{entry},mask::rwx", "--", self.path)
            else:
                acl(value)

        # Part of the data, so a plain delete leaves it; destroy is refused for what was there before us.
        return Step(f"access to {self.path}", entry, current, write, destroy=lambda: None)
