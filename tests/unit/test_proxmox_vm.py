"""Gateways in virtual machines of Proxmox VE: what its API is asked, the agent behind it, and the disks of shares."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.proxmox import BRIDGE, STORAGE, Guest, StandIn, served
from smbgateway.convergence import Convergence, Result
from smbgateway.engine import PLAIN
from smbgateway.errors import CommandFailed, CommandMissing, HoldsData, Invalid, Unavailable
from smbgateway.guests.agent import Silent
from smbgateway.guests.image import Images
from smbgateway.guests.template import Template
from smbgateway.installation import Scope
from smbgateway.model import Gateway, Share, StorageSource, VmMode, parse
from smbgateway.modes.proxmox_guest import RETIRED, canonical
from smbgateway.modes.proxmox_vm import ProxmoxVm
from smbgateway.modes.vm import serial
from smbgateway.paths import Paths
from smbgateway.proxmox.client import Proxmox
from smbgateway.sources import Place
from smbgateway.sources.storage import Storage
from smbgateway.step import Change, Ledger, Step, StepFailed
from smbgateway.upgrade import Upgrade

from .machine import EmptyMachine, new_engine
from .test_proxmox_lxc import converge

GI = 1 << 30
MAC = "02:00:00:00:00:05"
IMAGE = "trixie-20261101-120000"
PLACE = f"/srv/{serial('docs')}"
VOLUME = f"volume {PLACE} of virtual machine 105"


@dataclass
class Insides:
    """What is in the machine: files, disks with an XFS or without, mounts. `files` are those of clients."""

    node: StandIn
    done: list[list[str]] = field(default_factory=list)
    held: dict[str, bytes] = field(default_factory=dict)
    formatted: bool = False
    mounted: bool = False
    grown: str = ""
    files: bool = False
    plugs: bool = True

    def __call__(self, vmid: int, argv: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
        words = argv[argv.index("--kill-after=1") + 2 :]
        self.done.append(words)
        said = self._said(words, stdin)
        return (0, said.encode(), b"") if isinstance(said, str) else said

    def _said(self, words: list[str], stdin: bytes) -> str | tuple[int, bytes, bytes]:
        absent = 1, b"", b"No such file or directory"
        disk = next((value for value in self.node.guests[105].config.values() if "serial=" in value), "")
        match words[0]:
            case "sh" if "vpd_pg80" in words[2]:
                there = disk and self.plugs
                return "/sys/block/sdb/device/vpd_pg80\n" if there else ""
            case "sh" if words[3] == "unpack":
                self.held[f"{words[4]}/version"] = words[5].encode()
            case "cat" if words[-1] == "/proc/self/mountinfo":
                return f"1 1 0:9 / {PLACE} rw - xfs /dev/sdb rw\n" if self.mounted else ""
            case "cat":
                return (0, self.held[words[-1]], b"") if words[-1] in self.held else absent
            case "blkid":
                return "TYPE=xfs\n" if self.formatted else (2, b"", b"")
            case "stat":
                return absent
            case "mkfs.xfs":
                self.formatted = True
            case "mount" | "umount":
                self.mounted = words[0] == "mount"
            case "xfs_growfs":
                self.grown = disk.rpartition("size=")[2]
            case "xfs_info":
                size = int((self.grown or disk.rpartition("size=")[2]).rstrip("G")) << 18
                return f"data     =  bsize=4096   blocks={size}, imaxpct=25\n"
            case "xfs_logprint":
                return "log is <CLEAN>"
            case "xfs_db":
                return f"icount = 64\nifree = {60 if self.files else 61}\n"
            case "rm" if words[-1].endswith("smbgateway"):
                self.held.clear()
        return ""


@pytest.fixture
def node() -> StandIn:
    made = StandIn()
    made.inside = Insides(made)
    return made


@pytest.fixture
def inside(node: StandIn) -> Insides:
    assert isinstance(node.inside, Insides)
    return node.inside


def gateway(**more: Any) -> Gateway:
    fixed = {"bridge": BRIDGE, "address": "10.0.0.5/24", "mac": MAC, "vmid": 105, "storage": STORAGE, "image": IMAGE}
    return Gateway(name="box", mode=VmMode(**{**fixed, **more}))


def mode(api: Proxmox, **more: Any) -> ProxmoxVm:
    return ProxmoxVm(api.host, Paths("/"), gateway(**more), api)


def test_a_machine_is_made_of_an_image_started_and_then_left_alone(api: Proxmox, node: StandIn) -> None:
    more = {"router": "10.0.0.1", "vlan": 7, "mtu": 1400, "firewall": True, "order": 3, "cores": 3, "tags": ["db"]}
    wanted = mode(api, **more).steps()
    running = ["created virtual machine 105 running", "created modules in virtual machine 105"]
    assert converge(*wanted) == ["created virtual machine 105", *running]
    made = next(given for method, path, given in node.calls if (method, path) == ("POST", "/nodes/one/qemu"))
    disk = f"/var/lib/pve-smbgateway/images/{IMAGE}/disk.qcow2"
    assert made == {
        "vmid": "105", "name": "box", "cores": "3", "memory": "512", "onboot": "1", "startup": "order=3",
        "tags": "db;smbgateway", "net0": f"bridge=vmbr0,firewall=1,mtu=1400,tag=7,virtio={MAC}",
        "ipconfig0": "gw=10.0.0.1,ip=10.0.0.5/24", "scsi0": f"local-zfs:0,import-from={disk},discard=on",
        "scsi1": "local-zfs:cloudinit", "boot": "order=scsi0", "scsihw": "virtio-scsi-pci", "agent": "enabled=1",
        "citype": "nocloud", "ciupgrade": "0", "cpu": "x86-64-v2-AES", "ostype": "l26", "rng0": "source=/dev/urandom",
        "serial0": "socket",
    }  # fmt: skip
    assert converge(*wanted) == []
    Ledger().remove(wanted)
    assert node.guests == {}
    assert "POST /nodes/one/qemu/105/status/shutdown" in node.changes  # in order, not by the plug
    assert "cipassword" not in str(node.calls)
    assert "sshkeys" not in str(node.calls)


def test_with_six_numbers_and_a_disk_of_a_storage(api: Proxmox, node: StandIn) -> None:
    converge(*mode(api, address="fd00::5/64", router="fd00::1", image="local:import/own.qcow2").steps())
    made = next(given for method, path, given in node.calls if (method, path) == ("POST", "/nodes/one/qemu"))
    assert made["scsi0"] == "local-zfs:0,import-from=local:import/own.qcow2,discard=on"
    assert made["ipconfig0"] == "gw6=fd00::1,ip6=fd00::5/64"
    written = {"net0": f"virtio={MAC.upper()},bridge=vmbr0", "ipconfig0": "ip=10.0.0.5/24,gw=10.0.0.1"}
    ours = {"net0": f"bridge=vmbr0,virtio={MAC}", "ipconfig0": "gw=10.0.0.1,ip=10.0.0.5/24"}
    assert canonical(written, ProxmoxVm.keys) == canonical(ours, ProxmoxVm.keys)


def test_what_cannot_be_plugged_in_waits_and_is_told_and_a_network_is_changed_at_rest(
    api: Proxmox, node: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbgateway.modes.proxmox_vm.unreached", lambda *words: "far")
    converge(*mode(api, order=1).steps())
    before = len(node.changes)
    more = mode(api, memory="1G", cores=4)
    assert converge(*more.steps()) == ["changed configuration of virtual machine 105"]
    config = "PUT /nodes/one/qemu/105/config"
    assert [call for call in node.changes[before:] if "agent" not in call] == [config]
    assert "startup" not in node.guests[105].config
    told = "cores, memory of virtual machine 105 hold from its next start on: gateway restart box"
    assert more.unreached() == told
    elsewhere = mode(api, memory="1G", cores=4, address="10.0.0.6/24")
    converge(*elsewhere.steps())
    status = "POST /nodes/one/qemu/105/status"
    turns = [call for call in node.changes[before + 1 :] if "agent" not in call]
    assert turns == [f"{status}/shutdown", config, f"{status}/start"]
    assert elsewhere.unreached() == "far"


def test_high_availability_goes_with_the_running_machine(api: Proxmox, node: StandIn) -> None:
    node.releases = (9,)  # 8 has groups where 9 has rules
    converge(*mode(api, ha=True, ha_nodes=("two", "one")).steps())
    assert (list(node.managed), list(node.rules)) == (["vm:105"], ["smbgateway-vm-105"])
    Ledger().remove(mode(api, ha=True, ha_nodes=("two", "one")).running())
    assert (node.managed, node.rules, node.guests[105].runs) == ({}, {}, False)
    told = [fault.message for fault in mode(api, ha=True).look(gateway())]
    assert f"its system is on storage {STORAGE}, which only this node has" in told


@pytest.mark.parametrize("task", [False, True], ids=["call", "task"])
@pytest.mark.parametrize("failing", [1, 2])
def test_whichever_call_fails_nothing_stays(api: Proxmox, node: StandIn, failing: int, task: bool) -> None:
    node.failing[failing] = task
    ledger = Ledger()
    with pytest.raises(StepFailed, match=r"^cannot set virtual machine 105( running)?\n?"):
        ledger.converge(mode(api).steps())
    assert ledger.undo()[1] == []
    assert node.guests == {}


def test_a_machine_of_that_number_that_is_not_ours_is_never_touched(api: Proxmox, node: StandIn) -> None:
    theirs = Guest("qemu", {"name": "box", "tags": "db"}, runs=True)
    node.guests[105] = theirs
    with pytest.raises(StepFailed) as raised:
        Ledger().converge(mode(api).steps())
    assert raised.value.again
    Ledger().remove(mode(api).steps()[:2])
    assert node.guests == {105: theirs}


def test_one_that_ends_while_it_starts_is_told_and_goes(api: Proxmox, node: StandIn) -> None:
    node.started = lambda vmid, runs: setattr(node.guests[vmid], "mute", runs)
    answer, looks = node.answer, iter(range(99))

    def dying(method: str, path: str, given: dict[str, Any]) -> Any:
        if path.endswith("status/current") and node.guests[105].mute and next(looks) > 1:
            node.guests[105].runs = False
        return answer(method, path, given)

    node.answer = dying  # type: ignore[method-assign]
    ledger = Ledger()
    with pytest.raises(StepFailed) as raised:
        ledger.converge(mode(api).steps())
    assert str(raised.value) == (
        "cannot set virtual machine 105 running: virtual machine 105 has ended\n"
        "  what it says at a start: qm terminal 105"
    )
    assert ledger.undo()[1] == []
    assert node.guests == {}


@pytest.fixture
def machine(api: Proxmox, node: StandIn) -> ProxmoxVm:
    """One that runs."""
    made = mode(api)
    converge(*made.steps())
    return made


def test_words_and_bytes_come_through_the_api_as_they_are(machine: ProxmoxVm, node: StandIn) -> None:
    heard: list[tuple[list[str], bytes]] = []

    def inside(vmid: int, argv: list[str], stdin: bytes) -> tuple[int, bytes, bytes]:
        heard.append((argv, stdin))
        return 0, "größer €\n".encode() + b"\xff", b""

    node.inside = inside
    assert machine.host.run("net", "", "Größe €", "a 'b'", stdin="ä\udcff") == "größer €\n\udcff"
    assert heard[0][0][-4:] == ["net", "", "Größe €", "a 'b'"]
    assert heard[0][1] == "ä".encode() + b"\xff"
    heard.clear()
    machine.host.write("/etc/large", "x" * 100_000)
    pieces = [stdin for _, stdin in heard if stdin]
    assert (max(map(len, pieces)), sum(map(len, pieces))) == (40 << 10, 100_000)
    sent = [len(given["input-data"]) for _, _, given in node.calls if "input-data" in given]
    assert max(sent) <= 60 << 10


def test_both_outputs_and_the_code_of_a_command_are_told(machine: ProxmoxVm, node: StandIn) -> None:
    node.inside = lambda vmid, argv, stdin: (3, b"out", b"no such thing\n")
    with pytest.raises(CommandFailed, match=r"^false: no such thing$"):
        machine.host.run("false")
    node.inside = lambda vmid, argv, stdin: (127, b"", b"timeout: failed to run command smbd: No such file")
    with pytest.raises(CommandMissing):
        machine.host.run("smbd")
    node.inside = lambda vmid, argv, stdin: (124, b"", b"")
    with pytest.raises(CommandFailed, match="no answer within 5 s"):
        machine.host.run("sleep", timeout=1)


def test_a_machine_that_is_off_silent_or_refuses(machine: ProxmoxVm, node: StandIn) -> None:
    node.guests[105].mute = True
    with pytest.raises(Silent) as raised:
        machine.host.read("/etc/passwd")
    assert str(raised.value) == (
        "the agent of virtual machine 105 does not answer: QEMU guest agent is not running\n"
        "  does qemu-guest-agent run in it? gateway restart starts it again"
    )
    node.guests[105].runs = False
    assert machine.host.read("/etc/passwd") is None
    del node.guests[105]  # it was moved, or destroyed
    assert machine.host.read("/etc/passwd") is None
    answer = node.answer
    node.answer = lambda *words: (500, "Agent error: disabled", None)  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match=r"^the agent of virtual machine 105 refuses: Agent error: disabled$"):
        machine.host.read("/etc/passwd")
    node.answer = answer  # type: ignore[method-assign]


def test_what_is_said_inside_never_goes_by_words_that_others_can_read(machine: ProxmoxVm) -> None:
    with served(StandIn()) as closed:
        pass
    machine.api.daemon = closed
    with pytest.raises(Unavailable, match="refuses: pvedaemon does not listen"):
        machine.host.run("smbpasswd", stdin="Open-Sesame-1")
    assert isinstance(machine.node, EmptyMachine)
    assert not [argv for argv in machine.node.done if argv[0] == "pvesh"]


def volume(machine: ProxmoxVm, quota: int | None = 2 * GI, storage: str = STORAGE) -> Storage:
    return Storage(machine.volumes, Place("box", "docs", "", (), 20000, quota=quota), StorageSource(storage=storage))


def steps(machine: ProxmoxVm, quota: int = 2 * GI) -> list[Step]:
    made = volume(machine, quota)
    return [*made.steps()[:-1], *made.quota(quota)]  # the directory is for the real ring


def test_a_disk_is_made_with_its_file_system_grown_while_it_serves_and_destroyed(
    machine: ProxmoxVm, node: StandIn, inside: Insides
) -> None:
    assert volume(machine).look() == ([], False)
    before = len(node.changes)
    assert converge(*steps(machine, 2 * GI - 1)) == [
        "created protection of virtual machine 105", f"created {VOLUME}",
        f"created mount point {PLACE}", f"created mount of {VOLUME}",
    ]  # fmt: skip
    config = node.guests[105].config
    assert config["scsi2"] == f"local-zfs:vm-105-disk-1,serial={serial('docs')},discard=on,backup=1,size=2G"
    assert config["protection"] == "1"
    assert converge(*steps(machine)) == []
    assert (volume(machine).path, volume(machine).look()) == (f"{PLACE}/data", ([], True))

    inside.done.clear()
    assert converge(*steps(machine, 3 * GI)) == [f"changed size of {VOLUME}"]
    assert (config["scsi2"].endswith("size=3G"), inside.grown) == (True, "3G")
    inside.grown = "2G"  # as where it was cut off before the file system had grown
    assert converge(*steps(machine, 3 * GI)) == [f"changed size of {VOLUME}"]

    assert Ledger().remove(steps(machine, 3 * GI)) == [VOLUME]
    assert (config["protection"], inside.mounted) == ("1", False)
    assert Ledger().remove(steps(machine, 3 * GI), destroy=True) == []
    assert ("scsi2" in config, "unused0" in config, config["protection"]) == (False, False, "0")
    calls = [call for call in node.changes[before:] if "agent" not in call]
    assert calls[1] == "POST /nodes/one/qemu/105/config"
    assert not [call for call in calls if "status" in call]  # it ran all the time


@pytest.mark.parametrize(
    "failing", ["protection", "serial", "vpd_pg80", "blkid", "mkfs.xfs", "mkdir", "mount", "xfs_info"]
)
def test_whatever_fails_the_machine_is_as_before(
    machine: ProxmoxVm, node: StandIn, inside: Insides, failing: str
) -> None:
    before = {**node.guests[105].config, "protection": "0"}
    answer, spent = node.answer, []

    def fails(given: object) -> bool:
        if hit := not spent and failing in str(given):
            spent.append(given)
        return hit

    node.answer = lambda method, path, given: (  # type: ignore[method-assign]
        (500, "made to fail", None) if method != "GET" and fails(given) else answer(method, path, given)
    )
    node.inside = lambda vmid, argv, stdin: (1, b"", b"made to fail") if fails(argv[7:]) else inside(vmid, argv, stdin)
    ledger = Ledger()
    with pytest.raises(StepFailed, match="made to fail"):
        ledger.converge(steps(machine))
    assert ledger.undo()[1] == []
    assert {"protection": "0", **node.guests[105].config} == before
    node.answer = answer  # type: ignore[method-assign]


def test_undo_keeps_a_disk_in_which_there_is_something(machine: ProxmoxVm, node: StandIn, inside: Insides) -> None:
    ledger = Ledger()
    ledger.converge(steps(machine))
    inside.files = True
    assert ledger.undo()[1] == [f"{VOLUME} (files are in it)", "protection of virtual machine 105"]
    machine.power(False)
    with pytest.raises(HoldsData, match="the machine stands still: nobody can look inside"):
        volume(machine).steps()[1].write(None)


def test_a_disk_that_is_not_seen_inside_is_told(
    machine: ProxmoxVm, inside: Insides, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbgateway.modes.proxmox_disks.PLUG_WAIT", 0)
    inside.plugs = False
    with pytest.raises(StepFailed, match=f"{VOLUME} is not seen inside"):
        converge(*steps(machine))
    assert volume(machine).steps()[1].read() == "not seen inside"


def test_a_machine_with_disks_of_shares_is_retired_not_destroyed(machine: ProxmoxVm, node: StandIn) -> None:
    converge(*steps(machine))
    kept = f"virtual machine 105, stopped and tagged {RETIRED}, with its volumes: local-zfs:vm-105-disk-1"
    assert machine.kept() == [kept]
    Ledger().remove(machine.steps())
    left = node.guests[105]
    assert (left.runs, left.config["tags"], left.config["onboot"], left.config["protection"]) == (
        False, RETIRED, "0", "1",
    )  # fmt: skip
    assert machine.steps()[0].read() is None  # nobody's any more


def test_where_a_disk_cannot_be_is_refused_by_field(machine: ProxmoxVm) -> None:
    (fault,) = volume(machine, storage="slow").look()[0]
    assert (fault.field, fault.message, fault.hint) == (
        "source.storage", "storage slow (dir) holds no volumes of virtual machines",
        "its node's own side is image:/mnt/slow/docs.img; those that hold them: local-zfs, away",
    )  # fmt: skip


def test_what_the_node_lacks_is_told_by_field(api: Proxmox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Images, "all", lambda self: [Template(IMAGE, "", 1, "")])
    assert mode(api).look(None) == []
    assert mode(api, image="gone").look(gateway()) == []  # it was made of it long ago
    faults = mode(api, bridge="vmbr9", storage="slow", image="local:import/x.qcow2").look(None)
    assert [f"{fault.field}: {fault.message} ({fault.hint})" for fault in faults] == [
        "mode.bridge: this node has no bridge vmbr9 (it has vmbr0)",
        "mode.storage: this node has no storage slow (it has local-zfs)",
        "mode.image: there is no image local:import/x.qcow2 on this node "
        "(leave it out to get the newest: template list)",
    ]
    (fault,) = ProxmoxVm(api.host, Paths("/"), Gateway(name="box", mode=VmMode(vmid=105)), api).look(None)
    assert (fault.field, fault.message) == ("mode.bridge", "on Proxmox VE it has an address of its own")


def test_the_engine_chooses_number_storage_and_image_and_refuses_files_of_the_node(
    tmp_path: Any, api: Proxmox, node: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Images, "all", lambda self: [Template(IMAGE, "", 1, "")])
    engine = new_engine(str(tmp_path))
    vars(engine.site).update(host=api.host, proxmox=api)
    node.guests[100] = Guest("lxc", {"hostname": "other"})
    box = {"kind": "gateway", "name": "box", "mode": {"kind": "vm", "bridge": BRIDGE, "address": "10.0.0.5/24"}}
    share = {"kind": "share", "name": "docs", "gateway": "box", "source": {"kind": "image", "path": "/srv/docs.img"}}
    with pytest.raises(Invalid) as raised:
        engine.plan([box, share])
    assert ("share.docs.source", "a virtual machine of Proxmox VE has no image of the node as its disk") in [
        (fault.field, fault.message) for fault in raised.value.faults
    ]
    chosen = engine.intake.allocated(engine.intake.checked([box], engine.site.world(), PLAIN), engine.site.world())
    kept = chosen[0].mode  # type: ignore[attr-defined]
    assert (kept.vmid, kept.storage, kept.image) == (101, STORAGE, IMAGE)


def test_a_machine_that_was_started_again_is_shown_all_its_shares(tmp_path: Any, api: Proxmox) -> None:
    engine = new_engine(str(tmp_path))
    vars(engine.site).update(host=api.host, proxmox=api)
    source = {"kind": "storage", "storage": STORAGE}
    items = [{"kind": "share", "name": name, "gateway": "box", "source": source, "quota": "1G"} for name in ("a", "b")]
    first, second = (record for record in parse(items) if isinstance(record, Share))
    world = engine.site.world().staged([gateway(), first, second])
    scope, blueprint = Scope(gateway(), [first]), engine.site.blueprint(world)
    machine, ledger = mode(api).steps(), Ledger()
    assert Convergence._seen_anew(scope, blueprint, ledger) == [first]
    ledger.changes = [Change(machine[2], None)]
    assert Convergence._seen_anew(scope, blueprint, ledger) == [first, second]


def test_an_upgrade_is_one_of_packages_inside(
    tmp_path: Any, machine: ProxmoxVm, inside: Insides, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = new_engine(str(tmp_path))
    vars(engine.site).update(host=machine.node, proxmox=machine.api)
    kept = gateway().model_copy(update={"mode": machine.mode.model_copy(update={"node": "one"})})
    engine.site.store.save(kept.sealed("ready"))
    monkeypatch.setattr(engine.convergence, "forward", lambda *words, **more: Result(warnings=[str(more)]))
    assert Upgrade(engine).run("box").warnings == ["{'anew': True}"]
    assert [words[-1] for words in inside.done if "apt-get" in words] == ["update", "upgrade"]
