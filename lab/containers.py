"""What containers of gateways need: a bridge of their own, and a template, built once and kept as a tar file.

The archive is that of `PVE_SMBGATEWAY_MIRROR` and `PVE_SMBGATEWAY_SECURITY`, by default Debian's own.
"""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from smbgateway.guests.template import BARRED, MACHINE, NEEDLESS, PACKAGES, STOCK, Recipe, debootstrap
from smbgateway.host import Node

from . import mounts

CACHE = Path("/var/tmp/smbgw-lab")


def recipe(suite: str = Recipe.suite) -> Recipe:
    """What templates are built of here."""
    mirror = os.environ.get("PVE_SMBGATEWAY_MIRROR", Recipe.mirror)
    return Recipe(suite, mirror, os.environ.get("PVE_SMBGATEWAY_SECURITY", Recipe.security))


def tar_file(machine: bool = False, suite: str = Recipe.suite) -> Path:
    """A template as a tar file, built where there is none yet; as a `machine` it has systemd."""
    made, content = recipe(suite), f"{PACKAGES},{MACHINE} {STOCK} {BARRED} {NEEDLESS}" if machine else PACKAGES
    file = CACHE / f"template-{made.suite}-{hashlib.sha256(content.encode()).hexdigest()[:8]}.tar"
    with building(file) as absent:
        if absent:
            debootstrap(Node(), made, f"{file}.new", machine)
            os.rename(f"{file}.new", file)
    return file


@contextmanager
def building(file: Path) -> Iterator[bool]:
    """Whether a file is still to be built, by one process at a time: who else asks for it waits."""
    CACHE.mkdir(mode=0o700, exist_ok=True)
    with Path(f"{file}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not file.exists()


@dataclass
class Bridge:
    """A bridge, with the node at its first address."""

    name: str
    network: str  # the first three bytes of its addresses
    _numbers: Iterator[int] = field(default_factory=lambda: count(10))

    def address(self) -> str:
        """One that nobody has, as ADDRESS/LENGTH."""
        return f"{self.network}.{next(self._numbers)}/24"


@contextmanager
def bridge() -> Iterator[Bridge]:
    """Make one; its name and network are of this process."""
    number = os.getpid() % 65536
    made = Bridge(f"smbgwt{number}", f"10.{128 + number % 127}.{number // 256}")
    mounts.run("ip", "link", "add", made.name, "type", "bridge")
    try:
        mounts.run("ip", "address", "add", f"{made.network}.1/24", "dev", made.name)
        mounts.run("ip", "link", "set", made.name, "up")
        yield made
    finally:
        mounts.run("ip", "link", "delete", made.name)


@contextmanager
def neighbour(bridge: Bridge) -> Iterator[list[str]]:
    """A machine beside the node, on the bridge: a network of its own. The words by which a command runs there."""
    own = os.stat("/proc/self/ns/net").st_ino
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
    try:
        there = f"/proc/{holder.pid}/ns/net"
        mounts.until(lambda: os.stat(there).st_ino != own, "a network of its own is made")
        inside, port = ["nsenter", f"--net={there}"], f"smbgwn{holder.pid % 65536}"
        mounts.run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        mounts.run("ip", "link", "set", port, "master", bridge.name, "up")
        mounts.run(*inside, "ip", "address", "add", bridge.address(), "dev", "eth0")
        mounts.run(*inside, "ip", "link", "set", "eth0", "up")
        yield inside
    finally:
        holder.kill()
        holder.wait()


def end_all(folder: Path) -> None:
    """Stop every container below a directory (lxc.lxcpath)."""
    for config in folder.glob("*/config"):
        subprocess.run(["lxc-stop", "--kill", "--lxcpath", folder, "--name", config.parent.name], capture_output=True)
