"""A container of LXC's as a place where commands run (lxc-attach(1)), and its life.

Its files are those that its first process sees (rooted.py): no link made inside leads out.
"""

import contextlib

from ..errors import CommandFailed, CommandMissing, Failed
from ..host import Host
from .inside import Inside
from .rooted import Rooted

ENVIRONMENT = ("LC_ALL=C.UTF-8", "HOME=/root")


class Container(Inside):
    """One container: its configuration and files are below `FOLDER/NAME`. What does not run is empty: all is absent."""

    def __init__(self, host: Host, folder: str, name: str) -> None:
        self.host, self.folder, self.name = host, folder, name

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a command inside. Raises CommandFailed, CommandMissing."""
        variables = [word for each in ENVIRONMENT for word in ("--set-var", each)]
        # A pipe of the node's cannot be opened again by its name: it belongs to nobody inside.
        fed = ("sh", "-c", 'cat | "$@"', "fed") if "/dev/stdin" in argv else ()
        try:
            return self._lxc("attach", "--clear-env", *variables, "--", *fed, *argv, stdin=stdin, timeout=timeout)
        except CommandFailed as error:
            if "Failed to get init pid" in error.output:
                raise CommandFailed(argv, error.code, self._absent) from error
            if "Failed to exec" in error.output:
                raise CommandMissing(argv[0], "") from error
            raise CommandFailed(argv, error.code, error.output) from error

    @property
    def _absent(self) -> str:
        return f"No such file or directory: container {self.name} does not run"

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none."""
        with contextlib.suppress(ProcessLookupError):
            seen = self._seen()
            own = path.replace("/proc/self/", "/proc/1/", 1)  # we are no process of it
            return seen.read(own) if seen else None
        return None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace a file in one step. Raises CommandFailed where it does not run."""
        with contextlib.suppress(ProcessLookupError):
            if seen := self._seen():
                seen.write(path, text, mode)
                return
        raise CommandFailed(("write", path), 1, self._absent)

    def _seen(self) -> Rooted | None:
        """What its first process sees; None where it does not run."""
        which = self.folder, self.name
        if which not in _seen or not _seen[which].lives():
            _seen.pop(which, None)
            words = self._state("--pid").split()
            if "RUNNING" not in words:  # one that is starting may still see the files of the node
                return None
            _seen[which] = Rooted(int(words[-1]))
        return _seen[which]

    def runs(self) -> bool:
        """Whether it runs."""
        return self._state() == "RUNNING"

    def _state(self, *more: str) -> str:
        """In LXC's words, with what else is asked for; empty where there is no such container."""
        try:
            return self._lxc("info", "--state", *more, "--no-humanize").strip()
        except CommandFailed as error:
            if "doesn't exist" in error.output:
                return ""
            raise

    def control(self, name: str) -> str:
        """What a file of its control groups says (lxc-cgroup(1)). Raises CommandFailed."""
        return self._lxc("cgroup", name).strip()

    def set_control(self, name: str, value: str) -> None:
        """Write such a file. Raises CommandFailed."""
        self._lxc("cgroup", "--", name, value)

    def start(self) -> None:
        """Start it. Raises Failed with what LXC says."""
        log = f"{self.folder}/{self.name}/log"
        self.host.run("rm", "-f", "--", log)
        # Without newuidmap in its path LXC maps the ids itself, as root may.
        start = ("env", "PATH=/nonexistent", "/usr/bin/lxc-start", *self._which(), "--logfile", log)
        try:
            self.host.run(*start, "--logpriority", "ERROR")
        except CommandFailed as error:
            said = [line.split(" - ", 1)[-1] for line in (self.host.read(log) or error.output).splitlines()]
            raise Failed(f"container {self.name} does not start", " | ".join(said[:3])) from error

    def stop(self) -> None:
        """Stop it; absent is fine."""
        if self.runs():
            self._lxc("stop", "--timeout", "10")

    def _lxc(self, tool: str, *arguments: str, stdin: str = "", timeout: float = 60) -> str:
        return self.host.run(f"lxc-{tool}", *self._which(), *arguments, stdin=stdin, timeout=timeout)

    def _which(self) -> tuple[str, ...]:
        return ("--lxcpath", self.folder, "--name", self.name)


_seen: dict[tuple[str, str], Rooted] = {}  # by folder and name: asking LXC takes 3 ms each time
