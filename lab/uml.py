"""User-mode Linux: another kernel, as a process, on this machine's own files; for file systems this kernel lacks.

    python -m lab.uml [--disk SIZE]... [--share DIR]... [--module NAME]... [--tap] [--ceph] -- COMMAND...

It has XFS and ext4 with quotas, btrfs, and as modules quota_v2, fuse, rbd, ceph. COMMAND runs as root, sees all
files of this machine, and writes into memory only, but for shared directories; /dev/ubda, /dev/ubdb, ... are its
disks. Needs root and the packages user-mode-linux and kmod.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from lab import ceph, mounts
from lab.uml_init import NOT_STARTED

KERNEL = "/usr/bin/linux.uml"
INIT = Path(__file__).with_name("uml_init.py")
MEMORY = "1G"  # of the machine; what it never touches takes nothing


class KernelFailed(RuntimeError):
    """The kernel ended without a result, or not in time; the text ends with its last words."""


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    status: int
    output: str


@dataclass(frozen=True)
class Tap:
    """A network of two: this machine and the one inside."""

    name: str
    outside: str
    inside: str


@dataclass(frozen=True)
class Machine:
    """A machine that is off. `run` boots it for one command; what is on its disks and in `shares` stays."""

    folder: Path
    disks: Sequence[Path] = ()
    shares: Sequence[Path] = ()
    modules: Sequence[str] = ()
    tap: Tap | None = None

    def run(self, *command: str | Path, seconds: float = 600, live: bool = False, **environment: str) -> Result:
        """Boot, run a command as root, power off. `live` shows output as it comes. Raises KernelFailed."""
        job = {
            "command": [str(word) for word in command],
            "cwd": os.getcwd(),
            "environment": {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            "shares": [str(share) for share in self.shares],
            "modules": list(self.modules),
            "address": self.tap.inside if self.tap else "",
        }
        (self.folder / "job.json").write_text(json.dumps(job))
        (self.folder / "status").unlink(missing_ok=True)
        with self._kernel(live) as (kernel, reader, said):
            try:
                kernel.wait(seconds)
            except subprocess.TimeoutExpired:
                raise KernelFailed(f"{command[0]} was not done within {seconds:g} s: {said[-20:]}") from None
            reader.join()
        return Result(self._status(), "".join(said))

    @contextmanager
    def _kernel(self, live: bool) -> Iterator[tuple["subprocess.Popen[bytes]", Thread, list[str]]]:
        """A running kernel, who reads what its command says, and that; it ends with us, however we end."""
        reading, writing = os.pipe()
        with (self.folder / "log").open("wb") as log:
            kernel = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command_line(writing)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                start_new_session=True,
            )
        os.close(writing)
        said: list[str] = []
        reader = Thread(target=read, args=(reading, said, live), daemon=True)
        reader.start()
        try:
            yield kernel, reader, said
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(kernel.pid, signal.SIGKILL)
            kernel.wait()

    def _command_line(self, console: int) -> list[str]:
        init = self.folder / "init"
        init.write_text(f"#!/bin/sh\nexec {sys.executable} -B {INIT} {self.folder}\n")
        init.chmod(0o755)
        words = [KERNEL, f"mem={MEMORY}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"]
        words += [f"uml_dir={self.folder}", "umid=kernel", "con0=null,fd:1", f"con1=null,fd:{console}"]
        words += ["con=null", "ssl=null"]
        words += [f"ubd{number}={disk}" for number, disk in enumerate(self.disks)]
        return words + ([f"vec0:transport=tap,ifname={self.tap.name},depth=64,gro=1"] if self.tap else [])

    def _status(self) -> int:
        try:
            status = int((self.folder / "status").read_text())
        except (OSError, ValueError):
            status = NOT_STARTED
        if status == NOT_STARTED:
            raise KernelFailed(f"the command was not run: {self._last_words()}")
        return status

    def _last_words(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if line.strip() and not line.startswith(" ["))[-2000:]


def read(descriptor: int, said: list[str], live: bool) -> None:
    """Keep each line that comes, and show it where `live`."""
    with open(descriptor, encoding="utf-8", errors="replace") as console:
        for line in console:
            said.append(line)
            if live:
                print(line, end="", flush=True)


@contextmanager
def machine(
    disks: Sequence[str] = (), shares: Sequence[str | Path] = (), modules: Sequence[str] = (), tap: bool = False
) -> Iterator[Machine]:
    """A machine with new, empty disks (sizes such as `1G`). All of it is gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="smbgw-uml-")).resolve()
    try:
        files = [folder / f"disk{number}" for number in range(len(disks))]
        for file, size in zip(files, disks, strict=True):
            mounts.run("truncate", f"--size={size}", file)
        with _tap() if tap else nullcontext() as network:
            yield Machine(folder, files, [Path(share).resolve() for share in shares], modules, network)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _tap() -> Iterator[Tap]:
    """A tap device on a network that nothing here uses; others who try it at the same time get the next."""
    for number in range(1, 250):
        found = Tap(f"smbgw-uml{number}", f"10.213.{number}.1", f"10.213.{number}.2")
        made = ["ip", "tuntap", "add", found.name, "mode", "tap"]
        if subprocess.run(made, capture_output=True).returncode == 0:
            break
    else:
        raise RuntimeError("no tap device can be made: is /dev/net/tun there?")
    try:
        mounts.run("ip", "address", "add", f"{found.outside}/24", "dev", found.name)
        mounts.run("ip", "link", "set", found.name, "up")
        yield found
    finally:
        mounts.run("ip", "link", "delete", found.name)


def main() -> int:
    """The command: its exit status is that of what ran inside."""
    parser = argparse.ArgumentParser(prog="python -m lab.uml", description=__doc__.split("\n\n")[0])
    parser.add_argument("--disk", action="append", default=[], metavar="SIZE", help="a new disk, such as 1G")
    parser.add_argument("--share", action="append", default=[], metavar="DIR", help="a directory it may write to")
    parser.add_argument("--module", action="append", default=[], metavar="NAME", help="a kernel module to load")
    parser.add_argument("--tap", action="store_true", help="a network with this machine")
    parser.add_argument(
        "--ceph", action="store_true", help="a Ceph cluster on this machine, in the directory $SMBGW_CEPH"
    )
    parser.add_argument("--seconds", type=float, default=600, help="the longest it may take")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that what follows is cleaned up
    modules = [*asked.module, *(("cbc", "rbd") if asked.ceph else ())]
    network = asked.tap or asked.ceph
    with machine(asked.disk, asked.share, modules, network) as made, contextlib.ExitStack() as stack:
        environment = stack.enter_context(cluster(made)) if asked.ceph else {}
        return made.run(*asked.command, seconds=asked.seconds, live=True, **environment).status


@contextmanager
def cluster(made: Machine) -> Iterator[dict[str, str]]:
    """A Ceph cluster that a machine with a network reaches, and what tells where."""
    assert made.tap
    with ceph.cluster(made.folder / "ceph", made.tap.outside) as running:
        ceph.fill(running)
        yield {ceph.ELSEWHERE: str(running.path)}


if __name__ == "__main__":
    sys.exit(main())
