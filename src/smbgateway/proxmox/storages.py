"""Storages of Proxmox VE: what they are, what is free, and what of them is a place on the node."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .client import Proxmox

GUESTS = {
    "lxc": "rootdir",
    "vm": "images",
}  # modes whose guests can have volumes, and what of a storage's content holds these
DEFAULT_FS = "cephfs"  # where a storage of CephFS names none


@dataclass(frozen=True)
class Storage:
    """A storage. `content` is what it may hold: `rootdir` are volumes of containers, `images` those of machines."""

    name: str
    kind: str
    content: tuple[str, ...]
    active: bool
    free: int


class Storages:
    """Those of this node. Raises ProxmoxFailed."""

    def __init__(self, api: Proxmox) -> None:
        self.api = api

    def all(self) -> dict[str, Storage]:
        """By name."""
        return {str(each["storage"]): _storage(each) for each in self.api.get(f"{self.api.here}/storage")}

    def configs(self) -> dict[str, Mapping[str, Any]]:
        """What storage.cfg says, by name."""
        return {str(each["storage"]): each for each in self.api.get("/storage")}

    def place(self, name: str, share: str, limited: bool) -> str:
        """The place of a share on the node's own side of a storage, KIND:SPEC; empty where it has none."""
        return place(self.api.get(f"/storage/{name}"), share, limited)


def _storage(row: Mapping[str, Any]) -> Storage:
    content = tuple(str(row.get("content", "")).split(","))
    up = bool(row.get("active")) and bool(row.get("enabled", 1))
    return Storage(str(row["storage"]), str(row["type"]), content, up, int(row.get("avail", 0)))


def place(config: Mapping[str, Any], share: str, limited: bool) -> str:
    """The same, of what storage.cfg says. Clusters of elsewhere (`monhost`) have no conf here that we could go by."""
    kind, path, ceph = config["type"], str(config.get("path", "")), not config.get("monhost")
    pool = "/".join(str(config[key]) for key in ("pool", "namespace") if config.get(key))
    places = {
        "zfspool": f"zfs:{pool}/{share}",
        "btrfs": f"btrfs:{path}/{share}",
        "dir": f"image:{path}/{share}.img" if limited else f"directory:{path}/{share}",
        "cephfs": f"cephfs:{config.get('fs-name', DEFAULT_FS)}/{share}" if ceph else "",
        "rbd": f"rbd:{pool or 'rbd'}/{share}" if ceph else "",
    }
    return str(places.get(kind, ""))
