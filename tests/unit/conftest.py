"""What tests of Proxmox VE have in common; and no test speaks to another machine."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lab.proxmox import StandIn, served
from smbgateway.proxmox.client import Proxmox

from .machine import ProxmoxMachine


@pytest.fixture
def node() -> StandIn:
    """A node, with nothing on it."""
    return StandIn()


@pytest.fixture
def api(node: StandIn) -> Iterator[Proxmox]:
    """Its API."""
    with served(node) as address:
        yield Proxmox(ProxmoxMachine(), "one", address)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to addresses that tests make up are refused at once."""
    connect = socket.create_connection

    def refuse(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        if address[0] in ("127.0.0.1", "localhost"):
            return connect(address, *arguments, **options)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
