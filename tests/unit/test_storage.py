"""Volumes of Proxmox storages: what its API is asked for them, and which storages are refused."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.proxmox import STORAGE, TEMPLATE, TICKET, StandIn, served
from smbgateway.create import read_request, resources
from smbgateway.errors import HoldsData, Invalid
from smbgateway.guests.container import Container
from smbgateway.host import Host
from smbgateway.model import Gateway, LxcMode, StorageSource
from smbgateway.modes.proxmox_guest import RETIRED
from smbgateway.modes.proxmox_lxc import ProxmoxLxc
from smbgateway.modes.proxmox_volumes import in_bytes
from smbgateway.paths import Paths
from smbgateway.places import offers
from smbgateway.proxmox.client import Proxmox
from smbgateway.proxmox.storages import place
from smbgateway.sources import Place
from smbgateway.sources.storage import Storage
from smbgateway.step import Ledger, StepFailed

from .machine import new_engine

GI = 1 << 30


@dataclass
class Guests(Host):
    """A node whose container sees its volumes where they are mounted, when it was started with them, or takes them up.

    inside  the files that clients have put there
    plugs   whether the container takes up a volume while it runs
    """

    node: StandIn
    inside: list[str] = field(default_factory=list)
    plugs: bool = True
    seen: bool = False

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[0] == "perl":
            return TICKET
        if "find" in argv:
            return "".join(f"{name}\n" for name in self.inside)
        return ""

    def in_container(self, path: str) -> str | None:
        if path != "/proc/self/mountinfo":
            return None
        config = self.node.guests[105].config
        points = [value.split("mp=")[1].split(",")[0] for name, value in config.items() if name == "mp1"]
        return "".join(f"1 1 0:9 / {point} rw - zfs x rw\n" for point in points if self.seen or self.plugs)

    def read(self, path: str) -> str | None:
        return ""

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        raise AssertionError(path)


@pytest.fixture
def host(node: StandIn) -> Guests:
    return Guests(node)


@pytest.fixture
def container(node: StandIn, host: Guests, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProxmoxLxc]:
    monkeypatch.setattr(Container, "read", lambda container, path: host.in_container(path))
    mode = {"bridge": "vmbr0", "address": "10.0.0.5/24", "mac": "02:00:00:00:00:05", "vmid": 105, "storage": STORAGE}
    gateway = Gateway(name="files", mode=LxcMode.model_validate({**mode, "template": TEMPLATE}))
    with served(node) as address:
        made = ProxmoxLxc(host, Paths("/"), gateway, Proxmox(host, "one", address))
        Ledger().converge(made.steps())
        yield made


def volume(container: ProxmoxLxc, quota: int | None = 2 * GI, storage: str = STORAGE) -> Storage:
    return Storage(
        container.volumes, Place("files", "docs", "", (), 20000, quota=quota), StorageSource(storage=storage)
    )


def steps(container: ProxmoxLxc, quota: int = 2 * GI) -> list[Any]:
    made = volume(container, quota)
    return [*made.steps()[:-1], *made.quota(quota)]  # the directory is for the real ring


def test_a_volume_is_made_protected_grown_and_destroyed(container: ProxmoxLxc, node: StandIn) -> None:
    assert volume(container).look() == ([], False)
    before = len(node.changes)
    Ledger().converge(steps(container, 2 * GI - 1))
    config = node.guests[105].config
    assert config["mp1"] == "local-zfs:subvol-105-disk-12,mp=/srv/docs,backup=1,size=2G"
    assert config["protection"] == "1"
    put = "PUT /nodes/one/lxc/105"
    assert node.changes[before:] == [f"{put}/config"] * 4  # protect; lift, make, protect
    again = Ledger()
    again.converge(steps(container))
    assert again.changes == []
    assert (volume(container).path, volume(container).look()) == ("/srv/docs/data", ([], True))

    Ledger().converge(steps(container, 3 * GI))
    assert config["mp1"].endswith("size=3G")
    assert f"{put}/resize" in node.changes

    kept = Ledger().remove(steps(container))
    assert kept == ["volume /srv/docs of container 105"]
    assert config["protection"] == "1"  # while it has volumes
    assert Ledger().remove(steps(container), destroy=True) == []
    assert [name for name in config if name.startswith(("mp1", "unused"))] == []
    assert config["protection"] == "0"
    Ledger().remove(container.steps())
    assert node.guests == {}


def test_a_container_that_takes_no_volume_up_is_started_again(
    container: ProxmoxLxc, host: Guests, node: StandIn
) -> None:
    host.plugs = False
    node.started = lambda vmid, runs: setattr(host, "seen", runs)
    Ledger().converge(steps(container))
    restart = [f"POST /nodes/one/lxc/105/status/{verb}" for verb in ("stop", "start")]
    assert node.changes[-2:] == restart
    host.seen = False
    assert volume(container).steps()[1].read() == "not seen inside"


@pytest.mark.parametrize("failing", range(3, 7))
def test_whichever_call_fails_the_container_is_as_before(container: ProxmoxLxc, node: StandIn, failing: int) -> None:
    before = {**node.guests[105].config, "protection": "0"}
    node.failing[failing] = False
    ledger = Ledger()
    with contextlib.suppress(StepFailed):
        ledger.converge(steps(container))
    assert ledger.undo()[1] == []
    assert {"protection": "0", **node.guests[105].config} == before


def test_undo_keeps_a_volume_in_which_there_is_something(container: ProxmoxLxc, host: Guests) -> None:
    ledger = Ledger()
    ledger.converge(steps(container))
    host.inside = ["letter"]
    name = "volume /srv/docs of container 105"
    assert ledger.undo()[1] == [f"{name} (files are in it)", "protection of container 105"]
    container.power(False)
    with pytest.raises(HoldsData, match="the container stands still: nobody can look inside"):
        volume(container).steps()[1].write(None)


def test_a_container_with_volumes_is_retired_not_destroyed(container: ProxmoxLxc, node: StandIn) -> None:
    Ledger().converge(steps(container))
    assert container.kept() == [f"container 105, stopped and tagged {RETIRED}, with its volumes: /srv/docs"]
    Ledger().remove(container.steps())
    kept = node.guests[105]
    assert (kept.runs, kept.config["tags"], kept.config["onboot"], kept.config["protection"]) == (
        False, RETIRED, "0", "1",
    )  # fmt: skip
    assert container.steps()[0].read() is None  # nobody's any more


NO_HINT = "those that hold them: local-zfs, slow, away"
REFUSED: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "unknown": ({"storage": "nope"}, "source.storage", "this node has no storage nope", NO_HINT),
    "no volumes": (
        {"storage": "cephfs"}, "source.storage", "storage cephfs (cephfs) holds no volumes of containers",
        f"its node's own side is cephfs:cephfs/docs; {NO_HINT}",
    ),
    "away": ({"storage": "away"}, "source.storage", "storage away is not active on this node", "pvesm status"),
    "no quota": ({"quota": None}, "quota", "a volume needs a quota: it is made in that size", ""),
    "full": (
        {"storage": "slow"}, "quota", "2 GiB more is asked of storage slow, which has 1 GiB free",
        "--force asks for it all the same",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_by_field(container: ProxmoxLxc, case: str) -> None:
    more, *told = REFUSED[case]
    (fault,) = volume(container, **more).look()[0]
    assert [fault.field, fault.message, fault.hint] == told


def test_a_volume_never_shrinks(container: ProxmoxLxc) -> None:
    Ledger().converge(steps(container, 3 * GI))
    (fault,) = volume(container).look()[0]
    assert (fault.field, fault.message) == ("quota", "a volume never shrinks: it has 3 GiB, 2 GiB was asked for")
    with pytest.raises(StepFailed, match="keeps its size: a volume never shrinks: it has 3 GiB"):
        Ledger().converge(volume(container).quota(2 * GI))


def test_sizes_as_proxmox_ve_writes_them() -> None:
    assert [in_bytes(text) for text in ("2G", "512M", "1.5T", "")] == [2 * GI, GI // 2, 3 * GI << 9, 0]


PLACES: list[tuple[dict[str, str], str, str]] = [
    ({"type": "zfspool", "pool": "rpool/data"}, "zfs:rpool/data/docs", "zfs:rpool/data/docs"),
    ({"type": "btrfs", "path": "/pool"}, "btrfs:/pool/docs", "btrfs:/pool/docs"),
    ({"type": "dir", "path": "/mnt/x"}, "image:/mnt/x/docs.img", "directory:/mnt/x/docs"),
    ({"type": "cephfs", "fs-name": "fs"}, "cephfs:fs/docs", "cephfs:fs/docs"),
    ({"type": "rbd", "pool": "vms", "namespace": "a"}, "rbd:vms/a/docs", "rbd:vms/a/docs"),
    ({"type": "rbd", "pool": "vms", "monhost": "10.0.0.9"}, "", ""),
    ({"type": "lvmthin"}, "", ""),
]


@pytest.mark.parametrize(("config", "limited", "free"), PLACES, ids=[each[0]["type"] for each in PLACES])
def test_what_of_a_storage_is_a_place_on_the_node(config: dict[str, str], limited: str, free: str) -> None:
    assert (place(config, "docs", True), place(config, "docs", False)) == (limited, free)


def test_storages_are_offered_to_the_modes_that_can_have_them(container: ProxmoxLxc) -> None:
    found = {offer.source: offer for offer in offers(container.host, [], "docs", container.api)}
    assert {
        source: (offer.free, list(offer.modes)) for source, offer in found.items() if "storage " in offer.where
    } == {
        "cephfs:cephfs/docs": (9 * GI, ["native", "lxc"]),  # it holds no volumes
        "storage:local-zfs": (9 * GI, ["native", "lxc", "vm"]),
        "storage:slow": (GI, ["lxc"]),  # on the node it is no place where shares may lie
    }
    assert found["storage:slow"].where == "storage slow of Proxmox VE (dir)"
    below = {offer.source: offer.modes for offer in offers(container.host, ["/mnt"], "docs", container.api)}
    assert list(below["storage:slow"]) == ["native", "lxc"]


@pytest.fixture
def on_proxmox(tmp_path: Any, container: ProxmoxLxc) -> Callable[..., list[str]]:
    """What an engine says of a share on a storage."""
    engine = new_engine(str(tmp_path))
    vars(engine.site)["proxmox"] = container.api

    def told(storage: str, **more: Any) -> list[str]:
        share = {"kind": "share", "name": "docs", "gateway": "files", "source": {"kind": "storage", "storage": storage}}
        with pytest.raises(Invalid) as raised:
            engine.apply([{"kind": "gateway", "name": "files"}, {**share, **more}])
        return [f"{fault.field}: {fault.message} ({fault.hint})" for fault in raised.value.faults]

    return told


def test_a_native_gateway_is_told_the_place_on_the_node(on_proxmox: Callable[..., list[str]]) -> None:
    what = "share.docs.source: a native gateway has no guest that could have a volume of storage"
    place = "name the place on the node: zfs:rpool/data/docs"
    assert f"{what} local-zfs ({place})" in on_proxmox(STORAGE, quota="2G")
    assert f"{what} away (use mode lxc or vm)" in on_proxmox("away")


def test_the_short_way_takes_that_place_for_a_native_gateway(tmp_path: Any, container: ProxmoxLxc) -> None:
    engine = new_engine(str(tmp_path))
    vars(engine.site)["proxmox"] = container.api
    request = {"name": "docs", "quota": "2G", "source": f"storage:{STORAGE}"}
    on_node = resources(read_request(request), engine.site)[-1]["source"]
    assert on_node == {"kind": "zfs", "dataset": "rpool/data/docs"}
    in_guest = {**request, "mode": "lxc", "addresses": ["10.0.0.5/24"], "bridge": "vmbr0"}
    assert resources(read_request(in_guest), engine.site)[-1]["source"] == {"kind": "storage", "storage": STORAGE}
    with pytest.raises(Invalid) as raised:
        resources(read_request({**request, "source": "storage:nope"}), engine.site)
    (fault,) = raised.value.faults
    assert (fault.field, fault.message) == ("source", "this node has no storage nope")
    assert fault.hint == "it has local, local-zfs, slow, away, cephfs"


def test_elsewhere_there_are_no_storages() -> None:
    engine = new_engine("/nowhere")
    source = {"kind": "storage", "storage": "tank"}
    with pytest.raises(Invalid) as raised:
        engine.apply(
            [
                {"kind": "gateway", "name": "files"},
                {"kind": "share", "name": "docs", "gateway": "files", "source": source},
            ]
        )
    assert [f"{fault.field}: {fault.message}" for fault in raised.value.faults][-1] == (
        "share.docs.source: storages are those of Proxmox VE, which is not here"
    )
