"""The core: a step is one cell of the world; a ledger converges steps and can set back what it changed."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import GatewayError, HoldsData


@dataclass(frozen=True)
class Step:
    """One cell of the world.

    name     completes "cannot set ..." and "changed ...": `quota of tank/docs`
    want     the value to reach, canonical on both sides
    read     returns the present value, None where absent; raises where it cannot be told (then nothing is written)
    write    sets a value; None removes, and removing what is absent succeeds. Of a step that holds data, None removes
             only what is empty and raises HoldsData otherwise
    destroy  present on a step that holds data: removes it with whatever it holds, when asked for by name
    """

    name: str
    want: str
    read: Callable[[], str | None]
    write: Callable[[str | None], object]
    destroy: Callable[[], object] | None = None

    @property
    def holds_data(self) -> bool:
        """Whether users' data lives in it: then a plain removal leaves it."""
        return self.destroy is not None


@dataclass(frozen=True)
class Cell:
    """What a step found and wants: a line of `plan` and of drift. `now` is None where absent."""

    name: str
    now: str | None
    want: str | None
    error: str = ""

    @property
    def differs(self) -> bool:
        """Whether a write would change it."""
        return bool(self.error) or self.now != self.want


Verb = Literal["created", "changed", "removed", "destroyed"]


@dataclass(frozen=True)
class Change:
    """A write that was made, or begun; `former` is what stood there before, None for nothing."""

    step: Step
    former: str | None
    seconds: float = 0.0
    verb: Verb = "created"


Note = Callable[[str, str | None], None]
Tell = Callable[[Change], None]


class StepFailed(GatewayError):
    """A step could not be read or written."""


def look(steps: Iterable[Step]) -> list[Cell]:
    """Read every step; a failing read becomes a cell with an error, for plan and drift."""
    return [_cell(step) for step in steps]


def _cell(step: Step) -> Cell:
    try:
        return Cell(step.name, step.read(), step.want)
    except GatewayError as error:
        return Cell(step.name, None, step.want, error=str(error))


class Ledger:
    """Converges steps, in order, and remembers what each cell held before."""

    def __init__(self, note: Note = lambda name, former: None, tell: Tell = lambda change: None) -> None:
        self._note, self._tell = note, tell
        self.changes: list[Change] = []

    def converge(self, steps: Sequence[Step]) -> None:
        """Bring every step to what it wants; steps that have it are left alone. Raises StepFailed."""
        for step in steps:
            former = self._read(step)
            if former != step.want:
                self._set(step, former, step.want)

    def create_all(self, steps: Sequence[Step], write: Callable[[], object], what: str) -> None:
        """Bring many absent steps to what they want by one write; each is undone by itself. Raises StepFailed."""
        for step in steps:
            self._note(step.name, None)
            self.changes.append(Change(step, None))
        started = time.monotonic()
        self._attempt(Step(what, "", lambda: None, lambda value: None), "set", write)
        seconds = (time.monotonic() - started) / max(len(steps), 1)
        for change in self.changes[len(self.changes) - len(steps) :]:
            self._tell(Change(change.step, None, seconds))

    def remove(self, steps: Sequence[Step], destroy: bool = False) -> list[str]:
        """Remove steps, last first. Steps that hold data stay unless `destroy`; returns the names of those kept."""
        kept: list[Step] = []
        for step in reversed(steps):
            if step.destroy is None:
                former = self._read(step)
                if former is not None:
                    self._set(step, former, None)
            elif destroy:
                started = time.monotonic()
                self._attempt(step, "destroy", step.destroy)
                self._tell(Change(step, step.want, time.monotonic() - started, "destroyed"))
            elif self._read(step) is not None:
                kept.append(step)
        # What lies inside of something that was unmounted by now is kept with that.
        return [step.name for step in reversed(kept) if self._read(step) is not None]

    def undo(self) -> tuple[list[str], list[str]]:
        """Set back what was changed, last first. Returns the names of what was undone and what had to be left.

        Where a step that holds data is not empty, it stays with all it rests on (the steps before it).
        """
        undone: list[str] = []
        left: list[str] = []
        while self.changes:
            change = self.changes.pop()
            try:
                change.step.write(change.former)
                undone.append(change.step.name)
            except HoldsData as error:
                left.append(f"{change.step.name} ({error.cause})")
                left += [earlier.step.name for earlier in reversed(self.changes)]
                self.changes.clear()
            except GatewayError as error:
                left.append(f"{change.step.name} ({error.reason})")
            except OSError as error:
                left.append(f"{change.step.name} ({error})")
        return undone, left

    def _read(self, step: Step) -> str | None:
        value: str | None = None

        def read() -> None:
            nonlocal value
            value = step.read()

        self._attempt(step, "read", read)
        return value

    def _set(self, step: Step, former: str | None, value: str | None) -> None:
        self._attempt(step, "record", lambda: self._note(step.name, former))
        self.changes.append(Change(step, former))
        started = time.monotonic()
        self._attempt(step, "set" if value is not None else "remove", lambda: step.write(value))
        verb: Verb = "removed" if value is None else "created" if former is None else "changed"
        self.changes[-1] = Change(step, former, time.monotonic() - started, verb)
        self._tell(self.changes[-1])

    @staticmethod
    def _attempt(step: Step, verb: str, action: Callable[[], object]) -> None:
        try:
            action()
        except GatewayError as error:
            failed = StepFailed(f"cannot {verb} {step.name}", cause=error.reason, hint=error.hint)
            failed.exit_code, failed.status = error.exit_code, error.status  # of what is behind it
            failed.again = error.again
            raise failed from error
        except OSError as error:
            raise StepFailed(f"cannot {verb} {step.name}", cause=str(error)) from error
