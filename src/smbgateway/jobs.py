"""Changes run as jobs: a thread, its events, its end. Events are kept, so that a listener may come late or again."""

import asyncio
import contextlib
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .convergence import Result, Tell
from .errors import Conflict, Failed, GatewayError, NotFound

KEPT = 200  # jobs that have ended
CHECKED_WITHIN = 600.0  # seconds until a request that is still being checked is answered as a job all the same
ALIVE = 15.0  # seconds of silence until a listener is told that the job goes on


@dataclass(frozen=True)
class Event:
    """One line of a job's story."""

    kind: Literal["progress", "done", "failed"]
    body: dict[str, Any]


@dataclass(eq=False)
class Job:
    """One change on its way."""

    title: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started: float = field(default_factory=time.time)
    events: list[Event] = field(default_factory=list)
    refused: GatewayError | None = None  # by the checks, before anything was done
    stoppable: bool = False  # what it did can be set back
    _stop: bool = False
    _news: threading.Condition = field(default_factory=threading.Condition)
    _listeners: list[Callable[[], object]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`running`, `done` or `failed`."""
        return _state(self.events[-1:])

    def add(self, event: Event) -> None:
        """Append an event and wake who waits."""
        with self._news:
            self.events.append(event)
            self._news.notify_all()
            for wake in self._listeners:
                wake()

    def tell(self, name: str, outcome: str, seconds: float) -> None:
        """Progress, as the engine tells it. Raises Failed where somebody asked to stop: then all is set back."""
        self.stoppable = self.stoppable and outcome != "destroyed"
        self.add(Event("progress", {"name": name, "outcome": outcome, "seconds": round(seconds, 3)}))
        if self._stop and self.stoppable:
            self.stoppable = False
            raise Failed("stopped", "somebody asked to")

    def stop(self) -> None:
        """Ask it to stop after the step it is at. Raises Conflict where that is too late."""
        if self.state != "running":
            raise Conflict(f"the job has ended: {self.title}")
        if not self.stoppable:
            raise Conflict(f"the job cannot be stopped any more: {self.title}", hint="it ends by itself")
        self._stop = True

    def fail(self, error: GatewayError) -> None:
        """The end of a job that failed."""
        self.refused = None if self.events else error
        self.add(Event("failed", error.to_json()))

    def first(self, timeout: float) -> None:
        """Wait for the first event."""
        with self._news:
            self._news.wait_for(lambda: bool(self.events), timeout)

    @contextlib.contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """What is set at every event; no thread waits for it."""
        news, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended: so has the listener
                loop.call_soon_threadsafe(news.set)

        with self._news:
            self._listeners.append(wake)
        try:
            yield news
        finally:
            with self._news:
                self._listeners.remove(wake)

    def show(self) -> dict[str, Any]:
        """The job as the API sends it."""
        events = self.events[:]  # while it is shown, it goes on
        state = _state(events[-1:])
        body: dict[str, Any] = {"id": self.id, "title": self.title, "state": state, "started": self.started}
        body["events"] = [event.body for event in events if event.kind == "progress"]
        body["result"] = events[-1].body if state == "done" else None
        body["error"] = events[-1].body if state == "failed" else None
        return body


def _state(last: list[Event]) -> str:
    return last[0].kind if last and last[0].kind != "progress" else "running"


class Jobs:
    """The jobs of one engine."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def start(self, title: str, work: Callable[[Tell], Result], stoppable: bool = False) -> Job:
        """Start a change; returns once the request is checked. Raises what the checks say: then there is no job."""
        job = Job(title, stoppable=stoppable)
        with self._lock:
            self._forget()
            self._jobs[job.id] = job
        threading.Thread(target=self._run, args=(job, work), name=f"job-{job.id}").start()
        job.first(CHECKED_WITHIN)
        if job.refused:
            with self._lock:
                self._jobs.pop(job.id, None)
            raise job.refused
        return job

    @staticmethod
    def _run(job: Job, work: Callable[[Tell], Result]) -> None:
        try:
            result = work(job.tell)
        except GatewayError as error:
            job.fail(error)
        except Exception as error:  # whoever listens learns of it; the engine goes on
            job.fail(Failed("the engine failed", f"{type(error).__name__}: {error}"))
        else:
            job.add(Event("done", show_result(result)))

    def _forget(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state != "running"]
        for identity in ended[:-KEPT]:
            del self._jobs[identity]

    def get(self, identity: str) -> Job:
        """A job. Raises NotFound."""
        with self._lock:
            job = self._jobs.get(identity)
        if job is None:
            hint = f"the engine keeps the last {KEPT}, until it restarts"
            raise NotFound(f"there is no job {identity[:50]}", hint=hint)
        return job

    def all(self) -> list[Job]:
        """All jobs, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    @staticmethod
    async def stream(job: Job, beyond: int) -> AsyncIterator[str]:
        """Server-sent events (WHATWG HTML, section 9.2) after event number `beyond`, to the end of the job."""
        beyond = min(beyond, len(job.events))
        with job.listening() as news:
            while True:
                news.clear()
                for event in job.events[beyond:]:
                    beyond += 1
                    yield f"id: {beyond}\nevent: {event.kind}\ndata: {json.dumps(event.body)}\n\n"
                if job.state != "running" and beyond == len(job.events):
                    return
                try:
                    await asyncio.wait_for(news.wait(), ALIVE)
                except TimeoutError:
                    yield ": still here\n\n"  # so that a listener who left is noticed


def show_result(result: Result) -> dict[str, Any]:
    """A result as the API sends it."""
    changes = [{"name": c.step.name, "verb": c.verb, "seconds": round(c.seconds, 3)} for c in result.changes]
    proofs = [asdict(proof) for proof in result.proofs]
    plain = {name: getattr(result, name) for name in ("outcomes", "warnings", "kept", "addresses")}
    return plain | {"changes": changes, "proofs": proofs}
