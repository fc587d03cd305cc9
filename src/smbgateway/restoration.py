"""Put a share's data back to one of its snapshots, in place: only what differs is written, and no snapshot is spent.

A file beside the data names the snapshot until all is done, so that an engine that was cut off finishes it.
"""

import os
import re

from .errors import CommandFailed
from .host import Host
from .sources import Snapshots
from .step import Step

NONE = "none"
DAY = 86400.0
SECONDS = 5.0
# Contents decide, not times: clients may set those; times are compared to the nanosecond, not to the second.
# Files to be removed go first, so that a quota leaves room.
RSYNC = ("rsync", "-aHAX", "--numeric-ids", "--checksum", "--modify-window=-1", "--inplace", "--delete-before")


class Restoration:
    """Of the share called `title`, whose data lies at `path`."""

    def __init__(self, host: Host, title: str, path: str, snapshots: Snapshots) -> None:
        self.host, self.title, self.path, self.snapshots = host, title, path, snapshots
        self.mark = f"{os.path.dirname(path)}/.smbgw-restoring"

    def data(self, present: str, wanted: str) -> Step:
        """The data: now as in the snapshot `present`, to be as in the snapshot `wanted`."""
        return Step(f"data of {self.title}", wanted, lambda: present, self._write)

    def unfinished(self) -> Step:
        """What an engine that was cut off has left to do."""

        def read() -> str:
            try:  # by a process that can be ended: it lies on the data's file system, which may hang
                return self.host.run("cat", "--", self.mark, timeout=SECONDS).strip() or NONE
            except CommandFailed as error:
                if re.search("No such file|Not a directory", error.output):
                    return NONE
                raise

        def write(value: str | None) -> None:
            if value == NONE and (begun := read()) != NONE:
                self._write(begun)

        return Step(f"restoration of {self.title}", NONE, read, write)

    def _write(self, name: str | None) -> None:
        with self.snapshots.opened(name or "") as before:
            self.host.run("stat", "--", before)
            self.host.write(self.mark, f"{name}\n", 0o600)
            self.host.run(*RSYNC, "--", f"{before}/", f"{self.path}/", timeout=7 * DAY)
            self.host.run("rm", "--", self.mark)
