"""How long ctdbd's connections wait for a member whose kernel does not answer (tcp(7), TCP_USER_TIMEOUT).

ctdbd itself counts whole seconds without a word, 2 to 3 of them. A kernel answers for a process that pauses, so here
the wait can be shorter without a pause being taken for a death (decision 53).
"""

import contextlib
import ctypes
import os
import socket

WAIT = 1500  # milliseconds


def shorten(pid: int) -> None:
    """Set it on all TCP sockets of a process; who is accepted later has it from the socket that listens.

    Raises OSError where the process is gone, or not to be touched.
    """
    process = os.pidfd_open(pid)
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                    _set(process, int(name))
    finally:
        os.close(process)


def _set(process: int, number: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if (copy := libc.pidfd_getfd(process, number, 0)) < 0:  # the same socket, not another (pidfd_getfd(2))
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with socket.socket(fileno=copy) as own:
        if own.family in (socket.AF_INET, socket.AF_INET6) and own.type == socket.SOCK_STREAM:
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, WAIT)
