"""What clients find by themselves: a real avahi-daemon (RFC 6762) and wsdd2 answer them, in networks of their own."""

import contextlib
import ctypes
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbgateway import discovery
from smbgateway.host import Node
from smbgateway.model import Gateway, parse
from smbgateway.status import Status
from smbgateway.step import Ledger

from .explorer import explored
from .world import Site, site, until, user

CONFIGURATION = """\
[server]
host-name=node
enable-dbus=no
allow-interfaces=near
use-ipv6=no
"""
# Its own network and /run; our files where it looks for them.
DAEMON = """\
set -e
ip link set lo up
ip link add near type veth peer name far
ip address add 10.9.0.1/24 dev near
ip link set far up
ip link set near up
mount -t tmpfs run /run
mount --bind "$1/etc/avahi" /etc/avahi
exec avahi-daemon --file "$1/avahi.conf" --no-drop-root --no-chroot --no-rlimits
"""
# One question by multicast, the answer to our own port (RFC 6762, section 6.7).
QUESTION = """\
import socket, struct, sys
labels = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split("."))
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(1)
asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.9.0.1"))
question = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + labels + bytes(1) + struct.pack("!2H", int(sys.argv[2]), 1)
asker.sendto(question, ("224.0.0.251", 5353))
try:
    sys.stdout.buffer.write(asker.recv(9000))
except TimeoutError:
    pass
"""
CONTAINER = {"kind": "lxc", "bridge": "vmbr0", "address": "10.9.0.7/24"}
ADDRESS, POINTER, TEXT, SERVICE = 1, 12, 16, 33  # types of records


@pytest.fixture(scope="module")
def made(area: Path) -> Iterator[Site]:
    with site(area, "discovery") as one:
        shares = [one.share("docs"), one.share("backup", purpose={"kind": "timemachine"})]
        one.apply(one.gateway(addresses=[]), user(), *shares)
        yield one


@contextlib.contextmanager
def network(made: Site) -> Iterator[int]:
    """avahi-daemon there, by its pid."""
    root = made.paths.root
    Path(root, "avahi.conf").write_text(CONFIGURATION)
    command = ["unshare", "--net", "--mount", "sh", "-c", DAEMON, "sh", root]
    with open(Path(root, "avahi.log"), "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def answered(network: int, name: str, kind: int, *wanted: bytes, absent: bool = False) -> bool:
    """Whether an answer to a question comes that has all of this in it (or, in time, none comes)."""
    inside = ["nsenter", "--target", str(network), "--net", sys.executable, "-c", QUESTION, name, str(kind)]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = subprocess.run(inside, capture_output=True).stdout
        if (not answer) if absent else (answer and all(part in answer for part in wanted)):
            return True
        time.sleep(0.1)
    return False


def test_macs_find_a_gateway_and_its_time_machine(made: Site) -> None:
    port = made.engine.site.world().gateways["files"].mode.port
    with network(made) as here:
        assert answered(here, "_smb._tcp.local", POINTER, b"\x05files")
        assert answered(here, "files._smb._tcp.local", SERVICE, port.to_bytes(2, "big") + b"\x04node")
        assert answered(here, "files._adisk._tcp.local", TEXT, b"dk0=adVN=backup,adVF=0x82", b"sys=waMa=0,adVF=0x100")
        assert made.engine.drift(made.engine.site.world().gateways["files"], []) == []

        made.engine.remove([("share", "backup")])
        assert answered(here, "files._adisk._tcp.local", TEXT, absent=True)
        made.apply(made.gateway(discovery=False))
        assert answered(here, "_smb._tcp.local", POINTER, absent=True)


def test_a_container_is_found_by_a_name_of_its_own(made: Site) -> None:
    (gateway,) = parse([{"kind": "gateway", "name": "inner", "mode": CONTAINER}])
    assert isinstance(gateway, Gateway)
    steps = discovery.steps(Node(), made.paths.avahi, gateway, [])
    Ledger().converge(steps)
    with network(made) as here:
        assert answered(here, "inner._smb._tcp.local", SERVICE, b"\x01\xbd\x05inner")
        assert answered(here, "inner.local", ADDRESS, bytes([10, 9, 0, 7]))
    Ledger().remove(steps)
    assert Path(made.paths.avahi, "hosts").read_text() == ""


NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """What runs here meanwhile, and what it starts, has a network of its own (unshare(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:
        assert libc.unshare(NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(before.fileno(), 0) == 0


@contextlib.contextmanager
def windows() -> Iterator[int]:
    """Another machine on the network of this one, which is 10.9.0.1: by a pid in it."""
    with subprocess.Popen(["unshare", "--net", "sleep", "600"]) as other:
        here = os.readlink("/proc/thread-self/ns/net")
        until(lambda: os.readlink(f"/proc/{other.pid}/ns/net") != here, "the other machine is there")
        inside = ["nsenter", "--target", str(other.pid), "--net"]
        for command in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", str(other.pid)],
            ["ip", "address", "add", "10.9.0.1/24", "dev", "lan"],
            ["ip", "link", "set", "lan", "up"],
            [*inside, "ip", "address", "add", "10.9.0.2/24", "dev", "eth0"],
            [*inside, "ip", "link", "set", "eth0", "up"],
        ):
            subprocess.run(command, check=True)
        try:
            yield other.pid
        finally:
            other.kill()


def said(site: Site) -> str:
    return str(Status(site.engine).gateway("files")["discovery"])


def test_explorer_finds_the_node_of_a_gateway_and_its_address(area: Path) -> None:
    with elsewhere(), windows() as windows_, site(area, "explorer") as one:
        one.apply(one.gateway(addresses=[], port=445), user(), one.share())
        until(lambda: explored(windows_, "10.9.0.2") == "ONE/Workgroup:WORKGROUP 10.9.0.1", "Explorer finds it")
        assert said(one) == "mDNS; in Explorer as ONE"
        pids = [pid for pid in one.pids() if "wsdd2" not in pid]
        (wsdd2,) = (pid.split()[0] for pid in one.pids() if "wsdd2" in pid)
        status = Path(f"/proc/{wsdd2}/status").read_text()
        assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.MULTILINE)
        assert re.search(r"^CapEff:\t0+$", status, re.MULTILINE)

        os.kill(int(wsdd2), 9)
        until(lambda: explored(windows_, "10.9.0.2").startswith("ONE/"), "the supervisor starts it again")
        one.apply(one.gateway(addresses=[], workgroup="OFFICE"))
        until(lambda: explored(windows_, "10.9.0.2").startswith("ONE/Workgroup:OFFICE"), "its workgroup changed")
        one.apply(one.gateway(addresses=[], discovery=False))
        until(lambda: explored(windows_, "10.9.0.2") == "nobody", "it is not announced")
        assert (said(one), one.drift()) == ("off", [])
        assert [pid for pid in one.pids() if "sleep" not in pid] == pids, "smbd went on"
