"""What makes Windows find a gateway: wsdd2 beside its smbd, below the same supervisor (announce.sh)."""

import contextlib

from ..errors import CommandFailed
from ..step import Step
from .instance import Instance

PROGRAM = "/usr/sbin/wsdd2"


class Announcer:
    """The wsdd2 of an instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.host = instance, instance.host

    def step(self, name: str) -> Step:
        """By which name it is found; by none where that is empty."""
        path = f"{self.instance.own}/announcement"

        def write(value: str | None) -> None:
            if value is None:
                self.host.run("rm", "-f", "--", path)
            else:
                self.host.write(path, value)
            self._again()

        want = f"{name}\n{self.instance.gateway.workgroup}\n" if name else ""
        return Step(f"name in Explorer of gateway {self.instance.label}", want, lambda: self.host.read(path), write)

    def _again(self) -> None:
        """The supervisor starts it again, with what it is told now."""
        if pid := self._pid():
            with contextlib.suppress(CommandFailed):  # it ended by itself
                self.host.run("kill", "-TERM", pid)

    def _pid(self) -> str:
        pid = (self.host.read(f"{self.instance.own}/run/announcer.pid") or "").strip()
        if not pid.isdigit():
            return ""
        variables = (self.host.read(f"/proc/{pid}/environ") or "").split("\0")
        return pid if f"SMBGW_GATEWAY={self.instance.own}" in variables else ""

    def trouble(self) -> str:
        """Why Windows does not find what is announced; empty where it does."""
        pid = self._pid()
        if pid and PROGRAM in (self.host.read(f"/proc/{pid}/cmdline") or "").split("\0"):
            return ""
        try:
            self.host.run("test", "-x", PROGRAM)
        except CommandFailed:
            return "wsdd2 is not installed"
        return "wsdd2 is not running: it starts with the gateway"
