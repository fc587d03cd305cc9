"""What Proxmox VE has to choose from: numbers, storages, templates, disks to import, bridges."""

from dataclasses import dataclass
from typing import Any

from .client import Proxmox

OURS = "smbgateway-"  # the files of our templates begin so


@dataclass(frozen=True)
class Chosen:
    """For a new guest; empty where there is nothing to choose from."""

    vmid: int
    storage: str
    disks: str
    template: str


class Choices:
    """Of this node. Raises ProxmoxFailed."""

    def __init__(self, api: Proxmox) -> None:
        self.api = api

    def chosen(self) -> Chosen:
        """The storages with most space for roots and for disks, the newest template of ours."""
        ours = [each for each in self.templates() if each.partition(":vztmpl/")[2].startswith(OURS)]
        newest = max(ours, key=lambda each: each.partition("/")[2], default="")
        vmid = int(self.api.get("/cluster/nextid"))
        return Chosen(vmid, self._widest("rootdir"), self._widest("images"), newest)

    def _widest(self, content: str) -> str:
        found = self.storages(content)
        return str(max(found, key=lambda each: int(each.get("avail", 0)))["storage"]) if found else ""

    def storages(self, content: str) -> list[dict[str, Any]]:
        """Those that are up and may hold such a content."""
        found = self.api.get(f"{self.api.here}/storage", {"content": content, "enabled": True})
        return [each for each in found if each.get("active")]

    def templates(self) -> list[str]:
        """All templates of containers, as STORAGE:vztmpl/FILE."""
        return self._volumes("vztmpl")

    def images(self) -> list[str]:
        """All files that can be imported as disks, as STORAGE:import/FILE."""
        return self._volumes("import")

    def _volumes(self, content: str) -> list[str]:
        paths = [f"{self.api.here}/storage/{each['storage']}/content" for each in self.storages(content)]
        return [str(each["volid"]) for path in paths for each in self.api.get(path, {"content": content})]

    def bridges(self) -> list[str]:
        """What a guest can hang on, networks of the cluster among them."""
        return [str(each["iface"]) for each in self.api.get(f"{self.api.here}/network", {"type": "any_bridge"})]
