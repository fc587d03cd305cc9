"""Takes notices at once and tells them in its own time: kept on disk until they were told, again and again if need be.

Each receiver has a queue and at most one thread: one that does not answer delays no other, and never who has something
to tell.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import GatewayError, NotFound
from ..host import Node
from ..model import JournalWay, ProxmoxWay, Receiver
from .notice import Notice

Send = Callable[[Receiver, Sequence[Notice]], str]
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 3600.0  # seconds
BATCH = 500  # notices at once
MOST = 2000  # of one receiver; beyond, the oldest go
KEPT = 3 * 86400.0  # seconds that a notice is worth telling


@dataclass
class Queue:
    """What a receiver is yet to be told; `due` is monotonic, `told` a Unix time."""

    notices: list[Notice] = field(default_factory=list)
    failures: int = 0
    due: float = 0.0
    busy: bool = False
    error: str = ""
    told: float | None = None
    dropped: int = 0


class Courier:
    """The queues of one node. `receivers` gives the records, `send` tells and raises GatewayError."""

    def __init__(
        self, folder: str, receivers: Callable[[], Mapping[str, Receiver]], send: Send, first_pause: float = FIRST_PAUSE
    ) -> None:
        self.folder, self.receivers, self.send, self.first_pause = folder, receivers, send, first_pause
        self._queues: dict[str, Queue] = {}
        self._seen: Mapping[str, Receiver] | None = None  # the records when they could last be read
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ended = False
        self._load()

    def tell(self, notices: Sequence[Notice]) -> None:
        """Have it told to all whom it concerns. Returns at once, and raises nothing."""
        for name, receiver in (self._known() or {}).items():
            wanted = [notice for notice in notices if receiver.enabled and notice.wanted(receiver.least)]
            if wanted:
                with self._lock:
                    queue = self._queues.setdefault(name, Queue())
                    queue.notices += wanted
                    self._trim(queue)
                    self._keep(name, queue)
        self._wake.set()

    def run(self) -> None:
        """Deliver until `end`."""
        while not self._ended:
            self._wake.clear()
            self._wake.wait(self.deliver())

    def end(self) -> None:
        """Stop the thread."""
        self._ended = True
        self._wake.set()

    def deliver(self) -> float | None:
        """Start to tell what is due; returns the seconds until something else is, None where nothing waits."""
        receivers, now = self._known(), time.monotonic()
        if receivers is None:
            return self.first_pause
        with self._lock:
            for name in [name for name in self._queues if name not in receivers]:
                del self._queues[name]
                self._keep(name, Queue())
            waiting = {name: queue for name, queue in self._queues.items() if queue.notices and not queue.busy}
            for name, queue in waiting.items():
                if queue.due <= now:
                    queue.busy = True
                    work = (receivers[name], queue, queue.notices[:BATCH])
                    threading.Thread(target=self._attempt, args=work, name=f"tell {name}", daemon=True).start()
            later = [queue.due - now for queue in waiting.values() if not queue.busy]
        return min(later, default=None)

    def _attempt(self, receiver: Receiver, queue: Queue, batch: list[Notice]) -> None:
        error, arrived = "", False
        try:
            error = self.send(receiver, batch)
            arrived = True
        except GatewayError as problem:
            error = advised(problem)
        finally:
            with self._lock:
                self._finish(receiver.name, queue, batch, arrived, error)
            self._wake.set()

    def _finish(self, name: str, queue: Queue, batch: list[Notice], arrived: bool, error: str) -> None:
        queue.busy, queue.error = False, error or ("" if arrived else "the engine failed: its log says where")
        if error:
            print(f"notify: {error}", flush=True)
        if arrived:
            told = {id(notice) for notice in batch}
            queue.notices = [notice for notice in queue.notices if id(notice) not in told]
            queue.failures, queue.due, queue.told = 0, 0.0, time.time()
        else:
            pause = min(self.first_pause * 2**queue.failures, LONGEST_PAUSE)
            queue.failures, queue.due = queue.failures + 1, time.monotonic() + pause
        self._trim(queue)
        self._keep(name, queue)

    @staticmethod
    def _trim(queue: Queue) -> None:
        oldest = time.time() - KEPT
        kept = [notice for notice in queue.notices if notice.at > oldest][-MOST:]
        queue.dropped += len(queue.notices) - len(kept)
        queue.notices = kept

    def test(self, name: str, notice: Notice) -> list[dict[str, str]]:
        """Tell one receiver, or all (""), now; what went wrong, empty where nothing did. Raises NotFound."""
        receivers = self.receivers()
        if name and name not in receivers:
            raise NotFound(f"there is no receiver {name}", hint=f"there is: {', '.join(receivers)}")
        return [{"name": each, "error": self._try(receivers[each], notice)} for each in ([name] if name else receivers)]

    def _try(self, receiver: Receiver, notice: Notice) -> str:
        try:
            return self.send(receiver, [notice])
        except GatewayError as error:
            return advised(error)

    def show(self) -> list[dict[str, Any]]:
        """Each receiver with what waits for it, and why."""
        now = time.monotonic()
        shown = []
        for name, receiver in self.receivers().items():
            with self._lock:
                queue = self._queues.get(name, Queue())
                row = {"name": name, "way": receiver.way.kind, "least": receiver.least, "enabled": receiver.enabled}
                row |= {"waiting": len(queue.notices), "failures": queue.failures, "error": queue.error}
                again = time.time() + queue.due - now if queue.failures else None
                shown.append(row | {"next": again, "told": queue.told, "dropped": queue.dropped})
        return shown

    def _known(self) -> Mapping[str, Receiver] | None:
        """The receivers; while the store is away, those that were known before."""
        try:
            self._seen = self.receivers()
        except (GatewayError, OSError) as error:
            print(f"notify: {error}", flush=True)
        return self._seen

    def _keep(self, name: str, queue: Queue) -> None:
        """Write a queue to disk, for the engine after this one; in memory it stays in any case."""
        path = f"{self.folder}/{name}.json"
        try:
            if queue.notices:
                os.makedirs(self.folder, mode=0o700, exist_ok=True)
                Node().write(path, json.dumps([notice.to_json() for notice in queue.notices]), 0o600)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        except OSError as error:
            print(f"notify: {path} cannot be written: {error.strerror}", flush=True)

    def _load(self) -> None:
        """What an engine before this one left untold."""
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                name, _, end = entry.name.rpartition(".")
                if end == "json" and not name.startswith("."):
                    self._queues[name] = Queue(_read(entry.path))


def advised(error: GatewayError) -> str:
    """What failed, why, and what to do, in a line."""
    return f"{error.reason} ({error.hint})" if error.hint else error.reason


def _read(path: str) -> list[Notice]:
    try:
        with open(path, encoding="utf-8") as file:
            return [Notice(**each) for each in json.load(file)]
    except (ValueError, TypeError, OSError) as error:
        print(f"notify: {path} is not what it was, its notices are lost: {error}", flush=True)
        return []


def receivers_of(records: Mapping[str, Receiver], on_proxmox: bool) -> Mapping[str, Receiver]:
    """The receivers; where nobody named any, what every node has."""
    way = ProxmoxWay() if on_proxmox else JournalWay()
    return records or {"default": Receiver(name="default", way=way)}
