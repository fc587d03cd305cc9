"""One gateway in a virtual machine for all tests: without KVM a start takes a minute, and more on a busy node."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import machines, mounts
from smbgateway.convergence import Result
from smbgateway.guests.agent import Guest
from smbgateway.modes.vm import Vm
from tests.real.world import Site, free_port, site, user


@dataclass
class Box:
    """A site whose gateway `box` is a virtual machine with the share `docs`; `made` is what its creation said."""

    site: Site
    port: int
    made: Result

    @property
    def mode(self) -> Vm:
        world = self.site.engine.site.world()
        mode = self.site.engine.site.blueprint(world).mode(world.gateways["box"])
        assert isinstance(mode, Vm)
        return mode

    @property
    def guest(self) -> Guest:
        return self.mode.host


def gateway(port: int) -> dict[str, Any]:
    mode = {"kind": "vm", "listen": "127.0.0.1", "port": port, "cores": 2}  # where there are two, it starts quicker
    return {"kind": "gateway", "name": "box", "mode": mode}


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    assert os.geteuid() == 0, "the vm ring needs root"
    disk = machines.disk_file()
    mounts.enter_private_namespace()
    with tempfile.TemporaryDirectory(prefix="smbgw-", dir="/var/tmp") as folder, site(Path(folder), "vm") as one:
        one.engine.site.images.bring(str(disk))
        port = free_port()
        made = one.apply(gateway(port), user(), one.image("docs", gateway="box"))
        yield Box(one, port, made)
