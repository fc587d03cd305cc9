"""VM mode: a virtual machine of QEMU's for each gateway, its system disk a layer over an image (qemu-system-x86_64(1)).

Nothing of value is on the system disk: accounts, registry and SID come from records, data is on disks of its own. No
secret is ever in what cloud-init reads; all goes through the agent.
"""

import hashlib
import json
import time
from collections.abc import Sequence

from ..cluster import negotiate
from ..errors import CommandMissing, Failed, Fault
from ..guests import modules
from ..guests.agent import Guest, Socket
from ..guests.image import Images
from ..guests.machine import PROGRAM, Machine
from ..host import Host
from ..model import Gateway, VmMode
from ..paths import Paths
from ..samba.instance import Instance
from ..samba.launch import Unit
from ..sources import cells
from ..step import Step
from .lxc import MODULES, PYTHON, SERVED, STATE, bridge_faults
from .native import listeners, overlap, own_addresses

SMBD = 20  # times what smbd may take on a node to answer: without KVM, beside much else, it took more than a minute
BOOT_WAIT, STILL = 1200.0, 180.0  # seconds until the agent answers, and in which its console says nothing more
REACH_WAIT = 120.0  # seconds until clients get through: the network comes after the agent
SOCKET = 107  # bytes of the path of one (unix(7))
MACHINE = "q35,sata=off,smbus=off,vmport=off"  # without what only takes time to find
OWN, WAY = "10.0.2.15", 24  # of a machine behind the node (QEMU's user network)


class Insider:
    """A mode whose shares are all inside of its machine; `host` is the guest."""

    host: Guest
    instance: Instance

    @property
    def sizes(self) -> str:
        """With the instance."""
        return f"{self.instance.own}/run"

    def tell_size(self, name: str, text: str) -> None:
        """Write it inside."""
        self.host.write(f"{self.sizes}/{name}", text, 0o755)

    def served(self, share: str, path: str) -> str:
        """Where it is mounted inside."""
        return path

    def shown(self, share: str, path: str) -> list[Step]:
        """Nothing more: all of a share is inside."""
        return []

    def killed(self) -> int:
        """How many of its processes its kernel has killed for want of memory."""
        counts = (self.host.read("/proc/vmstat") or "").splitlines()
        return next((int(line.split()[1]) for line in counts if line.startswith("oom_kill ")), 0)


class Vm(Insider):
    """A gateway in a virtual machine of its own."""

    volumes = None

    def __init__(self, host: Host, paths: Paths, gateway: Gateway) -> None:
        assert isinstance(gateway.mode, VmMode)  # noqa: S101 - the registry of modes goes by it
        self.node, self.gateway, self.mode = host, gateway, gateway.mode
        self.folder, self.title = f"{paths.machines}/{gateway.name}", f"virtual machine {gateway.name}"
        self.images = Images(host, paths.images)
        self.machine = Machine(host, self.folder, self.title)
        self.host = Guest(Socket(self.machine.agent, self.title), self.title)
        launcher, own = Unit(self.host, "sh", f"{MODULES}/samba/supervise.sh"), f"{STATE}/{gateway.name}"
        self.instance = Instance(self.host, gateway, own, launcher, f"{gateway.name} in its machine", PYTHON, SMBD)

    @property
    def disks(self) -> "Vm":
        """Images become its disks."""
        return self

    def kept(self) -> list[str]:
        """Nothing: data is in files of the node."""
        return []

    def look(self, former: Gateway | None) -> list[Fault]:
        """What is missing on the node."""
        faults = [*self._programs(), *self._length(), *self._unknown(), *self._image()]
        moved = former is None or former.mode != self.mode
        return [*faults, *(self._network(former) if moved else [])]

    def _programs(self) -> list[Fault]:
        faults = []
        for program in (PROGRAM, "qemu-img"):
            try:
                self.node.run(program, "--version")
            except CommandMissing as error:
                faults.append(Fault("mode", error.what, error.hint))
        return faults

    def _length(self) -> list[Fault]:
        excess = len(self.machine.monitor) - SOCKET
        told = f"{self.machine.monitor} is {excess} bytes too long for a socket"
        return [Fault("name", told, "a shorter name, or a shorter --root")] if excess > 0 else []

    def _unknown(self) -> list[Fault]:
        given = [name for name in VmMode.on_proxmox if getattr(self.mode, name)]
        return [Fault(f"mode.{name}", "only Proxmox VE knows this", "leave it out") for name in given]

    def _image(self) -> list[Fault]:
        name = self.mode.image
        if not name:
            return [Fault("mode", "this node has no image for virtual machines", "make one: template build --mode vm")]
        if name not in [image.name for image in self.images.all()]:
            hint = "leave it out to get the newest: template list"
            return [Fault("mode.image", f"there is no image {name} on this node", hint)]
        return []

    def _network(self, former: Gateway | None) -> list[Fault]:
        if self.mode.bridge:
            return bridge_faults(self.node, self.mode.bridge)
        faults = []
        if self.mode.listen and self.mode.listen not in (
            there := own_addresses(self.node.run("ip", "-json", "address"))
        ):
            hint = f"its addresses: {', '.join(sorted(there))}"
            faults.append(Fault("mode.listen", f"{self.mode.listen} is not an address of this node", hint))
        busy = listeners(self.node.run("ss", "--no-header", "--listening", "--tcp", "--numeric"), self.mode.port)
        ours = former is not None and former.mode.kind == "vm" and former.mode.port == self.mode.port
        if not ours and any(overlap(one, self.mode.listen or "*") for one in busy):
            what = f"port {self.mode.port} is in use on {', '.join(sorted(busy))} by something that is not ours"
            faults.append(Fault("mode.port", what, "another --address of the node, or an address of its own: --bridge"))
        return faults

    def steps(self) -> list[Step]:
        """The machine, running."""
        seed = [self._file(f"seed/{name}", text) for name, text in seed_texts(self.gateway, self.mode).items()]
        configuration = self._file("configuration", self._text())
        return [self._directory(), *seed, self._system(), configuration, *self.running()]

    def running(self) -> list[Step]:
        """The machine as it runs, on its network, with what of us it needs."""
        wired = [self._wired()] if self.mode.bridge else []
        return [self._machine(), *wired, modules.placed(self.host, MODULES, self.title)]

    def _directory(self) -> Step:
        def write(value: str | None) -> None:
            if value is None:
                self.node.run("rm", "-rf", "--one-file-system", "--", self.folder)
            else:
                self.node.run("install", "-d", "-m", value, "--", self.folder, f"{self.folder}/seed")

        read = lambda: cells.stat(self.node, self.folder, "%a")  # noqa: E731
        return Step(f"directory of {self.title}", "700", read, write)

    def _file(self, name: str, text: str) -> Step:
        path = f"{self.folder}/{name}"

        def write(value: str | None) -> None:
            if value is None:
                self.node.run("rm", "-f", "--", path)
            else:
                self.node.write(path, value)

        return Step(f"{name} of {self.title}", text, lambda: self.node.read(path), write)

    def _system(self) -> Step:
        """Its own layer above the image; a new image means a new layer, as nothing of value is in it."""
        path = f"{self.folder}/system"

        def read() -> str | None:
            if cells.stat(self.node, path, "%F") is None:
                return None
            found = json.loads(self.node.run("qemu-img", "info", "-U", "--output=json", "--", path))
            return str(found.get("backing-filename", "nothing"))

        def write(value: str | None) -> None:
            self._stop()
            self.node.run("rm", "-f", "--", path)
            if value is not None:
                self.node.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", value, "-F", "qcow2", path)

        return Step(f"system disk of {self.title}", self.images.disk(self.mode.image), read, write)

    def _text(self) -> str:
        return "".join(f"{word}\n" for word in words(self.folder, self.gateway.name, self.mode))

    def _machine(self) -> Step:
        """The value is the digest of the configuration that it was started with."""
        started = f"{self.folder}/started"

        def write(value: str | None) -> None:
            self._stop()
            if value is not None:
                text = self.node.read(f"{self.folder}/configuration") or ""
                self._start(text.splitlines())
                self.node.write(started, _digest(text))

        def read() -> str | None:
            return (self.node.read(started) or "unknown") if self.machine.pid() else None

        return Step(self.title, _digest(self._text()), read, write)

    def _stop(self) -> None:
        """By its agent: inside nobody waits for its power button."""
        self.machine.stop(lambda: self.host.run("systemctl", "--no-block", "poweroff"))

    def _start(self, configuration: Sequence[str]) -> None:
        self.machine.outlast = cells.outlasting(self.node)
        self.machine.start(configuration)
        began, moved, said = time.monotonic(), time.monotonic(), ""
        while not self.host.answers():
            now, console = time.monotonic(), cells.stat(self.node, self.machine.console, "%s") or ""
            moved, said = (now, console) if console != said else (moved, said)
            if (ended := self.machine.pid() is None) or now - began > BOOT_WAIT or now - moved > STILL:
                told = "has ended" if ended else f"does not come up: no word of its agent for {now - began:.0f} s"
                cause = f"the end of its console: {self.machine.last_words()}"
                self.machine.kill()
                raise Failed(f"{self.title} {told}", cause)
            time.sleep(0.3)

    def _wired(self) -> Step:
        """Its network card on the bridge; QEMU makes it, and it goes with QEMU."""
        link = tap(self.gateway.name)

        def read() -> str | None:
            links = {each["ifname"]: each for each in json.loads(self.node.run("ip", "-json", "link", "show"))}
            return str(links[link].get("master", "nothing")) if link in links else None

        def write(value: str | None) -> None:
            if value is not None:
                self.node.run("ip", "link", "set", link, "master", value, "up")

        return Step(f"network of {self.title}", self.mode.bridge, read, write)

    def unreached(self) -> str:
        """Why clients do not get through from here, empty where they do."""
        address, port = self.mode.addresses[0] if self.mode.addresses else "127.0.0.1", self.mode.port
        deadline = time.monotonic() + REACH_WAIT
        while (said := negotiate.answers(port, address)) != "ok":
            if time.monotonic() > deadline:
                return f"from this node no SMB at {address}, port {port}: {said}"
            time.sleep(0.3)
        return ""

    def place(self, share: str) -> str:
        """Below one directory, by what is made of its name."""
        return f"{SERVED}/{serial(share)}"

    def device(self, share: str) -> str:
        """By its serial number."""
        return f"/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_{serial(share)}"

    def attached(self, share: str, file: str) -> Step:
        """Plugged in while it runs, and so again after each start."""
        name = serial(share)

        def read() -> str | None:
            if self.machine.pid() is None:
                return None
            found = [each["inserted"] for each in self.machine.ask("query-block") if "inserted" in each]
            return next((str(each["file"]) for each in found if each.get("node-name") == name), None)

        def write(value: str | None) -> None:
            if value is None and read() is not None:
                self._unplug(name)
            elif value is not None:
                disk = {"driver": "file", "filename": value, "discard": "unmap"}
                self.machine.ask("blockdev-add", node_name=name, driver="raw", file=disk, discard="unmap")
                self.machine.ask("device_add", driver="scsi-hd", bus="scsi.0", drive=name, id=name, serial=name)

        return Step(f"disk {file} of {self.title}", file, read, write)

    def _unplug(self, name: str) -> None:
        self.machine.ask("device_del", id=name)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.machine.ask("blockdev-del", node_name=name)
                return
            except Failed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)  # the guest lets go of it

    def grown(self, share: str, size: int) -> None:
        """The disk, and what the guest knows of it."""
        self.machine.ask("block_resize", node_name=serial(share), size=size)
        rescan = 'echo 1 >"/sys/class/block/$(basename "$(realpath "$0")")/device/rescan"'
        self.host.run("sh", "-c", rescan, self.device(share))


def words(folder: str, name: str, mode: VmMode) -> list[str]:
    """What QEMU is told of a machine, but for how it computes and how it is spoken to."""
    seed = f"if=none,id=seed,format=raw,readonly=on,file.driver=vvfat,file.dir={_comma(folder)}/seed,file.label=cidata"
    system = f"if=none,id=system,format=qcow2,file={_comma(folder)}/system,discard=unmap"
    return [
        *(
            "-name",
            f"smbgateway-{name}",
            "-machine",
            MACHINE,
            "-cpu",
            "max",
            "-smp",
            str(mode.cores),
        ),
        *("-m", str(mode.memory >> 20), "-nodefaults", "-no-user-config", "-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-device", "virtio-scsi-pci,id=scsi"),
        *("-drive", system, "-device", "scsi-hd,bus=scsi.0,drive=system,serial=system,bootindex=1"),
        *("-drive", f"{seed},file.rw=off", "-device", "scsi-hd,bus=scsi.0,drive=seed,serial=seed"),
        *("-netdev", _netdev(name, mode), "-device", f"virtio-net-pci,netdev=net0,romfile=,mac={mode.mac}"),
        *("-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng"),
    ]


def _netdev(name: str, mode: VmMode) -> str:
    if mode.bridge:
        return f"tap,id=net0,ifname={tap(name)},script=no,downscript=no"
    listen = f"[{mode.listen}]" if ":" in (mode.listen or "") else mode.listen or ""
    # Restricted: from inside nothing is reached, neither the node nor what lies behind it.
    return f"user,id=net0,ipv6=off,restrict=on,hostfwd=tcp:{listen}:{mode.port}-{OWN}:445"


def seed_texts(gateway: Gateway, mode: VmMode) -> dict[str, str]:
    """What cloud-init reads (NoCloud), by the name of the file; JSON is YAML. No secret is in it."""
    network = json.dumps({"version": 2, "ethernets": {"net0": _card(mode)}}, indent=1)
    instance = f"{gateway.name}-{_digest(network)}"  # another one when its network changes: then it is read again
    named = json.dumps({"instance-id": instance, "local-hostname": gateway.name}, indent=1)
    return {"meta-data": f"{named}\n", "network-config": f"{network}\n", "user-data": "#cloud-config\n{}\n"}


def _card(mode: VmMode) -> dict[str, object]:
    card: dict[str, object] = {"match": {"macaddress": mode.mac}, "addresses": [mode.address or f"{OWN}/{WAY}"]}
    if mode.router:
        card["routes"] = [{"to": "::/0" if ":" in mode.router else "0.0.0.0/0", "via": mode.router}]
    if mode.mtu:
        card["mtu"] = mode.mtu
    return card


def serial(share: str) -> str:
    """A name for a disk, made of that of its share: short enough for every bus."""
    return f"smbgw-{hashlib.sha256(share.encode()).hexdigest()[:12]}"


def tap(name: str) -> str:
    """The name of a network card on the node, of at most 15 letters."""
    return f"smbgw{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _comma(text: str) -> str:
    """A value in a list that commas separate."""
    return text.replace(",", ",,")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
