"""completion: scripts for shells, made from the parser; names of shares, users and so on come from the engine."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from .parser import PROGRAM, Parser, build
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace

# Commands whose NAME is of something there: what `list --kind` calls it.
NAMES = {
    **dict.fromkeys(["update", "delete", "status", "show"], "share"),
    **{f"snapshot {verb}": "share" for verb in ("create", "list", "delete", "restore")},
    **{f"quota {verb}": "share" for verb in ("show", "history", "users", "set", "watch")},
    **{f"user {verb}": "user" for verb in ("password", "disable", "enable", "delete", "show")},
    **{f"group {verb}": "group" for verb in ("delete", "show", "add", "remove")},
    **{f"notify {verb}": "receiver" for verb in ("delete", "show", "test")},
    **{f"gateway {verb}": "gateway" for verb in ("update", "delete", "show")},
}
FILES = ("--root", "--path", "--file", "-f", "--allow-path", "--metrics-file")


def run(session: Session, arguments: Namespace) -> int:
    """Print the script of a shell."""
    print(SHELLS[arguments.shell](build()), end="")
    return 0


def commands(parser: Parser, prefix: str = "") -> Iterator[tuple[str, Parser]]:
    """Every command with its parser, those with commands of their own too: `user`, `user create`, ..."""
    for name, below in (parser.commands.choices if parser.commands else {}).items():
        yield f"{prefix}{name}", below
        yield from commands(below, f"{prefix}{name} ")


def options(parser: Parser) -> list[str]:
    """All options of a command."""
    return [option for action in parser._actions for option in action.option_strings]


def choices(parser: Parser) -> Iterator[tuple[str, list[str]]]:
    """Options that want one of some words, with the words."""
    for action in parser._actions:
        if action.choices and not isinstance(action, argparse._SubParsersAction):
            for option in action.option_strings or [""]:
                yield option, [str(choice) for choice in action.choices]


def words(parser: Parser) -> list[str]:
    """What may stand first behind a command, options apart."""
    return list(parser.commands.choices) if parser.commands else dict(choices(parser)).get("", [])


def taking(parser: Parser) -> list[str]:
    """The options that take a value."""
    return [option for action in parser._actions if action.nargs != 0 for option in action.option_strings]


def bash(parser: Parser) -> str:
    """A script for bash."""
    found = [("", parser), *commands(parser)]
    values = [
        f"    '{name} {option}') _smbgw_words {' '.join(known)}; return ;;"
        for name, command in found
        for option, known in choices(command)
        if option
    ]
    lines = [
        f"    '{name}') {bash_first(name, command)}_smbgw_words {' '.join(options(command))} ;;"
        for name, command in found
    ]
    script = BASH.replace("@COMMANDS@", " | ".join(f"'{name}'" for name, _ in found[1:]))
    script = script.replace("@FILES@", " | ".join(FILES)).replace("@CHOICES@", "\n".join(values))
    taken = sorted({option for _, command in found for option in taking(command)} - set(FILES))
    return script.replace("@VALUES@", " | ".join(taken)).replace("@CASES@", "\n".join(lines))


def bash_first(name: str, parser: Parser) -> str:
    """What completes the first word behind a command that is no option."""
    if name in NAMES:
        return f"_smbgw_names {NAMES[name]}; "
    return f"_smbgw_words {' '.join(words(parser))}; " if words(parser) else ""


def zsh(parser: Parser) -> str:
    """A script for zsh, which can use bash's."""
    return f"#compdef {PROGRAM}\nautoload -U +X bashcompinit && bashcompinit\n{bash(parser)}"


def fish(parser: Parser) -> str:
    """A script for fish."""
    groups = " ".join(name for name, command in commands(parser) if command.commands)
    lines = [FISH.replace("@GROUPS@", groups)]
    for name, command in [("", parser), *commands(parser)]:
        lines += fish_command(name, command)
    return "\n".join(lines) + "\n"


def fish_command(name: str, parser: Parser) -> Iterator[str]:
    """The lines of one command."""
    head = f"complete -c {PROGRAM} -n '__smbgw_at {name}'"
    if name in NAMES:
        yield f"{head} -a '({PROGRAM} list --kind {NAMES[name]} --names 2>/dev/null)'"
    elif words(parser):
        yield f"{head} -a '{' '.join(words(parser))}'"
    known = dict(choices(parser))
    for action in parser._actions:
        for option in (option for option in action.option_strings if option.startswith("--")):
            value = f" -x -a '{' '.join(known[option])}'" if option in known else " -r" if action.nargs != 0 else ""
            file = " -F" if option in FILES else ""
            said = (action.help or "").replace("'", "\\'")
            yield f"{head} -l {option[2:]}{value}{file} -d '{said}'"


BASH = r"""# bash completion of pve-smbgateway; made by: pve-smbgateway completion bash
_smbgw_words() {
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$*" -- "$current")
}
_smbgw_names() {
    local name
    [[ $current == -* ]] && return
    while IFS= read -r name; do
        [[ $name == "$current"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done < <(pve-smbgateway "${where[@]}" list --kind "$1" --names 2>/dev/null)
}
_pve_smbgateway() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command='' word index where=()
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        [[ $word == --root ]] && where=(--root "${COMP_WORDS[index+1]}")
        case "${command:+$command }$word" in
        @COMMANDS@) command=${command:+$command }$word ;;
        esac
    done
    case "$previous" in
    @FILES@) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    esac
    case "$command $previous" in
@CHOICES@
    esac
    case "$previous" in  # a value that nobody can guess
    @VALUES@) return ;;
    esac
    case "$command" in
@CASES@
    esac
    # options only when one is begun
    [[ $current == -* ]] || for index in "${!COMPREPLY[@]}"; do
        [[ ${COMPREPLY[index]} == -* ]] && unset "COMPREPLY[index]"
    done
}
complete -F _pve_smbgateway pve-smbgateway
"""
FISH = r"""# fish completion of pve-smbgateway; made by: pve-smbgateway completion fish
function __smbgw_at
    set -l words (string match -v -- '-*' (commandline -opc))[2..]
    set -l command "$words[1]"
    contains -- "$command" @GROUPS@; and set command "$words[1..2]"
    test "$command" = "$argv"
end
complete -c pve-smbgateway -f"""
SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
