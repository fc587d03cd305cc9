"""How fast bytes go through a share, beside the same smbd with a configuration written by hand."""

import os
import statistics
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab import mounts

from .figure import Bench, Promise, Reading, ratio_at_least
from .installation import PASSWORD, USER, Installation, free_port
from .timing import pair, wall

BY_HAND = "the same smbd, minimal smb.conf by hand, signing mandatory, same directory (tmpfs)"
PLAIN = "the same by a minimal smb.conf without it, same directory (tmpfs)"
DEFAULTS = {
    "signing": ("signing mandatory", {"server signing": "mandatory"}),
    "acls": ("NT ACLs (acl_xattr, as we set it)", {
        "vfs objects": "acl_xattr", "acl_xattr:ignore system acls": "yes", "acl_xattr:default acl style": "everyone",
    }),
    "streams": ("alternate data streams (streams_xattr)", {"vfs objects": "streams_xattr"}),
    "fruit": ("macOS (fruit over streams_xattr; only where a purpose asks for it)", {
        "vfs objects": "fruit streams_xattr", "fruit:metadata": "stream", "fruit:resource": "file",
    }),
    "encryption": ("encryption (on request, not a default)", {"server smb encrypt": "required"}),
}  # fmt: skip


def promises() -> Iterator[Promise]:
    """Put and get by one client and four, then what each default costs."""
    for clients, who in ((1, "one client"), (4, "four clients at once")):
        for verb in ("put", "get"):
            what = f"{verb} of 1 GiB, {who}"
            yield Promise(f"throughput.{verb}{clients}", what, "MB/s", ratio_at_least(0.97), BY_HAND)
    yield Promise("throughput.files", "put of 500 files of 4 KiB, one client", "files/s", None, BY_HAND)
    for name, (what, _) in DEFAULTS.items():
        for verb in ("put", "get"):
            yield Promise(f"throughput.{name}.{verb}", f"{what}: {verb}, one client", "MB/s", None, PLAIN)
        yield Promise(f"throughput.{name}.files", f"{what}: 4 KiB files, one client", "files/s", None, PLAIN)


class Place:
    """A directory in memory that all servers share, and a file to send."""

    def __init__(self, made: Installation, size: int, files: int) -> None:
        self.made, self.size, self.files = made, size, files
        self.memory = made.srv / "memory"
        self.sent, self.small = self.memory / "sent", self.memory / "small"

    def fill(self) -> None:
        """Mount it; make what is sent."""
        self.memory.mkdir()
        mounts.run("mount", "-t", "tmpfs", "-o", "size=12g,mode=0755", "tmpfs", self.memory)
        with self.sent.open("wb") as file:
            for _ in range(self.size >> 20):
                file.write(os.urandom(1 << 20))
        self.small.mkdir()
        for number in range(self.files):
            (self.small / f"f{number:04}").write_bytes(os.urandom(4096))

    def put(self, port: int, clients: int) -> float:
        """MB/s of clients that write at once."""
        return self._rate(clients, lambda number: self._do(port, f"put {self.sent} big{number}"))

    def get(self, port: int, clients: int) -> float:
        """MB/s of clients that read at once."""
        return self._rate(clients, lambda number: self._do(port, f"get big{number} /dev/null"))

    def many(self, port: int) -> float:
        """Small files per second."""
        took = wall(lambda: self._do(port, f"prompt off; lcd {self.small}; mput *"))
        self._do(port, "prompt off; del f*")
        return self.files / took

    def clear(self) -> None:
        """What clients wrote goes."""
        for file in (self.memory / "data").glob("big*"):
            file.unlink()

    def _do(self, port: int, commands: str) -> str:
        return self.made.smb(port, "fast", commands)

    def _rate(self, clients: int, one: Callable[[int], object]) -> float:
        with ThreadPoolExecutor(clients) as callers:
            took = wall(lambda: list(callers.map(one, range(clients))))
        return clients * self.size / took / 1e6


def measure(quick: bool) -> Iterator[Reading]:
    """Our gateway and the one by hand in turn."""
    size, rounds, files = (256 << 20, 5, 200) if quick else (1 << 30, 7, 500)
    note = f"{size >> 20} MiB, median of {rounds}, tmpfs"
    with Installation() as made, ExitStack() as servers:
        place = Place(made, size, files)
        place.fill()
        share = made.share("fast") | {"source": {"kind": "directory", "path": str(place.memory / "data")}}
        made.apply(made.gateway(), share)
        ours, hand = made.port(), servers.enter_context(by_hand(made, "hand", DEFAULTS["signing"][1]))
        for clients in (1, 4):
            for verb, value, baseline in compared(place, rounds, clients, ours, hand):
                yield Reading(f"throughput.{verb}{clients}", value, baseline, note)
        small = pair(rounds, lambda: place.many(ours), lambda: place.many(hand))
        yield Reading("throughput.files", *small, f"{files} files, median of {rounds}, tmpfs")
        plain = servers.enter_context(by_hand(made, "plain", {}))
        for name, (_, parameters) in DEFAULTS.items():
            with by_hand(made, name, parameters) as port:
                yield from cost(place, rounds, name, port, plain, note)


def cost(place: Place, rounds: int, name: str, port: int, plain: int, note: str) -> Iterator[Reading]:
    """What a parameter costs."""
    for verb, value, baseline in compared(place, rounds, 1, port, plain):
        yield Reading(f"throughput.{name}.{verb}", value, baseline, note)
    small = pair(rounds, lambda: place.many(port), lambda: place.many(plain))
    yield Reading(f"throughput.{name}.files", *small, f"{place.files} files, median of {rounds}, tmpfs")


def compared(place: Place, rounds: int, clients: int, ours: int, hand: int) -> Iterator[tuple[str, float, float]]:
    """Medians of put and get at two servers in turn; the first round, which warms up, does not count."""
    taken: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds + 1):
        for port in (ours, hand) if number % 2 else (hand, ours):
            rates = {"put": place.put(port, clients), "get": place.get(port, clients)}
            place.clear()
            for verb, rate in rates.items() if number else ():
                taken.setdefault((verb, port), []).append(rate)
    for verb in ("put", "get"):
        yield verb, statistics.median(taken[verb, ours]), statistics.median(taken[verb, hand])


@contextmanager
def by_hand(made: Installation, name: str, parameters: dict[str, str]) -> Iterator[int]:
    """A minimal smbd on the same directory, with the same account; its port."""
    own, port = made.root / f"hand-{name}", free_port()
    own.mkdir()
    conf = own / "smb.conf"
    conf.write_text(configuration(made, own, port, parameters))
    inside = ["nsenter", f"--mount=/proc/{made.supervisor()}/ns/mnt", "--"]
    added = [*inside, "smbpasswd", "-c", str(conf), "-s", "-a", USER]
    subprocess.run(added, input=f"{PASSWORD}\n{PASSWORD}\n", text=True, check=True, capture_output=True)
    command = [*inside, "setpriv", "--pdeathsig", "TERM", "smbd"]
    command += ["--foreground", "--no-process-group", f"--configfile={conf}"]
    with (own / "log").open("wb") as log:
        # In a session of its own: smbd ends with its whole process group.
        smbd = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        mounts.until(lambda: answers(made, port), f"the smbd of {own} answers")
        yield port
    finally:
        smbd.terminate()
        smbd.wait()


def configuration(made: Installation, own: Path, port: int, parameters: dict[str, str]) -> str:
    """What a person would write: directories, an address, one share; and the parameters under test."""
    folders = ("private dir", "state directory", "cache directory", "lock directory", "pid directory", "ncalrpc dir")
    lines = [f"{folder} = {own}" for folder in folders[:-1]]
    lines += [f"ncalrpc dir = {own}/ncalrpc", f"log file = {own}/log.smbd", f"smb ports = {port}"]
    lines += ["interfaces = 127.0.0.1", "bind interfaces only = yes", "disable netbios = yes", "load printers = no"]
    share = [f"path = {made.srv}/memory/data", "read only = no", f"valid users = {USER}"]
    apart = {name: value for name, value in parameters.items() if name.startswith("server ")}
    lines += [f"{name} = {value}" for name, value in apart.items()]
    share += [f"{name} = {value}" for name, value in parameters.items() if name not in apart]
    return "\n".join(["[global]", *lines, "[fast]", *share, ""])


def answers(made: Installation, port: int) -> bool:
    """Whether a client may list the share."""
    try:
        made.smb(port, "fast", "ls")
    except RuntimeError:
        return False
    return True


BENCH = Bench("throughput", list(promises()), measure)
