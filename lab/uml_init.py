"""The first process in user-mode Linux: takes this machine's files as its own, runs one command, powers off.

Started by lab.uml, with the directory in which the two talk: `job.json` in, `status` out.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import termios
import traceback
from pathlib import Path
from typing import Any

MS_MOVE, POWER_OFF = 0x2000, 0x4321FEDC  # mount(2), reboot(2)
SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS, UP = 0x8916, 0x891C, 0x8914, 1  # netdevice(7)
NOT_STARTED = 126
MEMORY = "/run"  # a tmpfs: what is written anywhere lies here
MODULES = "usr/lib/uml/modules"  # of the package user-mode-linux
FRESH = {"proc": "proc", "sys": "sysfs", "dev": "devtmpfs", "run": "tmpfs", "dev/shm": "tmpfs", "dev/pts": "devpts"}
_LIBC = ctypes.CDLL(None, use_errno=True)


def main(talk: str) -> None:
    """Never returns: at the end the kernel is gone."""
    status = NOT_STARTED
    mount("none", talk, "hostfs", talk)  # the root is still read-only
    try:
        job = json.loads((Path(talk) / "job.json").read_text())
        os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
        enter_private_root([talk, *job["shares"]])
        bring_up_network(job["address"])
        status = run(job)
    except BaseException:
        traceback.print_exc()
    (Path(talk) / "status").write_text(str(status))
    os.sync()
    _LIBC.reboot(POWER_OFF)


def enter_private_root(shares: list[str]) -> None:
    """Have the files of the machine outside, but keep in memory what is written; but for `shares`, which are theirs."""
    mount("tmpfs", MEMORY, "tmpfs")
    mount("proc", "/proc", "proc")
    load_module("overlay")
    root = f"{MEMORY}/root"
    for name in ("root", "upper", "work"):
        os.mkdir(f"{MEMORY}/{name}")
    mount("overlay", root, "overlay", f"lowerdir=/,upperdir={MEMORY}/upper,workdir={MEMORY}/work")
    for name, kind in FRESH.items():
        os.makedirs(f"{root}/{name}", exist_ok=True)
        mount(kind, f"{root}/{name}", kind)
    for name, number in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{number}", f"{root}/dev/{name}")
    for share in shares:
        mount("none", f"{root}{share}", "hostfs", share)
    os.chdir(root)
    mount(".", "/", flags=MS_MOVE)  # so that namespaces made and entered later find this root
    os.chroot(".")
    os.chdir("/")


def mount(source: str, target: str, kind: str | None = None, options: str = "", flags: int = 0) -> None:
    """mount(2)."""
    if _LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), flags, options.encode() or None):
        raise OSError(ctypes.get_errno(), f"mount {kind} on {target}: {os.strerror(ctypes.get_errno())}")


def load_module(name: str) -> None:
    """Load a module of the package, with those it needs."""
    folder = Path(f"{MEMORY}/uml/lib")  # where modprobe looks for modules/VERSION
    if not folder.is_dir():
        folder.mkdir(parents=True)
        (folder / "modules").symlink_to(f"/{MODULES}")
    subprocess.run(["modprobe", "-d", folder.parent, name], check=True)


def bring_up_network(address: str) -> None:
    """Loopback, and the tap device where there is one."""
    bring_up("lo", "127.0.0.1", "255.0.0.0")
    if address:
        bring_up("vec0", address, "255.255.255.0")


def bring_up(interface: str, address: str, netmask: str) -> None:
    """Give an interface its address."""
    name = interface.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, netmask)):
            packed = struct.pack("16sH2x4s8x", name, socket.AF_INET, socket.inet_aton(value))
            fcntl.ioctl(any_socket, request, packed)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", name, UP))


def run(job: dict[str, Any]) -> int:
    """Load modules, run the command; its exit status, as a shell has it."""
    for module in job["modules"]:
        load_module(module)
    with open("/dev/tty1", "wb", buffering=0) as console:
        change_no_line_ends(console.fileno())
        done = subprocess.run(
            job["command"],
            cwd=job["cwd"],
            env=job["environment"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
        termios.tcdrain(console)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def change_no_line_ends(terminal: int) -> None:
    """No carriage returns on the way out (termios(3))."""
    mode = termios.tcgetattr(terminal)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, mode)


if __name__ == "__main__":
    main(sys.argv[1])
