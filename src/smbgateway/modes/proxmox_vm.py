"""VM mode on Proxmox VE: the machine is one of its own, made and changed by its API, and entered by its agent.

Its system disk is a copy of an image, its network is told to cloud-init by Proxmox VE, and no secret is in that. The
data of a share is a disk of its own.
"""

import time
from collections.abc import Mapping

from ..errors import Failed, Fault
from ..guests import modules
from ..guests.agent import Guest
from ..guests.image import Images
from ..guests.reach import unreached
from ..host import Host
from ..model import Gateway, VmMode
from ..paths import Paths
from ..proxmox.agent import Agent
from ..proxmox.choices import Choices
from ..proxmox.client import Proxmox
from ..proxmox.firewall import closed
from ..samba.instance import Instance
from ..samba.launch import Unit
from ..step import Step
from .lxc import MODULES, PYTHON, SERVED, STATE
from .proxmox_disks import ProxmoxDisks
from .proxmox_guest import Config, ProxmoxGuest, startup
from .vm import SMBD, Insider, serial

BOOT_WAIT, OFF_WAIT, REACH_WAIT = 600.0, 60, 60.0  # seconds until the agent answers, it is off, its network is there
NETWORK = ("ipconfig0", "name", "net0")  # read by cloud-init, so at a start
CLOUD = "scsi1"  # the kernel of clouds has no driver for an IDE drive, where Proxmox VE would put it
WAITS = "{} of {} hold from its next start on: gateway restart {}"


class ProxmoxVm(Insider, ProxmoxGuest):
    """A gateway in a virtual machine of Proxmox VE's."""

    kind, named, word = "qemu", "name", "vm"
    keys = ("cores", "ipconfig0", "memory", "name", "net0", "onboot", "startup", "tags")

    def __init__(self, host: Host, paths: Paths, gateway: Gateway, api: Proxmox) -> None:
        assert isinstance(gateway.mode, VmMode)  # noqa: S101 - the registry of modes goes by it
        super().__init__(api, gateway, gateway.mode, "virtual machine")
        self.node, self.mode, self.images = host, gateway.mode, Images(host, paths.images)
        self.host = Guest(Agent(api, self.path, self.title), self.title)
        launcher, own = Unit(self.host, "sh", f"{MODULES}/samba/supervise.sh"), f"{STATE}/{gateway.name}"
        self.instance = Instance(self.host, gateway, own, launcher, f"{gateway.name} in its machine", PYTHON, SMBD)
        self.volumes = ProxmoxDisks(
            self.host, api, self.path, self.title, self.config, self.runs, self.at_rest,
            lambda share: f"{SERVED}/{serial(share)}",
        )  # fmt: skip

    def look(self, former: Gateway | None) -> list[Fault]:
        """What is missing on the node."""
        if not self.mode.bridge:
            told = "on Proxmox VE it has an address of its own"
            return [Fault("mode.bridge", told, "--bridge vmbr0 --address ADDRESS/LENGTH")]
        choices = Choices(self.api)
        storages = [str(each["storage"]) for each in choices.storages("images")]
        known = {"bridge": choices.bridges(), "storage": storages}
        faults = [
            Fault(f"mode.{name}", f"this node has no {name} {wanted}".rstrip(), f"it has {', '.join(there) or 'none'}")
            for name, there in known.items()
            if (wanted := getattr(self.mode, name)) not in there
        ]
        faults += self._image(choices) if former is None or former.mode.kind != "vm" else []
        return faults + (self.ha.look(self.mode.storage, "images") if self.ha else [])

    def _image(self, choices: Choices) -> list[Fault]:
        """What it is made of; afterwards that may go."""
        name = self.mode.image
        if not name:
            return [Fault("mode", "this node has no image for virtual machines", "make one: template build --mode vm")]
        there = choices.images() if ":" in name else [image.name for image in self.images.all()]
        hint = "leave it out to get the newest: template list"
        return [] if name in there else [Fault("mode.image", f"there is no image {name} on this node", hint)]

    def steps(self) -> list[Step]:
        """The machine, as it shall be, running."""
        return [self.made(), self.configuration(), *self.running()]

    def fixed(self) -> Mapping[str, object]:
        """Its system disk, the drive that cloud-init reads, its agent, and hardware as Linux wants it."""
        image = self.mode.image if ":" in self.mode.image else self.images.disk(self.mode.image)
        return {
            "scsi0": f"{self.mode.storage}:0,import-from={image},discard=on",
            CLOUD: f"{self.mode.storage}:cloudinit",
            "boot": "order=scsi0",
            "scsihw": "virtio-scsi-pci",
            "agent": "enabled=1",
            "citype": "nocloud",
            "ciupgrade": False,  # packages are upgraded when that is asked for
            "cpu": "x86-64-v2-AES",  # what is signed and encrypted wants it
            "ostype": "l26",
            "rng0": "source=/dev/urandom",
            "serial0": "socket",
        }

    def settings(self) -> Config:
        """What the record says of it, as the API takes it."""
        return {
            "cores": str(self.mode.cores),
            "ipconfig0": _addresses(self.mode),
            "memory": str(self.mode.memory >> 20),
            "name": self.gateway.name,
            "net0": _card(self.mode),
            "onboot": str(int(self.gateway.enabled)),
            **startup(self.mode),
        }

    def change(self, present: Config, wanted: Mapping[str, object]) -> None:
        """What cloud-init reads is changed while it stands still; of the rest what cannot be plugged in waits."""
        if any(present.get(name) != wanted.get(name) for name in NETWORK):
            self.at_rest(lambda: super(ProxmoxVm, self).change(present, wanted))
        else:
            super().change(present, wanted)

    def running(self) -> list[Step]:
        """The machine as it runs, with what of us it needs."""
        running = Step(
            f"{self.title} running",
            "running",
            lambda: "running" if self.runs() else None,
            lambda value: self.power(value is not None),
        )
        return [running, *self.watched(), modules.placed(self.host, MODULES, self.title)]

    def power(self, on: bool) -> None:
        """Start it and wait for its agent, or let it end in order, and end it where it does not."""
        if not on:
            self.turn(False, "shutdown", timeout=OFF_WAIT, forceStop=True)
        elif self.turn(True, "start"):
            self._await_agent()

    def _await_agent(self) -> None:
        deadline = time.monotonic() + BOOT_WAIT
        while not self.host.answers():
            if (ended := not self.runs()) or time.monotonic() > deadline:
                told = "has ended" if ended else f"does not come up: no word of its agent for {BOOT_WAIT:g} s"
                raise Failed(f"{self.title} {told}", hint=f"what it says at a start: qm terminal {self.vmid}")
            time.sleep(0.5)

    def unreached(self) -> str:
        """What waits for its next start, whether the firewall lets clients in, and whether the node reaches it."""
        told = [self._waiting(), closed(self.api, self.path) if self.mode.firewall else ""]
        return "; ".join(filter(None, told)) or unreached(self.node, self.mode, REACH_WAIT)

    def _waiting(self) -> str:
        found = self.api.get(f"{self.path}/pending")
        names = sorted(str(each["key"]) for each in found if "pending" in each and each["key"] in self.keys)
        return WAITS.format(", ".join(names), self.title, self.gateway.name) if names else ""


def _addresses(mode: VmMode) -> str:
    six = "6" if ":" in (mode.address or "") else ""
    router = f"gw{six}={mode.router}," if mode.router else ""
    return f"{router}ip{six}={mode.address}"


def _card(mode: VmMode) -> str:
    parts: dict[str, object] = {"bridge": mode.bridge, "mtu": mode.mtu, "tag": mode.vlan, "virtio": mode.mac}
    parts["firewall"] = 1 if mode.firewall else None
    return ",".join(sorted(f"{key}={value}" for key, value in parts.items() if value is not None))
