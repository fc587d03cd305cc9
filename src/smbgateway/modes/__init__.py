"""How a gateway runs. One file per mode."""

from typing import Protocol

from ..errors import Fault
from ..host import Host
from ..model import Gateway
from ..paths import Paths
from ..proxmox.client import Proxmox
from ..samba.instance import Instance
from ..sources.guest_image import Disks
from ..sources.storage import Volumes
from ..step import Step
from .lxc import Lxc
from .lxc_member import LxcMember as LxcMember
from .native import Native as Native
from .proxmox_lxc import ProxmoxLxc
from .proxmox_vm import ProxmoxVm
from .vm import Vm


class Mode(Protocol):
    """One gateway's place to run."""

    instance: Instance

    @property
    def sizes(self) -> str:
        """The directory in which Samba finds programs that tell sizes."""

    @property
    def volumes(self) -> Volumes | None:
        """Its own volumes; None: it has none."""

    @property
    def disks(self) -> Disks | None:
        """Where image files are its disks; None: they are mounted on the node."""

    def kept(self) -> list[str]:
        """What a removal leaves of it, in words."""

    def steps(self) -> list[Step]:
        """What must run before Samba can: none where that is the node itself."""

    def running(self) -> list[Step]:
        """Of `steps` those that are a machine as it runs: removed it stands still, and all of it is there yet."""

    def killed(self) -> int:
        """How many processes of that machine the kernel has killed for want of memory since it was started."""

    def shown(self, share: str, path: str) -> list[Step]:
        """What makes the data of a share, which is at `path` on the node, seen where Samba runs, after `steps`."""

    def served(self, share: str, path: str) -> str:
        """Where Samba finds that data."""

    def unreached(self) -> str:
        """Why clients do not get through, as far as the node can tell; empty where they do, or nobody can tell."""

    def tell_size(self, name: str, text: str) -> None:
        """Write a program into `sizes`."""

    def look(self, former: Gateway | None) -> list[Fault]:
        """Read the world before anything is made: what stands against it, field relative to the gateway."""


def make(host: Host, paths: Paths, gateway: Gateway, proxmox: Proxmox | None = None, node: str = "") -> Mode:
    """The mode that a record names; containers and virtual machines are Proxmox VE's where it is there."""
    if gateway.cluster and gateway.mode.kind == "lxc":
        return LxcMember(host, paths, gateway, node)
    if proxmox and gateway.mode.kind != "native":
        return (ProxmoxLxc if gateway.mode.kind == "lxc" else ProxmoxVm)(host, paths, gateway, proxmox)
    kinds: dict[str, type[Lxc] | type[Native] | type[Vm]] = {"lxc": Lxc, "native": Native, "vm": Vm}
    return kinds[gateway.mode.kind](host, paths, gateway)
