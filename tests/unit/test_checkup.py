"""What doctor finds: each check on a machine that has the fault, and on one that has not."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from smbgateway import checkup
from smbgateway.errors import CommandFailed, CommandMissing
from smbgateway.finding import Finding
from smbgateway.host import PACKAGES
from smbgateway.installation import Installation
from smbgateway.model import parse
from smbgateway.paths import Paths
from smbgateway.store import FileStore

from .fakes import Call, FakeHost

LISTENING = ("ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes")
STOCK = 'LISTEN 0 50 0.0.0.0:445 0.0.0.0:* users:(("smbd",pid=812,fd=30))\n'
SYNCHRONISED = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
BUILT = "Paths:\n   MODULESDIR: /usr/lib/x86_64-linux-gnu/samba\n"


class Machine(FakeHost):
    """Programs of `absent` are not installed, and files below none of `there` exist."""

    absent: tuple[str, ...] = ()
    there: tuple[str, ...] = ("/usr", "/var/lib/extrausers")

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[0] in self.absent:
            raise CommandMissing(argv[0], PACKAGES.get(argv[0]))
        if argv[0] == "test":
            if not argv[-1].startswith(self.there):
                raise CommandFailed(argv, 1, "")
            return ""
        if argv[0] in ("smbclient", "tdbbackup", "setpriv", "nsenter"):
            return ""
        return super().run(*argv, stdin=stdin, timeout=timeout)


def samba(
    version: str = "4.22.3-Debian", absent: tuple[str, ...] = (), there: tuple[str, ...] = Machine.there
) -> Machine:
    host = Machine([Call(("smbd", "-b"), BUILT), Call(("smbd", "--version"), f"Version {version}\n")])
    host.absent, host.there = absent, there
    return host


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(str(tmp_path))
    for folder in (made.config, made.priv, made.journal, made.mounts, f"{tmp_path}/srv"):
        os.makedirs(folder, mode=0o700)
    return made


@pytest.fixture
def store(paths: Paths) -> FileStore:
    return FileStore(paths)


def record(store: FileStore, name: str, node: str = "one", port: int = 445) -> None:
    mode = {"kind": "native", "node": node, "port": port}
    store.save(parse([{"kind": "gateway", "name": name, "mode": mode, "sid": "S-1-5-21-1-2-3"}])[0])


def site(store: FileStore, host: FakeHost | None = None) -> Installation:
    return Installation(store, store.paths, host or FakeHost(), "one")


def told(findings: Iterable[Finding]) -> list[str]:
    return [f"{f.state}: {f.text}" + (f" ({f.hint})" if f.hint else "") for f in findings]


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (samba(), "ok: Samba 4.22 with its modules, and libnss-extrausers"),
        (samba("4.13.13-Debian"), "fail: Samba 4.13 is too old (4.17 or newer is needed: apt install samba)"),
        (samba(there=("/usr",)), "fail: libnss-extrausers is not installed (apt install libnss-extrausers)"),
        (
            samba(absent=("smbd", "smbclient"), there=("/var",)),
            "fail: smbd, smbclient, samba-vfs-modules are not installed "
            "(apt install samba smbclient samba-vfs-modules)",
        ),
    ],
)
def test_samba(host: Machine, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "DCERPCD", ("/",))
    assert told(checkup.samba(host)) == [said]


def test_a_samba_without_its_rpc_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "DCERPCD", ("/no/samba-dcerpcd",))
    assert told(checkup.samba(samba()))[1] == "fail: none of /no/samba-dcerpcd is there (apt install --reinstall samba)"


def test_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: name)
    assert {f.state for f in checkup.tools()} == {"ok"}
    monkeypatch.setattr("shutil.which", lambda name, path: None if name in ("getfacl", "setfacl", "zfs") else name)
    said = told(checkup.tools())
    assert said[0] == "fail: getfacl, setfacl are not installed (apt install acl)"
    assert "warn: zfs is not installed, for zfs sources (apt install zfsutils-linux)" in said
    assert "ok: all programs that gateways need" not in said


@pytest.mark.parametrize(("answer", "said"), [("yes\n", "ok: the clock is set by the network"), ("no\n", None)])
def test_the_clock(paths: Paths, answer: str, said: str | None) -> None:
    host = FakeHost([Call(SYNCHRONISED, answer)])
    hint = "apt install systemd-timesyncd (or chrony); domains refuse logins beyond 5 minutes"
    assert told(checkup.clock(paths, host)) == [said or f"warn: the clock is not set by the network ({hint})"]


def test_a_clock_behind_the_records(paths: Paths, store: FileStore) -> None:
    host = FakeHost([Call(SYNCHRONISED, "Failed to connect to bus", 1)])
    assert told(checkup.clock(paths, host)) == ["ok: the clock"]
    record(store, "files")
    tomorrow = time.time() + 86400
    os.utime(f"{paths.config}/gateways/files.json", (tomorrow, tomorrow))
    assert told(checkup.clock(paths, host)) == ["fail: the clock is 24.0 hours behind the newest record (set it)"]


def test_folders(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {f.state for f in checkup.folders(paths)} == {"ok"}
    assert os.listdir(paths.config) == os.listdir(paths.priv) == []
    os.chmod(paths.priv, 0o755)
    monkeypatch.setattr(checkup, "LITTLE", 1 << 62)
    said = told(checkup.folders(paths))
    assert said[-1] == f"fail: others than root may look into {paths.priv} (chmod 0700 {paths.priv})"
    assert said[-2].endswith(f"MiB are free at {paths.state} (make room there)")


def test_folders_that_cannot_be_written(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: str, prefix: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    said = told(checkup.folders(paths))
    assert said[0].startswith(
        f"fail: records cannot be written: Read-only file system: {paths.config} (on Proxmox VE: no"
    )
    assert said[1].startswith("fail: secrets cannot be written: ")


def test_whose_the_gateways_are(store: FileStore) -> None:
    record(store, "files")
    record(store, "other", "two")
    assert told(checkup.records(store, site(store))) == [
        "warn: gateway files is this node's, and does not run (the engine starts it: does the engine run?)",
        "ok: gateway other is node two's (this is node one; was it renamed? serve --node two)",
    ]
    own = store.paths.instance("files")
    host = FakeHost((), {f"{own}/run/supervisor.pid": "7\n", "/proc/7/cmdline": f"python\0{own}\0"})
    assert told(checkup.records(store, site(store, host)))[0] == "ok: gateway files is this node's, and runs"


def test_what_members_of_a_cluster_need(store: FileStore) -> None:
    members = [{"node": name, "address": f"10.1.1.{number}"} for number, name in enumerate(("one", "two"), 1)]
    addresses = [{"address": "10.1.0.100/24", "interface": "vmbr0"}]
    cluster = {"members": members, "addresses": addresses, "lock": "file:/nowhere/lock"}
    (gateway,) = parse([{"kind": "gateway", "name": "files", "cluster": cluster}])
    store.save(gateway.sealed("ready"))
    folder = store.paths.versions("files")
    links = json.dumps([{"ifname": "vmbr0", "addr_info": [{"local": "10.1.1.9"}]}])
    told_versions = {f"{folder}/one": "4.17.12\n", f"{folder}/two": "4.22.1\n", "/proc/self/mountinfo": ""}
    found = told(checkup.clusters(site(store, FakeHost([Call(("ip", "-json", "address"), links)], told_versions))))
    config = store.paths.config
    assert found == [
        "fail: gateway files: 10.1.1.1 is not an address of this node",
        "fail: gateway files: the records of this node are its own: other members would not see them "
        f"(mount a directory of a shared file system at {config}, on all members, and restart the engines)",
        *[line for line in found if "ctdbd is not installed" in line],
        "ok: members of gateway files reach this one at 10.1.1.1, port 4379, unencrypted "
        "(let nobody but members into that network)",
        "warn: members of gateway files do not go together: two has Samba 4.22.1, this node 4.17.12 "
        "(upgrade all to one minor version)",
        "fail: the lock of gateway files cannot be had: there is no /nowhere (mount the file system that the members "
        "share)",
    ]
    stranger = Installation(store, store.paths, FakeHost(()), "three")
    assert told(checkup.clusters(stranger)) == []
    assert told(checkup.records(store, stranger)) == [
        "ok: gateway files is node one, two's (this is node three; was it renamed? serve --node one)"
    ]


def test_a_broken_record_is_named_and_nothing_is_called_left_over(store: FileStore) -> None:
    record(store, "files")
    broken = Path(store.paths.config, "gateways", "files.json")
    broken.write_text(json.dumps({"kind": "gateway"}))
    os.makedirs(store.paths.instance("files"))
    (said,) = told(checkup.records(store, site(store)))
    assert said.startswith(f"fail: broken record {broken}: ")
    assert list(checkup.leftovers(store, site(store))) == []


def test_ports(store: FileStore) -> None:
    record(store, "files", port=4450)
    ours = 'LISTEN 0 50 127.0.0.1:4450 0.0.0.0:* users:(("smbd",pid=9,fd=1))\n'
    files = {
        "/proc/9/cmdline": f"smbd\0--configfile={store.paths.instance('files')}/smb.conf",
        "/proc/812/cmdline": "smbd",
    }
    assert told(checkup.ports(site(store, FakeHost([Call(LISTENING, STOCK + ours)], files)))) == [
        "warn: port 445 is taken on 0.0.0.0 by smbd (process 812), which is not ours "
        "(it is left alone: give gateways an address of their own (--address), or stop it)",
        "ok: port 4450 is served by a gateway",
    ]
    assert told(checkup.ports(site(store, FakeHost([Call(LISTENING, "")])))) == [
        "ok: port 445 is free",
        "ok: port 4450 is free",
    ]


def test_places_that_users_may_not_pass_through(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = f"users may not pass through {paths.root} (mode 700)"
    monkeypatch.setattr(checkup, "closed_way", lambda host, path: closed if path == f"{paths.mounts}/x" else "")
    said = told(checkup.places(paths, FakeHost()))
    assert said[-1] == f"warn: of shares below {paths.mounts}, {closed}"
    assert f"ok: users may pass through {paths.root}/srv" in said


def test_leftovers(store: FileStore) -> None:
    paths = store.paths
    assert told(checkup.leftovers(store, site(store))) == ["ok: nothing is left of what is no longer recorded"]
    record(store, "files")
    for name in ("files", "old"):
        os.makedirs(paths.instance(name))
    own, mount, change = paths.instance("old"), f"{paths.mounts}/old/docs", f"{paths.journal}/ab.jsonl"
    Path(change).write_text("{}\n")
    os.utime(change, (1, 1))
    Path(paths.journal, "now.jsonl").write_text("{}\n")
    mountinfo = f"36 35 98:0 / {mount} rw - xfs /dev/loop0 rw\n37 35 98:0 / {paths.mounts} rw - ext4 /dev/sda rw\n"
    files = {"/proc/self/mountinfo": mountinfo, f"{own}/run/supervisor.pid": "7\n", "/proc/7/cmdline": f"p\0{own}\0"}
    assert told(checkup.leftovers(store, site(store, FakeHost((), files)))) == [
        f"warn: {own} is of no gateway (kill 7; rm -r {own})",
        f"warn: what is mounted on {mount} is of no share (umount {mount})",
        f"warn: a change was cut off: {change} (the engine finishes it, or puts it back: status tells)",
    ]
    del files["/proc/7/cmdline"]
    assert f"(rm -r {own})" in told(checkup.leftovers(store, site(store, FakeHost((), files))))[0]


def test_a_check_that_cannot_be_made_is_told_and_the_others_go_on(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: name)
    host = samba(absent=("timedatectl", "ss", "stat"))
    found = list(checkup.checkup(paths, host, "one"))
    away = Finding("ports", "warn", "ports cannot be checked: ss is not installed", "apt install iproute2")
    assert away in found
    assert {"samba", "tools", "clock", "store", "ports", "places", "leftovers"} == {f.check for f in found}
