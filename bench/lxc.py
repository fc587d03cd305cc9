"""Gateways in containers: how long one takes, what memory it has, what it costs in throughput."""

import itertools
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab import containers, mounts, pct
from smbgateway.engine import Engine
from smbgateway.guests.template import Templates
from smbgateway.host import Node
from smbgateway.paths import Paths
from smbgateway.samba.config import client_section
from smbgateway.store import FileStore

from .figure import Bench, Promise, Reading, at_most, ratio_at_least
from .installation import Installation, free_port
from .timing import alternated, say, wall

MIB = 1 << 20
# Both for a client beside the node, on the bridge: one on the node itself reaches a native gateway by its loopback,
# which costs less than any network.
NATIVE = "a native gateway, a directory beside it on the same file system"
QUIET = 5.0  # seconds until a new gateway is idle
CREATE = [
    Promise("lxc-create.proof", "a gateway in a container with a share and its user, from request to proof", "s",
            at_most(2)),
    Promise("lxc-create.delete", "both deleted again; the data stays", "s"),
    Promise("lxc-create.template", "a template, built cold", "s", at_most(90)),
    Promise("lxc-create.disk", "disk that a gateway takes beside its template", "MiB", at_most(20)),
]  # fmt: skip
MEMORY = [
    Promise("lxc-memory.idle", "memory of an idle gateway, all of its control group", "MiB", at_most(20)),
    Promise("lxc-memory.systemd", "the same with systemd, as on Proxmox VE", "MiB", at_most(48)),
    Promise("lxc-memory.clients20", "of 20 clients that write 50 MB each at once, those that fail", "clients",
            at_most(0)),
    Promise("lxc-memory.oom", "processes that the kernel kills for want of memory meanwhile", "processes", at_most(0)),
    Promise("lxc-memory.clients50", "after 50 clients at once: clients that are refused", "clients", at_most(0)),
]  # fmt: skip
THROUGHPUT = [
    Promise("lxc-throughput.put", "put of 1 GiB, one client", "MB/s", ratio_at_least(0.95), NATIVE),
    Promise("lxc-throughput.get", "get of it, read from the disk", "MB/s", ratio_at_least(0.95), NATIVE),
    Promise("lxc-throughput.again", "get of it once more, with what memory holds of it", "MB/s", None, NATIVE),
]  # fmt: skip


class Guests(Installation):
    """An installation with a bridge and a template."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.conf = self.root / "client.conf"
        self.beside: list[str] = []  # the words by which clients run elsewhere
        self.state = self.root / "var/lib/pve-smbgateway"

    def __enter__(self) -> "Guests":
        super().__enter__()
        self.bridge = self.stack.enter_context(containers.bridge())
        self.conf.write_text(client_section(str(self.root)))
        Templates(Node(), str(self.state / "templates")).bring(str(containers.tar_file()))
        return self

    def end(self) -> None:
        """Stop the engine first: it would start a container again."""
        if self.engine:
            self.engine.terminate()
            self.engine.wait()
        containers.end_all(self.state / "lxc")
        super().end()
        self.stack.close()

    def container(self, name: str) -> dict[str, Any]:
        """A gateway in a container."""
        mode = {"kind": "lxc", "bridge": self.bridge.name, "address": self.bridge.address()}
        return {"kind": "gateway", "name": name, "mode": mode}

    def asked(self, gateway: str, share: str, commands: str) -> bool:
        """Whether all that a client asks is done."""
        mode = self.client.record("gateway", gateway)["mode"]
        address = (mode.get("address") or mode["addresses"][0]).partition("/")[0]
        command = [
            *self.beside,
            "smbclient",
            f"--configfile={self.conf}",
            f"--port={mode.get('port', 445)}",
            "-A",
            str(self.credentials),
        ]
        done = subprocess.run(
            [*command, f"//{address}/{share}", "-c", commands], capture_output=True, text=True, timeout=300, cwd="/"
        )
        refused = done.returncode or "NT_STATUS_" in done.stdout
        if refused:
            say(f"{share}: {done.stdout.strip()} {done.stderr.strip()}")
        return not refused

    def group(self, name: str) -> Path:
        """The control group that limits a container's memory."""
        say_pid = ["lxc-info", "--lxcpath", str(self.state / "lxc"), "--name", name, "--pid", "--no-humanize"]
        lines = Path(f"/proc/{mounts.run(*say_pid).strip()}/cgroup").read_text().splitlines()
        groups = [Path(f"/sys/fs/cgroup/{kind}{path}") for _, kind, path in (line.split(":", 2) for line in lines)]
        return next(group for group in groups if (group / usage_file(group)).exists())


def usage_file(group: Path) -> str:
    """What tells the memory in use, with either version of control groups."""
    return "memory.current" if (group / "memory.current").exists() else "memory.usage_in_bytes"


def killed(group: Path) -> int:
    """How often the kernel killed a process of the group."""
    file = group / ("memory.events" if (group / "memory.events").exists() else "memory.oom_control")
    return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])


def measure_create(quick: bool) -> Iterator[Reading]:
    """Make and delete gateways, one after the other."""
    rounds = 3 if quick else 7
    with Guests() as made:
        numbers, removed = itertools.count(), []

        def create() -> float:
            name = f"lxc{next(numbers)}"
            gateway, share = made.container(name), made.share("docs", name)
            took = wall(lambda: made.apply(gateway, share))
            targets = [{"kind": "share", "name": f"{name}/docs"}], [{"kind": "gateway", "name": name}]
            removed.append(wall(lambda: [made.run("/v1/remove", {"targets": each}) for each in targets]))
            return took

        (proof,) = alternated(rounds, create)
        yield Reading("lxc-create.proof", proof, note=f"median of {rounds}")
        yield Reading("lxc-create.delete", statistics.median(removed), note=f"median of {rounds}")
        made.apply(made.container("disk"), made.share("docs", "disk"))
        used = int(mounts.run("du", "-s", "-x", "--block-size=1", made.state / "lxc/disk").split()[0])
        yield Reading("lxc-create.disk", used / MIB)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        built = wall(lambda: Templates(Node(), folder).build(containers.recipe()))
    yield Reading("lxc-create.template", built)


def measure_memory(quick: bool) -> Iterator[Reading]:
    """Idle, then many clients at once."""
    with Guests() as made:
        made.apply(made.container("small"), made.share("docs", "small"))
        time.sleep(QUIET)
        group = made.group("small")
        yield Reading("lxc-memory.idle", int((group / usage_file(group)).read_text()) / MIB)
        sent = made.root / "sent"
        sent.write_bytes(os.urandom(50_000_000))
        yield Reading("lxc-memory.clients20", at_once(made, sent, 20))
        yield Reading("lxc-memory.oom", killed(group))
        failed = at_once(made, sent, 50)
        after = sum(not made.asked("small", "docs", "ls") for _ in range(3))
        yield Reading("lxc-memory.clients50", after, note=f"of the 50 {failed} failed, {killed(group)} killed")
    yield Reading("lxc-memory.systemd", memory_with_systemd())


def memory_with_systemd() -> float:
    """In MiB, of an idle gateway in a container of Proxmox VE's."""
    mounts.enter_private_namespace()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, containers.bridge() as bridge:
        paths = Paths(folder)
        engine = Engine(FileStore(paths), paths, Node(), "one")
        with pct.proxmox(Path(folder, "pct"), bridge) as api:
            vars(engine.site)["proxmox"] = api
            mode = {"kind": "lxc", "bridge": bridge.name, "address": bridge.address()}
            engine.apply([{"kind": "gateway", "name": "small", "mode": mode}])
            time.sleep(QUIET)
            return pct.memory(next(int(each["vmid"]) for each in api.get(f"{api.here}/lxc")))


def at_once(made: Guests, sent: Path, clients: int) -> int:
    """How many of so many clients that write at once fail."""
    with ThreadPoolExecutor(clients) as callers:
        done = list(callers.map(lambda n: made.asked("small", "docs", f"put {sent} big{n}"), range(clients)))
    made.asked("small", "docs", "del big*")
    say(f"{clients} clients: {done.count(False)} failed")
    return done.count(False)


def measure_throughput(quick: bool) -> Iterator[Reading]:
    """In turn in a container and beside it."""
    size, rounds = (256 * MIB, 5) if quick else (1024 * MIB, 7)
    with Guests() as made:
        made.beside = made.stack.enter_context(containers.neighbour(made.bridge))
        native = {**made.gateway("native"), "mode": {"addresses": [f"{made.bridge.network}.1"], "port": free_port()}}
        sent = made.root / "sent"  # on a disk: what clients write to a tmpfs counts as memory of the container
        with sent.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
        for name, gateway in (("lxc", made.container("lxc")), ("native", native)):
            made.apply(gateway, made.share("fast", name))
        rates: dict[tuple[str, str], list[float]] = {}
        get = "get big /dev/null"
        for number in range(rounds + 1):  # the first, which warms up, does not count
            for name in ("lxc", "native") if number % 2 else ("native", "lxc"):
                for verb, words in (("put", f"put {sent} big"), ("get", get), ("again", get)):
                    if verb == "get":
                        drop(made.srv / f"{name}-fast" / "big")
                    took = wall(lambda name=name, words=words: must(made.asked(name, "fast", words)))  # type: ignore[misc]
                    if number:
                        rates.setdefault((verb, name), []).append(size / took / 1e6)
        for verb in ("put", "get", "again"):
            ours, theirs = (statistics.median(rates[verb, name]) for name in ("lxc", "native"))
            yield Reading(f"lxc-throughput.{verb}", ours, theirs, f"{size // MIB} MiB, median of {rounds}, disk")


def drop(file: Path) -> None:
    """The memory of the node holds nothing of a file afterwards (posix_fadvise(2))."""
    with file.open("rb") as opened:
        os.fsync(opened)
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def must(done: bool) -> None:
    """A client that is refused is no measurement."""
    if not done:
        raise RuntimeError("a client was refused")


BENCHES = [
    Bench("lxc-create", CREATE, measure_create),
    Bench("lxc-memory", MEMORY, measure_memory),
    Bench("lxc-throughput", THROUGHPUT, measure_throughput),
]
