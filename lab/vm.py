"""A virtual machine (QEMU, without KVM) with Debian's own kernel and OpenZFS, which user-mode Linux has not.

    python -m lab.vm [--disk SIZE]... [--module NAME]... -- COMMAND...

COMMAND runs as root in a copy of this repository and its environment; /dev/nvme0n3, /dev/nvme0n4, ... are its disks.
The guest is built once for each version of the kernel, in minutes, and kept for all copies of this repository in
~/.cache/pve-smbgateway-lab (or below $XDG_CACHE_HOME). Needs root and the packages qemu-system-x86, mmdebstrap and
e2fsprogs.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from lab import mounts
from lab.uml import KernelFailed, Result, read

ROOT = Path(__file__).resolve().parent.parent
GUESTS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pve-smbgateway-lab"
COPIED = ("src", "tests", "lab", "bench", "docs", "pyproject.toml", ".venv")
POWER_OFF = 0x4321FEDC  # reboot(2)
STATUS = "lab.vm status "  # the last line
MEMORY = "1536"  # MiB
PACKAGES = (
    "kmod,zfs-dkms,zfsutils-linux,libelf-dev,python3,samba,samba-vfs-modules,smbclient,libnss-extrausers,acl,attr,"
    "xfsprogs,btrfs-progs,e2fsprogs,iproute2,tdb-tools,procps,quota,rsync,python3-idna,python3-certifi,python3-yaml"
)
LEAN = [
    "--dpkgopt=force-unsafe-io",
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Check-Valid-Until "false"',
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")),
]
# First process: finds the second on the disk of the job, so that the image need not change with it.
INIT = """\
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
until [ -b /dev/nvme0n2 ]; do sleep 0.1; done
mount /dev/nvme0n2 /mnt
exec sh /mnt/init
"""
JOB = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
for place in /run /dev/shm; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
mkdir -p /dev/pts /run/lock; mount -t devpts devpts /dev/pts
[ -e /dev/stdin ] || {{ ln -s /proc/self/fd /dev/fd; ln -s fd/0 /dev/stdin; }}
ip link set lo up; hostname guest
stty -F /dev/ttyS1 -opost
{{
    status=126
    modprobe -a {modules} && mkdir -p {work} && mount --bind /mnt/copy {work} && cd {work} &&
        {{ {command}; status=$?; }}
    echo "{word}$status"
}} </dev/null >/dev/ttyS1 2>&1
sync; python3 -c "import ctypes; ctypes.CDLL(None).reboot({power_off})"
"""


@dataclass(frozen=True)
class Guest:
    """A Debian to boot: a kernel, and a root file system that runs never change."""

    kernel: Path
    root: Path


@dataclass(frozen=True)
class Machine:
    """A machine that is off. `run` boots it for one command; what is on its disks stays."""

    folder: Path
    guest: Guest
    disks: Sequence[Path] = ()
    modules: Sequence[str] = ("zfs",)

    def run(self, *command: str | Path, seconds: float = 900, live: bool = False, **environment: str) -> Result:
        """Boot, run a command as root, power off. `live` shows output as it comes. Raises KernelFailed."""
        job = self._job([str(word) for word in command], environment)
        reading, writing = os.pipe()
        with (self.folder / "log").open("wb") as log:
            words = ["setpriv", "--pdeathsig", "KILL", *self._command_line(job, writing)]
            machine = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writing], start_new_session=True
            )
        os.close(writing)
        said: list[str] = []
        reader = Thread(target=read, args=(reading, said, live), daemon=True)
        reader.start()
        try:
            machine.wait(seconds)
            reader.join()
        except subprocess.TimeoutExpired:
            raise KernelFailed(f"{command[0]} was not done within {seconds:g} s: {said[-20:]}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(machine.pid, signal.SIGKILL)
            machine.wait()
            job.unlink()
        if not said or not said[-1].startswith(STATUS):
            raise KernelFailed(f"the machine ended early: {self._last_words()}")
        return Result(int(said.pop().removeprefix(STATUS)), "".join(said))

    def _job(self, command: Sequence[str], environment: dict[str, str]) -> Path:
        """A disk with what to run and a copy of the repository."""
        staged, disk = self.folder / "job", self.folder / "job.raw"
        (staged / "copy").mkdir(parents=True)
        for name in COPIED:
            mounts.run("cp", "-a", "--reflink=auto", ROOT / name, staged / "copy")
        words = ["env", *(f"{name}={value}" for name, value in environment.items()), *command]
        text = JOB.format(
            modules=shlex.join(self.modules),
            work=shlex.quote(str(ROOT)),
            command=shlex.join(words),
            word=STATUS,
            power_off=POWER_OFF,
        )
        (staged / "init").write_text(text)
        mounts.run("truncate", "--size=1G", disk)
        mounts.run("mkfs.ext4", "-q", "-F", "-d", staged, disk)
        shutil.rmtree(staged)
        return disk

    def _command_line(self, job: Path, console: int) -> list[str]:
        words = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max"]
        words += ["-smp", "2", "-m", MEMORY, "-nodefaults", "-no-user-config", "-display", "none"]
        words += ["-serial", f"file:{self.folder / 'console'}", "-serial", f"file:/dev/fd/{console}"]
        words += ["-kernel", str(self.guest.kernel)]
        words += ["-append", "root=/dev/nvme0n1 rw console=ttyS0 mitigations=off init=/lab-init panic=-1", "-no-reboot"]
        disks = [(self.guest.root, "on"), (job, "on"), *((disk, "off") for disk in self.disks)]
        words += ["-device", "nvme,serial=lab,id=bus"]  # the only kind of disk that the kernel has without modules
        for number, (disk, passing) in enumerate(disks, 1):
            drive = f"if=none,id=disk{number},file={disk},format=raw,cache=unsafe,snapshot={passing}"
            words += ["-drive", drive, "-device", f"nvme-ns,bus=bus,nsid={number},drive=disk{number}"]
        return words

    def _last_words(self) -> str:
        texts = [(self.folder / name).read_text(errors="replace") for name in ("log", "console")]
        return "\n".join(texts)[-2000:]


@contextmanager
def machine(disks: Sequence[str] = (), modules: Sequence[str] = ("zfs",)) -> Iterator[Machine]:
    """A machine with new, empty disks (sizes such as `1G`), on a guest that is built first where it must be."""
    made = guest()
    folder = Path(tempfile.mkdtemp(prefix="smbgw-vm-")).resolve()
    try:
        files = [folder / f"disk{number}" for number in range(len(disks))]
        for file, size in zip(files, disks, strict=True):
            mounts.run("truncate", f"--size={size}", file)
        yield Machine(folder, made, files, modules)
    finally:
        shutil.rmtree(folder)


def guest() -> Guest:
    """The guest for the kernel that this machine's package sources have now."""
    GUESTS.mkdir(parents=True, exist_ok=True)
    with (GUESTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one builds, others wait for it
        kernel = _kernel()
        recipe = hashlib.sha256(repr((PACKAGES, LEAN, INIT)).encode()).hexdigest()[:8]
        folder = GUESTS / f"{kernel.removeprefix('linux-image-')}-{recipe}"
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=GUESTS) as work:
                _build(Path(work), kernel)
                (Path(work) / "guest").rename(folder)
    return Guest(folder / "vmlinuz", folder / "root.raw")


def _build(work: Path, kernel: str) -> None:
    """A Debian of this machine's own release; installing zfs-dkms builds its modules for the kernel beside it."""
    root, made = work / "root", work / "guest"
    made.mkdir()
    names = ",".join([kernel, kernel.replace("linux-image", "linux-headers"), PACKAGES])
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={names}", *LEAN]
    codename = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    assert codename, "this is not a Debian"
    words = ["unshare", "--mount", *words]  # so that what it mounts goes with it, however it ends
    made_it = subprocess.run([*words, codename[1], str(root), "-"], input=sources(), text=True, capture_output=True)
    if made_it.returncode:
        raise RuntimeError(f"the guest cannot be made: {made_it.stderr[-3000:]}")
    (root / "lab-init").write_text(INIT)
    (root / "lab-init").chmod(0o755)
    shutil.copy(root / f"boot/{kernel.replace('linux-image', 'vmlinuz')}", made / "vmlinuz")
    mounts.run("truncate", "--size=4G", made / "root.raw")
    mounts.run("mkfs.ext4", "-q", "-F", "-d", root, made / "root.raw")


def sources() -> str:
    """This machine's package sources, with the component that OpenZFS is in."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    kept = [file.read_text() for file in files if file.suffix in (".list", ".sources") and file.exists()]
    return re.sub(r"(?m)^((?:Components:|deb ).*\bmain\b)(?!.*\bcontrib\b)", r"\1 contrib", "\n".join(kept))


def _kernel() -> str:
    """The package that the newest small kernel is in."""
    depends = mounts.run("apt-cache", "depends", "linux-image-cloud-amd64")
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    assert found, depends
    return found[1]


def main() -> int:
    """The command: its exit status is that of what ran inside."""
    parser = argparse.ArgumentParser(prog="python -m lab.vm", description=__doc__.split("\n\n")[0])
    parser.add_argument("--disk", action="append", default=[], metavar="SIZE", help="a new disk, such as 1G")
    parser.add_argument("--module", action="append", default=["zfs"], metavar="NAME", help="a kernel module to load")
    parser.add_argument("--seconds", type=float, default=900, help="the longest it may take")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that what follows is cleaned up
    with machine(asked.disk, asked.module) as made:
        return made.run(*asked.command, seconds=asked.seconds, live=True).status


if __name__ == "__main__":
    sys.exit(main())
