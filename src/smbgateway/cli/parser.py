"""The words of the command line. A command's own options are added only when it is the one asked for."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence

from .problem import Problem, nearest, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

PROGRAM = "pve-smbgateway"
Fill = Callable[["Parser"], None]


def formatter(prog: str) -> argparse.HelpFormatter:
    """argparse's own, with a width that does not take shutil to find out (a third of the time to start)."""
    try:
        columns = os.get_terminal_size().columns
    except OSError:
        columns = 0
    return argparse.HelpFormatter(prog, width=min(columns or 80, 100))


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are Problems, with a hint."""

    def __init__(self, *arguments: object, **options: object) -> None:
        options = {"allow_abbrev": False, "add_help": False, "formatter_class": formatter, **options}
        super().__init__(*arguments, **options)  # type: ignore[arg-type]  # argparse's own, handed on
        self.commands: argparse._SubParsersAction[Parser] | None = None
        self.add_argument("-h", "--help", action="help", help="show this help")

    def error(self, message: str) -> NoReturn:
        """Raise Problem instead of ending the process."""
        raise self.complaint(message)

    def complaint(self, message: str) -> Problem:
        """What argparse found, in our words."""
        choice = re.match(r"argument (.+?): invalid choice: '?(.+?)'? \(choose from (.+)\)$", message)
        if message.startswith("the following arguments are required: "):
            return usage(f"{message.partition(': ')[2]} is missing (see {self.prog} --help)")
        if not choice:
            return usage(f"{message} (see {self.prog} --help)")
        known = re.findall(r"[\w.-]+", choice[3])
        what = "command" if choice[1].endswith("COMMAND") else f"value of {choice[1]}"
        return usage(f'unknown {what} "{choice[2]}"', nearest(choice[2], known) or f"known: {', '.join(known)}")

    def leftover(self, words: Sequence[str]) -> Problem:
        """Words that no option or argument takes."""
        word = next((word for word in words if word.startswith("-")), words[0]).partition("=")[0]
        if not word.startswith("-"):
            return usage(f'unexpected argument "{word}" (see {self.prog} --help)')
        known = [option for action in self._actions for option in action.option_strings]
        return usage(f'unknown option "{word}" of {self.prog}', nearest(word, known) or f"see {self.prog} --help")

    def common(self) -> Parser:
        """Add what every command has."""
        group = self.add_argument_group("common options")
        missing = argparse.SUPPRESS  # so that a later parser does not undo what an earlier one read
        text = "the installation below DIR (default: PVE_SMBGATEWAY_ROOT, or /)"
        group.add_argument("--root", metavar="DIR", default=missing, help=text)
        text = "one JSON document on standard output, errors too"
        group.add_argument("--json", "-j", action="store_true", default=missing, help=text)
        text = "show the requests to the engine too"
        group.add_argument("--verbose", action="store_true", default=missing, help=text)
        if " " in self.prog and not self.commands and not self.usage:  # a list of all options tells nobody anything
            self.usage = " ".join(["%(prog)s", *self.operands(), "[options]"])
        return self

    def operands(self) -> list[str]:
        """The arguments that are no options, as a synopsis has them."""
        forms = {"?": "[{}]", "*": "[{} ...]", "+": "{} ..."}
        actions = [action for action in self._actions if not action.option_strings]
        names = [str(action.metavar or "|".join(map(str, action.choices or [action.dest]))) for action in actions]
        return [forms.get(str(a.nargs), "{}").format(name) for a, name in zip(actions, names, strict=True)]

    def add_command(self, name: str, summary: str, run: str = "") -> Parser:
        """Add a command below this one; `run` names what does it, as `module:function`."""
        if self.commands is None:
            self.commands = self.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser, title="commands")
        made = self.commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        made.set_defaults(run=run, parser=made)
        return made


def build(only: Sequence[str] | None = None) -> Parser:
    """The whole parser; with `only`, options of just those commands whose names are among the words."""
    from .commands import COMMANDS

    parser = Parser(prog=PROGRAM, description="SMB gateways for Proxmox VE and plain Debian.").common()
    parser.add_argument("--version", "-V", action="store_true", help="same as version")
    for name, (summary, fill, run) in COMMANDS.items():
        command = parser.add_command(name, summary, run)
        if only is None or name in only:
            fill(command)
            command.common()
    return parser


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Arguments of a command line. Raises Problem."""
    words = ["version", *words[1:]] if words[0] in ("--version", "-V") else words
    parser = build(words)
    arguments, rest = parser.parse_known_args(words)
    if rest:
        raise getattr(arguments, "parser", parser).leftover(rest)
    return arguments
