"""A clean Debian 13, made once by mmdebstrap; roots that are used and thrown away lie over it.

    python -m lab.debian13 DIR PACKAGE...    make it in DIR, unless it is there and current

Installed is what our package depends on, and systemd; the PACKAGEs are downloaded, for tests to install.

Mirrors and settings of apt are this machine's: where it has its own Debian from, there is Debian 13 too.
"""

import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.mounts import run, unmount_below, until

CONTROL = Path(__file__).resolve().parent.parent / "debian/control"
RELEASE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PARTS = ("", "-updates", "-security")
HERE = ("sys", "dev")
NAMESPACES = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "slave")
# pivot_root, not chroot: what enters the mount namespace of a process in here is to find itself in this root too.
BOOT = """cd "$0" && mkdir .old && pivot_root . .old && mount -t proc proc /proc &&
umount -l /.old && rmdir /.old && { ip link set lo up || true; } && exec sleep infinity"""


@dataclass(frozen=True)
class Root:
    """A root that somebody may damage, with a network and processes of its own; `pid` is the first of them."""

    path: Path
    pid: int

    def run(self, *argv: str, stdin: str = "", timeout: float = 300, **environment: str) -> str:
        """Run a command in it; what it printed, errors too. Raises RuntimeError."""
        done = self.attempt(*argv, stdin=stdin, timeout=timeout, **environment)
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stdout}")
        return done.stdout

    def attempt(
        self, *argv: str, stdin: str = "", timeout: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail; output and errors are one text."""
        known = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
        return subprocess.run(
            self._inside(argv), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout, env={**known, "DEBIAN_FRONTEND": "noninteractive", **environment},
        )  # fmt: skip

    def start(self, *argv: str) -> None:
        """Start what goes on until the root is thrown away; its output goes to /var/log/ and its name."""
        log = self.path / "var/log" / f"{Path(argv[0]).name}.log"
        with log.open("ab") as output:
            command = ["setsid", "--fork", *self._inside(argv)]
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)

    def _inside(self, argv: Sequence[str]) -> list[str]:
        return ["nsenter", f"--target={self.pid}", "--all", "--root", "--wd", "--", *argv]

    def install(self, *names: str) -> str:
        """Install packages, or files of packages, of what was downloaded; without recommended ones."""
        return self.run("apt-get", "install", "-y", "-q", "--no-install-recommends", *names)

    def file(self, path: str) -> Path:
        """A file of it, as seen from outside."""
        return self.path / path.lstrip("/")


@contextmanager
def root(base: Path, area: Path, name: str) -> Iterator[Root]:
    """A copy of the clean Debian 13, in memory. Needs a private mount namespace."""
    over, path = area / f".{name}", area / name
    for folder in (over, path):
        folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", over)
    for folder in ("upper", "work"):
        (over / folder).mkdir()
    layers = f"lowerdir={base},upperdir={over}/upper,workdir={over}/work"
    run("mount", "-t", "overlay", "-o", layers, "overlay", path)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path / "run")
    for place in HERE:
        run("mount", "--rbind", f"/{place}", path / place)
    first = subprocess.Popen(["unshare", *NAMESPACES, "--", "sh", "-c", BOOT, path])
    try:
        yield Root(path, _child(first.pid))
    finally:
        first.kill()
        first.wait()
        for folder in (path, over):
            unmount_below(folder)
            folder.rmdir()


def _child(parent: int) -> int:
    """The first process of a new root, as soon as it is there."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    found: list[int] = []

    def asleep() -> bool:
        found[:] = [int(pid) for pid in children.read_text().split()]
        return bool(found) and Path(f"/proc/{found[0]}/comm").read_text().strip() == "sleep"

    until(asleep, "the root comes up")
    return found[0]


def make(base: Path, packages: Sequence[str]) -> None:
    """Make the clean Debian 13, unless it is there and current."""
    stamp, lines = base.with_suffix(".stamp"), sources()
    now = hashlib.sha256("\n".join([*lines, *depends(), *packages, Path(__file__).read_text()]).encode()).hexdigest()
    if base.is_dir() and stamp.exists() and stamp.read_text() == now:
        return
    shutil.rmtree(base, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    base.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as settings:
        settings.write(apt_settings())
        settings.flush()
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt", f"--keyring={KEYRING}"]
        command += [f"--aptopt={settings.name}", "--dpkgopt=force-unsafe-io"]
        hooks = [satisfy([*depends(), "systemd"]), satisfy(packages, "--download-only")]
        command += [f"--customize-hook={hook}" for hook in hooks]
        subprocess.run([*command, RELEASE, base, "-"], input="\n".join(lines), text=True, check=True)
    stamp.write_text(now)


def satisfy(packages: Sequence[str], *more: str) -> str:
    """What mmdebstrap runs at its end, in a shell; packages are words of `apt-get satisfy`."""
    command = ["apt-get", "satisfy", "-y", "-q", "--no-install-recommends", *more, ", ".join(packages)]
    return f'chroot "$1" {shlex.join(command)}'


def depends() -> list[str]:
    """What our package depends on."""
    found = re.search(r"^Depends: (.*?)^\w", CONTROL.read_text(), re.M | re.S)
    assert found, "debian/control has Depends"
    return [name for part in found[1].split(",") if not (name := part.strip()).startswith("$")]


def sources() -> list[str]:
    """Debian 13 from the mirrors that this machine has its own Debian from (sources.list(5))."""
    mine = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
    assert mine, "/etc/os-release names the release"
    told = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    found = [line.split() for line in told.splitlines()]
    suites = {f"{mine[1]}{part}": f"{RELEASE}{part}" for part in PARTS}
    return [f"deb {uri} {suites[suite]} main" for uri, suite, part in found if suite in suites and part == "main"]


def apt_settings() -> str:
    """How this machine's apt reaches its mirrors: apt.conf(5), Acquire."""
    return "\n".join(line for line in run("apt-config", "dump", "Acquire").splitlines() if "IndexTargets" not in line)


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve(), sys.argv[2:])
