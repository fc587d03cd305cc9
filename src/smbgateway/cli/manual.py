"""The manual page, made from the parser: `python -m smbgateway.cli.manual > docs/man/pve-smbgateway.8`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from .. import __version__
from .completion import commands
from .parser import PROGRAM, Parser, build

DESCRIPTION = """\
.B pve-smbgateway
makes and runs SMB gateways: Samba servers, the storage behind them, their quotas and users.
It asks the engine of this node
.RB ( "pve-smbgateway serve" ),
which checks a request as a whole before it touches anything, proves a new share by a real SMB login,
and sets back what it changed if anything fails. Every command may be repeated:
what is as asked for already is a success.
"""
STATUS = [
    ("0", "Done, or nothing was to be done."),
    (
        "1",
        "The change failed and was set back; of status: something does not run or has drifted; of quota: a share is "
        "critical, or cannot be read.",
    ),
    ("2", "The request or the command line is wrong; nothing was changed. Every fault is named with its field."),
    ("3", "The engine, a program it needs, or the store of records is not available."),
    ("4", "There is no such share, gateway, user, group or job."),
    ("5", "The world is not as the request assumes: changed meanwhile, in use, somebody else's, or data is in it."),
    ("6", "The share was made, but a real SMB session could not use it; it was set back."),
    ("130", "Interrupted (Ctrl-C); a change that was begun goes on in the engine."),
]
FILES = [
    ("/run/pve-smbgateway/engine.sock", "Where the engine listens; for root only."),
    (
        "/var/lib/pve-smbgateway/config/",
        "Records of gateways, shares, users and groups (on Proxmox VE: /etc/pve/smbgateway/).",
    ),
    ("/var/lib/pve-smbgateway/priv/", "Secrets, for root only (on Proxmox VE: /etc/pve/priv/smbgateway/)."),
    ("/var/lib/pve-smbgateway/native/", "The Samba instances."),
    ("/var/log/pve-smbgateway/", "Logs."),
]
ENVIRONMENT = [("PVE_SMBGATEWAY_ROOT", "The directory below which the installation lies, as --root. Default: /.")]
EXAMPLES = [
    ("A user, and a share with an enforced limit:",
     ["pve-smbgateway user create office",
      "pve-smbgateway create docs --source image:/srv/docs.img --quota 10G --user office"]),
    ("What a change would do, and the change:",
     ["pve-smbgateway update docs --quota 20G --dry-run", "pve-smbgateway update docs --quota 20G"]),
    ("How full shares are, and where that leads; a chart of a month; told earlier than by default:",
     ["pve-smbgateway quota", "pve-smbgateway quota history docs --span month",
      "pve-smbgateway quota set docs --notice 60 --fills-within 30"]),
    ("Everything to a file, and back:",
     ["pve-smbgateway export > gateway.json", "pve-smbgateway apply -f gateway.json"]),
    ("End a share. The first keeps the data, the second does not:",
     ["pve-smbgateway delete docs", "pve-smbgateway delete docs --destroy-data"]),
]  # fmt: skip


def escape(text: str) -> str:
    """Text as roff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def page(parser: Parser) -> str:
    """The whole page."""
    lines = [f'.TH PVE\\-SMBGATEWAY 8 "" "pve\\-smbgateway {__version__}" "System administration"']
    lines += [".SH NAME", f"{escape(PROGRAM)} \\- SMB gateways for Proxmox VE and plain Debian"]
    lines += [".SH SYNOPSIS", f".B {escape(PROGRAM)}", "[\\fIoptions\\fR] \\fIcommand\\fR ..."]
    lines += [".SH DESCRIPTION", DESCRIPTION.rstrip(), ".SH OPTIONS", "These may stand before or behind the command."]
    lines += [line for action in parser._actions for line in option(action)]
    lines += [".SH COMMANDS"]
    for name, command in commands(parser):
        lines += section(name, command)
    for title, items in (("EXIT STATUS", STATUS), ("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)):
        lines += [f".SH {title}", *(line for item in items for line in entry(f"\\fB{escape(item[0])}\\fR", item[1]))]
    lines += [".SH EXAMPLES", *examples(), ".SH SEE ALSO", ".BR smb.conf (5),", ".BR smbclient (1)"]
    return "\n".join(lines) + "\n"


def entry(term: str, text: str) -> list[str]:
    """A term and what it means."""
    return [".TP", term, escape(text)]


def sentence(text: str) -> str:
    """A help text as a sentence."""
    return text[:1].upper() + text[1:] + "." if text else ""


def section(name: str, parser: Parser) -> Iterator[str]:
    """One command."""
    if parser.commands and parser.commands.required:
        return
    usual = {"root", "json", "verbose", "help"}
    actions = [a for a in parser._actions if a.dest not in usual and a is not parser.commands]
    operands = [operand(action) for action in actions if not action.option_strings]
    more = ["[\\fIoptions\\fR]"] if any(action.option_strings for action in actions) else []
    yield f".SS {escape(PROGRAM)} {' '.join([f'{escape(name)}', *operands, *more])}"
    yield escape(parser.description or "")
    for action in actions:
        yield from option(action) if action.option_strings else argument(action)


def operand(action: argparse.Action) -> str:
    """An argument in a synopsis."""
    if action.metavar and str(action.metavar).startswith("["):
        return escape(str(action.metavar))
    name = f"\\fI{escape(str(action.metavar or '|'.join(map(str, action.choices or [action.dest]))))}\\fR"
    return {"?": f"[{name}]", "*": f"[{name} ...]", "+": f"{name} ..."}.get(str(action.nargs), name)


def argument(action: argparse.Action) -> list[str]:
    """An argument with its meaning, where it has a help text."""
    return entry(operand(action), sentence(action.help)) if action.help else []


def option(action: argparse.Action) -> list[str]:
    """An option with its meaning."""
    if not action.option_strings:
        return []
    value = ""
    if action.nargs != 0:
        value = f" \\fI{escape(str(action.metavar or '|'.join(map(str, action.choices or [action.dest]))))}\\fR"
    names = ", ".join(f"\\fB{escape(name)}\\fR" for name in action.option_strings)
    return entry(names + value, sentence(action.help or ""))


def examples() -> Iterator[str]:
    """Command lines to copy."""
    for text, lines in EXAMPLES:
        yield from (".PP", escape(text), ".PP", ".nf", ".RS", *(escape(line) for line in lines), ".RE", ".fi")


if __name__ == "__main__":
    sys.stdout.write(page(build()))
