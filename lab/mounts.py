"""Disposable file systems for tests and benches: private mounts, a btrfs on a loop device, a pool of zfs-fuse.

Everything is mounted in a mount namespace of this process, so nothing is left behind, however the process ends.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
KERNEL_ZFS = "SMBGW_KERNEL_ZFS"
ZFS_STATE = ("/run/zfs", "/run/lock/zfs", "/var/lib/zfs", "/etc/zfs")  # socket, lock, known pools, settings
HANGS = 600  # seconds, after which a command is taken for one that hangs
_LIBC = ctypes.CDLL(None, use_errno=True)


def run(*argv: str | Path) -> str:
    """Run a command; its output, or RuntimeError with what it said. One that hangs raises TimeoutExpired."""
    words = [str(word) for word in argv]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=HANGS)
    if done.returncode:
        raise RuntimeError(f"{' '.join(str(word) for word in argv)}: {done.stderr or done.stdout}")
    return done.stdout


def until(met: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Poll a condition; TimeoutError names what did not come about."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


def enter_private_namespace() -> None:
    """Give this process (and its children) mounts of its own: nothing gets out, and all ends with the last of them.

    Not in lab.vm: it is thrown away as a whole, and OpenZFS mounts a snapshot only where the first process sees it.
    """
    if os.environ.get(KERNEL_ZFS):
        return
    if _LIBC.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare of the mount namespace: are you root?")
    run("mount", "--make-rprivate", "/")


@contextmanager
def network_of(pid: int) -> Iterator[None]:
    """This thread, and what it starts, is in the network namespace of a process while the block runs."""
    with open("/proc/thread-self/ns/net") as own, open(f"/proc/{pid}/ns/net") as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


def _enter(network: int) -> None:
    if _LIBC.setns(network, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns to a network namespace: are you root?")


@contextmanager
def mount_area() -> Iterator[Path]:
    """A directory whose mounts are seen in the namespaces made from ours (propagation: shared). Needs a private one."""
    area = Path(tempfile.mkdtemp(prefix="smbgw-real-")).resolve()
    run("mount", "--bind", area, area)
    run("mount", "--make-shared", area)
    try:
        yield area
    finally:
        unmount_below(area)
        shutil.rmtree(area)


@contextmanager
def copied(directory: Path, copy: Path) -> Iterator[None]:
    """Here a directory is a copy of itself while the block runs: what is changed in it, nobody else sees."""
    run("cp", "--archive", directory, copy)
    run("mount", "--bind", copy, directory)
    try:
        yield
    finally:
        run("umount", "--lazy", directory)


def mounts_below(directory: Path) -> list[str]:
    """Mount points at and below a directory, in the order they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4].replace("\\040", " ") for line in lines]
    return [point for point in points if Path(point).is_relative_to(directory)]


def unmount_below(directory: Path) -> None:
    """Unmount all, last first; what is still in use goes when its user does."""
    while points := mounts_below(directory):  # read anew: a mount may go with its peer
        run("umount", "--lazy", points[-1])


@dataclass
class Disk:
    """A file system: where it is mounted, and from what."""

    path: Path
    device: Path
    options: str

    def mount(self) -> None:
        run("mount", "-o", self.options, self.device, self.path)

    def unmount(self) -> None:
        run("umount", self.path)


@contextmanager
def btrfs(area: Path, name: str = "btrfs", size: str = "1G") -> Iterator[Disk]:
    """A btrfs of its own, mounted on AREA/NAME by a loop device."""
    made = Disk(area / name, area / f".{name}.img", "loop")
    run("truncate", f"--size={size}", made.device)
    run("mkfs.btrfs", "-q", made.device)
    with mounted(made):
        yield made
    made.device.unlink()


@contextmanager
def xfs(area: Path, name: str = "xfs", device: str = "/dev/ubda") -> Iterator[Disk]:
    """An XFS with quotas of users and projects, mounted on AREA/NAME. Needs the kernel of lab.uml."""
    made = Disk(area / name, Path(device), "usrquota,prjquota")
    run("mkfs.xfs", "-q", "-f", made.device)
    with mounted(made):
        yield made


@contextmanager
def mounted(disk: Disk) -> Iterator[None]:
    """Mounted, and gone at the end."""
    disk.path.mkdir(mode=0o755)
    disk.mount()
    try:
        yield
    finally:
        unmount_below(disk.path)
        disk.path.rmdir()


@contextmanager
def zfs_pool(area: Path, name: str = "tank", size: str = "1G") -> Iterator[str]:
    """A pool, mounted on AREA/NAME: of the kernel where KERNEL_ZFS is set, as it is in lab.vm; else of a zfs-fuse of

    its own, whose commands work in this mount namespace only.
    """
    with _kernel_pool(area, name, size) if os.environ.get(KERNEL_ZFS) else _fuse_pool(area, name, size):
        yield name


@contextmanager
def _kernel_pool(area: Path, name: str, size: str) -> Iterator[None]:
    run("truncate", f"--size={size}", area / ".disk")
    run("zpool", "create", "-O", "xattr=sa", "-O", "acltype=posixacl", "-m", area / name, name, area / ".disk")
    try:
        yield
    finally:
        run("zpool", "destroy", "-f", name)


@contextmanager
def _fuse_pool(area: Path, name: str, size: str) -> Iterator[None]:
    state = area / ".zfs"
    for place in ZFS_STATE:
        (state / place.lstrip("/")).mkdir(parents=True)
        os.makedirs(place, exist_ok=True)
        run("mount", "--bind", state / place.lstrip("/"), place)
    daemon = _start_zfs(state)
    try:
        until(lambda: _zfs_answers(daemon), "zfs-fuse answers")
        run("truncate", f"--size={size}", state / "disk")
        # zfs-fuse has extended attributes with the daemon's flag -x and this property, both.
        run("zpool", "create", "-O", "xattr=on", "-m", area / name, name, state / "disk")
        yield
    finally:
        unmount_below(area / name)  # the pool goes with its daemon and its disk: destroying it may find it busy
        daemon.kill()
        daemon.wait()
        for place in ZFS_STATE:
            run("umount", "--lazy", place)


@contextmanager
def shown_snapshot(snapshot: str, where: Path) -> Iterator[None]:
    """A snapshot of zfs-fuse, which has no `.zfs`, where OpenZFS shows it: a clone is mounted there."""
    clone = f"{snapshot.partition('/')[0]}/shown-{time.monotonic_ns()}"
    run("zfs", "clone", "-o", "readonly=on", "-o", f"mountpoint={where}", snapshot, clone)
    try:
        yield
    finally:
        until(lambda: destroyed(clone), f"{clone} goes")


def destroyed(dataset: str) -> bool:
    """Try to destroy a dataset with all that is in it; whether it is gone."""
    subprocess.run(["zfs", "destroy", "-r", dataset], capture_output=True)
    return subprocess.run(["zfs", "list", dataset], capture_output=True).returncode != 0


def _start_zfs(state: Path) -> subprocess.Popen[bytes]:
    command = ["setpriv", "--pdeathsig", "KILL", "zfs-fuse"]  # never outlives us
    command += ["--no-daemon", "--no-kstat-mount", "-x", "-p", str(state / "pid"), "-m", "64", "-a", "1", "-e", "1"]
    with (state / "log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _zfs_answers(daemon: subprocess.Popen[bytes]) -> bool:
    if daemon.poll() is not None:
        raise RuntimeError(f"zfs-fuse ended with {daemon.returncode}")
    return subprocess.run(["zpool", "list"], capture_output=True).returncode == 0
