"""The one-shot smbd of the shadow proof: runs as the first process of network and pid namespaces of its own.

Reads an order (JSON) on stdin, prints `{"warnings": {share: text}}` or `{"failure": {what, cause}}`. With its end the
kernel ends all it started. Its files are in memory, in a directory of its own that it removes.
"""

import contextlib
import fcntl
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

from ..errors import CommandFailed, GatewayError, NotProved
from ..host import Node, start
from .session import Session

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # netdevice(7)
START_WAIT = 60.0  # seconds; a machine without KVM is slow
BATCH = 100


def main() -> None:
    """Serve, use every share, tell."""
    order = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"warnings": _prove(order)}
    except GatewayError as error:
        answer = {"failure": {"what": error.what, "cause": error.cause}}
    print(json.dumps(answer))


def _prove(order: dict[str, Any]) -> dict[str, str]:
    folder = order["folder"]
    os.mkdir(folder, 0o700)
    try:
        logins = _files(order, folder)
        _loopback_up()
        log = f"{folder}/log.smbd"
        process = start(["smbd", "--foreground", "--no-process-group", f"--configfile={folder}/smb.conf"], log)
        try:
            _wait(process, order["port"], log)
            return _used(order, folder, logins)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # a session of its own
            with contextlib.suppress(ChildProcessError):
                while True:  # also its children, which are ours by then
                    os.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(order: dict[str, Any], folder: str) -> dict[str, str]:
    """What that smbd needs; returns the files by which users log in."""
    for mode, names in ((0o700, ("private", "state", "cache", "pid")), (0o755, ("lock", "ncalrpc"))):
        for name in names:
            os.mkdir(f"{folder}/{name}", mode)
    logins = {user: f"{folder}/login-{number}" for number, user in enumerate(order["logins"])}
    files = {f"{folder}/smb.conf": order["configuration"], f"{folder}/accounts": order["accounts"]}
    for path, text in [*files.items(), *((logins[user], text) for user, text in order["logins"].items())]:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    if database := order["secrets"]:
        suffix = f".{os.path.basename(folder)}"
        Node().run("tdbbackup", "-s", suffix, database)
        shutil.move(f"{database}{suffix}", f"{folder}/private/secrets.tdb")
    else:
        Node().run("net", f"--configfile={folder}/smb.conf", "setlocalsid", order["sid"])
    return logins


def _used(order: dict[str, Any], folder: str, logins: dict[str, str]) -> dict[str, str]:
    """Use every share as a client would; the warnings."""
    warnings: dict[str, str] = {}
    client = Node(), order["client"], "127.0.0.1", order["port"]
    for user, rights, shares in _batches(order["shares"]):
        session = Session(*client, logins[user])
        if len(shares) > 1 and rights == "write" and session.write_all(shares, folder):
            continue
        for share in shares:
            warnings[share] = session.write(share, folder) if rights == "write" else session.list(share)
    return {share: warning for share, warning in warnings.items() if warning}


def _batches(shares: list[list[str]]) -> Iterator[tuple[str, str, list[str]]]:
    """Shares of the same user and right, a hundred at a time."""
    for (user, rights), group in itertools.groupby(sorted(shares, key=lambda s: s[1:]), key=lambda s: (s[1], s[2])):
        names = [name for name, _, _ in group]
        yield from ((user, rights, names[start : start + BATCH]) for start in range(0, len(names), BATCH))


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
