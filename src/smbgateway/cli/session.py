"""What every command has: the engine it speaks to, and where its words go."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable

from .client import Client, socket_path
from .text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any


class Session:
    """One run of the command."""

    def __init__(self, arguments: Namespace) -> None:
        self.root: str = getattr(arguments, "root", None) or os.environ.get("PVE_SMBGATEWAY_ROOT") or "/"
        self.json: bool = getattr(arguments, "json", False)
        self.verbose: bool = getattr(arguments, "verbose", False)
        start = self.command("serve")
        hint = f"start it: {start}" if self.root != "/" else f"start it: systemctl start pve-smbgateway, or {start}"
        self.client = Client(socket_path(self.root), self.note, hint)

    @property
    def terminal(self) -> bool:
        """Whether a person watches."""
        return sys.stdout.isatty() and not self.json

    def note(self, text: str) -> None:
        """Something for those who asked for more words."""
        if self.verbose:
            print(f"> {clean(text)}", file=sys.stderr)

    def say(self, lines: Iterable[str]) -> None:
        """Lines for a person."""
        for line in lines:
            print(line)

    def answer(self, body: dict[str, Any], lines: Iterable[str], exit_code: int = 0) -> int:
        """The end of a command: one JSON document, or lines."""
        if self.json:
            self.document(body)
        else:
            self.say(lines)
        return exit_code

    @staticmethod
    def document(body: dict[str, Any]) -> None:
        """One JSON document on standard output; escaped, so it cannot steer a terminal either."""
        print(json.dumps(body, indent=2))

    def command(self, words: str) -> str:
        """A command line for this very installation, to put into a hint."""
        root = "" if self.root == "/" else f"--root {self.root} "
        return f"pve-smbgateway {root}{words}"
