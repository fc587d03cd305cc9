"""Snapshots of a CephFS subvolume, as Ceph takes them and shows them to clients."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..errors import CommandFailed, HoldsData, NotFound
from ..host import Host
from ..retention import KEPT, SCHEDULED
from ..step import Step
from . import cells
from .ceph import ABSENT, Ceph

SHOWN = ".snap"


class CephfsSnapshots:
    """Ceph takes one of the directory above the subvolume's own, which shows it as `_NAME_INODE` of that directory."""

    inside = True

    def __init__(self, host: Host, ceph: Ceph, words: dict[str, str], title: str, mount: str) -> None:
        self.host, self.ceph, self.words, self.title, self.mount = host, ceph, words, title, mount
        # The inode behind the stamp is no part of the format: strptime(3) stops before it.
        prefix = f"^_\\({SCHEDULED}\\|{KEPT}\\)$"
        self.parameters: Mapping[str, str] = {"mountpoint": mount, "snapdir": SHOWN, "snapprefix": prefix}

    def names(self) -> list[str]:
        """By one question."""
        found: list[dict[str, Any]] | None = self.ceph.look("fs subvolume snapshot ls", **self.words)
        if found is None:
            raise cells.gone(self.title)
        return [str(each["name"]) for each in found]

    def snapshot(self, name: str) -> Step:
        """Of the subvolume."""
        words = {**self.words, "snap_name": name}

        def read() -> str | None:
            return "snapshot" if name in self.names() else None

        def take() -> None:
            self.host.run("sync", "-f", self.mount)  # what clients have written, and this node not yet
            self.ceph.ask("fs subvolume snapshot create", **words)

        def drop() -> None:
            try:
                self.ceph.ask("fs subvolume snapshot rm", **words)
            except CommandFailed as error:
                if error.code == ABSENT:
                    return
                if "pending clones" in error.output:
                    hint = "wait for its clones"
                    raise HoldsData(f"snapshot {name} of {self.title} stays", error.output, hint=hint) from error
                raise

        return cells.snapshot(f"snapshot {name} of {self.title}", read, take, drop)

    def opened(self, name: str) -> AbstractContextManager[str]:
        """Below `.snap`. Raises NotFound."""
        found = self.host.run("find", f"{self.mount}/{SHOWN}", "-maxdepth", "1", "-name", f"_{name}_*").splitlines()
        if not found:
            raise NotFound(f"{self.title} shows no snapshot {name}", hint="does its mount answer?")
        return nullcontext(os.path.join(found[0], "data"))
