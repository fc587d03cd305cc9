"""The cluster lock on the cluster file system of Proxmox VE, for ctdbd: FOLDER NODE ADDRESS FILE are its arguments.

A helper as those of CTDB: it writes 0 and has the lock until it ends, or 1 where another has it or there is no quorum.
pmxcfs makes a directory once among all nodes, and only on the side of a majority. The lock is the directory with the
highest number in FOLDER; whoever may take it from a holder makes the next one. In it stand node and address of the
holder, which ends by itself when its node loses the quorum. A holder loses the lock where for a while its node is not
online any more, or its ctdbd refuses connections, which only a node that lives can say. Nothing is written meanwhile.
FILE, of this node alone, tells a holder that lives here from one of another life.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass

MEMBERS = "/etc/pve/.members"  # what pmxcfs says of its nodes
PORT = 4379  # of ctdbd
GRACE, PAUSE = 3.0, 0.5  # seconds that a holder must seem dead, and between two looks
REFUSED = 0.25  # seconds for a connection to be refused


@dataclass(frozen=True)
class Lock:
    """The lock as one node sees it."""

    folder: str
    node: str
    address: str
    members: str = MEMBERS

    def take(self) -> int | None:
        """Its number, None where another has it."""
        if not self.quorate():
            return None
        os.makedirs(self.folder, exist_ok=True)
        last = self.last()
        if last and not self._free(last):
            return None
        try:
            os.mkdir(f"{self.folder}/{last + 1}")
        except OSError:  # another was faster, or the quorum is lost
            return None
        with (
            contextlib.suppress(OSError),  # who was stopped here for long has lost it: told by the numbers
            open(f"{self.folder}/{last + 1}/holder", "w", encoding="utf-8") as file,
        ):
            file.write(f"{self.node} {self.address}\n")
        if self.last() != last + 1 or (last and last not in self._numbers()):  # others came and went meanwhile
            self.give_back(last + 1)
            return None
        for number in self._numbers():
            if number <= last:
                shutil.rmtree(f"{self.folder}/{number}", ignore_errors=True)
        return last + 1

    def held(self, number: int) -> bool:
        """Whether it is still ours."""
        return self.quorate() and self.last() == number

    def give_back(self, number: int) -> None:
        """Let others have it at once. Without a quorum nothing can be written, and the others see that we are gone."""
        shutil.rmtree(f"{self.folder}/{number}", ignore_errors=True)

    def last(self) -> int:
        """The highest number, 0 where nobody has the lock."""
        return max(self._numbers(), default=0)

    def quorate(self) -> bool:
        """Whether this node is on the side of a majority."""
        return bool(self._told().get("cluster", {}).get("quorate"))

    def _numbers(self) -> list[int]:
        with contextlib.suppress(OSError):
            return [int(name) for name in os.listdir(self.folder) if name.isdigit()]
        return []

    def _told(self) -> dict[str, dict[str, dict[str, object]]]:
        with contextlib.suppress(OSError, ValueError), open(self.members, encoding="utf-8") as file:
            return dict(json.load(file))
        return {}

    def _free(self, number: int) -> bool:
        """Whether its holder is gone for good: ours of another life, or dead all through the time of grace."""
        deadline = time.monotonic() + GRACE
        while self.quorate() and self.last() == number:
            node, _, address = self._holder(number).partition(" ")  # anew: who has just taken it has yet to write this
            if node == self.node:
                return True
            if not self._dead(node, address):
                return False
            if time.monotonic() > deadline:
                return True
            time.sleep(PAUSE)
        return False

    def _holder(self, number: int) -> str:
        with contextlib.suppress(OSError), open(f"{self.folder}/{number}/holder", encoding="utf-8") as file:
            return file.read().strip()
        return ""

    def _dead(self, node: str, address: str) -> bool:
        if node and not self._told().get("nodelist", {}).get(node, {}).get("online"):
            return True
        return not address or refuses(address)


def _alone(file: str) -> bool:
    """Whether nobody else here asks for the lock or has it, as long as we live."""
    try:
        fcntl.flock(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def refuses(address: str) -> bool:
    """Whether a node says that nobody listens there; silence says nothing."""
    try:
        socket.create_connection((address, PORT), REFUSED).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def main(folder: str, node: str, address: str, file: str, members: str = MEMBERS) -> int:
    """Until SIGTERM, or until the lock is lost."""
    lock, number = Lock(folder, node, address, members), None
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(0))
    try:
        if _alone(file):
            number = lock.take()
        os.write(1, b"1" if number is None else b"0")
        while number is not None and lock.held(number):
            time.sleep(PAUSE)
    finally:
        if number is not None:
            lock.give_back(number)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
