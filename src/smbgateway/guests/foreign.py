"""Whether a disk that somebody brings has what gateways need: its files are looked at, without starting it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import CommandFailed, Fault
from ..host import Host

HEAD = 32  # MiB, in which the file systems begin
NEEDED = {
    "/usr/bin/cloud-init": "cloud-init",
    "/usr/bin/python3": "python3",
    "/usr/bin/setfacl": "acl",
    "/usr/bin/smbclient": "smbclient",
    "/usr/bin/tdbbackup": "tdb-tools",
    "/usr/lib/libnss_extrausers.so.2": "libnss-extrausers",
    "/usr/sbin/mkfs.xfs": "xfsprogs",
    "/usr/sbin/qemu-ga": "qemu-guest-agent",
    "/usr/sbin/smbd": "samba",
}
WANTS = "/etc/systemd/system/multi-user.target.wants"
STOCK = ("smbd", "nmbd", "winbind")  # units of Samba's that would take the port


@dataclass(frozen=True)
class Found:
    """A file system in a disk: where it begins, its kind and label."""

    offset: int
    kind: str
    label: str


def faults(host: Host, file: str, place: str, label: str) -> list[Fault]:
    """What a disk lacks; one of ours, known by the label of its file system, is taken as it is.

    place  a directory for a copy
    """
    about = json.loads(host.run("qemu-img", "info", "--output=json", "--", file))
    if about["format"] != "qcow2":
        return [Fault("file", f"{file} is {about['format']}", "qemu-img convert -O qcow2 makes one of it")]
    if base := about.get("backing-filename"):
        return [Fault("file", f"{file} is a layer over {base}", "qemu-img convert -O qcow2 makes one disk of both")]
    head, whole = f"{place}/head", f"{place}/whole"
    host.run("qemu-img", "dd", "-O", "raw", "bs=1M", f"count={HEAD}", f"if={file}", f"of={head}", timeout=600)
    found = list(file_systems(host, head))
    if label in [each.label for each in found]:
        return []
    host.run("qemu-img", "convert", "-O", "raw", file, whole, timeout=600)
    roots = [each for each in file_systems(host, whole) if each.kind == "ext4" and _has(host, whole, each, "/usr/bin")]
    if not roots:
        return [Fault("file", "no Debian was found in it", "a disk with partitions is wanted, its root on ext4")]
    return [*_missing(host, whole, roots[0]), *_running(host, whole, roots[0])]


def _missing(host: Host, disk: str, root: Found) -> Iterator[Fault]:
    missing = sorted(package for path, package in NEEDED.items() if not _has(host, disk, root, path))
    if missing:
        hint = f"virt-customize -a FILE --install {','.join(missing)}; or make one: template build --mode vm"
        yield Fault("file", f"it lacks {', '.join(missing)}", hint)


def _running(host: Host, disk: str, root: Found) -> Iterator[Fault]:
    units = [f"{name}.service" for name in STOCK if _has(host, disk, root, f"{WANTS}/{name}.service")]
    if units:
        hint = f"virt-customize -a FILE --run-command 'systemctl mask {' '.join(units)}'"
        yield Fault("file", f"{', '.join(units)} would start in it, and have the port", hint)


def file_systems(host: Host, disk: str) -> Iterator[Found]:
    """Those in the partitions of a raw disk, as far as they begin in it."""
    try:
        table = json.loads(host.run("sfdisk", "--json", disk))["partitiontable"]
    except CommandFailed:  # it has no partitions
        return
    for each in table["partitions"]:
        offset = int(each["start"]) * int(table.get("sectorsize", 512))
        try:
            said = host.run("blkid", "-p", "-o", "export", "-O", str(offset), "--", disk)
        except CommandFailed:
            continue
        words = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        yield Found(offset, words.get("TYPE", ""), words.get("LABEL", ""))


def _has(host: Host, disk: str, root: Found, path: str) -> bool:
    """Whether a file system has a path (debugfs(8)); a link is there, wherever it leads."""
    return "Inode:" in host.run("debugfs", "-R", f"stat {path}", f"{disk}?offset={root.offset}")
