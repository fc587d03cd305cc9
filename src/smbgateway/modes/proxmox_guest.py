"""What containers and virtual machines of Proxmox VE have in common: made, changed, run and retired by its API."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from ..errors import Conflict
from ..model import Gateway, LxcMode, VmMode
from ..proxmox.client import Proxmox, ProxmoxFailed
from ..proxmox.ha import HighAvailability, await_turn
from ..samba.instance import Instance
from ..step import Step
from .proxmox_volumes import ProxmoxVolumes

TAG, RETIRED = "smbgateway", "smbgateway-retired"
Config = dict[str, str]


class VmidTaken(Conflict):
    """Somebody else has made a guest of that number meanwhile."""

    again = True


class ProxmoxGuest(ABC):
    """A guest of a gateway. One that has its number and is not ours counts as absent.

    kind    as paths of the API have it
    named   where its configuration has its name
    word    what numbers of its high availability begin with
    keys    of its configuration that follow the record
    """

    kind: ClassVar[str]
    named: ClassVar[str]
    word: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    disks = None
    instance: Instance
    volumes: ProxmoxVolumes

    def __init__(self, api: Proxmox, gateway: Gateway, mode: LxcMode | VmMode, title: str) -> None:
        self.api, self.gateway, self.vmid, self.title = api, gateway, mode.vmid, f"{title} {mode.vmid}"
        self.path = f"{api.here}/{self.kind}/{self.vmid}"
        self.ha = HighAvailability(api, f"{self.word}:{self.vmid}", mode.ha_nodes) if mode.ha else None

    @abstractmethod
    def settings(self) -> Config:
        """What the record says of it, as the API takes it."""

    @abstractmethod
    def fixed(self) -> Mapping[str, object]:
        """What it is made with besides."""

    @abstractmethod
    def power(self, on: bool) -> None:
        """Start or stop it, where it is not so already."""

    def made(self) -> Step:
        """The guest, whether it runs or not."""

        def write(value: str | None) -> None:
            if value is not None:
                self._create()
            elif self.config() is not None:
                self.power(False)
                if self.volumes.kept():
                    self._retire()
                else:
                    self.api.task("DELETE", self.path, {"purge": True})

        return Step(self.title, "made", lambda: None if self.config() is None else "made", write)

    def kept(self) -> list[str]:
        """The guest, while it has volumes: destroying it would destroy them."""
        where = ", ".join(self.volumes.kept())
        return [f"{self.title}, stopped and tagged {RETIRED}, with its volumes: {where}"] if where else []

    def _retire(self) -> None:
        self.api.call("PUT", f"{self.path}/config", {"tags": RETIRED, "onboot": False})

    def _create(self) -> None:
        try:
            self.api.task(
                "POST", f"{self.api.here}/{self.kind}", {"vmid": self.vmid, **self.fixed(), **self.settings()}
            )
        except ProxmoxFailed as error:
            if "already exists" in error.cause:
                raise VmidTaken(f"the number {self.vmid} is another guest's", error.cause) from error
            raise

    def config(self) -> Config | None:
        """What Proxmox VE has written of it; None where it is not there."""
        if self.vmid not in [int(each["vmid"]) for each in self.api.get(f"{self.api.here}/{self.kind}")]:
            return None
        found = {name: str(value) for name, value in self.api.get(f"{self.path}/config").items()}
        ours = TAG in re.split("[;, ]", found.get("tags", "")) and found.get(self.named) == self.gateway.name
        return found if ours else None

    def configuration(self) -> Step:
        """What of it follows the record."""

        def read() -> str | None:
            found = self.config()
            return None if found is None else canonical(found, self.keys)

        def write(value: str | None) -> None:
            if value is not None:
                present, wanted = self.config() or {}, json.loads(value)
                gone = [name for name in self.keys if name in present and name not in wanted]
                self.change(present, {**wanted, "delete": ",".join(gone) or None})

        want = canonical(self.settings(), self.keys)
        return Step(f"configuration of {self.title}", want, read, write)

    def change(self, present: Config, wanted: Mapping[str, object]) -> None:
        """Give it other settings than it has at present."""
        self.api.call("PUT", f"{self.path}/config", wanted)

    def watched(self) -> list[Step]:
        """High availability, as long as it runs."""
        return self.ha.steps() if self.ha else []

    def runs(self) -> bool:
        """Whether it runs, and is ours."""
        return self.config() is not None and self.api.get(f"{self.path}/status/current")["status"] == "running"

    def turn(self, on: bool, verb: str, **parameters: object) -> bool:
        """Start or stop it by a verb of the API; whether there was anything to do."""
        if self.runs() == on:
            return False
        self.api.task("POST", f"{self.path}/status/{verb}", parameters)
        await_turn(self.title, on, self.runs)
        return True

    def at_rest(self, change: Callable[[], object]) -> None:
        """Do what Proxmox VE does only while it stands still, and let it go on as it was."""
        ran = self.runs()
        served = ran and self.instance.pid() is not None
        if served:
            self.instance.stop()
        if ran:
            self.power(False)
        change()
        if ran:
            self.power(True)
        if served:
            daemon = self.instance.daemon()
            daemon.write(daemon.want)


def canonical(config: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """What we set of a configuration, in one order; Proxmox VE adds a type, and writes hardware in capitals."""
    kept = {name: config[name] for name in keys if name in config}
    if "net0" in kept:
        words = [re.sub("^(hwaddr|virtio)=.*", lambda found: found[0].lower(), w) for w in kept["net0"].split(",")]
        kept["net0"] = ",".join(sorted(word for word in words if not word.startswith("type=")))
    if "ipconfig0" in kept:
        kept["ipconfig0"] = ",".join(sorted(kept["ipconfig0"].split(",")))
    if "tags" in kept:
        kept["tags"] = ";".join(sorted(re.split("[;, ]+", kept["tags"])))
    return json.dumps(kept, sort_keys=True)


def startup(mode: LxcMode | VmMode) -> Config:
    """What containers and virtual machines are given alike."""
    tags = {"tags": ";".join(sorted({TAG, *mode.tags}))}
    return tags if mode.order is None else {**tags, "startup": f"order={mode.order}"}
