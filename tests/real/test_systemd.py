"""A gateway in a container of Proxmox VE's, which runs: unprivileged, with systemd as first process."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import pct
from lab.containers import Bridge
from lab.proxmox import STORAGE, TEMPLATE
from smbgateway.errors import CommandFailed
from smbgateway.guests.container import Container
from smbgateway.guests.template import STOCK
from smbgateway.host import Node
from smbgateway.model import Gateway, LxcMode
from smbgateway.modes.proxmox_lxc import BASE, ProxmoxLxc
from smbgateway.step import Ledger
from smbgateway.watch import Watch

from .world import Site, site, until, user

BOOT = "/proc/sys/kernel/random/boot_id"  # of a container its own
QUIET = 5.0  # seconds after which a gateway is idle
MOST = 48  # MiB of an idle one


@dataclass
class Guest:
    """An installation on Proxmox VE, and the container of its gateway `files`."""

    site: Site
    mode: LxcMode
    container: Container

    def state(self) -> str:
        """What systemd says of itself, if it is up."""
        try:
            return self.container.run("systemctl", "is-system-running").strip()
        except CommandFailed as error:
            return error.output

    def is_whole(self) -> None:
        """Systemd has started all, and nothing has failed."""
        until(lambda: self.state() in ("running", "degraded"), "systemd has started all")
        failed = self.container.run("systemctl", "list-units", "--failed", "--plain", "--no-legend")
        assert (failed, self.state()) == ("", "running")


@pytest.fixture(scope="module")
def guest(area: Path, bridge: Bridge) -> Iterator[Guest]:
    """The container alone, just started: no Samba of ours is in it yet."""
    with site(area, "systemd") as one, pct.proxmox(area / "pct", bridge) as api:
        vars(one.engine.site)["proxmox"] = api
        vmid, mac = int(api.get("/cluster/nextid")), "02:00:00:00:00:05"
        fixed = {"vmid": vmid, "mac": mac, "storage": STORAGE, "template": TEMPLATE}
        mode = LxcMode(bridge=bridge.name, address=bridge.address(), **fixed)
        made = ProxmoxLxc(Node(), one.paths, Gateway(name="files", mode=mode), api)
        Ledger().converge(made.steps())
        yield Guest(one, mode, made.container)


@pytest.fixture(scope="module")
def served(guest: Guest) -> Guest:
    """With the gateway, a user and a share `docs`."""
    mode = guest.mode.model_dump(exclude_defaults=True)
    guest.site.apply({"kind": "gateway", "name": "files", "mode": {"kind": "lxc", **mode}}, user(), guest.site.share())
    return guest


def test_it_comes_up_whole_and_nothing_of_its_packages_runs(guest: Guest) -> None:
    guest.is_whole()
    inside = guest.container
    assert inside.run("cat", "/proc/1/comm", "/proc/1/uid_map").split() == ["systemd", "0", str(BASE), "65536"]
    states = inside.run("systemctl", "show", "--property=ActiveState", "--value", *STOCK.split()).split()
    assert states == ["inactive"] * len(STOCK.split())
    assert inside.run("ss", "--no-header", "--listening", "--tcp", "--udp", "--numeric") == ""


def test_it_serves_and_does_so_again_after_a_reboot_from_inside(served: Guest) -> None:
    one, inside = served.site, served.container
    assert (one.works("docs"), one.drift()) == (True, [])
    before = inside.read(BOOT)
    inside.run("systemctl", "reboot")
    until(lambda: inside.read(BOOT) not in (None, before), "it has started again")
    Watch(one.engine).look()
    assert (one.works("docs"), one.drift()) == (True, [])
    served.is_whole()


def test_an_idle_gateway_is_small(served: Guest) -> None:
    time.sleep(QUIET)
    assert pct.memory(served.mode.vmid) <= MOST
