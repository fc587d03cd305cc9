"""What Proxmox VE has to choose from: numbers, storages, templates, bridges."""

from dataclasses import dataclass
from typing import Any

from .client import Proxmox

OURS = "smbgateway-"  # the files of our templates begin so


@dataclass(frozen=True)
class Chosen:
    """For a new container; empty where there is nothing to choose from."""

    vmid: int
    storage: str
    template: str


class Choices:
    """Of this node. Raises ProxmoxFailed."""

    def __init__(self, api: Proxmox) -> None:
        self.api = api

    def chosen(self) -> Chosen:
        """The storage with most space, the newest template of ours."""
        roots = sorted(self.storages("rootdir"), key=lambda each: -int(each.get("avail", 0)))
        ours = [each for each in self.templates() if each.partition(":vztmpl/")[2].startswith(OURS)]
        newest = max(ours, key=lambda each: each.partition("/")[2], default="")
        vmid = int(self.api.get("/cluster/nextid"))
        return Chosen(vmid, str(roots[0]["storage"]) if roots else "", newest)

    def storages(self, content: str) -> list[dict[str, Any]]:
        """Those that are up and may hold such a content."""
        found = self.api.get(f"{self.api.here}/storage", {"content": content, "enabled": True})
        return [each for each in found if each.get("active")]

    def templates(self) -> list[str]:
        """All templates of containers, as STORAGE:vztmpl/FILE."""
        paths = [f"{self.api.here}/storage/{each['storage']}/content" for each in self.storages("vztmpl")]
        return [str(each["volid"]) for path in paths for each in self.api.get(path, {"content": "vztmpl"})]

    def bridges(self) -> list[str]:
        """What a guest can hang on, networks of the cluster among them."""
        return [str(each["iface"]) for each in self.api.get(f"{self.api.here}/network", {"type": "any_bridge"})]
