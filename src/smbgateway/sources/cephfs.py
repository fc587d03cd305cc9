"""A CephFS subvolume with a quota, mounted with a key of its own."""

from typing import Any

from ..errors import CommandFailed, Fault, HoldsData
from ..fields import DEFAULT_GROUP
from ..host import Host
from ..model import CephfsSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells, ceph
from .ceph_mount import DEAD, CephMount, answers
from .cephfs_snapshots import CephfsSnapshots

MI = 1024 * 1024
MINIMUM = 4 * MI  # statvfs counts in these: a client would see a size of 0
EARMARK = "smbgateway"


class Cephfs:
    """A subvolume, mounted on the share's own mount point; its directory `data` is served, snapshots lie above it.

    A mount takes 18 MB and 24 threads: where shares are many, `place.common` has one for all of a group, and what is on
    the share's mount point is a part of that.
    An adopted subvolume keeps what it holds; files beside `data` stay unserved.
    """

    has_quota = True
    keeps_quota = True

    def __init__(self, host: Host, place: Place, spec: CephfsSource) -> None:
        self.host, self.place, self.title, self.conf = host, place, spec.subvolume, spec.conf
        self.ceph = ceph.Ceph(host, spec.conf, spec.user)
        self.volume, self.group, self.name = spec.subvolume.split("/")
        self.path = f"{place.mount}/data"
        self.shows_quota = not place.common  # statvfs tells of the directory that is mounted
        self.mount = self._mount()
        self.snapshots = CephfsSnapshots(host, self.ceph, self._words, self.title, place.mount)

    def look(self) -> tuple[list[Fault], bool]:
        """Check file system and group, whose the subvolume is, and the quota."""
        faults, found = self._request_faults(), self._look()
        if found is None:
            return self._new_faults() + faults, False
        if found["state"] != "complete":
            message = f"{self.title} is {found['state']}: it cannot be mounted"
            return [Fault("source.subvolume", message, "remove it, or choose another name")], True
        faults += cells.owner_faults(self._read_earmark(), self.place, "source.subvolume")
        return faults + self._quota_faults(found["bytes_used"]), True

    def steps(self) -> list[Step]:
        """Group (ours alone), subvolume, earmark, key, mount, directory."""
        destroy = cells.nothing if self.place.adopted else self._destroy
        return [
            *self._group_step(),
            Step(f"subvolume {self.title}", "subvolume", self._kind, self._write_subvolume, destroy=destroy),
            Step(f"earmark of {self.title}", self.place.earmark, self._read_earmark, self._write_earmark),
            *self.mount.steps(),
            *self._bound(),
            cells.inner_directory(self.host, self.place, self.path),
        ]

    def quota(self, limit: int | None) -> list[Step]:
        """The limit of the subvolume; Ceph lets a write pass it by a few per cent."""
        if limit is None:
            return []
        return [Step(f"quota of {self.title}", str(limit), self._read_quota, self._write_quota)]

    def usage(self) -> Usage:
        """What Ceph counts: a few seconds late for what clients have not synced."""
        found = self._info()
        used, limit = int(found["bytes_used"]), _limit(found)
        if limit is None:
            return Usage(used, None, cells.space(self.host, self.path)[2])
        return Usage(used, limit, max(0, limit - used))

    def _request_faults(self) -> list[Fault]:
        wanted = self.place.quota
        if wanted is None or wanted >= MINIMUM:
            return []
        return [Fault("quota", f"{show_size(wanted)} is too small: CephFS counts in units of {show_size(MINIMUM)}")]

    def _new_faults(self) -> list[Fault]:
        volumes = [found["name"] for found in self.ceph.look("fs ls")]
        if self.volume not in volumes:
            hint = f"there are: {', '.join(volumes)}" if volumes else f"ceph fs volume create {self.volume}"
            return [Fault("source.subvolume", f"there is no CephFS {self.volume}", hint)]
        if self.group == DEFAULT_GROUP or self._group():
            return []
        hint = f"ceph fs subvolumegroup create {self.volume} {self.group}"
        return [Fault("source.subvolume", f"{self.volume} has no group {self.group}", hint)]

    def _quota_faults(self, used: int) -> list[Fault]:
        wanted = self.place.quota
        if wanted is None or wanted >= used:
            return []
        message = f"{show_size(wanted)} is less than the {show_size(used)} in use"
        return [Fault("quota", message, "--force sets it all the same", waivable=True)]

    @property
    def _words(self) -> dict[str, str]:
        """What names the subvolume in a command."""
        return {"vol_name": self.volume, "sub_name": self.name, "group_name": self.group}

    def _look(self) -> Any:
        return self.ceph.look("fs subvolume info", **self._words)

    def _info(self) -> Any:
        """What Ceph says of the subvolume. Raises Conflict where it is gone."""
        found = self._look()
        if found is None:
            raise cells.gone(self.title)
        return found

    def _group_step(self) -> list[Step]:
        """The group that we make ourselves. It goes with its last subvolume."""
        if self.group != DEFAULT_GROUP:
            return []
        name = f"subvolume group {self.volume}/{self.group}"
        return [Step(name, "group", self._group, self._write_group, destroy=lambda: self._write_group(None))]

    def _group(self) -> str | None:
        groups = self.ceph.look("fs subvolumegroup ls", vol_name=self.volume) or []
        return "group" if {"name": self.group} in groups else None

    def _write_group(self, value: str | None) -> None:
        words = {"vol_name": self.volume, "group_name": self.group}
        if value is not None:
            self.ceph.ask("fs subvolumegroup create", **words)
        elif self._group() and not self.ceph.look("fs subvolume ls", **words):
            self.ceph.ask("fs subvolumegroup rm", **words)

    def _kind(self) -> str | None:
        found = self._look()
        return None if found is None else "subvolume" if found["state"] == "complete" else str(found["state"])

    def _write_subvolume(self, value: str | None) -> None:
        present = self._kind()  # asked anew: to create what exists sets back its quota and mode, and says nothing
        if value is None:
            self._remove_empty(present)
        elif value != present:
            cells.refuse_foreign(self.title, present, "subvolume")
            if self.place.adopted:
                raise cells.gone(self.title)
            self.ceph.ask("fs subvolume create", **self._words, size=self.place.quota, namespace_isolated=True)

    def _remove_empty(self, present: str | None) -> None:
        """Remove the subvolume after looking inside. Raises HoldsData."""
        if present is None:
            return
        if self.ceph.names(self.volume, self._info()["path"]):
            raise HoldsData(f"{self.title} stays", "files are in it")
        try:
            self.ceph.ask("fs subvolume rm", **self._words)
        except CommandFailed as error:
            if error.code == ceph.NOT_EMPTY:
                raise HoldsData(f"{self.title} stays", error.output) from error
            raise

    def _destroy(self) -> None:
        """Remove the subvolume with its snapshots; Ceph deletes the files later."""
        if self._look() is None:
            return
        for snapshot in self.ceph.look("fs subvolume snapshot ls", **self._words):
            self.ceph.ask("fs subvolume snapshot rm", **self._words, snap_name=snapshot["name"])
        self.ceph.ask("fs subvolume rm", **self._words)

    def _read_earmark(self) -> str | None:
        try:
            return self.ceph.ask("fs subvolume metadata get", **self._words, key_name=EARMARK).removesuffix("\n")
        except CommandFailed as error:
            if error.code == ceph.ABSENT:
                return None
            raise

    def _write_earmark(self, value: str | None) -> None:
        if value is not None:
            self.ceph.ask("fs subvolume metadata set", **self._words, key_name=EARMARK, value=value)
        elif self._read_earmark() is not None:
            self.ceph.ask("fs subvolume metadata rm", **self._words, key_name=EARMARK)

    def _own_rights(self) -> dict[str, str]:
        """The least a client needs: this directory, and of the pool only the subvolume's own namespace."""
        found = self._info()
        space = f" namespace={found['pool_namespace']}" if found["pool_namespace"] else ""
        return {
            "mds": f"allow rw fsname={self.volume} path={found['path']}",
            "mon": f"allow r fsname={self.volume}",
            "osd": f"allow rw pool={found['data_pool']}{space}",
        }

    def _group_rights(self) -> dict[str, str]:
        """All of the group, and of its pools whatever is the volume's."""
        return {
            "mds": f"allow rw fsname={self.volume} path=/volumes/{self.group}",
            "mon": f"allow r fsname={self.volume}",
            "osd": f"allow rw tag cephfs data={self.volume}",
        }

    def _mount(self) -> CephMount:
        """Of the subvolume, or where many share it of the group."""
        if not self.place.common:
            entity, root = ceph.entity(self.volume, self.group, self.name), lambda: str(self._info()["path"])
            title, where = self.title, self.place.mount
            return CephMount(self.host, self.ceph, entity, self.place.secrets, title, where, self._own_rights, root)
        title = f"{self.volume}/{self.group}"
        where = f"{self.place.common}/{self.volume}.{self.group}"
        entity, path = ceph.entity(self.volume, self.group), f"/volumes/{self.group}"
        return CephMount(
            self.host, self.ceph, entity, self.place.secrets, title, where, self._group_rights, lambda: path, self._used
        )

    def _used(self) -> bool:
        """Whether another share is bound to the mount of the group."""
        mount, here = self.mount, (self.mount.where, self.place.mount)
        return any(mount.is_mine(found) for path, found in cells.mounts(self.host).items() if path not in here)

    def _bound(self) -> list[Step]:
        """What of the group's mount is the share's, on its own mount point: none where that is the mount itself."""
        if not self.place.common:
            return []
        where = self.place.mount

        def read() -> str | None:
            found = cells.mounted(self.host, where)
            if found is None:
                return None
            if not self.mount.is_mine(found) or f"/{self.name}/" not in found["root"]:
                return found["source"]
            return self.title if answers(self.host, where) else DEAD

        def write(value: str | None) -> None:
            present = read()
            if present == DEAD:
                self.host.run("umount", "--lazy", "--", where)
                present = None
            cells.refuse_foreign(where, present, self.title)
            if value is None and present is not None:
                self.host.run("umount", "--", where)
            elif value is not None and present is None:
                inside = str(self._info()["path"]).removeprefix(f"/volumes/{self.group}")
                self.host.run("mount", "--bind", "--", f"{self.mount.where}{inside}", where)

        return [cells.mount_point(self.host, where), Step(f"mount of {self.title}", self.title, read, write)]

    def _read_quota(self) -> str | None:
        found = self._look()
        limit = None if found is None else _limit(found)
        return None if limit is None else str(limit)

    def _write_quota(self, value: str | None) -> None:
        if value is not None or self._read_quota() is not None:
            self.ceph.ask("fs subvolume resize", **self._words, new_size=value or "inf")


def _limit(found: dict[str, Any]) -> int | None:
    limit = found["bytes_quota"]
    return None if limit == "infinite" else int(limit)
