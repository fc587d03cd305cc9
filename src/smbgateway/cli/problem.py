"""What goes wrong, as the engine words it: a body with the fields of errors.GatewayError, and its text."""

from __future__ import annotations

TYPE_CHECKING = False  # typing takes 3 ms to import; checkers know this name
if TYPE_CHECKING:
    from typing import Any

MANY = 3  # parts of a gateway: told as one
FAILED, USAGE, UNAVAILABLE, INTERRUPTED = 1, 2, 3, 130


class Problem(Exception):
    """An error of the engine, or of the command line itself in the same form."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body.get("what", ""))
        self.body = body

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        return int(self.body.get("exit_code", FAILED))

    def __str__(self) -> str:
        return describe(self.body)


def problem(error: str, exit_code: int, what: str, cause: str = "", hint: str = "") -> Problem:
    """An error that the command line itself found."""
    body: dict[str, Any] = {"error": error, "what": what, "cause": cause, "hint": hint, "undone": [], "left": []}
    return Problem(body | {"faults": [], "exit_code": exit_code})


def usage(what: str, hint: str = "") -> Problem:
    """The command line cannot be understood, or asks for what needs more."""
    return problem("Usage", USAGE, what, hint=hint)


def describe(body: dict[str, Any]) -> str:
    """The text for a person: what errors.GatewayError says of itself, shorter where a whole gateway is undone."""
    lines = [f"{body['what']}: {body['cause']}" if body.get("cause") else body["what"]]
    for fault in body.get("faults", []):
        hint = f" ({fault['hint']})" if fault.get("hint") else ""
        lines.append(f"  {fault['field']}: {fault['message']}{hint}")
    lines += [f"  {word}: {', '.join(folded(body[word]))}" for word in ("undone", "left") if body.get(word)]
    if body.get("hint"):
        lines.append(f"  {body['hint']}")
    return "\n".join(lines)


def folded(names: list[str]) -> list[str]:
    """Names of steps; the many parts of a gateway as one."""
    gateways = [name.partition(" of gateway ")[2] for name in names]
    found = []
    for name, gateway in zip(names, gateways, strict=True):
        parts = gateways.count(gateway) if gateway else 0
        found.append(f"gateway {gateway} ({parts} parts)" if parts >= MANY else name)
    return list(dict.fromkeys(found))


def nearest(word: str, known: list[str]) -> str:
    """A hint for a mistyped word, empty where nothing is near."""
    import difflib

    close = difflib.get_close_matches(word, known, 1, 0.6)
    return f'did you mean "{close[0]}"?' if close else ""
