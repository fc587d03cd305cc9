"""The root file system that all containers share: a minimal Debian with Samba, built by us or brought as a tar file.

It lies unpacked in FOLDER/NAME/root, owned by the ids of our containers, and is never written again: each container has
an overlay over it. Its source list is its own, never the host's.
"""

import contextlib
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import CommandFailed, Conflict, Failed, Fault, Invalid
from ..host import Host

# The ids of a container are BASE and up on the node. Nobody else is given these: adduser and systemd stay below
# (systemd, docs/UIDS-GIDS.md), and from 100000 on are those of the first user of a Debian.
BASE, COUNT = 0x70000000, 65536
PACKAGES = "ctdb,libnss-extrausers,python3,samba,samba-vfs-modules,smbclient,tdb-tools,wsdd2"
MACHINE = "dhcpcd-base,ifupdown,systemd-sysv"  # beside these, with systemd as the first process
# Gateways bring their own.
STOCK = "ctdb.service nmbd.service samba-ad-dc.service smbd.service winbind.service wsdd2.service"
# They fail where the kernel is the node's (measured; of configfs, which not every kernel has, by its conditions).
BARRED = "sys-kernel-config.mount sys-kernel-debug.mount systemd-modules-load.service"
NEEDLESS = "ldconfig.service"  # at the first start it reads all libraries, 50 MiB, for a list that is there (measured)
UNUSED = ("doc", "info", "locale", "man")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEEDED = ("sbin/smbd", "bin/smbclient", "bin/tdbbackup", "bin/python3", "lib/libnss_extrausers.so.2")  # below usr
BUILD_WAIT = 1800.0  # seconds


class Template(NamedTuple):
    """One that is there."""

    name: str
    samba: str  # version of the package
    made: int  # Unix time
    root: str  # directory, or the disk of virtual machines


@dataclass(frozen=True)
class Recipe:
    """What to build of; without `security` the mirror has no security archive beside it."""

    suite: str = "trixie"
    mirror: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"

    def sources(self) -> str:
        """The source list (sources.list(5))."""
        lines = [f"deb [signed-by={KEYRING}] {self.mirror} {self.suite} main\n"]
        if self.security:
            lines.append(f"deb [signed-by={KEYRING}] {self.security} {self.suite}-security main\n")
        return "".join(lines)


class Templates:
    """Those of this node."""

    def __init__(self, host: Host, folder: str) -> None:
        self.host, self.folder = host, folder

    def all(self) -> list[Template]:
        """All that are there, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            found = [self._template(name) for name in os.listdir(self.folder) if not name.startswith(".")]
            return sorted(found, key=lambda template: template.made)
        return []

    def newest(self) -> str:
        """The name of the newest, empty where there is none."""
        return next((template.name for template in reversed(self.all())), "")

    def samba(self, name: str) -> str:
        """The version of Samba in one, as smbd tells it: `4.22.11`."""
        return self._template(name).samba.partition("+")[0]

    def root(self, name: str) -> str:
        """Where one lies."""
        return f"{self.folder}/{name}/root"

    def _template(self, name: str) -> Template:
        root = self.root(name)
        status = self.host.read(f"{root}/var/lib/dpkg/status") or ""
        return Template(name, package_version(status, "samba"), int(os.stat(root).st_ctime), root)

    def build(self, recipe: Recipe, output: str = "") -> Template:
        """Build one (mmdebstrap(1)); a copy as a tar file goes to `output`, for `bring` on other nodes.

        Raises CommandMissing, Failed.
        """
        with workplace(self.folder) as place:
            file = output or f"{place}/root.tar"
            debootstrap(self.host, recipe, file)
            return self._unpack(file, place, recipe.suite)

    def bring(self, file: str) -> Template:
        """Make one of a tar file. Raises Invalid, Failed."""
        if not os.path.isfile(file):
            raise Invalid.of([Fault("file", f"there is no file {file}")])
        with workplace(self.folder) as place:
            return self._unpack(file, place, "imported")

    def _unpack(self, file: str, place: str, word: str) -> Template:
        root = f"{place}/root"
        os.mkdir(root)
        try:
            self.host.run(
                "tar", "-C", root, "--numeric-owner", "-x", "-f", file, "--exclude=./dev/*", timeout=BUILD_WAIT
            )
        except CommandFailed as error:
            raise Failed(f"{file} cannot be unpacked", error.output) from error
        missing = [name for name in NEEDED if not os.path.lexists(f"{root}/usr/{name}")]
        if missing:
            told = f"it lacks {', '.join(missing)}: it wants the packages {PACKAGES}"
            raise Invalid.of([Fault("file", told, "make one with: template build --output FILE")])
        shift(root)
        name = f"{word}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        os.makedirs(f"{place}/done")
        os.rename(root, f"{place}/done/root")
        try:
            os.rename(f"{place}/done", f"{self.folder}/{name}")
        except OSError as error:
            raise Conflict(f"template {name} is there already", str(error)) from error
        return self._template(name)


def debootstrap(host: Host, recipe: Recipe, file: str, machine: bool = False) -> None:
    """Make a tar file of a Debian with what gateways need; as a `machine` it starts by itself. Raises Failed."""
    include = f"{PACKAGES},{MACHINE}" if machine else PACKAGES
    hooks = [f'--customize-hook=systemctl --root="$1" mask {STOCK} {BARRED} {NEEDLESS}'] if machine else []
    bootstrap(host, recipe, file, include, "template", "--format=tar", *hooks)


@contextlib.contextmanager
def workplace(folder: str) -> Iterator[str]:
    """A directory below `folder` to make something in, gone afterwards."""
    place = f"{folder}/.new-{time.monotonic_ns()}"
    os.makedirs(place, mode=0o711)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def bootstrap(host: Host, recipe: Recipe, target: str, packages: str, what: str, *options: str) -> None:
    """Build a small Debian with these packages at `target`. Raises CommandMissing, Failed."""
    skipped = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in UNUSED]
    words = ["--mode=root", "--variant=minbase", f"--include={packages}", *skipped]
    words += ['--aptopt=APT::Install-Recommends "false"', *options]
    try:
        host.run("mmdebstrap", *words, recipe.suite, target, "-", stdin=recipe.sources(), timeout=BUILD_WAIT)
    except CommandFailed as error:
        said = [line for line in error.output.splitlines() if line.startswith(("E:", "W:", "Err:"))]
        hint = f"can {recipe.mirror} be reached? --mirror names another, --suite bookworm an older Debian"
        raise Failed(f"the {what} cannot be built", " | ".join(said[:3]) or error.reason, hint=hint) from error


def package_version(status: str, package: str) -> str:
    """The version of a package in the text of dpkg's status file; empty where it is not installed."""
    found = re.search(rf"^Package: {re.escape(package)}\n(?:.+\n)*?Version: (?:\d+:)?(\S+)$", status, re.MULTILINE)
    return found[1] if found else ""


def shift(root: str) -> None:
    """Give all below `root` to the ids of our containers. No link is followed."""
    for folder, directories, files, descriptor in os.fwalk(root, follow_symlinks=False):
        for name in [*directories, *files, *(["."] if folder == root else [])]:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            owner = found.st_uid % COUNT + BASE, found.st_gid % COUNT + BASE
            os.chown(name, *owner, dir_fd=descriptor, follow_symlinks=False)
            if found.st_mode & (stat.S_ISUID | stat.S_ISGID) and not stat.S_ISLNK(found.st_mode):
                os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=descriptor)  # a change of owner has dropped them
