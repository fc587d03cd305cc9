"""A host that is not there: it answers as real tools did when a scene of tests/cases was recorded."""

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smbgateway.errors import CommandFailed
from smbgateway.host import Host, Node

RECORDINGS = Path(__file__).resolve().parents[1] / "cases" / "recordings"
FOLDER = "{dir}"  # stands in recordings for the directory in which a scene is played


@dataclass(frozen=True)
class Call:
    """One command and what it answered."""

    argv: tuple[str, ...]
    output: str = ""
    code: int = 0
    stdin: str = ""

    def replaced(self, old: str, new: str) -> "Call":
        argv = tuple(word.replace(old, new) for word in self.argv)
        return Call(argv, self.output.replace(old, new), self.code, self.stdin.replace(old, new))

    @property
    def shape(self) -> "Call":
        """The call without the figures that differ from machine to machine: blocks of a file system."""
        return Call(self.argv, "", self.code) if self.argv[:2] == ("stat", "-f") else self


def load(scene: str) -> list[Call]:
    """The calls of a recorded scene; none of a new one."""
    file = RECORDINGS / f"{scene}.json"
    calls = json.loads(file.read_text()) if file.exists() else []
    return [Call(tuple(call.pop("argv")), **call) for call in calls]


def save(scene: str, calls: Iterable[Call]) -> None:
    """Keep a scene: one call a line, so that a change is easy to read."""
    plain = Call(())
    lines = [
        json.dumps({name: value for name, value in vars(call).items() if value != getattr(plain, name)})
        for call in calls
    ]
    (RECORDINGS / f"{scene}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


@dataclass
class FakeHost(Host):
    """Replays calls: those of one command in their order, the last one again and again. `done` is what was asked."""

    calls: Iterable[Call] = ()
    files: dict[str, str] = field(default_factory=dict)
    done: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answers: Mapping[object, deque[Call]] = defaultdict(deque)
        for call in self.calls:
            self.answers[call.argv, call.stdin].append(call)

    @classmethod
    def playing(cls, scene: str, folder: str) -> "FakeHost":
        return cls([call.replaced(FOLDER, folder) for call in load(scene)])

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        self.done.append(argv)
        answers = self.answers[argv, stdin]
        assert answers, f"not recorded: {' '.join(argv)} (RECORD=1 ./test real -k recording)"
        call = answers.popleft() if len(answers) > 1 else answers[0]
        if call.code:
            raise CommandFailed(argv, call.code, call.output)
        return call.output

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self.files[path] = text


class RecordingHost(Node):
    """The node, with a record of what was asked and answered."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        try:
            output = super().run(*argv, stdin=stdin, timeout=timeout)
        except CommandFailed as error:
            self.calls.append(Call(argv, error.output, error.code, stdin))
            raise
        self.calls.append(Call(argv, output, 0, stdin))
        return output
