"""Whole installations for tests: engine, gateways and clients in a corner of the test's area; all ends with them."""

import contextlib
import functools
import itertools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import containers, machines, mounts
from smbgateway.engine import Engine
from smbgateway.host import Host, Node
from smbgateway.intake import Options
from smbgateway.paths import Paths
from smbgateway.samba.config import client_section
from smbgateway.samba.instance import Instance
from smbgateway.store import FileStore

PASSWORD = "Open-Sesame-1"
PROMPT = "smb: \\> "
OURS = ("log", "cache", "lock", "pid", "ncalrpc", "state", "private", "client")  # directories that Samba fills
LEFTOVERS = (".new-*", "proof-*", "login-*", "import", ".smbgw-proof-*", "*.smbgw-*")


@dataclass(frozen=True)
class SharedPaths(Paths):
    """Paths of one of several nodes: records, secrets and lock are everybody's, the rest is its own."""

    shared: str = ""

    @property
    def config(self) -> str:
        return f"{self.shared}/config"

    @property
    def priv(self) -> str:
        return f"{self.shared}/priv"

    @property
    def lock(self) -> str:
        return f"{self.shared}/lock"


@dataclass
class Site:
    """One installation as one node sees it."""

    paths: Paths
    node: str = "one"
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = self.new_engine()

    def new_engine(self, host: Host | None = None) -> Engine:
        """An engine as after its start, but that nothing was done yet."""
        return Engine(FileStore(self.paths), self.paths, host or Node(), self.node)

    def restart(self) -> list[str]:
        """The engine comes up anew, as after a crash or a reboot; what it has to say."""
        self.engine = self.new_engine()
        return self.engine.start()

    @property
    def srv(self) -> Path:
        return Path(self.paths.root) / "srv"

    def source(self, name: str, kind: str = "directory") -> dict[str, str]:
        return {"kind": kind, "path": str(self.srv / name)}

    def gateway(self, name: str = "files", **more: Any) -> dict[str, Any]:
        known = self.engine.site.world().gateways.get(name)
        port = more.pop("port", known.mode.port if known else free_port())
        mode = {"port": port, "addresses": more.pop("addresses", ["127.0.0.1"])}
        return {"kind": "gateway", "name": name, "mode": mode, **more}

    def share(self, name: str = "docs", gateway: str = "files", **more: Any) -> dict[str, Any]:
        defaults = {"source": self.source(name), "access": {"alice": "write"}}
        return {"kind": "share", "name": name, "gateway": gateway, **defaults, **more}

    def image(self, name: str, **more: Any) -> dict[str, Any]:
        return self.share(name, source=self.source(f"{name}.img", "image"), quota="300M", **more)

    def apply(self, *items: dict[str, Any], **options: Any) -> Any:
        return self.engine.apply(items, Options(**options))

    def remove(self, *names: tuple[str, str], **options: Any) -> Any:
        return self.engine.remove(names, Options(**options))

    def instance(self, gateway: str = "files") -> Instance:
        world = self.engine.site.world()
        return self.engine.site.blueprint(world).instance(world.gateways[gateway])

    def own(self, gateway: str = "files") -> Path:
        return Path(self.paths.instance(gateway))

    def pids(self, gateway: str = "files") -> list[str]:
        """The supervisor and its children, as long as they live: `PID NAME`."""
        supervisor = self.instance(gateway).pid()
        assert supervisor, f"gateway {gateway} runs"
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return [f"{pid} {Path(f'/proc/{pid}/comm').read_text().strip()}" for pid in [str(supervisor), *children]]

    def drift(self, gateway: str = "files") -> list[str]:
        world = self.engine.site.world()
        cells = self.engine.drift(world.gateways[gateway], world.shares_of(gateway))
        return [f"{cell.name}: {cell.error or cell.now!r}" for cell in cells]

    def smb(self, share: str, commands: str = "ls", user: str = "alice", password: str = PASSWORD, **more: Any) -> str:
        """What smbclient says to commands; a refusal is text with NT_STATUS_ in it."""
        command = [*client(self, more.pop("gateway", "files"), share, user, password), *more.pop("extra", ())]
        done = subprocess.run([*command, "-c", commands], capture_output=True, text=True, timeout=60, cwd="/", **more)
        return done.stdout + done.stderr

    def works(self, share: str, **more: Any) -> bool:
        """Whether a client writes and reads a file and nothing goes wrong."""
        name = f"probe-{time.monotonic_ns()}"
        said = self.smb(share, f"put /etc/hostname {name}; get {name} /dev/null; del {name}", **more)
        works = "NT_STATUS_" not in said and "putting file" in said
        if not works:
            print(f"a client is told: {said}")
        return works

    def end(self) -> None:
        """Stop every gateway of this site, whatever its records say, and remove all."""
        containers.end_all(Path(self.paths.containers))
        machines.end_all(Path(self.paths.machines))
        for own in Path(self.paths.instance("")).glob("*"):
            end_instance(own)
        mounts.unmount_below(Path(self.paths.root))
        for kind in ("", *subvolumes(self.srv)):
            if kind:
                subprocess.run(["btrfs", "subvolume", "delete", kind], capture_output=True)
        shutil.rmtree(self.paths.root)


def subvolumes(folder: Path) -> list[str]:
    found = subprocess.run(["find", folder, "-depth", "-inum", "256", "-type", "d"], capture_output=True, text=True)
    return found.stdout.splitlines()


def client(site: Site, gateway: str, share: str, user: str, password: str) -> list[str]:
    mode = site.engine.site.world().gateways[gateway].mode
    credentials = Path(site.paths.root) / ".credentials" / f"{user}-{abs(hash(password))}"
    credentials.parent.mkdir(mode=0o700, exist_ok=True)
    credentials.write_text(f"username = {user}\npassword = {password}\n")
    conf = Path(site.paths.root) / ".client.conf"
    conf.write_text(client_section(site.paths.root))
    options = [f"--configfile={conf}", f"--port={mode.port}", "-A", str(credentials)]
    address = mode.addresses[0] if mode.addresses else "127.0.0.1"
    return ["smbclient", *options, f"//{address}/{share}"]


def end_instance(own: Path) -> None:
    """End the processes of one instance: the supervisor, and what a test may have left of it."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = entry.joinpath("cmdline").read_text().split("\0")
            if str(own) in words or f"--configfile={own}/smb.conf" in words:
                os.kill(int(entry.name), 9)
    mounts.until(lambda: not processes_of(own), f"the processes of {own} end")


def processes_of(own: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = entry.joinpath("cmdline").read_text().split("\0")
            if str(own) in words or f"--configfile={own}/smb.conf" in words:
                found.append(int(entry.name))
    return found


def free_port() -> int:
    """One that nobody has, and that this process is not given again soon."""
    for port in ports(os.getpid()):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


@functools.cache
def ports(pid: int) -> Iterator[int]:
    """Below those of outgoing connections; other processes begin elsewhere."""
    first, count = 10000, 22000
    return (first + (pid * 1009 + number) % count for number in itertools.count())


def user(name: str = "alice", password: str | None = PASSWORD, **more: Any) -> dict[str, Any]:
    return {"kind": "user", "name": name, **({"password": password} if password else {}), **more}


@contextlib.contextmanager
def site(area: Path, name: str, node: str = "one", shared: Path | None = None) -> Iterator[Site]:
    """An installation, started."""
    os.chmod(area, 0o711)  # users of shares pass through
    root = area / name
    (root / "srv").mkdir(parents=True)
    paths = SharedPaths(str(root), str(shared)) if shared else Paths(str(root))
    made = Site(paths, node)
    try:
        made.engine.start()
        yield made
    finally:
        made.end()


class HeldOpen:
    """A client that stays connected: one smbclient on a terminal of its own, told what to do line by line."""

    def __init__(self, site: Site, share: str, user: str = "alice", gateway: str = "files") -> None:
        self.log = Path(site.paths.root) / f".held-{time.monotonic_ns()}"
        self.keyboard, terminal = os.openpty()
        with self.log.open("wb") as output, os.fdopen(terminal, "rb") as stdin:
            command = ["stdbuf", "-o0", *client(site, gateway, share, user, PASSWORD)]
            self.process = subprocess.Popen(command, stdin=stdin, stdout=output, stderr=output, cwd="/")
        self.asked = 0

    def __enter__(self) -> "HeldOpen":
        self.wait("connects")
        assert self.process.poll() is None, self.said()
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.keyboard)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, what: str) -> None:
        """Until the client prompts for the next command, or is gone."""
        ended = lambda: self.said().count(PROMPT) > self.asked or self.process.poll() is not None  # noqa: E731
        mounts.until(ended, f"smbclient {what}")

    def say(self, command: str) -> None:
        """Tell the client, and do not wait for the answer."""
        self.asked += 1
        os.write(self.keyboard, f"{command}\n".encode())

    def do(self, command: str) -> str:
        """What the client says to a command."""
        self.wait("has ended what it was told before")
        before = len(self.said())
        self.say(command)
        self.wait(f"answers to {command}")
        return self.said()[before:]

    def cut(self) -> str:
        """Wait until the client is refused what it had; the words of the refusal."""
        said: list[str] = []

        def refused() -> bool:
            said.append(self.do("ls"))
            return "NT_STATUS_" in said[-1] or self.process.poll() is not None

        mounts.until(refused, "the open session loses its right", 10)
        return said[-1]


def snapshot(site: Site) -> dict[str, list[str]]:
    """All that an operation may change, as text. What Samba keeps for itself stays out."""
    root = Path(site.paths.root)
    seen = {"files": tree(root), "mounts": mounts.mounts_below(root), "loops": loops(root)}
    seen["records"] = contents(Path(site.paths.config)) + contents(Path(site.paths.priv))
    seen["journal"] = os.listdir(site.paths.journal) if os.path.isdir(site.paths.journal) else []
    attributes = ["getfattr", "-R", "-h", "-d", "-m", "^(trusted.smbgateway|system.posix)", "--absolute-names"]
    seen["attributes"] = mounts.run(*attributes, site.srv).splitlines()
    for name in site.engine.site.world().gateways:
        own, instance = site.own(name), site.instance(name)
        seen[f"{name} files"] = [line for line in contents(own) if "/run/" not in line and not_samba(own, line)]
        seen[f"{name} registry"] = instance.tool("net", "conf", "list").splitlines()
        seen[f"{name} passdb"] = sorted(inside(site, name, "pdbedit", "-L", "-w").splitlines())
        seen[f"{name} processes"] = site.pids(name)
    return seen


def inside(site: Site, gateway: str, program: str, *arguments: str) -> str:
    return site.instance(gateway).inside(program, *arguments)


def not_samba(own: Path, line: str) -> bool:
    return not any(line.startswith(f"{own}/{name}/") for name in OURS)


def contents(folder: Path) -> list[str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 65536)
    return [f"{path} {path.read_text(errors='replace')}" for path in files]


def tree(root: Path) -> list[str]:
    """Names, kinds, modes and owners below a root, but for logs, Samba's own files, and empty folders of ours."""
    state = f"{root}/var/lib/pve-smbgateway"
    skipped = [word for name in OURS for word in ("-o", "-path", f"{state}/native/*/{name}/*")]
    skipped += [
        "-o",
        "-path",
        f"{root}/var/log/*",
        "-o",
        "-path",
        f"{root}/.*",
        "-o",
        "-path",
        f"{state}/native/*/run/*",
    ]
    found = mounts.run("find", root, "(", *skipped[1:], ")", "-prune", "-o", "-printf", "%p %y %m %U:%G\n").splitlines()
    folders = tuple(f"{state}/{name}" for name in ("journal", "config", "priv", "native d", "mounts d"))
    found = [line for line in found if not line.startswith((f"{state}/config/.lock ", f"{state}/mounts/files d"))]
    return sorted(line for line in found if not (line.startswith(folders) and " f " not in line.removeprefix(state)))


def loops(root: Path) -> list[str]:
    found = mounts.run("losetup", "-n", "-O", "BACK-FILE").splitlines()
    return sorted(line for line in found if line.startswith(str(root)))


def leftovers(site: Site) -> list[str]:
    """Files on their way into place, proofs, credentials, journals: nothing of the kind outlives an operation."""
    named = [word for name in LEFTOVERS for word in ("-o", "-name", name)][1:]
    skipped = ("-path", site.paths.templates, "-prune", "-o")
    found = mounts.run("find", site.paths.root, *skipped, "(", *named, ")", "-print").splitlines()
    return found + [str(path) for path in Path(site.paths.journal).glob("*")] + sorted(site.engine.debts)


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, []), after.get(name, [])
        lines += [f"{name}: - {line}" for line in old if line not in new]
        lines += [f"{name}: + {line}" for line in new if line not in old]
    return lines


def until(met: Callable[[], bool], what: str, seconds: float = 30) -> None:
    mounts.until(met, what, seconds)
