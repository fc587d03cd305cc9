"""A mount of a directory of a CephFS, with a key of its own that opens that directory alone."""

import contextlib
import json
from collections.abc import Callable

from ..errors import CommandFailed, CommandMissing
from ..host import Host
from ..step import Step
from . import cells
from .ceph import ABSENT, Ceph

RIGHTS = "to that directory alone"
DEAD = "a dead mount"
SECONDS = 5.0  # that a mount may take to answer
Caps = dict[str, str]


class CephMount:
    """A directory of a volume, mounted at `where` as `entity`.

    title   what is mounted, VOLUME/GROUP or VOLUME/GROUP/NAME
    caps    what the key may do
    root    the directory in the volume; like `caps`, asked only when it is needed
    used    whether others need it too: then it stays when this one goes
    """

    def __init__(
        self, host: Host, ceph: Ceph, entity: str, secrets: str, title: str, where: str,
        caps: Callable[[], Caps], root: Callable[[], str], used: Callable[[], bool] = bool,
    ) -> None:  # fmt: skip
        self.host, self.ceph, self.entity, self.secrets = host, ceph, entity, secrets
        self.title, self.where, self.caps, self.root, self.used = title, where, caps, root, used
        self.volume = title.partition("/")[0]
        self.key_file = f"{secrets}/{entity}.key"
        self.label = f"cephfs:{title}"

    def steps(self) -> list[Step]:
        """Rights, key, mount point, mount."""
        return [
            Step(f"rights of {self.entity}", RIGHTS, self._read_rights, self._unused(self._write_rights)),
            Step(f"key of {self.entity}", "current", self._read_key, self._unused(self._write_key)),
            self._point(),
            Step(f"mount of {self.title}", self.title, self.mounted, self._unused(self._write_mount)),
        ]

    def _point(self) -> Step:
        point = cells.mount_point(self.host, self.where)
        return Step(point.name, point.want, point.read, self._unused(point.write))

    def _unused(self, write: Callable[[str | None], object]) -> Callable[[str | None], object]:
        """The write, but removing does nothing where others need it."""
        return lambda value: None if value is None and self.used() else write(value)

    def _read_rights(self) -> str | None:
        found = self.ceph.look("auth get", entity=self.entity)
        if not found:
            return None
        caps = found[0]["caps"]
        return RIGHTS if caps == self.caps() else json.dumps(caps)

    def _write_rights(self, value: str | None) -> None:
        if value is None:
            self.ceph.ask("auth del", entity=self.entity)
            return
        rights = self.caps() if value == RIGHTS else json.loads(value)
        caps = [word for pair in rights.items() for word in pair]
        command = "auth get-or-create" if self._key() is None else "auth caps"
        self.ceph.ask(command, entity=self.entity, caps=caps)

    def _key(self) -> str | None:
        try:
            return self.ceph.ask("auth print-key", entity=self.entity)
        except CommandFailed as error:
            if error.code == ABSENT:
                return None
            raise

    def _read_key(self) -> str | None:
        kept = self.host.read(self.key_file)
        return None if kept is None else "current" if kept == self._key() else "outdated"

    def _write_key(self, value: str | None) -> None:
        if value is None:
            self.host.run("rm", "-f", "--", self.key_file)
            return
        key = self._key() or ""
        self.host.run("mkdir", "-p", "-m", "0700", "--", self.secrets)
        self.host.write(self.key_file, key, 0o600)

    def mounted(self) -> str | None:
        """Our directory, if it is mounted and answers; else what is on our mount point."""
        found = cells.mounted(self.host, self.where)
        if found is None:
            return None
        if not self.is_mine(found):
            return found["source"]
        return self.title if answers(self.host, self.where) else DEAD

    def is_mine(self, found: dict[str, str]) -> bool:
        """Whether a mount is of it: ceph-fuse shows what we told it, and the kernel the path in the volume."""
        _, group, *name = self.title.split("/")
        path = f"/{found['source'].partition('/')[2]}"
        of_kernel = path.startswith(f"/volumes/{group}/{name[0]}/") if name else path == f"/volumes/{group}"
        return found["source"] == self.label or (found["type"] == "ceph" and of_kernel)

    def _write_mount(self, value: str | None) -> None:
        present = self.mounted()
        if present == DEAD:
            self.host.run("umount", "--lazy", "--", self.where)
            present = None
        cells.refuse_foreign(self.where, present, self.title)
        if value is None and present is not None:
            self.host.run("umount", "--", self.where)
        elif value is not None and present is None:
            self._attach(self.root())

    def _attach(self, path: str) -> None:
        with contextlib.suppress(CommandFailed):  # else it waits until the session of a mount that died times out
            self.ceph.forget(self.volume, self.entity, self.where)
        if self._kernel_knows():
            options = f"name={self.entity.removeprefix('client.')},secretfile={self.key_file},conf={self.ceph.conf}"
            options += f",fs={self.volume},nodev,nosuid,noexec"
            self.host.run("mount", "-t", "ceph", "-o", options, "--", f":{path}", self.where)
            return
        words = ["--conf", self.ceph.conf, "-n", self.entity, "--keyfile", self.key_file]
        words += [f"--client_fs={self.volume}", "-r", path]
        words += ["--client_acl_type=posix_acl", "--fuse_default_permissions=false"]  # or it has no ACLs
        words += ["-o", f"fsname={self.label},nodev,nosuid,noexec"]
        self.host.run(*cells.outlasting(self.host), "ceph-fuse", *words, self.where)

    def _kernel_knows(self) -> bool:
        if "\tceph\n" in (self.host.read("/proc/filesystems") or ""):
            return True
        try:
            self.host.run("modprobe", "--quiet", "ceph")
        except (CommandFailed, CommandMissing):
            return False
        return True


def answers(host: Host, where: str) -> bool:
    """Whether a mount works. Raises CommandFailed where it does not answer in time."""
    try:
        host.run("stat", "-f", "--printf=%b", "--", where, timeout=SECONDS)
    except CommandFailed as error:
        if error.code == -1:
            raise
        return False
    return True
