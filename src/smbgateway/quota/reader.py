"""Asks batches of shares what they use, each in a thread of its own: a place that hangs holds up nobody else."""

import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..errors import CommandFailed, Failed, GatewayError
from ..sources import Usage
from ..sources.bulk import Batch, Found

LATE = 5.0  # seconds without an answer, from which on what was known before counts as unknown


@dataclass(frozen=True, slots=True)
class Reading:
    """What a share used at a Unix time; `unknown` says why that is not what it uses now."""

    usage: Usage | None = None
    at: float = 0.0
    unknown: str = "it was not read yet"
    since: float = 0.0  # it became unknown


class Run:
    """One question on its way."""

    def __init__(self, batch: Batch, clock: Callable[[], float]) -> None:
        self.clock, self.began = clock, time.monotonic()
        self.found: Found | None = None
        self.at = 0.0  # it was answered
        self._hangs: Callable[[], bool] = bool
        self.thread = threading.Thread(target=self._run, args=(batch,), name=f"read {batch.name}", daemon=True)
        self.thread.start()

    def _run(self, batch: Batch) -> None:
        found = self._read(batch)
        self.at = self.clock()
        self.found = found

    def _read(self, batch: Batch) -> Found:
        try:
            return batch.read()
        except GatewayError as error:
            if isinstance(error, CommandFailed):
                self._hangs = error.hangs
            return dict.fromkeys(batch.keys, error)
        except Exception as error:  # of a parser: the others are to be read all the same
            traceback.print_exc()
            return dict.fromkeys(batch.keys, Failed("the engine failed", type(error).__name__))

    @property
    def over(self) -> bool:
        """Whether the place may be asked again: what was asked has ended, also where it could not be killed at once."""
        return self.found is not None and not self._hangs()


class Reader:
    """What is known of all shares. `clock` tells Unix time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.readings: dict[str, Reading] = {}
        self._runs: dict[str, Run] = {}
        self._taken: set[Run] = set()

    def read(self, batches: Iterable[Batch], wait: float) -> None:
        """Ask, wait that long at most, and take what has come; what comes later is taken the next time."""
        asked = {batch.name: batch for batch in batches}
        self._runs = {name: run for name, run in self._runs.items() if name in asked or not run.over}
        for name, batch in asked.items():
            former = self._runs.get(name)
            if former and former.over:  # it may have come after the round that asked
                self._take(former, batch)
            if former is None or former.over:
                self._runs[name] = Run(batch, self.clock)
        end = time.monotonic() + wait
        for name in asked:
            self._runs[name].thread.join(max(0.0, end - time.monotonic()))
        known = {key for batch in asked.values() for key in batch.keys}
        self.readings = {key: reading for key, reading in self.readings.items() if key in known}
        for name, batch in asked.items():
            self._take(self._runs[name], batch)
        self._taken &= set(self._runs.values())

    def _take(self, run: Run, batch: Batch) -> None:
        now, found = self.clock(), run.found
        if found is None:
            late = time.monotonic() - run.began
            if late > LATE:
                for key in batch.keys:
                    self._doubt(key, f"{batch.name} gives no answer", now)
            return
        for key in batch.keys if run not in self._taken else ():
            answer = found.get(key)
            if isinstance(answer, Usage):
                self.readings[key] = Reading(answer, run.at, "")
            elif answer is not None:
                self._doubt(key, answer.reason, now)
        run.found = {}
        self._taken.add(run)

    def _doubt(self, key: str, why: str, now: float) -> None:
        former = self.readings.get(key, Reading(unknown=""))
        since = former.since if former.unknown else now
        self.readings[key] = replace(former, unknown=why, since=since)
