"""How a gateway runs. One file per mode."""

from typing import Protocol

from ..errors import Fault
from ..host import Host
from ..model import Gateway
from ..paths import Paths
from ..samba.instance import Instance
from .native import Native


class Mode(Protocol):
    """One gateway's place to run."""

    instance: Instance

    def look(self, former: Gateway | None) -> list[Fault]:
        """Read the world before anything is made: what stands against it, field relative to the gateway."""


def make(host: Host, paths: Paths, gateway: Gateway) -> Mode:
    """The mode that a record names."""
    return {"native": Native}[gateway.mode.kind](host, paths, gateway)
