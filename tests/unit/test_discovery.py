"""What the network is told of gateways."""

from typing import Any
from xml.etree import ElementTree

import pytest

from smbgateway import discovery
from smbgateway.model import Gateway, Share, parse
from smbgateway.step import Ledger

from .fakes import FakeHost

CLUSTER = {
    "members": [{"node": "n1", "address": "10.1.1.1"}],
    "addresses": [{"address": "10.1.0.100/24", "interface": "vmbr0"}],
}
LXC = {"kind": "lxc", "bridge": "vmbr0", "address": "10.9.0.7/24"}
SOURCE = {"kind": "directory", "path": "/srv/x"}


def gateway(**more: Any) -> Gateway:
    (made,) = parse([{"kind": "gateway", "name": "files", **more}])
    assert isinstance(made, Gateway)
    return made


def share(name: str, purpose: str) -> Share:
    record = {"kind": "share", "name": name, "gateway": "files", "source": SOURCE, "purpose": {"kind": purpose}}
    (made,) = parse([record])
    assert isinstance(made, Share)
    return made


def services(text: str) -> dict[str, tuple[str, list[str]]]:
    root = ElementTree.fromstring(text)
    assert root.findtext("name") == "files"
    return {
        str(each.findtext("type")): (str(each.findtext("port")), [str(t.text) for t in each.findall("txt-record")])
        for each in root.findall("service")
    }


def test_a_gateway_on_the_node_and_its_time_machine_shares() -> None:
    shares = [share("tm 2", "timemachine"), share("docs", "general"), share("backup", "timemachine")]
    text = discovery.announcement(gateway(mode={"port": 4450}), shares)
    assert services(text) == {
        "_smb._tcp": ("4450", []),
        "_device-info._tcp": ("0", ["model=TimeCapsule8,119"]),
        "_adisk._tcp": (
            "9",
            ["sys=waMa=0,adVF=0x100", "dk0=adVN=backup,adVF=0x82", "dk1=adVN=tm 2,adVF=0x82"],
        ),
    }
    assert "host-name" not in text
    assert "_adisk._tcp" not in services(discovery.announcement(gateway(), shares[1:2]))


def test_a_container_has_a_name_of_its_own_beside_those_of_others() -> None:
    host = FakeHost(files={"/a/hosts": "10.0.0.1 printer.local\n"})
    host.run = lambda *argv, **more: host.files.pop(argv[-1], "") if argv[0] == "rm" else ""  # type: ignore[method-assign]
    inside = gateway(mode=LXC)
    steps = discovery.steps(host, "/a", inside, [])
    assert [step.name for step in steps] == ["name files.local in the network", "announcement of gateway files"]
    Ledger().converge(steps)
    assert host.files["/a/hosts"] == "10.0.0.1 printer.local\n10.9.0.7 files.local\n"
    assert host.files["/a/services/smbgw-files.service"].count("<host-name>files.local</host-name>") == 2
    ledger = Ledger()
    ledger.converge(steps)
    assert ledger.changes == []
    # It moves to the node, then is to be found no more.
    outside = gateway()
    wanted = discovery.steps(host, "/a", outside, [])
    Ledger().remove(discovery.leftovers(host, "/a", outside, wanted))
    Ledger().converge(wanted)
    assert host.files["/a/hosts"] == "10.0.0.1 printer.local\n"
    assert "host-name" not in host.files["/a/services/smbgw-files.service"]
    off = gateway(discovery=False)
    assert discovery.steps(host, "/a", off, []) == []
    Ledger().remove(discovery.leftovers(host, "/a", off, []))
    assert host.files == {"/a/hosts": "10.0.0.1 printer.local\n"}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"mode": LXC}, ""),
        ({"discovery": False}, "off"),
        ({"cluster": CLUSTER}, "not announced: its addresses move between nodes"),
        ({"mode": {"addresses": ["10.0.0.5"]}}, "not announced: it has addresses of the node for itself"),
    ],
)
def test_why_not(more: dict[str, Any], why: str) -> None:
    assert discovery.hidden(gateway(**more)) == why


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({}, "PVE1"),
        ({"mode": LXC}, "FILES"),
        ({"mode": {"port": 4450}}, ""),
        ({"discovery": False}, ""),
        ({"mode": {"addresses": ["10.0.0.5"]}}, ""),
    ],
)
def test_names_in_explorer(more: dict[str, Any], name: str) -> None:
    assert discovery.name_in_explorer(gateway(**more), "pve1") == name
