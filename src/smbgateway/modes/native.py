"""Native mode: a Samba instance of its own on the node. The host's own Samba is never touched."""

import contextlib
import json
import re

from ..cluster import ctdbd
from ..errors import CommandFailed, CommandMissing, Fault
from ..host import PACKAGES, Host
from ..model import Gateway
from ..paths import Paths
from ..samba.instance import Instance
from ..samba.launch import launcher
from ..step import Step

OLDEST = (4, 17)
EVERYWHERE = ("0.0.0.0", "::", "*")  # noqa: S104 - what ss prints, nothing is bound here
PROGRAMS = {"smbd": "-b", "smbclient": "--version", "tdbbackup": "-h", "setpriv": "--version", "nsenter": "--version"}
NEEDED = {"vfs/acl_xattr.so": "samba-vfs-modules", "vfs/fruit.so": "samba-vfs-modules"}
ACCOUNTS = {"/var/lib/extrausers": "libnss-extrausers"}


class Native:
    """A gateway on this node."""

    volumes = disks = None

    def __init__(self, host: Host, paths: Paths, gateway: Gateway) -> None:
        self.host, self.gateway = host, gateway
        self.instance = Instance(host, gateway, paths.instance(gateway.name), launcher(host, paths.root))
        self.asks: ctdbd.Asked = ctdbd.Here(self.instance.own)

    def lock_file(self, path: str) -> str:
        """Where it sees a lock file."""
        return path

    def steps(self) -> list[Step]:
        """None: it runs on the node."""
        return []

    def running(self) -> list[Step]:
        """None: it is no machine."""
        return []

    def killed(self) -> int:
        """None that could be told from others of the node."""
        return 0

    def shown(self, share: str, path: str) -> list[Step]:
        """None: it sees what the node sees."""
        return []

    def served(self, share: str, path: str) -> str:
        """Where it is."""
        return path

    @property
    def sizes(self) -> str:
        """With the instance."""
        return f"{self.instance.own}/run"

    def tell_size(self, name: str, text: str) -> None:
        """Write it there."""
        self.host.write(f"{self.sizes}/{name}", text, 0o755)

    def kept(self) -> list[str]:
        """Nothing: data is the node's."""
        return []

    def unreached(self) -> str:
        """The proof has been where clients are."""
        return ""

    def look(self, former: Gateway | None) -> list[Fault]:
        """What is missing on the node, and whose the port is."""
        faults = [*missing(self.host), *self._length()]
        moved = former is None or former.mode != self.gateway.mode
        return faults + (self._addresses() + self._port() if moved else [])

    def _length(self) -> list[Fault]:
        """Samba's sockets lie below the instance; the path of one has at most 107 bytes (unix(7))."""
        excess = len(f"{self.instance.own}/private/msg.sock/4194304") - 107
        if excess <= 0:
            return []
        where = self.instance.own
        return [Fault("name", f"{where} is {excess} bytes too long for sockets", "a shorter name, or a shorter --root")]

    def _addresses(self) -> list[Fault]:
        if not self.gateway.mode.addresses:
            return []
        present = own_addresses(self.host.run("ip", "-json", "address"))
        hint = f"its addresses: {', '.join(sorted(present))}"
        return [
            Fault("mode.addresses", f"{address} is not an address of this node", hint)
            for address in self.gateway.mode.addresses
            if address not in present
        ]

    def _port(self) -> list[Fault]:
        mode = self.gateway.mode
        own = self.instance.pid() is not None
        busy = listeners(self.host.run("ss", "--no-header", "--listening", "--tcp", "--numeric"), mode.port)
        wanted = set(mode.addresses) or {"*"}
        if own or not any(overlap(one, two) for one in busy for two in wanted):
            return []
        what = f"port {mode.port} is in use on {', '.join(sorted(busy))} by something that is not ours"
        return [Fault("mode.port", what, "give the gateway its own address (--address), or stop what listens there")]


def missing(host: Host) -> list[Fault]:
    """What a native gateway needs and a host has not, all of it in one fault; or a Samba that is too old."""
    said: dict[str, str] = {}
    for program, option in PROGRAMS.items():
        with contextlib.suppress(CommandMissing):
            said[program] = host.run(program, option)
    packages = {program: PACKAGES[program] for program in PROGRAMS if program not in said}  # by what is missing
    folder = re.search(r"MODULESDIR: (\S+)", said.get("smbd", ""))
    files = {f"{folder[1] if folder else ''}/{name}": package for name, package in NEEDED.items()} | ACCOUNTS
    packages |= {package: package for path, package in files.items() if not _exists(host, path)}
    if packages:
        verb = "is" if len(packages) == 1 else "are"
        install = f"apt install {' '.join(dict.fromkeys(packages.values()))}"
        return [Fault("mode", f"{', '.join(packages)} {verb} not installed", install)]
    version = samba_version(host.run("smbd", "--version"))
    if version < OLDEST:
        found, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST))
        return [Fault("mode", f"Samba {found} is too old", f"{oldest} or newer is needed: apt install samba")]
    return []


def _exists(host: Host, path: str) -> bool:
    try:
        host.run("test", "-e", path)
    except CommandFailed:
        return False
    return True


def samba_version(built: str) -> tuple[int, int]:
    """The version in the output of `smbd --version`; (0, 0) where it is not to be found."""
    found = re.search(r"Version (\d+)\.(\d+)", built)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def own_addresses(text: str) -> set[str]:
    """The addresses in the output of `ip -json address`."""
    return {
        address["local"] for link in json.loads(text) for address in link.get("addr_info", []) if "local" in address
    }


def listeners(text: str, port: int) -> set[str]:
    """The local addresses that listen on a port, in the output of `ss`; `*` for all."""
    found = set()
    for line in text.splitlines():
        address, _, number = line.split()[3].rpartition(":")
        if number == str(port):
            address = address.partition("%")[0].strip("[]")
            found.add("*" if address in EVERYWHERE else address)
    return found


def overlap(one: str, two: str) -> bool:
    """Whether two listening addresses exclude each other."""
    return one == two or "*" in (one, two)
