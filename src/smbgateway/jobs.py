"""Changes run as jobs: a thread, its events, its end. Events are kept, so that a listener may come late or again."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .convergence import Result, Tell
from .errors import Failed, GatewayError, NotFound

KEPT = 200  # jobs that have ended


@dataclass(frozen=True)
class Event:
    """One line of a job's story."""

    kind: Literal["progress", "done", "failed"]
    body: dict[str, Any]


@dataclass
class Job:
    """One change on its way."""

    title: str
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    started: float = field(default_factory=time.time)
    events: list[Event] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def state(self) -> str:
        """`running`, `done` or `failed`."""
        last = self.events[-1].kind if self.events else "progress"
        return "running" if last == "progress" else last

    def add(self, event: Event) -> None:
        """Append an event and wake who waits."""
        with self.news:
            self.events.append(event)
            self.news.notify_all()

    def tell(self, name: str, outcome: str, seconds: float) -> None:
        """Progress, as the engine tells it."""
        self.add(Event("progress", {"name": name, "outcome": outcome, "seconds": round(seconds, 3)}))

    def wait(self, beyond: int, timeout: float) -> list[Event]:
        """The events after the first `beyond`, as soon as there are any."""
        with self.news:
            self.news.wait_for(lambda: len(self.events) > beyond, timeout)
            return self.events[beyond:]

    def show(self) -> dict[str, Any]:
        """The job as the API sends it."""
        ended = self.events[-1].body if self.state != "running" else None
        return {
            "id": self.id,
            "title": self.title,
            "state": self.state,
            "started": self.started,
            "events": [event.body for event in self.events if event.kind == "progress"],
            "result": ended if self.state == "done" else None,
            "error": ended if self.state == "failed" else None,
        }


class Jobs:
    """The jobs of one engine."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._errors: dict[str, GatewayError] = {}

    def start(self, title: str, work: Callable[[Tell], Result]) -> Job:
        """Start a change; returns once the request is checked. Raises what the checks say."""
        job = Job(title)
        self._jobs[job.id] = job
        self._forget()
        threading.Thread(target=self._run, args=(job, work), name=f"job-{job.id}").start()
        first = job.wait(0, 600)
        if first and first[0].kind == "failed":
            raise self._errors.pop(job.id)
        return job

    def _run(self, job: Job, work: Callable[[Tell], Result]) -> None:
        try:
            result = work(job.tell)
        except GatewayError as error:
            self._fail(job, error)
        except Exception as error:  # whoever listens learns of it; the engine goes on
            self._fail(job, Failed("the engine failed", f"{type(error).__name__}: {error}"))
        else:
            job.add(Event("done", show_result(result)))

    def _fail(self, job: Job, error: GatewayError) -> None:
        if not job.events:
            self._errors[job.id] = error
        job.add(Event("failed", error.to_json()))

    def _forget(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state != "running"]
        for identity in ended[:-KEPT]:
            del self._jobs[identity]

    def get(self, identity: str) -> Job:
        """A job. Raises NotFound."""
        if identity not in self._jobs:
            raise NotFound(f"there is no job {identity}", hint="the engine keeps the last 200, until it restarts")
        return self._jobs[identity]

    def all(self) -> list[Job]:
        """All jobs, oldest first."""
        return list(self._jobs.values())

    @staticmethod
    def stream(job: Job, beyond: int) -> Iterator[str]:
        """Server-sent events (WHATWG HTML, section 9.2) after event number `beyond`, to the end of the job."""
        while True:
            news = job.wait(beyond, 15)
            if not news:
                yield ": still here\n\n"  # so that a listener who left is noticed
            for event in news:
                beyond += 1
                yield f"id: {beyond}\nevent: {event.kind}\ndata: {json.dumps(event.body)}\n\n"
                if event.kind != "progress":
                    return


def show_result(result: Result) -> dict[str, Any]:
    """A result as the API sends it."""
    changes = [{"name": c.step.name, "verb": c.verb, "seconds": round(c.seconds, 3)} for c in result.changes]
    proofs = [asdict(proof) for proof in result.proofs]
    plain = {name: getattr(result, name) for name in ("outcomes", "warnings", "kept", "addresses")}
    return plain | {"changes": changes, "proofs": proofs}
