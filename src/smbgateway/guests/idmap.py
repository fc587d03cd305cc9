"""A directory shown elsewhere with shifted owners: `python -m smbgateway.guests.idmap SOURCE TARGET BASE COUNT`.

What ids 0 to COUNT-1 own on disk is owned by BASE and up in the mount, so by 0 and up in a container whose ids begin at
BASE: the same numbers on disk, on the node and in every container (mount_setattr(2), "ID-mapped mounts"). mount(8)
knows it from util-linux 2.39 on, Debian 12 has 2.38.
"""

import ctypes
import errno
import os
import sys
import time
from pathlib import Path

from ..host import Process, start

OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442  # the same on all machines (syscalls(2))
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_IDMAP, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID = 0x00100000, 0x4, 0x2
LIBC = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def show(source: str, target: str, base: int, count: int) -> None:
    """Mount it. Raises OSError: EINVAL where the file system of the source cannot shift owners."""
    tree = _call(OPEN_TREE, AT_FDCWD, source.encode(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
    holder = start(["unshare", "--user", "--", "sleep", "60"], os.devnull)
    try:
        userns = _mapped(holder, base, count)
        flags = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID
        attributes = Attributes(set=flags, userns=userns)
        _call(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(attributes), ctypes.sizeof(attributes))
    finally:
        holder.kill()
        holder.wait()
    _call(MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH)


def _mapped(holder: Process, base: int, count: int) -> int:
    """The user namespace of a process that has just made one, with its ids mapped (user_namespaces(7))."""
    own, proc = os.stat("/proc/self/ns/user").st_ino, Path(f"/proc/{holder.pid}")
    deadline = time.monotonic() + 10
    while os.stat(proc / "ns/user").st_ino == own:
        if holder.poll() is not None or time.monotonic() > deadline:
            raise OSError(errno.EPERM, "no user namespace can be made here")
        time.sleep(0.002)
    for name in ("uid_map", "gid_map"):
        (proc / name).write_text(f"0 {base} {count}\n")
    return os.open(proc / "ns/user", os.O_RDONLY | os.O_CLOEXEC)


def _call(number: int, *arguments: object) -> int:
    result = int(LIBC.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


if __name__ == "__main__":
    try:
        show(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    except OSError as error:
        sys.exit(f"cannot show {sys.argv[1]} with shifted owners: {error.strerror}")
