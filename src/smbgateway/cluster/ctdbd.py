"""Ask the ctdbd of this node by its socket (CTDB's protocol.h, version 1).

It answers within a millisecond; `ctdb status` starts a process and waits up to a second for the leader's next word.
Two words that ctdb(1) does not have are said here too: that addresses may move again, and that a leader is wanted.
"""

import contextlib
import json
import os
import socket
import struct
import sys
import time
from typing import Protocol

from ..errors import CommandFailed
from ..host import Host
from .quorum import View

MAGIC, VERSION = 0x43544442, 1
MESSAGE, CONTROL, REPLY = 5, 7, 8
HERE, CONNECTED, NOBODY = 0xF0000001, 0xF0000004, 0xFFFFFFFF  # in place of the number of a member
GET_RECMODE, REGISTER, GET_PNN, GET_NODEMAP, SET_LINK, GET_RUNSTATE = 15, 23, 35, 91, 125, 138
LEADER, TAKEOVER_RUN, DISABLE_TAKEOVER_RUNS = 0xF101 << 48, 0xFB00 << 48, 0xFB03 << 48
FLAGS = {0x01: "DISCONNECTED", 0x02: "UNHEALTHY", 0x04: "DISABLED", 0x08: "BANNED", 0x20: "STOPPED"}
RUNNING = 5  # the state of a ctdbd that has its first recovery and its start behind it
DELETED, NODE = 0x10, struct.Struct("=II28x")  # number, flags, and a socket address
HEADER = struct.Struct("=8I")  # length, magic, version, generation, operation, to, from, number of the request
WAIT = 1.0  # seconds that ctdbd may take for an answer


def packet(operation: int, to: int, number: int, body: bytes) -> bytes:
    """One packet; its length is a multiple of eight."""
    body += bytes(-(HEADER.size + len(body)) % 8)
    return HEADER.pack(HEADER.size + len(body), MAGIC, VERSION, 0, operation, to, 0, number) + body


def control(opcode: int, number: int, srvid: int = 0, data: bytes = b"") -> bytes:
    """CTDB_REQ_CONTROL to the ctdbd that it is sent to."""
    return packet(CONTROL, HERE, number, struct.pack("=IIQIII", opcode, 0, srvid, 0, 0, len(data)) + data)


def message(to: int, srvid: int, data: bytes) -> bytes:
    """CTDB_REQ_MESSAGE."""
    return packet(MESSAGE, to, 0, struct.pack("=QI", srvid, len(data)) + data)


def parse_nodes(data: bytes) -> dict[int, frozenset[str]]:
    """The flags of each member by its number (struct ctdb_node_map); who was removed is not there."""
    (count,) = struct.unpack_from("=I", data)
    nodes = [NODE.unpack_from(data, 4 + at * NODE.size) for at in range(count)]
    return {
        number: frozenset(word for bit, word in FLAGS.items() if flags & bit)
        for number, flags in nodes
        if not flags & DELETED
    }


class Ctdbd:
    """A connection, made when it is needed, and anew after it failed."""

    def __init__(self, own: str) -> None:
        self.folder = f"{own}/ctdb/run"
        self.leader: int | None = None  # who last said to be it
        self._socket: socket.socket | None = None
        self._number = 0

    def view(self) -> View | None:
        """What this member sees of its cluster; None where ctdbd does not answer."""
        try:
            nodes = parse_nodes(self._ask(GET_NODEMAP)[1])
            own, mode, (state,) = self._ask(GET_PNN)[0], self._ask(GET_RECMODE)[0], self._ask(GET_RUNSTATE)[1][:1]
        except (OSError, ValueError, struct.error):
            self.close()
            return None
        return View(own, nodes, mode != 0 or state != RUNNING, self.leader)

    def hear(self, seconds: float) -> None:
        """Wait for the leader's next word, which comes each second."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            while self.leader is None:
                self._receive(deadline)

    def allow_takeover(self) -> None:
        """Let members move addresses by themselves again. Raises OSError.

        `ctdb moveip` forbids it for 20 s, in which a death would leave addresses dead (measured: for 13 s). Daemons
        end that by the same message with a timeout of 0 (struct ctdb_disable_message).
        """
        self._send(message(CONNECTED, DISABLE_TAKEOVER_RUNS, bytes(16)))

    def call_election(self) -> None:
        """Let this member ask for the cluster lock now, where its leader is gone. Raises OSError.

        By itself it waits 2 s for a word of that leader. This is the word that there is none any more, as members
        tell each other. Where it has the lock, it stays the leader.
        """
        self._send(message(HERE, LEADER, struct.pack("=I", NOBODY)))

    def set_link(self, pnn: int, interface: str, up: bool) -> None:
        """Tell whether an interface leads somewhere; addresses leave one that does not, at once. Raises OSError.

        As `ctdb setifacelink` (struct ctdb_iface), and then what the leader would be asked for within a second.
        """
        self._ask(SET_LINK, data=struct.pack("=18sHI", interface.encode(), up, 0))
        self._send(message(CONNECTED, TAKEOVER_RUN, struct.pack("=I4xQ", pnn, 0)))

    def close(self) -> None:
        """End the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            self._socket = self._connect()
            self._ask(REGISTER, LEADER)
        self._socket.sendall(data)

    def _connect(self) -> socket.socket:
        folder = os.open(self.folder, os.O_PATH)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(WAIT)
            connection.connect(f"/proc/self/fd/{folder}/ctdbd.socket")  # a path may have 107 characters
        except OSError:
            connection.close()
            raise
        finally:
            os.close(folder)
        return connection

    def _ask(self, opcode: int, srvid: int = 0, data: bytes = b"") -> tuple[int, bytes]:
        """Status and data of the answer."""
        self._number += 1
        number = self._number
        self._send(control(opcode, number, srvid, data))
        deadline = time.monotonic() + WAIT
        while True:
            operation, answered, body = self._receive(deadline)
            if operation == REPLY and answered == number:
                status, length = struct.unpack_from("=iI", body)
                return status, body[12 : 12 + length]

    def _receive(self, deadline: float) -> tuple[int, int, bytes]:
        """The next packet: operation, number of the request, and what follows. Hears who the leader is."""
        length, _, _, _, operation, _, _, number = HEADER.unpack(self._read(HEADER.size, deadline))
        body = self._read(length - HEADER.size, deadline)
        if operation == MESSAGE:
            srvid, _, who = struct.unpack_from("=QII", body)
            if srvid == LEADER and who != NOBODY:
                self.leader = who
        return operation, number, body

    def _read(self, count: int, deadline: float) -> bytes:
        data = b""
        while len(data) < count:
            if self._socket is None:
                raise ConnectionResetError("there is no connection")
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            if not (more := self._socket.recv(count - len(data))):
                raise ConnectionResetError("ctdbd is gone")
            data += more
        return data


def look(own: str, leader_within: float = 0.0) -> View | None:
    """What a member sees; its leader too, where that says a word within some seconds."""
    ctdbd = Ctdbd(own)
    try:
        if leader_within and ctdbd.view():
            ctdbd.hear(leader_within)
        return ctdbd.view()
    finally:
        ctdbd.close()


def allow_takeover(own: str) -> None:
    """Let members move addresses by themselves again. Raises OSError."""
    with contextlib.closing(Ctdbd(own)) as ctdbd:
        ctdbd.allow_takeover()


class Asked(Protocol):
    """The ctdbd of a member, wherever that runs."""

    def view(self, leader_within: float = 0.0) -> View | None:
        """What the member sees, as `look`."""

    def allow_takeover(self) -> None:
        """Let members move addresses by themselves again."""


class Here(Asked):
    """On this node."""

    def __init__(self, own: str) -> None:
        self.own = own

    def view(self, leader_within: float = 0.0) -> View | None:
        """What the member sees."""
        return look(self.own, leader_within)

    def allow_takeover(self) -> None:
        """Let members move addresses by themselves again."""
        allow_takeover(self.own)


class Inside(Asked):
    """In a guest: asked by a program there, as a path in what is the guest's might be a link that leads out."""

    def __init__(self, host: Host, python: str, own: str) -> None:
        self.host, self.program = host, (python, "-I", "-m", "smbgateway.cluster.ctdbd", own)

    def view(self, leader_within: float = 0.0) -> View | None:
        """What the member sees; nothing while its guest does not run."""
        try:
            told = json.loads(self.host.run(*self.program, str(leader_within)))
        except CommandFailed:
            return None
        flags = {int(number): frozenset(words) for number, words in told["flags"].items()}
        return View(told["pnn"], flags, told["recovering"], told["leader"])

    def allow_takeover(self) -> None:
        """Let members move addresses by themselves again."""
        self.host.run(*self.program)


def main(own: str, leader_within: str = "") -> int:
    """Print what a member sees; without a time, let members move addresses by themselves again."""
    if not leader_within:
        allow_takeover(own)
        return 0
    if (view := look(own, float(leader_within))) is None:
        return 1
    flags = {number: sorted(words) for number, words in view.flags.items()}
    print(json.dumps({**vars(view), "flags": flags}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
