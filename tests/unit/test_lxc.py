"""Gateways in containers: the record, LXC's configuration, what LXC says."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from smbgateway.allocate import Node, allocate
from smbgateway.create import CreateRequest, resources
from smbgateway.errors import CommandFailed, CommandMissing, Failed, Invalid
from smbgateway.guests import cgroup
from smbgateway.guests.cgroup import UNIFIED, Limits
from smbgateway.guests.container import Container
from smbgateway.guests.rooted import Rooted
from smbgateway.guests.template import Recipe, package_version
from smbgateway.installation import Installation
from smbgateway.model import Gateway, LxcMode, Share, parse, parse_source
from smbgateway.modes.lxc import configuration
from smbgateway.paths import Paths
from smbgateway.store import MemoryStore
from smbgateway.world import World

from .fakes import Call, FakeHost
from .machine import EmptyMachine, new_engine

WHICH = ("--lxcpath", "/lxc", "--name", "files")
ATTACH = ("lxc-attach", *WHICH, "--clear-env", "--set-var", "LC_ALL=C.UTF-8", "--set-var", "HOME=/root", "--")
STATE = ("lxc-info", *WHICH, "--state", "--pid", "--no-humanize")
ABSENT = "files doesn't exist"
FIXED = {"bridge": "vmbr0", "address": "10.0.0.5/24", "mac": "02:00:00:00:00:05"}


def told(**mode: Any) -> list[str]:
    with pytest.raises(Invalid) as raised:
        parse([{"kind": "gateway", "name": "files", "mode": {"kind": "lxc", **mode}}])
    return [f"{fault.field}: {fault.message}" for fault in raised.value.faults]


def test_faults_of_a_record_are_told_by_field() -> None:
    assert told(address="10.0.0.5") == [
        'gateway.files.mode.bridge: "bridge" is missing',
        'gateway.files.mode.address: "10.0.0.5" has no length of its prefix: write ADDRESS/LENGTH, '
        "such as 192.168.1.50/24",
    ]
    assert told(bridge="br0", address="10.0.0.300/24") == [
        'gateway.files.mode.address: "10.0.0.300/24" is not ADDRESS/LENGTH, such as 192.168.1.50/24'
    ]
    assert told(bridge="br0", address="dhcp") == [
        'gateway.files.mode.address: "dhcp" is none: a gateway has an address that stays: '
        "have the DHCP server keep one for it, and write that one here"
    ]
    assert told(bridge="br0", address="10.0.0.5/24", memory="32M", port=445) == [
        "gateway.files.mode.memory: Input should be greater than or equal to 67108864",
        'gateway.files.mode.port: unknown field "port"',
    ]


@pytest.mark.parametrize(
    ("other", "same"),
    [({}, True), ({"memory": "1G"}, True), ({"address": "10.0.0.6/24"}, False), ({"vlan": 7}, False)],
)
def test_one_made_again_has_the_hardware_address_of_before(other: dict[str, Any], same: bool) -> None:
    """Whoever knows the former would not find it: the neighbours of the node keep an address for a minute."""
    node = Node("one", (), (), "trixie-1", 0)

    def mac(**more: Any) -> str:
        mode = {"kind": "lxc", "bridge": "br0", "address": "10.0.0.5/24", **more}
        (record,) = allocate(parse([{"kind": "gateway", "name": "files", "mode": mode}]), World({}, {}, {}, {}), node)
        assert isinstance(record, Gateway)
        assert isinstance(record.mode, LxcMode)
        return record.mode.mac

    assert (mac() == mac(**other)) is same
    assert re.fullmatch("02(:[0-9a-f]{2}){5}", mac())


def test_the_configuration_of_a_container() -> None:
    mode = LxcMode(**FIXED, template="trixie-1", router="10.0.0.1", vlan=7, mtu=9000, cores=2, memory="256M")  # type: ignore[arg-type]
    lines = configuration("files", mode, "/t/root", "/lxc/files", "/m/.guests/a b", unified=True).splitlines()
    assert lines[2:6] == [
        "lxc.idmap = u 0 1879048192 65536",
        "lxc.idmap = g 0 1879048192 65536",
        "lxc.uts.name = files",
        "lxc.rootfs.path = overlayfs:/t/root:/lxc/files/delta/trixie-1",
    ]
    assert lines[-14:] == [
        "lxc.mount.entry = /m/.guests/a\\040b srv none rbind,create=dir 0 0",
        "lxc.mount.entry = tmpfs dev/shm tmpfs rw,nosuid,nodev,noexec,create=dir 0 0",
        "lxc.net.0.type = veth",
        "lxc.net.0.name = eth0",
        "lxc.net.0.link = vmbr0",
        "lxc.net.0.flags = up",
        "lxc.net.0.hwaddr = 02:00:00:00:00:05",
        "lxc.net.0.ipv4.address = 10.0.0.5/24",
        "lxc.net.0.ipv4.gateway = 10.0.0.1",
        "lxc.net.0.mtu = 9000",
        "lxc.net.0.veth.vlan.id = 7",
        "lxc.cgroup2.memory.max = 268435456",
        "lxc.cgroup2.memory.swap.max = 0",
        "lxc.cgroup2.cpu.max = 200000 100000",
    ]
    old = configuration("files", LxcMode(**FIXED, cores=1), "/t/root", "/lxc/files", "/m", unified=False)  # type: ignore[arg-type]
    assert old.splitlines()[-2:] == [
        "lxc.cgroup.memory.limit_in_bytes = 134217728",
        "lxc.cgroup.cpu.cfs_quota_us = 100000",
    ]


@pytest.mark.parametrize(
    "state",
    [Call(STATE, "State:          STOPPED\n"), Call(STATE, "State:  STARTING\nPID:  1\n"), Call(STATE, ABSENT, 1)],
)
def test_a_container_that_does_not_run_is_empty(state: Call) -> None:
    container = Container(FakeHost([state]), "/lxc", "files")
    assert container.read("/etc/hostname") is None
    with pytest.raises(CommandFailed, match=r"No such file or directory: container files does not run"):
        container.write("/etc/hostname", "other")


def test_files_as_another_process_sees_them(tmp_path: Path) -> None:
    seen = Rooted(os.getpid())
    seen.write(f"{tmp_path}/new", "hello\udce9\n", 0o640)
    assert (seen.read(f"{tmp_path}/new"), seen.read(f"{tmp_path}/none")) == ("hello\udce9\n", None)
    assert [(path.name, path.stat().st_mode) for path in tmp_path.iterdir()] == [("new", 0o100640)]
    os.mkfifo(tmp_path / "waits")
    with pytest.raises(OSError, match="no regular file"):
        seen.read(f"{tmp_path}/waits")
    with pytest.raises(FileNotFoundError):
        seen.write(f"{tmp_path}/none/new", "", 0o600)
    seen.born = "another process of that number"
    with pytest.raises(ProcessLookupError):
        seen.read(f"{tmp_path}/new")


def test_limits_by_version_of_control_groups() -> None:
    limits = Limits((128 << 20) + 1, 1 << 20, None)
    assert limits.values(unified=True) == {
        "memory.max": "134217728", "memory.swap.max": "1048576", "cpu.max": "max 100000"
    }  # fmt: skip
    assert limits.values(unified=False) == {"memory.limit_in_bytes": "134217728", "cpu.cfs_quota_us": "-1"}


@pytest.mark.parametrize(
    ("files", "name", "said", "killed"),
    [
        ({UNIFIED: "memory"}, "memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        ({}, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n\n", 1),
        ({}, "memory.oom_control", "oom_kill_disable 0\n", 0),
    ],
)
def test_what_the_kernel_killed_is_counted(files: dict[str, str], name: str, said: str, killed: int) -> None:
    host = FakeHost([Call(("lxc-cgroup", *WHICH, name), said)], files)
    assert cgroup.killed(Container(host, "/lxc", "files")) == killed


def test_a_program_that_the_template_lacks_is_named() -> None:
    said = 'lxc-attach: files: attach.c: 1841 No such file or directory - Failed to exec "smbd"'
    with pytest.raises(CommandMissing, match=r"^smbd is not installed"):
        Container(FakeHost([Call((*ATTACH, "smbd", "-b"), said, 127)]), "/lxc", "files").run("smbd", "-b")


def test_what_lxc_says_of_a_start_that_fails() -> None:
    start = ("env", "PATH=/nonexistent", "/usr/bin/lxc-start", *WHICH, "--logfile", "/lxc/files/log")
    calls = [Call(("rm", "-f", "--", "/lxc/files/log")), Call((*start, "--logpriority", "ERROR"), "see the log", 1)]
    log = "lxc-start files 2026 ERROR    network - network.c:1:f - No such device - Failed to attach to bridge br9\n"
    with pytest.raises(Failed) as raised:
        Container(FakeHost(calls, {"/lxc/files/log": log}), "/lxc", "files").start()
    assert (
        str(raised.value)
        == "container files does not start: network.c:1:f - No such device - Failed to attach to bridge br9"
    )


def test_a_template_has_a_source_list_of_its_own() -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert Recipe("trixie", "http://m/debian", "http://m/security").sources() == (
        f"deb {key} http://m/debian trixie main\ndeb {key} http://m/security trixie-security main\n"
    )
    assert Recipe("trixie", "http://m/debian", "").sources() == f"deb {key} http://m/debian trixie main\n"


def test_the_version_of_a_package() -> None:
    status = (
        "Package: samba-common\nVersion: 1\n\nPackage: samba\nStatus: install ok installed\nVersion: 2:4.22.1-0+deb13\n"
    )
    assert (package_version(status, "samba"), package_version(status, "nothing")) == ("4.22.1-0+deb13", "")


def test_each_share_gets_a_container_of_its_own_unless_one_is_named() -> None:
    site = Installation(MemoryStore(), Paths("/r"), EmptyMachine(), "one")
    request = {
        "name": "Year 2026",
        "mode": "lxc",
        "path": "/srv/y",
        "bridge": "br0",
        "memory": "256M",
        "addresses": ["10.0.0.5/24"],
    }
    gateway, share = resources(CreateRequest(**request), site)  # type: ignore[arg-type]
    mode = {"kind": "lxc", "bridge": "br0", "memory": "256M", "address": "10.0.0.5/24"}
    assert gateway == {"kind": "gateway", "name": "year-2026", "mode": mode}
    assert share["gateway"] == "year-2026"


def test_without_lxc_a_template_or_the_bridge_nothing_is_touched() -> None:
    engine = new_engine("/nowhere")
    gateway = {"kind": "gateway", "name": "files", "mode": {"kind": "lxc", "bridge": "br0", "address": "10.0.0.5/24"}}
    with pytest.raises(Invalid) as raised:
        engine.apply([gateway])
    assert [f"{f.field}: {f.message} ({f.hint})" for f in raised.value.faults] == [
        "gateway.files.mode: this node has no template for containers (make one: template build)",
        "gateway.files.mode.bridge: br0 is not a bridge of this node (it has none: bridge_ports in interfaces(5))",
    ]
    engine.site.host.run = missing  # type: ignore[method-assign]
    with pytest.raises(Invalid) as raised:
        engine.apply([gateway])
    assert [f"{f.message} ({f.hint})" for f in raised.value.faults] == ["lxc-attach is not installed (apt install lxc)"]


def missing(*argv: str, stdin: str = "", timeout: float = 60) -> str:
    if argv[0].startswith("lxc-"):
        raise CommandMissing(argv[0], "lxc")
    return EmptyMachine().run(*argv)


SHOWN = {  # what a container is shown, what Samba serves of it and calls the place of snapshots; None: it finds none
    "btrfs:/srv/docs": ("/srv/docs", "/srv/docs/data", "/srv/docs"),
    "zfs:tank/docs": ("/m/files/docs/data", "/srv/docs", None),
    "cephfs:cephfs/docs": ("/m/files/docs", "/srv/docs/data", "/srv/docs"),
    "rbd:rbd/docs": ("/m/files/docs/data", "/srv/docs", None),
    "directory:/srv/docs": ("/srv/docs", "/srv/docs", None),
}


@pytest.mark.parametrize("source", SHOWN)
def test_what_a_container_sees_of_snapshots(tmp_path: Path, source: str) -> None:
    engine = new_engine(str(tmp_path))
    daily = {} if source.startswith("directory") else {"daily": 1}
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": parse_source(source), "snapshots": daily}
    records = parse([{"kind": "gateway", "name": "files", "mode": {"kind": "lxc", **FIXED}}, share])
    blueprint = engine.site.blueprint(engine.site.world().staged(records))
    docs = records[1]
    assert isinstance(docs, Share)
    shown = blueprint.shown(docs)[-1].name.partition(" in container ")[0].replace(engine.site.paths.mounts, "/m")
    parameters = blueprint.parameters(docs)
    assert (shown, parameters["path"], parameters.get("shadow:mountpoint")) == SHOWN[source]
    kind = source.partition(":")[0]
    where = " in a container" if kind == "zfs" else ""
    said = (
        "share docs: snapshots are taken, and can be restored; "
        f"clients do not find them as previous versions, which a {kind} source does not show{where}"
    )
    assert blueprint.hides_versions(docs) == (said if kind in ("zfs", "rbd") else "")
