"""The command line: arguments to requests, answers to lines. It imports no more than it must, to start quickly."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from .parser import build, parse
from .problem import INTERRUPTED, USAGE, Problem, problem
from .session import Session
from .text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

PIPE_CLOSED = 141  # what a shell says of a process that SIGPIPE ended


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    words = sys.argv[1:] if words is None else words
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know less letters than records use
    try:
        status = _execute(words)
        sys.stdout.flush()
        return status
    except Problem as error:
        return _tell(error, as_json=any(word in ("--json", "-j") for word in words))
    except KeyboardInterrupt:
        return _tell(problem("Interrupted", INTERRUPTED, "interrupted"), as_json=False)
    except BrokenPipeError:
        _hush()
        return PIPE_CLOSED


def _hush() -> None:
    """Nobody reads on: let what is still to be written go nowhere, or the interpreter complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _execute(words: Sequence[str]) -> int:
    if not words:
        build(words).print_help(sys.stderr)
        return USAGE
    arguments = parse(words)
    return _command(arguments.run)(Session(arguments), arguments)


def _command(run: str) -> Callable[[Session, Namespace], int]:
    """What does a command; only its module is imported."""
    module, _, function = run.partition(":")
    found: Callable[[Session, Namespace], int] = getattr(import_module(f".{module}", __name__), function)
    return found


def _tell(error: Problem, as_json: bool) -> int:
    if as_json:
        Session.document(error.body)
    else:
        sys.stdout.flush()
        print("\n".join(clean(line) for line in str(error).splitlines()), file=sys.stderr)
    return error.exit_code
