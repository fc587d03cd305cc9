"""plan and apply: a file says how the world is to be."""

from __future__ import annotations

import sys

from . import shares
from .follow import run
from .problem import usage
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any, TextIO

LONGEST = 16 << 20  # what the engine reads; and without a limit /dev/zero would take all memory


def request(arguments: Namespace) -> dict[str, Any]:
    """The text of a file as a request; the engine reads it. Raises Problem."""
    return {"text": content(arguments.file), "options": shares.options(arguments)}


def content(file: str) -> str:
    """What is in a file, or comes from standard input."""
    try:
        if file == "-":
            return limited(sys.stdin, "standard input")
        with open(file, encoding="utf-8") as stream:
            return limited(stream, file)
    except OSError as error:
        raise usage(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise usage(f"cannot read {file}: it is not UTF-8 text") from error


def limited(stream: TextIO, name: str) -> str:
    """The text of a stream that has an end. Raises Problem."""
    text = stream.read(LONGEST + 1)
    if len(text) > LONGEST:
        raise usage(f"{name} has more than {LONGEST >> 20} MiB of text: that is no list of resources")
    return text


def plan(session: Session, arguments: Namespace) -> int:
    """Show what a file would change."""
    return shares.plan(session, request(arguments))


def apply(session: Session, arguments: Namespace) -> int:
    """Make the world as a file says."""
    if arguments.dry_run:
        return plan(session, arguments)
    name = "standard input" if arguments.file == "-" else arguments.file
    return run(session, "/v1/apply", request(arguments), f"applying {name}", single=False)
