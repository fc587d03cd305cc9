"""A virtual machine as a place where commands run: through the agent in it (qemu-ga(8)), not through its network.

Nothing but guest-exec is used, so that a `Channel` can be QEMU's socket or the REST API of Proxmox VE. What does not
run is empty: all is absent there.
"""

import base64
import itertools
import json
import socket
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from ..errors import CommandFailed, CommandMissing, GatewayError, Unavailable
from ..host import locked
from .inside import Inside

# Of the agent's own environment nothing is wanted; a command that takes too long is ended there, with its children.
ENVIRONMENT = ("LC_ALL=C.UTF-8", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
TIMED_OUT = 124  # timeout(1)
APPEND = 'umask 077; cat >>"$1"'
FED = 'file=$1; shift; exec "$@" <"$file"'
PATIENCE = 5  # times what it may take elsewhere: without KVM, on a busy node
POLLS = 0.01, 0.25  # seconds between looks at a command: the first, and the longest
ANSWER_WAIT = 20.0  # seconds for one answer of an agent that is there


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    output: bytes
    errors: bytes


class NotRunning(GatewayError):
    """The machine is off."""


class Silent(Unavailable):
    """The machine runs, and its agent says nothing."""


class Channel(Protocol):
    """A way to the agent of one machine. Raises NotRunning, Silent, Unavailable with what the agent says."""

    most: int  # bytes that one command can be given

    def start(self, argv: Sequence[str], stdin: bytes) -> int:
        """Start a command; returns its number."""

    def ended(self, number: int) -> Ended | None:
        """How it has ended, None while it runs. Asked once more it is forgotten."""


class Guest(Inside):
    """One virtual machine."""

    def __init__(self, channel: Channel, title: str) -> None:
        self.channel, self.title = channel, title
        self._numbers = itertools.count()

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a command inside. Raises CommandFailed, CommandMissing, Unavailable where the agent is silent."""
        given, timeout = stdin.encode("utf-8", "surrogateescape"), timeout * PATIENCE
        try:
            if len(given) <= self.channel.most:
                ended = self._run(argv, given, timeout)
            else:
                ended = self._fed(argv, given, timeout)
        except NotRunning as error:
            raise CommandFailed(argv, 1, f"No such file or directory: {self.title} does not run") from error
        said = ended.errors.decode(errors="replace").strip()
        if ended.code == TIMED_OUT:
            raise CommandFailed(argv, -1, f"no answer within {timeout:g} s")
        if ended.code == 127 and said.startswith("timeout: failed to run command"):
            raise CommandMissing(argv[0], "")
        output = ended.output.decode("utf-8", "surrogateescape")
        if ended.code:
            raise CommandFailed(argv, ended.code, said or output)
        return output

    def _run(self, argv: Sequence[str], stdin: bytes, timeout: float) -> Ended:
        words = ["env", "-i", *ENVIRONMENT, "timeout", "--kill-after=1", f"{timeout:g}", *argv]
        number = self.channel.start(words, stdin)
        pause, deadline = POLLS[0], time.monotonic() + timeout + ANSWER_WAIT
        while (ended := self.channel.ended(number)) is None:
            if time.monotonic() > deadline:
                raise CommandFailed(argv, -1, f"no answer within {timeout:g} s")
            time.sleep(pause)
            pause = min(pause * 2, POLLS[1])
        return ended

    def _fed(self, argv: Sequence[str], stdin: bytes, timeout: float) -> Ended:
        """Run it with more input than goes at once: by a file for root alone, in pieces."""
        file = f"/run/smbgateway-input-{time.monotonic_ns()}-{next(self._numbers)}"
        most = self.channel.most
        try:
            for start in range(0, len(stdin), most):
                piece = self._run(("sh", "-c", APPEND, "append", file), stdin[start : start + most], 60 * PATIENCE)
                if piece.code:
                    return piece
            return self._run(("sh", "-c", FED, "fed", file, *argv), b"", timeout)
        finally:
            self._run(("rm", "-f", "--", file), b"", 60 * PATIENCE)

    def answers(self) -> bool:
        """Whether the agent is there."""
        try:
            self.run("true")
        except (CommandFailed, Unavailable):
            return False
        return True


class Socket:
    """The agent behind a socket of QEMU's, which lets one in at a time."""

    most = 1 << 20

    def __init__(self, path: str, title: str) -> None:
        self.path, self.title = path, title
        self._numbers = itertools.count(1)

    def start(self, argv: Sequence[str], stdin: bytes) -> int:
        """guest-exec."""
        order: dict[str, object] = {"path": argv[0], "arg": list(argv[1:]), "capture-output": True}
        if stdin:
            order["input-data"] = base64.b64encode(stdin).decode()
        return int(self._ask("guest-exec", order)["pid"])

    def ended(self, number: int) -> Ended | None:
        """guest-exec-status."""
        found = self._ask("guest-exec-status", {"pid": number})
        if not found["exited"]:
            return None
        output, errors = (base64.b64decode(found.get(name, "")) for name in ("out-data", "err-data"))
        return Ended(int(found.get("exitcode", -int(found.get("signal", 1)))), output, errors)

    def _ask(self, command: str, arguments: dict[str, object]) -> Any:
        """One command. Before it the agent is told to forget what another of us had not heard to its end."""
        number = time.monotonic_ns() % 2**53 + next(self._numbers)
        lines = [{"execute": "guest-sync", "arguments": {"id": number}}, {"execute": command, "arguments": arguments}]
        try:
            with locked(f"{self.path}.lock"), socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_WAIT)
                connection.connect(self.path)
                connection.sendall(b"\xff" + b"".join(json.dumps(line).encode() + b"\n" for line in lines))
                return self._answer(connection, number)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(f"{self.title} does not run") from error
        except TimeoutError:
            told = f"no word within {ANSWER_WAIT:g} s"
            raise Silent(f"the agent of {self.title} does not answer", told) from None
        except OSError as error:  # it goes down just now
            raise Silent(f"the agent of {self.title} does not answer", str(error)) from error

    def _answer(self, connection: socket.socket, number: int) -> Any:
        """What it says to the command after the one with that number."""
        synchronous = False
        for line in connection.makefile("rb"):
            found = json.loads(line.lstrip(b"\xff"))
            if synchronous and "error" in found:
                raise Unavailable(f"the agent of {self.title} refuses", str(found["error"].get("desc", "")))
            if synchronous:
                return found["return"]
            synchronous = found.get("return") == number
        raise OSError("it has hung up")
