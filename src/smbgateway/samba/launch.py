"""How a supervisor is started and stopped: by systemd where it runs and has our unit, else by ourselves."""

import os
import sys
from typing import Protocol

from ..host import Host, spawn

SUPERVISOR = "smbgateway.samba.supervise"
UNIT = "pve-smbgateway-smbd@{}.service"
UNIT_FILE = "/usr/lib/systemd/system/pve-smbgateway-smbd@.service"


class Launcher(Protocol):
    """Starts and stops the supervisor of an instance."""

    def start(self, gateway: str, own: str) -> None:
        """Start it; it is ready when smbd answers."""

    def stop(self, gateway: str, pid: int) -> None:
        """Tell it to end."""


class Systemd:
    """Our template unit: one of its own per gateway, so that an engine restart leaves smbd alone."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def start(self, gateway: str, own: str) -> None:
        """Start the unit."""
        self.host.run("systemctl", "start", UNIT.format(gateway))

    def stop(self, gateway: str, pid: int) -> None:
        """Stop the unit, with all its processes (KillMode=control-group)."""
        self.host.run("systemctl", "stop", UNIT.format(gateway))


class Spawn:
    """A process of ours that outlives the engine, in a mount namespace that sees later mounts (slave)."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def start(self, gateway: str, own: str) -> None:
        """Start it detached."""
        program = (sys.executable, "-I", "-m", SUPERVISOR, own)
        spawn(["unshare", "--mount", "--propagation", "slave", "--", *program], f"{own}/log/supervisor.log")

    def stop(self, gateway: str, pid: int) -> None:
        """Tell it to end; its children end with it."""
        self.host.run("kill", "-TERM", str(pid))


class Inside:
    """The same inside of a container, below its first process; `program` is our supervisor there."""

    def __init__(self, host: Host, *program: str) -> None:
        self.host, self.program = host, program

    def start(self, gateway: str, own: str) -> None:
        """Start it detached; nothing of ours stays open."""
        program = ("unshare", "--mount", "--propagation", "slave", "--", *self.program, own)
        log = f"{own}/log/supervisor.log"
        self.host.run("sh", "-c", 'exec setsid --fork "$@" </dev/null >>"$0" 2>&1', log, *program)

    def stop(self, gateway: str, pid: int) -> None:
        """Tell it to end; its children end with it."""
        self.host.run("kill", "-TERM", str(pid))


class Unit(Inside):
    """The same inside of a virtual machine: a unit of its own, so that nothing else there ends it."""

    def start(self, gateway: str, own: str) -> None:
        """Start it; systemd ends with it whatever it has started."""
        log = f"append:{own}/log/supervisor.log"
        told = (f"--property=StandardOutput={log}", f"--property=StandardError={log}")
        program = ("unshare", "--mount", "--propagation", "slave", "--", *self.program, own)
        self.host.run("systemd-run", "--quiet", "--collect", *told, "--", *program)


def launcher(host: Host, root: str) -> Launcher:
    """The way for this machine."""
    if root == "/" and os.path.isdir("/run/systemd/system") and os.path.exists(UNIT_FILE):
        return Systemd(host)
    return Spawn(host)
