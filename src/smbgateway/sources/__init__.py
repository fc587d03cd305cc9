"""Where a share's data lives. One file per kind; each is a class that turns records into steps."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import Fault
from ..host import Host
from ..model import Model
from ..step import Step


@dataclass(frozen=True, slots=True)
class Place:
    """What a source is told about its share: records and paths only."""

    gateway: str
    share: str
    mount: str  # where to mount, a directory that is ours
    roots: tuple[str, ...]  # directories below which a path may lie
    group: int  # gid that the served directory gets
    refused: tuple[str, ...] = ()  # directories of our own state
    adopted: bool = False  # the source was there before us
    quota: int | None = None  # bytes, of the record; what a new source is made with
    recordsize: int | None = None  # bytes, wanted by the purpose; None: the file system's own
    project: int = 0  # number of an XFS project
    secrets: str = ""  # directory of keys, for root alone
    common: str = ""  # directory of mounts that several shares have together; empty where it has one for itself

    @property
    def earmark(self) -> str:
        """What marks the source as ours: canonical text."""
        return f"gateway={self.gateway} share={self.share} ntacl=user.NTACL idmap=0"


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes: used by the share, its limit (None: none), and what may still be written."""

    used: int
    limit: int | None
    available: int

    @property
    def total(self) -> int:
        """What a client sees as the size of the share."""
        return self.used + self.available if self.limit is None else self.limit


class Snapshots(Protocol):
    """The snapshots of one source. Their names are made, and told from others, in `retention`."""

    inside: bool  # a container that is shown the mount point sees them too

    @property
    def parameters(self) -> Mapping[str, str] | None:
        """Where Samba finds them (vfs_shadow_copy2(8)): `mountpoint`, `snapdir`, ...; None: clients see none."""

    def names(self) -> list[str]:
        """Read which there are, others' too. Raises GatewayError."""

    def snapshot(self, name: str) -> Step:
        """One snapshot as a step that holds data: only `destroy` removes it."""

    def opened(self, name: str) -> AbstractContextManager[str]:
        """The directory in which the served data lies as it was."""


class Source(Protocol):
    """One source of one share, on the node."""

    path: str  # the directory that is served
    has_quota: bool
    shows_quota: bool  # clients see the quota as the size of the share without help (statvfs does)
    keeps_quota: bool  # the limit stays with the data when the share goes

    @property
    def snapshots(self) -> Snapshots | None:
        """None: it cannot."""

    def look(self) -> tuple[list[Fault], bool]:
        """Read the world before anything is made: faults, field relative to the share; does it exist."""

    def steps(self) -> list[Step]:
        """Everything from nothing to a directory ready to be served, the earmark included."""

    def quota(self, limit: int | None) -> list[Step]:
        """The steps that set the limit; none where the source has no quota, or no limit is wanted."""

    def usage(self) -> Usage:
        """Read what is used. Raises GatewayError."""


def make(host: Host, place: Place, spec: Model) -> Source:
    """The source that a record names."""
    return _registry()[getattr(spec, "kind", "")](host, place, spec)


@functools.cache
def _registry() -> dict[str, Callable[[Host, Place, Any], Source]]:
    from .btrfs import Btrfs
    from .cephfs import Cephfs
    from .directory import Directory
    from .image import Image
    from .rbd import Rbd
    from .xfs import Xfs
    from .zfs import Zfs

    return {
        "btrfs": Btrfs,
        "cephfs": Cephfs,
        "directory": Directory,
        "image": Image,
        "rbd": Rbd,
        "xfs": Xfs,
        "zfs": Zfs,
    }


def without_snapshots(kind: str) -> tuple[str, str]:
    """Why a source of a kind has none, and what to do."""
    if kind == "storage":
        return (
            "Proxmox VE takes them of a whole guest only",
            "take those (pct or qm snapshot), or use a source on the node",
        )
    return f"a {kind} source cannot have snapshots", "use a btrfs, cephfs, rbd or zfs source, which can"


def kinds() -> Sequence[str]:
    """All kinds of sources."""
    return list(_registry())
