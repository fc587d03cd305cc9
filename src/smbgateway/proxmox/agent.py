"""The agent in a virtual machine of Proxmox VE, reached by its REST API (qemu-ga(8)).

The API takes characters where the agent takes bytes, forgets the words before an empty one, and hands bytes back as
characters. So a command goes as base64 to a shell inside, and with it its input.
"""

import base64
import re
import shlex
from collections.abc import Sequence
from typing import Any

from ..errors import Unavailable
from ..guests.agent import Ended, NotRunning, Silent
from .client import Parameters, Proxmox, ProxmoxFailed

PLAIN = 'eval "exec $(echo "$0" | base64 -d)"'
FED = f"base64 -d | {PLAIN}"
OFF = re.compile(r"VM \d+ (is )?not running|^Configuration file .* does not exist")
MUTE = re.compile(r"agent is not running|got timeout|timed out|unable to connect to")


class Agent:
    """A channel to one (guests.agent.Channel); `path` is that of its machine."""

    # As base64 it is less than the 64 KiB of input-data, also with its signs escaped in the body of a request.
    most = 40 << 10

    def __init__(self, api: Proxmox, path: str, title: str) -> None:
        self.api, self.path, self.title = api, f"{path}/agent", title

    def start(self, argv: Sequence[str], stdin: bytes) -> int:
        """Its exec."""
        command = ["sh", "-c", FED if stdin else PLAIN, _letters(shlex.join(argv).encode("utf-8", "surrogateescape"))]
        given = _letters(stdin) if stdin else None
        return int(self._ask("POST", "exec", {"command": command, "input-data": given})["pid"])

    def ended(self, number: int) -> Ended | None:
        """Its exec-status."""
        found = self._ask("GET", "exec-status", {"pid": number})
        if not _true(found["exited"]):
            return None
        if _true(found.get("out-truncated")):
            raise Unavailable(f"the agent of {self.title} has cut what a command said", "16 MiB is the most")
        output, errors = (_bytes(str(found.get(name, ""))) for name in ("out-data", "err-data"))
        return Ended(int(found.get("exitcode", -int(found.get("signal", 1)))), output, errors)

    def _ask(self, method: str, verb: str, parameters: Parameters) -> Any:
        try:
            return self.api.call(method, f"{self.path}/{verb}", parameters, secret=True)
        except ProxmoxFailed as error:
            if OFF.search(error.cause):
                raise NotRunning(f"{self.title} does not run") from error
            if MUTE.search(error.cause):
                hint = "does qemu-guest-agent run in it? gateway restart starts it again"
                raise Silent(f"the agent of {self.title} does not answer", error.cause, hint=hint) from error
            raise Unavailable(f"the agent of {self.title} refuses", error.cause, hint=error.hint) from error


def _letters(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _true(value: object) -> bool:
    """Perl's booleans come as 1, "1" or true."""
    return str(value) in ("1", "True")


def _bytes(text: str) -> bytes:
    """What the agent said: each byte has come as the character of that number."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()
