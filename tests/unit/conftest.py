"""What tests of Proxmox VE have in common."""

from collections.abc import Iterator

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
