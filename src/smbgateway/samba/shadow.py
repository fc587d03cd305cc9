"""The one-shot smbd of the shadow proof: runs as the first process of network and pid namespaces of its own.

Reads an order (JSON) on stdin, prints `{"warnings": {share: text}}` or `{"failure": {what, cause}}`. With its end the
kernel ends all it started.
"""

import fcntl
import json
import socket
import struct
import sys
import time
from typing import Any

from ..errors import CommandFailed, GatewayError, NotProved
from ..host import Node, start
from .session import Session

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # netdevice(7)
START_WAIT = 15.0


def main() -> None:
    """Serve, use every share, tell."""
    order = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"warnings": _prove(order)}
    except GatewayError as error:
        answer = {"failure": {"what": error.what, "cause": error.cause}}
    print(json.dumps(answer))


def _prove(order: dict[str, Any]) -> dict[str, str]:
    _loopback_up()
    folder = order["folder"]
    process = start(
        ["smbd", "--foreground", "--no-process-group", f"--configfile={folder}/smb.conf"], f"{folder}/log.smbd"
    )
    _wait(process, order["port"], f"{folder}/log.smbd")
    warnings = {}
    for share, user, rights in order["shares"]:
        session = Session(Node(), order["client"], "127.0.0.1", order["port"], order["accounts"][user])
        if rights == "write":
            warnings[share] = session.write(share, folder)
        else:
            session.list(share)
    process.kill()
    return {share: warning for share, warning in warnings.items() if warning}


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def _wait(process: Any, port: int, log: str) -> None:
    deadline = time.monotonic() + START_WAIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                words = (Node().read(log) or "").strip().splitlines()[-3:]
                raise NotProved("the smbd of the proof does not start", " | ".join(words)) from None
            time.sleep(0.01)


if __name__ == "__main__":
    try:
        main()
    except CommandFailed as error:
        sys.exit(str(error))
