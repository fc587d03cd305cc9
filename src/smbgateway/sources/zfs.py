"""A ZFS dataset with a quota."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from ..errors import CommandFailed, Fault, HoldsData
from ..host import Host
from ..model import ZfsSource
from ..sizes import show_size
from ..step import Step
from . import Place, Usage, cells

EARMARK = "org.pve-smbgateway:earmark"
FEATURES = ("lz4_compress", "large_blocks")  # of a pool
COUNTED = {"refquota": "referenced", "quota": "used"}  # what the two limits are of
SHOWN = ".zfs/snapshot"
BUSY_SECONDS = 20  # after an unmount, zfs-fuse lets go of the dataset a little later


class ZfsSnapshots:
    """Snapshots of a dataset; OpenZFS shows each below `.zfs`, hidden or not, and mounts it when somebody looks."""

    inside = False  # OpenZFS mounts them where the node sees them

    def __init__(self, host: Host, dataset: str, mount: str) -> None:
        self.host, self.dataset, self.mount = host, dataset, mount
        self.parameters: Mapping[str, str] = {"mountpoint": mount, "snapdir": SHOWN}

    def names(self) -> list[str]:
        """By one command."""
        found = self.host.run("zfs", "list", "-H", "-o", "name", "-t", "snapshot", "-d", "1", self.dataset)
        return [line.partition("@")[2] for line in found.splitlines()]

    def snapshot(self, name: str) -> Step:
        """Of the dataset alone, not of children."""
        which = f"{self.dataset}@{name}"

        def read() -> str | None:
            return "snapshot" if name in self.names() else None

        def take() -> None:
            self.host.run("zfs", "snapshot", which)

        def drop() -> None:
            try:
                self.host.run("zfs", "destroy", which, timeout=600)
            except CommandFailed as error:
                if "dependent clones" in error.output:
                    hint = "destroy the clones first"
                    raise HoldsData(f"snapshot {which} stays", error.output, hint=hint) from error
                raise

        return cells.snapshot(f"snapshot {which}", read, take, drop)

    def opened(self, name: str) -> AbstractContextManager[str]:
        """Below `.zfs`."""
        return nullcontext(f"{self.mount}/{SHOWN}/{name}/data")


class Zfs:
    """A dataset, mounted on the share's own mount point; its directory `data` is served.

    An adopted dataset keeps its properties and mount point: it is bound to ours. Files beside `data` stay unserved.
    """

    has_quota = True
    shows_quota = True
    keeps_quota = True

    def __init__(self, host: Host, place: Place, spec: ZfsSource) -> None:
        self.host, self.place, self.dataset, self.limit = host, place, spec.dataset, spec.limit
        self.counted = COUNTED[spec.limit]
        self.parent = spec.dataset.rpartition("/")[0]
        self.path = f"{place.mount}/data"
        self.snapshots = ZfsSnapshots(host, spec.dataset, place.mount)

    def look(self) -> tuple[list[Fault], bool]:
        """Check pool and dataset, whose it is, and the quota."""
        found = self._get(self.dataset, "type", "mountpoint", self.counted, "xattr", "readonly", EARMARK)
        if found is None:
            return self._new_faults(), False
        if found["type"] != "filesystem":
            return [Fault("source.dataset", f"{self.dataset} is a {found['type']}, not a file system")], True
        faults = cells.owner_faults(found[EARMARK], self.place, "source.dataset") + self._property_faults(found)
        return faults + self._quota_faults(int(found[self.counted])), True

    def steps(self) -> list[Step]:
        """Mount point, dataset, earmark, mount, directory."""
        destroy = cells.nothing if self.place.adopted else lambda: self._destroy("-r")
        return [
            cells.mount_point(self.host, self.place.mount),
            Step(f"dataset {self.dataset}", "filesystem", self._kind, self._write_dataset, destroy=destroy),
            Step(f"earmark of {self.dataset}", self.place.earmark, self._read_earmark, self._write_earmark),
            cells.mount(self.host, self.place.mount, self.dataset, self._mounted, self._attach),
            cells.inner_directory(self.host, self.place, self.path),
        ]

    def quota(self, limit: int | None) -> list[Step]:
        """The property `refquota`, or `quota`: then snapshots and children count too."""
        if limit is None:
            return []
        return [Step(f"quota of {self.dataset}", str(limit), self._read_quota, self._write_quota)]

    def usage(self) -> Usage:
        """What ZFS says: with snapshots where the limit counts them."""
        return self.usage_of(sizes(self.host, [self.dataset]).get(self.dataset))

    def usage_of(self, found: Mapping[str, str] | None) -> Usage:
        """The same from what `sizes` has of it. Raises Conflict where it is gone."""
        if found is None:
            raise cells.gone(self.dataset)
        return Usage(int(found[self.counted]), int(found[self.limit]) or None, int(found["available"]))

    def _property_faults(self, found: dict[str, str]) -> list[Fault]:
        """What of a dataset's own properties would not let it be served."""
        told: list[tuple[str, str]] = []
        if not found["mountpoint"].startswith("/"):
            told += [(f"the mountpoint {found['mountpoint']}", f"mountpoint=/{self.dataset}")]
        if self._acltype(self.dataset) in ("off", "noacl"):
            told += [("acltype=off: access rights need ACLs", "acltype=posixacl xattr=sa")]
        if found["xattr"] == "off":
            told += [("xattr=off: rights that Windows sets are kept in those", "xattr=on")]
        if found["readonly"] == "on":
            told += [("readonly=on, as a replica has", "readonly=off")]
        wrong = [(f"{self.dataset} has {what}", f"zfs set {remedy} {self.dataset}") for what, remedy in told]
        return [Fault("source.dataset", message, hint) for message, hint in wrong]

    def _new_faults(self) -> list[Fault]:
        found = self._get(self.parent, "type", "available")
        if found is None and "/" in self.parent:
            return [
                Fault("source.dataset", f"the dataset {self.parent} does not exist", f"zfs create -p {self.parent}")
            ]
        if found is None:
            return [Fault("source.dataset", f"there is no pool {self.parent}", "zpool list names those that are there")]
        if found["type"] != "filesystem":
            return [Fault("source.dataset", f"{self.parent} is a {found['type']}: nothing can lie below it")]
        wanted, free = self.place.quota or 0, int(found["available"])
        if wanted <= free:
            return []
        message = f"{show_size(wanted)} is more than the {show_size(free)} that {self.parent} has free"
        return [Fault("quota", message, "--force sets it all the same", waivable=True)]

    def _quota_faults(self, used: int) -> list[Fault]:
        wanted = self.place.quota
        if wanted is None or wanted >= used:
            return []
        message = f"{show_size(wanted)} is less than the {show_size(used)} in use"
        return [Fault("quota", message, "ZFS refuses that: remove files or snapshots first")]

    def _get(self, dataset: str, *names: str) -> dict[str, str] | None:
        """Properties; None where there is no such dataset. What is only inherited by a user property is left empty."""
        try:
            text = self.host.run("zfs", "get", "-Hp", "-o", "property,value,source", ",".join(names), dataset)
        except CommandFailed as error:
            if "does not exist" in error.output:
                return None
            raise
        rows = [line.split("\t") for line in text.splitlines()]
        return {
            name: "" if ":" in name and source not in ("local", "received") else value for name, value, source in rows
        }

    def _kind(self) -> str | None:
        found = self._get(self.dataset, "type")
        return None if found is None else found["type"]

    def _write_dataset(self, value: str | None) -> None:
        if value is None:
            self._remove_empty()
        elif value != (present := self._kind()):
            cells.refuse_foreign(self.dataset, present, "filesystem")
            if self.place.adopted:
                raise cells.gone(self.dataset)
            self._create()

    def _create(self) -> None:
        options = [word for option in self._options() for word in ("-o", option)]
        try:
            self.host.run("zfs", "create", *options, self.dataset)
        except CommandFailed as error:
            if "successfully created" in error.output:  # made, but not mounted: then nobody can have used it
                self._destroy()
            raise

    def _options(self) -> list[str]:
        """What this ZFS and this pool can: zfs-fuse has no ACLs, and old pools lack features."""
        open_zfs = self._acltype(self.parent) is not None
        features = self._features() if open_zfs else set()
        options = [f"mountpoint={self.place.mount}", *(("acltype=posixacl", "xattr=sa") if open_zfs else ())]
        options += [f"compression={'lz4' if 'lz4_compress' in features else 'on'}"]
        options += [f"{self.limit}={self.place.quota}"] if self.place.quota else []
        largest = (1024 if "large_blocks" in features else 128) * 1024
        return options + ([f"recordsize={min(self.place.recordsize, largest)}"] if self.place.recordsize else [])

    def _features(self) -> set[str]:
        """Those of FEATURES that the pool has: enabled, or in use (zpool-features(7))."""
        pool = self.dataset.partition("/")[0]
        wanted = ",".join(f"feature@{name}" for name in FEATURES)
        rows = self.host.run("zpool", "get", "-H", "-o", "property,value", wanted, pool).splitlines()
        return {row.partition("@")[2].partition("\t")[0] for row in rows if row.endswith(("\tenabled", "\tactive"))}

    def _acltype(self, dataset: str) -> str | None:
        """The property `acltype`; None where this is zfs-fuse, which has no such property."""
        try:
            return self.host.run("zfs", "get", "-Hp", "-o", "value", "acltype", dataset).strip()
        except CommandFailed as error:
            if "invalid property" in error.output:
                return None
            raise

    def _remove_empty(self) -> None:
        """Remove the dataset after looking inside. Raises HoldsData."""
        if self._kind() is None:
            return
        if self._mounted() is None:
            self._attach()
        where = self.place.mount
        if self.host.run("find", where, "-mindepth", "1", "-maxdepth", "1", "-print", "-quit"):
            raise HoldsData(f"{self.dataset} stays", "files are in it")
        self.host.run("umount", "--", where)
        self._destroy()

    def _destroy(self, *options: str) -> None:
        """Destroy the dataset. Raises HoldsData where others rest on it."""
        if self._kind() is None:
            return
        try:
            self._run_when_free("zfs", "destroy", *options, self.dataset)
        except CommandFailed as error:
            if "has children" in error.output or "dependent clones" in error.output:
                raise HoldsData(f"{self.dataset} stays", error.output) from error
            raise

    def _run_when_free(self, *argv: str) -> None:
        """Run a command; for a while again where the dataset is busy, as it is for a moment after its unmount."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self.host.run(*argv, timeout=600)
                return
            except CommandFailed as error:
                if "dataset is busy" not in error.output or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def _read_earmark(self) -> str | None:
        found = self._get(self.dataset, EARMARK)
        return (found or {}).get(EARMARK) or None

    def _write_earmark(self, value: str | None) -> None:
        if value is not None:
            self.host.run("zfs", "set", f"{EARMARK}={value}", self.dataset)
        elif self._read_earmark() is not None:
            self.host.run("zfs", "inherit", EARMARK, self.dataset)

    def _mounted(self) -> str | None:
        found = cells.mounted(self.host, self.place.mount)
        return None if found is None else found["source"]

    def _attach(self) -> None:
        """Mount where the dataset says, and bind that to our mount point where it is another (adopted)."""
        found = self._get(self.dataset, "mountpoint")
        if found is None:
            raise cells.gone(self.dataset)
        own = cells.mounted(self.host, found["mountpoint"])
        if own is None or own["source"] != self.dataset:
            self._run_when_free("zfs", "mount", self.dataset)
        if found["mountpoint"] != self.place.mount:
            self.host.run("mount", "--bind", "--", found["mountpoint"], self.place.mount)

    def _read_quota(self) -> str | None:
        found = self._get(self.dataset, self.limit)
        return None if found is None or found[self.limit] == "0" else found[self.limit]

    def _write_quota(self, value: str | None) -> None:
        if value is not None or self._read_quota() is not None:
            self.host.run("zfs", "set", f"{self.limit}={value or 'none'}", self.dataset)


def sizes(host: Host, datasets: Sequence[str]) -> dict[str, dict[str, str]]:
    """By dataset what it uses and may use, of those that are there; by one command."""
    wanted = ",".join((*COUNTED.values(), *COUNTED, "available"))
    try:
        text = host.run("zfs", "get", "-Hp", "-o", "name,property,value", wanted, *datasets)
    except CommandFailed as error:
        if "does not exist" not in error.output:
            raise
        text = error.said
    found: dict[str, dict[str, str]] = {}
    for name, field, value in (line.split("\t") for line in text.splitlines()):
        found.setdefault(name, {})[field] = value
    return found
