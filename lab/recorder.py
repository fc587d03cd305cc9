"""A client that writes one small file after another and tells each that was acknowledged: `NAME SECONDS` a line.

    python lab/recorder.py ADDRESS SHARE USER PASSWORD

As an impatient program does, it connects anew where nothing was acknowledged for a second. The connection lives in a
process of its own, so that a hanging one can be left. Seconds are those of the monotonic clock, which all nodes of a
lab share.
"""

import os
import select
import signal
import socket
import sys
import time

from samba import NTSTATUSError, credentials
from samba.samba3 import libsmb_samba_internal as libsmb
from samba.samba3 import param

PATIENCE, CONNECT, RETRY = 1.0, 0.25, 0.02  # seconds
CREATE, WRITE = 2, 0x2  # FILE_CREATE, FILE_WRITE_DATA (MS-SMB2 2.2.13)


def write_files(address: str, share: str, user: str, password: str, out: int) -> None:
    """Write until something fails."""
    socket.create_connection((address, 445), CONNECT).close()
    known = param.get_context()
    known.load_default() if os.path.exists("/etc/samba/smb.conf") else None
    who = credentials.Credentials()
    who.guess(known)
    who.set_username(user)
    who.set_password(password)
    who.set_kerberos_state(credentials.DONT_USE_KERBEROS)
    connection = libsmb.Conn(address, share, known, who)
    while True:
        name = f"r{time.monotonic_ns()}"
        file = connection.create(name, DesiredAccess=WRITE, CreateDisposition=CREATE)
        connection.write(file, name.encode(), 0)
        connection.close(file)
        os.write(out, f"{name} {time.monotonic():.3f}\n".encode())


def worker(arguments: list[str], out: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        write_files(*arguments, out)  # type: ignore[arg-type]
    except (OSError, NTSTATUSError):
        pass
    finally:
        os._exit(0)


def main(arguments: list[str]) -> None:
    """Until SIGTERM, which is our default end."""
    source, out = os.pipe()
    while True:
        pid = worker(arguments, out)
        gone = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(source, select.POLLIN)
        poll.register(gone, select.POLLIN)
        while True:
            ready = [each for each, _ in poll.poll(PATIENCE * 1000)]
            if source not in ready:
                break
            os.write(1, os.read(source, 65536))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(gone)
        time.sleep(RETRY)


if __name__ == "__main__":
    main(sys.argv[1:])
