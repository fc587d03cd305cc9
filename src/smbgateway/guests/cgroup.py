"""What a container may use, and what became of it: its control groups, of either version (lxc-cgroup(1))."""

import re
from dataclasses import dataclass

from ..errors import CommandFailed
from ..host import Host
from .container import Container

UNIFIED = "/sys/fs/cgroup/cgroup.controllers"  # there with version 2 alone
PERIOD, PAGE = 100_000, 4096  # microseconds; bytes


def unified(host: Host) -> bool:
    """Whether a node has version 2 alone."""
    return host.read(UNIFIED) is not None


@dataclass(frozen=True)
class Limits:
    """Bytes of memory and of swap beside it, and as much computing time as so many cores have; None is all."""

    memory: int
    swap: int
    cores: int | None

    def values(self, unified: bool) -> dict[str, str]:
        """By the names of control files. Version 1 counts swap only where the kernel was told to: it is left alone."""
        memory = str(self.memory // PAGE * PAGE)
        quota = str(self.cores * PERIOD) if self.cores else None
        if not unified:
            return {"memory.limit_in_bytes": memory, "cpu.cfs_quota_us": quota or "-1"}
        swap = str(self.swap // PAGE * PAGE)
        return {"memory.max": memory, "memory.swap.max": swap, "cpu.max": f"{quota or 'max'} {PERIOD}"}

    def lines(self, unified: bool) -> list[str]:
        """As a container's configuration has them (lxc.container.conf(5))."""
        prefix = "lxc.cgroup2" if unified else "lxc.cgroup"
        return [f"{prefix}.{name} = {value}" for name, value in self.values(unified).items()]


def limits(container: Container, names: list[str]) -> str | None:
    """Those of a running container, a line each; None where it does not run."""
    if not container.runs():
        return None
    return "".join(f"{name} {container.control(name)}\n" for name in names)


def set_limits(container: Container, text: str) -> None:
    """Set those of a running container, by such lines."""
    for line in text.splitlines():
        container.set_control(*line.split(" ", 1))


def killed(container: Container) -> int:
    """How many of its processes the kernel has killed for want of memory since it was started; 0 where it is down."""
    name = "memory.events" if unified(container.host) else "memory.oom_control"
    try:
        found = re.search(r"^oom_kill (\d+)", container.control(name), re.MULTILINE)
    except CommandFailed:
        return 0
    return int(found[1]) if found else 0
