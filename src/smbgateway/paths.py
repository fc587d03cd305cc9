"""Where an installation keeps its things. `--root DIR` puts all of it below DIR."""

import os
from dataclasses import dataclass
from functools import cached_property

PVE = "/etc/pve"


@dataclass(frozen=True)
class Paths:
    """The paths of one installation, on Proxmox VE or plain Debian."""

    root: str = "/"

    @cached_property
    def on_proxmox(self) -> bool:
        """Whether the cluster file system of Proxmox VE holds the desired state."""
        return self.root == "/" and os.path.isdir(f"{PVE}/nodes")

    def _below(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    @cached_property
    def state(self) -> str:
        """State of this node."""
        return self._below("/var/lib/pve-smbgateway")

    @cached_property
    def config(self) -> str:
        """Desired state, shared by all nodes on Proxmox VE."""
        return f"{PVE}/smbgateway" if self.on_proxmox else f"{self.state}/config"

    @cached_property
    def priv(self) -> str:
        """Secrets, readable by root only."""
        return f"{PVE}/priv/smbgateway" if self.on_proxmox else f"{self.state}/priv"

    @property
    def lock(self) -> str:
        """The lock of the store: a directory, made and removed (pmxcfs knows no other cluster-wide lock)."""
        return f"{PVE}/priv/lock/smbgateway" if self.on_proxmox else f"{self.config}/.lock"

    def versions(self, gateway: str) -> str:
        """What Samba each member of a cluster has, a file each."""
        return f"{self.config}/versions/{gateway}"

    @property
    def run(self) -> str:
        """What a reboot forgets."""
        return self._below("/run/pve-smbgateway")

    @property
    def socket(self) -> str:
        """The engine's socket."""
        return f"{self.run}/engine.sock"

    @property
    def live(self) -> str:
        """Sizes of the shares that this node serves now, for the storage plugin of Proxmox VE."""
        return f"{self.run}/status.json"

    @property
    def history(self) -> str:
        """What the shares of this node used over time."""
        return f"{self.state}/history.sqlite"

    @property
    def journal(self) -> str:
        """What is being changed now, for the engine after a crash."""
        return f"{self.state}/journal"

    @property
    def untold(self) -> str:
        """What receivers are yet to be told."""
        return f"{self.state}/untold"

    @cached_property
    def mounts(self) -> str:
        """Mounts of sources: MOUNTS/GATEWAY/SHARE, served is `data` inside."""
        return f"{self.state}/mounts"

    @property
    def log(self) -> str:
        """Logs of the engine and of instances."""
        return self._below("/var/log/pve-smbgateway")

    def instance(self, gateway: str) -> str:
        """The directory of a native gateway's own Samba."""
        return f"{self.state}/native/{gateway}"

    @property
    def containers(self) -> str:
        """Containers, one directory each (lxc.lxcpath)."""
        return f"{self.state}/lxc"

    @property
    def templates(self) -> str:
        """What containers are made of."""
        return f"{self.state}/templates"

    @property
    def machines(self) -> str:
        """Virtual machines, one directory each."""
        return f"{self.state}/vm"

    @property
    def images(self) -> str:
        """What their system disks are made of."""
        return f"{self.state}/images"

    def shown(self, gateway: str) -> str:
        """Where the data of a guest's shares is mounted for it alone: no gateway's name begins with a dot."""
        return f"{self.mounts}/.guests/{gateway}"

    @property
    def avahi(self) -> str:
        """What avahi-daemon announces."""
        return self._below("/etc/avahi")

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Directories below which an administrator may place sources."""
        return tuple(dict.fromkeys(["/srv", self._below("/srv")]))
