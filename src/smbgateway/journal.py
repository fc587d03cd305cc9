"""What is being changed now, on disk before each write: an engine that comes up after a crash finishes or undoes it."""

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .model import Resource, parse


@dataclass(frozen=True)
class Entry:
    """An operation that did not end: records before (`former`, of those that existed) and wanted, and the writes."""

    path: str
    former: list[Resource]
    wanted: list[Resource]
    removed: list[Resource]
    destroy: bool
    writes: list[tuple[str, str | None]]


class Journal:
    """One file per operation; each line is on disk before what it announces is done."""

    def __init__(self, folder: str, former: Sequence[Resource], wanted: Sequence[Resource],
                 removed: Sequence[Resource] = (), destroy: bool = False) -> None:  # fmt: skip
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.path = f"{folder}/{secrets.token_hex(8)}.jsonl"
        self._file = open(self.path, "x", encoding="utf-8")  # noqa: SIM115 - lives as long as the operation
        records = {"former": _dump(former), "wanted": _dump(wanted), "removed": _dump(removed), "destroy": destroy}
        self._append(records)

    def note(self, step: str, former: str | None) -> None:
        """Announce a write."""
        self._append({"step": step, "former": former})

    def close(self) -> None:
        """The operation ended, well or set back."""
        self._file.close()
        os.unlink(self.path)

    def keep(self) -> None:
        """The operation could not be set back in full: the next start tries again."""
        self._file.close()

    def _append(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _dump(records: Sequence[Resource]) -> list[dict[str, Any]]:
    return [record.model_dump(mode="json") for record in records]


def entries(folder: str) -> Iterator[Entry]:
    """Operations that did not end, oldest first. A last line cut short was never acted on."""
    if not os.path.isdir(folder):
        return
    for path in sorted(Path(folder).glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
        if not lines:
            path.unlink()
            continue
        head = json.loads(lines[0])
        writes = [(write["step"], write["former"]) for write in map(json.loads, lines[1:])]
        former, wanted, removed = (parse(head[name]) for name in ("former", "wanted", "removed"))
        yield Entry(str(path), former, wanted, removed, head["destroy"], writes)
