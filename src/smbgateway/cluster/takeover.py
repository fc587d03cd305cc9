"""Let a cluster move addresses by itself again, right after one was moved by hand.

`ctdb moveip` forbids takeover runs on all members for 20 s, in which a death would leave addresses dead (measured: for
13 s), and has no word for the end of it. Daemons end it by the same message with a timeout of 0 (CTDB's protocol.h).
"""

import socket
import struct

MAGIC, PROTOCOL, MESSAGE, CONNECTED = 0x43544442, 1, 5, 0xF0000004
DISABLE_TAKEOVER_RUNS = 0xFB03000000000000


def request() -> bytes:
    """CTDB_REQ_MESSAGE to all connected members; of what it carries (ctdb_disable_message) only the timeout counts."""
    body = struct.pack("=QIIIQII", DISABLE_TAKEOVER_RUNS, 24, 0, 0, 0, 0, 0)
    length = 32 + len(body)
    padding = -length % 8
    return struct.pack("=8I", length + padding, MAGIC, PROTOCOL, 0, MESSAGE, CONNECTED, 0, 0) + body + bytes(padding)


def allow(path: str) -> None:
    """Send it to the ctdbd at a socket. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ctdbd:
        ctdbd.settimeout(5)
        ctdbd.connect(path)
        ctdbd.sendall(request())
