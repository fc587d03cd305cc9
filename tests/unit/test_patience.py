"""What is set on the sockets of another process; here of our own."""

import os
import socket

import pytest

from smbgateway.cluster.patience import WAIT, shorten

MOST = 1 << 22  # processes have smaller numbers (proc(5), pid_max)


def patience(of: socket.socket) -> int:
    return of.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def test_tcp_waits_no_longer_and_who_comes_later_neither() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        early, other = server.accept()[0], socket.socket(socket.AF_UNIX)
        with early, other:
            shorten(os.getpid())
            with socket.create_connection(server.getsockname()) as new, server.accept()[0] as late:
                assert [patience(each) for each in (server, client, early, late)] == [WAIT] * 4
                assert patience(new) == 0, "it was not there"


def test_of_a_process_that_is_gone_that_is_said() -> None:
    with pytest.raises(OSError, match="No such process"):
        shorten(MOST)
