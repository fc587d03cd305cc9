"""Containers of Proxmox VE that run: its API is the stand-in's, and what pct(1) does of a container is done here.

Their first process is systemd. Needs a private mount namespace: they lie where Proxmox VE has them.
"""

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from smbgateway.guests.cgroup import Limits, unified
from smbgateway.guests.container import Container
from smbgateway.guests.template import COUNT
from smbgateway.host import Node
from smbgateway.modes.proxmox_lxc import BASE, FOLDER
from smbgateway.proxmox.client import Proxmox

from . import mounts
from .containers import Bridge, end_all, tar_file
from .proxmox import NODE, TICKET, StandIn, served

INTERFACES = "auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet static\n\taddress {}\n"


class Administrator(Node):
    """Root of the node, who gets a ticket."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """A command; the one that makes tickets is Proxmox VE's."""
        return TICKET if argv[0] == "perl" else super().run(*argv, stdin=stdin, timeout=timeout)


@contextlib.contextmanager
def proxmox(folder: Path, bridge: Bridge) -> Iterator[Proxmox]:
    """The API of a node that has this bridge, with its containers in a new directory; all of them end with it."""
    # By its number LXC names a socket and control groups, which others on this machine see too.
    node = StandIn(next_id=lambda: 10**8 + secrets.randbelow(10**8))
    tar, networks = tar_file(machine=True), NODE["network"]
    node.started = lambda vmid, runs: start(vmid, node.guests[vmid].config, tar) if runs else kill(vmid)
    folder.mkdir(mode=0o711)
    mounts.run("mount", "--bind", folder, FOLDER)
    NODE["network"] = [{"iface": bridge.name, "type": "bridge"}]
    try:
        with served(node) as address:
            yield Proxmox(Administrator(), node.node, address)
    finally:
        NODE["network"] = networks
        end_all(Path(FOLDER))
        mounts.run("umount", "--lazy", FOLDER)
        shutil.rmtree(folder)


def start(vmid: int, config: dict[str, str], tar: Path) -> None:
    """Start a container as it is configured now."""
    place = Path(FOLDER, str(vmid))
    root, network = place / "rootfs", members(config["net0"])
    if not root.exists():
        unpack(tar, root)
    (place / "config").write_text("".join(f"{line}\n" for line in configuration(root, config, network)))
    (root / "etc/network/interfaces").write_text(INTERFACES.format(network["ip"]))
    Container(Node(), FOLDER, str(vmid)).start()


def kill(vmid: int) -> None:
    """Stop one at once."""
    mounts.run("lxc-stop", "--kill", "--lxcpath", FOLDER, "--name", str(vmid))


def unpack(tar: Path, root: Path) -> None:
    """A template, by a root of the container's ids. Without newuidmap in its path LXC maps them itself."""
    mounts.run("install", "-d", "-o", str(BASE), "-g", str(BASE), root)
    ids = [word for kind in "ug" for word in ("-m", f"{kind}:0:{BASE}:{COUNT}")]
    unpacked = ["/usr/bin/tar", "-C", str(root), "--numeric-owner", "-xpf", "-", "--exclude=./dev/*"]
    with tar.open("rb") as file:
        subprocess.run(
            ["/usr/bin/lxc-usernsexec", *ids, "--", *unpacked], stdin=file, env={"PATH": "/none"}, check=True
        )


def configuration(root: Path, config: dict[str, str], network: dict[str, str]) -> list[str]:
    """What LXC reads of it, but for AppArmor (lxc.container.conf(5))."""
    points = [value.partition(",") for name, value in config.items() if name.startswith("mp")]
    old = not unified(Node())
    return [
        "lxc.include = /usr/share/lxc/config/common.conf",
        "lxc.include = /usr/share/lxc/config/userns.conf",
        *(f"lxc.idmap = {kind} 0 {BASE} {COUNT}" for kind in "ug"),
        f"lxc.uts.name = {config['hostname']}",
        f"lxc.rootfs.path = dir:{root}",
        # Debian's of today take control groups of version 1 only so.
        *(["lxc.environment = SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"] if old else []),
        "lxc.net.0.type = veth",
        "lxc.net.0.name = eth0",
        "lxc.net.0.flags = up",
        f"lxc.net.0.link = {network['bridge']}",
        f"lxc.net.0.hwaddr = {network['hwaddr']}",
        *(f"lxc.mount.entry = {path} {members(rest)['mp'][1:]} none {options(rest)} 0 0" for path, _, rest in points),
        *Limits(int(config["memory"]) << 20, int(config["swap"]) << 20, None).lines(not old),
    ]


def options(point: str) -> str:
    """Those of a mount point, for fstab(5)."""
    return "rbind,create=dir,ro" if members(point).get("ro") == "1" else "rbind,create=dir"


def members(value: str) -> dict[str, str]:
    """Of KEY=VALUE,..."""
    return dict(word.split("=", 1) for word in value.split(","))


def memory(vmid: int) -> float:
    """What all of a container's control group has in use, in MiB."""
    name = "memory.current" if unified(Node()) else "memory.usage_in_bytes"
    return int(Container(Node(), FOLDER, str(vmid)).control(name)) / (1 << 20)
