"""What is being changed now, on disk before each write: an engine that comes up after a crash finishes or undoes it."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from .errors import Unavailable
from .model import Resource, parse

# saved: all records and secrets are in the store, so the operation can go forward; undoing: it is being set back.
Mark = Literal["saved", "undoing"]


@dataclass(frozen=True)
class Entry:
    """An operation that did not end: records before (`former`, of those that existed) and wanted, and the writes."""

    path: str
    former: list[Resource]
    wanted: list[Resource]
    removed: list[Resource]
    destroy: bool
    writes: list[tuple[str, str | None]]
    marks: set[str]

    @property
    def forward(self) -> bool:
        """Whether it is to be finished, rather than put back."""
        return "saved" in self.marks and "undoing" not in self.marks


class Journal:
    """One file per operation; each line is on disk before what it announces is done."""

    def __init__(self, path: str, file: TextIO) -> None:
        self.path, self._file = path, file

    @classmethod
    def begin(
        cls, folder: str, former: Sequence[Resource], wanted: Sequence[Resource],
        removed: Sequence[Resource] = (), destroy: bool = False,
    ) -> "Journal":  # fmt: skip
        """Open the journal of a new operation. Raises Unavailable."""
        path = f"{folder}/{secrets.token_hex(8)}.jsonl"
        records = {"former": _dump(former), "wanted": _dump(wanted), "removed": _dump(removed), "destroy": destroy}
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            journal = cls(path, open(path, "x", encoding="utf-8"))  # noqa: SIM115 - lives as long as the operation
            journal._append(records)
            _sync(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(path)
            cause = f"{error.strerror}: {folder}"
            raise Unavailable("the journal cannot be written", cause, hint="look at that file system") from error
        return journal

    @classmethod
    def resume(cls, path: str) -> "Journal":
        """Go on with the journal of an operation that did not end."""
        whole = "".join(_lines(path))
        file = open(path, "r+", encoding="utf-8")  # noqa: SIM115 - lives as long as the operation
        file.truncate(len(whole.encode()))
        file.seek(0, os.SEEK_END)
        return cls(path, file)

    def note(self, step: str, former: str | None) -> None:
        """Announce a write."""
        self._append({"step": step, "former": former})

    def mark(self, mark: Mark) -> None:
        """Announce how far the operation is."""
        self._append({"mark": mark})

    def close(self) -> None:
        """The operation ended, well or set back."""
        self._file.close()
        os.unlink(self.path)

    def keep(self) -> None:
        """The operation could not be set back in full: it is tried again."""
        self._file.close()

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _dump(records: Sequence[Resource]) -> list[dict[str, Any]]:
    return [record.model_dump(mode="json") for record in records]


def _sync(folder: str) -> None:
    """Put the name of a new file on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unfinished(folder: str) -> Iterator[str]:
    """The journals of operations that did not end, oldest first."""
    paths = Path(folder).glob("*.jsonl")
    for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns):
        if _lines(str(path)):
            yield str(path)
        else:
            path.unlink()


def load(path: str) -> Entry:
    """An operation that did not end."""
    head, *lines = map(json.loads, _lines(path))
    writes = [(line["step"], line["former"]) for line in lines if "step" in line]
    marks = {line["mark"] for line in lines if "mark" in line}
    former, wanted, removed = (parse(head[name]) for name in ("former", "wanted", "removed"))
    return Entry(path, former, wanted, removed, head["destroy"], writes, marks)


def _lines(path: str) -> list[str]:
    """The lines that are whole: one cut short was never acted on."""
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]
