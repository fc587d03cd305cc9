"""The supervisor of one instance: `python -m smbgateway.samba.supervise OWN`, in a mount namespace of its own.

Keeps smbd and samba-dcerpcd running, and what announces them to Windows; when it is told to end, or dies, all end. A
member of a cluster has ctdbd and a fence instead: smbd runs below the fence, while that lets it. The same program runs
below systemd and without it. It needs nothing but the directory of the instance.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..host import Node, Process, start

BINDS = {
    "accounts": "/var/lib/extrausers",
    "nsswitch.conf": "/etc/nsswitch.conf",
    "passwd": "/etc/passwd",
    "group": "/etc/group",
    "machine-id": "/etc/machine-id",
}
DCERPCD = ("/usr/libexec/samba/samba-dcerpcd", "/usr/lib/x86_64-linux-gnu/samba/samba-dcerpcd")
# Its servers that clients need: what shares there are (which does not start without winreg), and whom a SID names. Each
# of the five others takes 45 ms of computing at every start, and epmapper listens for all the world (TCP port 135).
SERVICES = ("rpcd_classic", "rpcd_lsad", "rpcd_winreg")
CTDB_BINDS = {"ctdb/etc": "/etc/ctdb", "ctdb/run": "/run/ctdb", "ctdb/var": "/var/lib/ctdb"}
ANNOUNCER = Path(__file__).with_name("announce.sh")
FENCE = "smbgateway.cluster.fence"
SHORTEST, LONGEST = 0.1, 30.0  # seconds between restarts
LONGEST_LOG = 2 << 20  # bytes; ctdbd 4.22 tells of each connection on which the fence asks smbd, twice a second


class Child:
    """A daemon that is started again when it ends, ever more slowly while it keeps failing."""

    def __init__(self, argv: Sequence[str], log: str) -> None:
        self.argv, self.log = argv, log
        self.process: Process | None = None
        self.pause, self.started = SHORTEST, 0.0

    def tend(self) -> None:
        """Start it where it is not running and its pause is over."""
        cut(self.log)
        now = time.monotonic()
        if self.process and self.process.poll() is None:
            if now - self.started > LONGEST:
                self.pause = SHORTEST
        elif now >= self.started + self.pause or not self.process:
            if self.process:
                self.kill()  # what it left
                self.pause = min(self.pause * 2, LONGEST)
            # It ends with us, whatever ends us: nothing of an instance outlives its supervisor.
            self.process, self.started = start(["setpriv", "--pdeathsig", "TERM", *self.argv], self.log), now

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own

    def end(self) -> None:
        """End it; smbd takes its connections with it."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        """Wait for the end, by force after the deadline (monotonic seconds)."""
        while self.process and self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
            time.sleep(0.01)


def cut(log: str) -> None:
    """Begin a log anew that has become long; one former part is kept. Who writes it appends, to whatever it is."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.getsize(log) > LONGEST_LOG:
            shutil.copyfile(log, f"{log}.old")
            os.truncate(log, 0)


def samba(own: str) -> list[Child]:
    """smbd, samba-dcerpcd, and what announces them."""
    options = ["--foreground", "--no-process-group", f"--configfile={own}/smb.conf"]
    program = next((path for path in DCERPCD if os.path.exists(path)), DCERPCD[0])
    dcerpcd = [program, *(f"{os.path.dirname(program)}/{name}" for name in SERVICES)]
    log = f"{own}/log/supervisor.log"
    announcer = Child(["sh", str(ANNOUNCER), own], log)
    return [Child(["smbd", *options], log), Child([*dcerpcd, *options], log), announcer]


def member(own: str) -> list[Child]:
    """ctdbd and the fence; smbd and samba-dcerpcd run below that."""
    fence = [sys.executable, "-I", "-m", FENCE, own]
    return [Child(["ctdbd", "--interactive"], f"{own}/log/ctdb.log"), Child(fence, f"{own}/log/fence.log")]


def main(own: str) -> None:
    """Run until SIGTERM."""
    node = Node()
    clustered = os.path.isdir(f"{own}/ctdb")
    for name, target in {**BINDS, **(CTDB_BINDS if clustered else {})}.items():
        if os.path.isdir(f"{own}/{name}"):
            os.makedirs(target, exist_ok=True)
        elif not os.path.exists(target):
            node.write(target, "")
        node.run("mount", "--bind", f"{own}/{name}", target)
    children = member(own) if clustered else samba(own)
    wake, signalled = socket.socketpair()
    for end in (wake, signalled):
        end.setblocking(False)
    signal.set_wakeup_fd(signalled.fileno())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: None)
    node.write(f"{own}/run/supervisor.pid", f"{os.getpid()}\n")
    while not _asked_to_end(wake):
        for child in children:
            child.tend()
        # A signal wakes us (a child that ended, or the word to end); the timeout paces restarts.
        select.select([wake], [], [], 1.0)
    for child in children:
        child.end()
    for child in children:
        child.wait(time.monotonic() + 5)
    os.unlink(f"{own}/run/supervisor.pid")


def _asked_to_end(wake: socket.socket) -> bool:
    try:
        return bool(set(wake.recv(64)) & {signal.SIGTERM, signal.SIGINT})
    except BlockingIOError:
        return False


if __name__ == "__main__":
    main(sys.argv[1])
