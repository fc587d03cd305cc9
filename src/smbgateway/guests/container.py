"""A container of LXC's as a place where commands run (lxc-attach(1)), and its life.

Files go through a shell inside, never through /proc/PID/root: a link made inside would lead out.
"""

from ..errors import CommandFailed, CommandMissing, Failed
from ..host import Host
from .inside import Inside

ENVIRONMENT = ("LC_ALL=C.UTF-8", "HOME=/root")


class Container(Inside):
    """One container: its configuration and files are below `FOLDER/NAME`. What does not run is empty: all is absent."""

    def __init__(self, host: Host, folder: str, name: str) -> None:
        self.host, self.folder, self.name = host, folder, name

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a command inside. Raises CommandFailed, CommandMissing."""
        variables = [word for each in ENVIRONMENT for word in ("--set-var", each)]
        # A pipe of the node's cannot be opened again by its name /dev/stdin: it belongs to nobody inside.
        fed = ("sh", "-c", 'cat | "$@"', "fed") if stdin else ()
        try:
            return self._lxc("attach", "--clear-env", *variables, "--", *fed, *argv, stdin=stdin, timeout=timeout)
        except CommandFailed as error:
            if "Failed to get init pid" in error.output:
                absent = f"No such file or directory: container {self.name} does not run"
                raise CommandFailed(argv, error.code, absent) from error
            if "Failed to exec" in error.output:
                raise CommandMissing(argv[0], "") from error
            raise CommandFailed(argv, error.code, error.output) from error

    def runs(self) -> bool:
        """Whether it runs."""
        try:
            return self._lxc("info", "--state", "--no-humanize").strip() == "RUNNING"
        except CommandFailed as error:
            if "doesn't exist" in error.output:
                return False
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
