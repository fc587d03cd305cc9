"""`python -m bench.sampler KIND COUNT`: an engine's monitor reads so many shares; prints what it took, as JSON."""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

from starlette.types import ASGIApp, Message, Scope

from lab import mounts
from smbgateway.api.app import make
from smbgateway.engine import Engine
from smbgateway.host import Node
from smbgateway.model import Gateway, Share
from smbgateway.monitor import Monitor
from smbgateway.paths import Paths
from smbgateway.store import FileStore

from .timing import private

GI = 2**30


def main() -> None:
    """Make them, read them a few times."""
    kind, count = sys.argv[1], int(sys.argv[2])
    mounts.enter_private_namespace()
    with mounts.mount_area() as root:
        mounts.run("mount", "-t", "tmpfs", "tmpfs", root)  # what a disk costs is no matter here
        (root / "srv").mkdir()
        if kind == "btrfs":
            with mounts.btrfs(root, "pool", "2G") as disk:
                subvolumes(disk.path, count)
                print(json.dumps(measured(root, kind, disk.path, count)))
        else:
            for number in range(count):
                (root / "srv" / f"s{number}").mkdir()
            print(json.dumps(measured(root, kind, root / "srv", count)))


def subvolumes(pool: Path, count: int) -> None:
    """Subvolumes with limits, as the sources make them."""
    mounts.run("btrfs", "quota", "enable", pool)
    for number in range(count):
        mounts.run("btrfs", "subvolume", "create", pool / f"s{number}")
        mounts.run("btrfs", "qgroup", "limit", "1G", pool / f"s{number}")
        (pool / f"s{number}" / "data").mkdir()


def measured(root: Path, kind: str, where: Path, count: int) -> dict[str, float]:
    """Rounds that sample: wall and processor time, the children's too, and memory."""
    paths = Paths(str(root))
    store = FileStore(paths)
    store.save(Gateway(name="files").sealed("ready"))
    for number in range(count):
        body = {"name": f"s{number}", "gateway": "files", "source": {"kind": kind, "path": str(where / f"s{number}")}}
        store.save(Share.model_validate({**body, "quota": GI if kind == "btrfs" else None}).sealed("ready"))
    engine = Engine(store, paths, Node(), "one")
    world = engine.site.world()
    os.makedirs(engine.site.blueprint(world).mode(world.gateways["files"]).sizes)  # where clients are told of sizes
    on = [0.0]
    app = make(engine)
    monitor: Monitor = app.state.monitor
    monitor.elapsed = lambda: on[0]
    walls, spent = [], []
    scale = Scale()
    for _ in range(4):
        on[0] += 60
        began, before = time.perf_counter(), used()
        monitor.round()
        walls.append(time.perf_counter() - began)
        spent.append(used() - before)
    scale.end()
    known = sum(not row["unknown"] for row in monitor.rows.values())
    if known != count:
        raise RuntimeError(f"{known} of {count} shares were read: {next(iter(monitor.rows.values()))}")
    answers = [asyncio.run(asked(app, "/v1/quota")) for _ in range(5)]
    monitor.history.close()
    monitor._sizes._thread.join()  # what it says goes before the answer
    return {
        "seconds": statistics.median(walls[1:]), "share": statistics.median(spent[1:]) / count,
        "memory": scale.most, "answer": statistics.median(answers),
    }  # fmt: skip


async def asked(app: ASGIApp, path: str) -> float:
    """Seconds of a request of root's, without a network."""
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "peer_uid": 0,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
    }
    status = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        status.append(message.get("status", 200))

    began = time.perf_counter()
    await app(scope, receive, send)
    if status[0] != 200:
        raise RuntimeError(f"the API answered {status[0]}")
    return time.perf_counter() - began


def used() -> float:
    """Processor time so far, of this process and of children that have ended."""
    return sum(os.times()[:4])


class Scale:
    """Watches the private memory of this process and its children; `most` is the most there was, in MB."""

    def __init__(self) -> None:
        self.most, self._ended = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            found = 0.0
            for pid in (os.getpid(), *children()):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    found += private(pid)
            self.most = max(self.most, found)

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self._thread.join()


def children() -> list[int]:
    """Those of every thread."""
    files = Path("/proc/self/task").glob("*/children")
    found = []
    for file in files:
        with contextlib.suppress(OSError):
            found += [int(word) for word in file.read_text().split()]
    return found


if __name__ == "__main__":
    main()
