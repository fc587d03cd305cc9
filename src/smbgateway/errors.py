"""One error tree. Each class has an exit code (CLI) and an HTTP status (API); its text is for the administrator."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the input: `field` is a dotted path such as `share.docs.quota`."""

    field: str
    message: str
    hint: str = ""
    waivable: bool = False  # --force does it all the same


@dataclass(eq=False)  # errors are compared and hashed by identity, as Python's own
class GatewayError(Exception):
    """What failed, why, what was undone, what is left, what to do."""

    what: str
    cause: str = ""
    hint: str = ""
    undone: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    exit_code = 1
    status = 500
    again = False  # whether the same request, made anew, chooses something else

    @property
    def reason(self) -> str:
        """What failed and why, without what to do."""
        return f"{self.what}: {self.cause}" if self.cause else self.what

    def __str__(self) -> str:
        """Text for a person, several lines where there is more to say."""
        lines = [self.reason]
        for fault in self.faults:
            lines.append(f"  {fault.field}: {fault.message}" + (f" ({fault.hint})" if fault.hint else ""))
        if self.undone:
            lines.append(f"  undone: {', '.join(self.undone)}")
        if self.left:
            lines.append(f"  left: {', '.join(self.left)}")
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The error as the API sends it."""
        body: dict[str, Any] = {"error": type(self).__name__}
        body |= {name: getattr(self, name) for name in ("what", "cause", "hint", "undone", "left")}
        return body | {"faults": [asdict(fault) for fault in self.faults], "exit_code": self.exit_code}


class Invalid(GatewayError):
    """The input is refused before anything is touched; `faults` holds every reason."""

    exit_code = 2
    status = 422

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> "Invalid":
        """Make one error of all faults."""
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        return cls(f"nothing was changed: {count} in the request", faults=list(faults))


class NotFound(GatewayError):
    """No such resource."""

    exit_code = 4
    status = 404


class Conflict(GatewayError):
    """The world is not as the request assumed (digest, owner, use)."""

    exit_code = 5
    status = 409


class Unavailable(GatewayError):
    """Something needed is away: a program, the engine, the store without quorum."""

    exit_code = 3
    status = 503


class Failed(GatewayError):
    """A change failed on the way and was set back."""


class NotProved(Failed):
    """The share was made, but a real SMB session could not use it; it was set back."""

    exit_code = 6


class HoldsData(GatewayError):
    """Removal refused: data is there that is not ours to delete."""

    exit_code = 5
    status = 409


class CommandFailed(GatewayError):
    """A command ended with a code other than 0 (or -1: timed out). `said` is what it had written until then; `hangs`
    tells of one that could not even be killed, as it waits for a dead disk."""

    def __init__(
        self, argv: Sequence[str], code: int, output: str, said: str = "", hangs: Callable[[], bool] = lambda: False
    ) -> None:
        self.argv, self.code, self.output = list(argv), code, output.strip()
        self.said, self.hangs = said, hangs
        super().__init__(what=" ".join(self.argv), cause=self.output or f"exit code {code}")


class CommandMissing(Unavailable):
    """A program is not installed."""

    def __init__(self, program: str, package: str | None) -> None:
        self.program = program
        hint = f"apt install {package}" if package else f"install the package that has {program}"
        super().__init__(what=f"{program} is not installed", hint=hint)
