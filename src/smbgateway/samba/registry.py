"""Published shares: the instance's own Samba registry, one atomic import per share.

`net conf import` without a share name drops all others, so the name is never empty here. A session that is open sees
nothing of a change by itself (measured: 130 s): what takes something away also closes.
"""

from collections.abc import Mapping

from ..errors import CommandFailed
from ..step import Step
from .config import Parameters, parse_sections, render
from .instance import Instance

HARMLESS = {"comment", "browseable", "dfree command", "dfree cache time", "fruit:time machine max size"}


class Registry:
    """The shares of one instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._listed: dict[str, Parameters] | None = None
        self._spent: set[str] = set()

    def prefetch(self) -> None:
        """Read all definitions by one command; each serves one read. Worth it from about ten shares on."""
        self._spent.clear()
        if self.instance.host.read(self.instance.conf) is not None:
            listed = parse_sections(self.instance.tool("net", "conf", "list"))
            self._listed = {name.lower(): parameters for name, parameters in listed.items()}

    def new(self) -> None:
        """It was made just now: there is nothing to read."""
        self._listed = {}

    def definition(self, name: str) -> Parameters | None:
        """What is published under a name, None for nothing."""
        if self._listed is not None and name.lower() not in self._spent:
            self._spent.add(name.lower())
            return self._listed.get(name.lower())
        if self.instance.host.read(self.instance.conf) is None:
            return None
        try:
            shown = parse_sections(self.instance.tool("net", "conf", "showshare", name))
        except CommandFailed as error:
            if "SBC_ERR_NO_SUCH_SERVICE" in error.output:
                return None
            raise
        return next(iter(shown.values()), None)

    def published(self, name: str, parameters: Parameters) -> Step:
        """The step that publishes a share."""
        seen: list[str | None] = []  # the value last read or written: a read costs 30 ms

        def read() -> str | None:
            found = self.definition(name)
            seen[:] = [None if found is None else _text(found)]
            return seen[0]

        def write(value: str | None) -> None:
            self._write(name, seen[0] if seen else read(), value)
            seen[:] = [value]

        return Step(f"share {name}", _text(parameters), read, write)

    def publish_all(self, sections: Mapping[str, Parameters]) -> None:
        """Publish many shares that are not there yet by one import: 2 ms each instead of 50. Adds keys, drops none.

        Unlike `net conf import` it checks no parameter, so it is for definitions that a proof has just loaded.
        """
        text = "Windows Registry Editor Version 5.00\n\n"
        for name, parameters in sections.items():
            values = "".join(f'"{_escape(key)}"="{_escape(value)}"\n' for key, value in parameters.items())
            text += f"[HKEY_LOCAL_MACHINE\\SOFTWARE\\Samba\\smbconf\\{name}]\n{values}\n"
        self.instance.tool("net", "registry", "import", "/dev/stdin", stdin=text, timeout=60 + len(sections))
        self.instance.preload()
        self._listed = None

    def _write(self, name: str, former: str | None, value: str | None) -> None:
        tool = self.instance.tool
        if value is None:
            if former is not None:
                tool("net", "conf", "delshare", name)
        else:
            definition = render(name, _parameters(value))
            tool("net", "conf", "import", "/dev/stdin", name, stdin=definition)
        self.instance.preload()
        if former is not None and self.instance.pid() is not None:
            self._tell(name, _parameters(former), _parameters(value or ""))

    def _tell(self, name: str, former: Parameters, new: Parameters) -> None:
        """Make sessions that are open see the change, and close what they may no longer have."""
        self.instance.control("smbd", "reload-config")
        self.instance.control("smbd", "close-share" if _cuts(former, new) else "close-denied-share", name)


def _cuts(former: Parameters, new: Parameters) -> bool:
    """Whether a tree connection made under the former definition must end, whoever holds it."""
    changed = {name for name in former.keys() | new.keys() if former.get(name) != new.get(name)} - HARMLESS
    if changed <= {"valid users", "write list"}:
        before, after = (set(sections.get("write list", "").split()) for sections in (former, new))
        valid = set(new.get("valid users", "").split())
        # Who may not come in at all any more is cut as denied; a group may still let in who has lost more than that.
        return any(name in valid or name[0] in "@+" or any(v[0] in "@+" for v in valid) for name in before - after)
    return True


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _text(parameters: Parameters) -> str:
    return "".join(f"{name} = {value}\n" for name, value in sorted(parameters.items()))


def _parameters(text: str) -> Parameters:
    return {name: value for name, _, value in (line.partition(" = ") for line in text.splitlines())}
