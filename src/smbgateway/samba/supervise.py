"""The supervisor of one instance: `python -m smbgateway.samba.supervise OWN`, in a mount namespace of its own.

Keeps smbd and samba-dcerpcd running; when it is told to end, or dies, both end. The same program runs below systemd and
without it. It needs nothing but the directory of the instance.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence

from ..host import Node, Process, start

BINDS = {
    "accounts": "/var/lib/extrausers",
    "nsswitch.conf": "/etc/nsswitch.conf",
    "passwd": "/etc/passwd",
    "group": "/etc/group",
}
DCERPCD = ("/usr/libexec/samba/samba-dcerpcd", "/usr/lib/x86_64-linux-gnu/samba/samba-dcerpcd")
SHORTEST, LONGEST = 0.1, 30.0  # seconds between restarts


class Child:
    """A daemon that is started again when it ends, ever more slowly while it keeps failing."""

    def __init__(self, argv: Sequence[str], log: str) -> None:
        self.argv, self.log = argv, log
        self.process: Process | None = None
        self.pause, self.started = SHORTEST, 0.0

    def tend(self) -> None:
        """Start it where it is not running and its pause is over."""
        now = time.monotonic()
        if self.process and self.process.poll() is None:
            if now - self.started > LONGEST:
                self.pause = SHORTEST
        elif now >= self.started + self.pause or not self.process:
            if self.process:
                self.pause = min(self.pause * 2, LONGEST)
            # It ends with us, whatever ends us: nothing of an instance outlives its supervisor.
            self.process, self.started = start(["setpriv", "--pdeathsig", "TERM", *self.argv], self.log), now

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


def main(own: str) -> None:
    """Run until SIGTERM."""
    node = Node()
    for name, target in BINDS.items():
        node.run("mount", "--bind", f"{own}/{name}", target)
    options = ["--foreground", "--no-process-group", f"--configfile={own}/smb.conf"]
    dcerpcd = next((path for path in DCERPCD if os.path.exists(path)), DCERPCD[0])
    log = f"{own}/log/supervisor.log"
    children = [Child(["smbd", *options], log), Child([dcerpcd, "--libexec-rpcds", *options], log)]
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
