"""A native gateway beside everything else on the node; after a reboot; and when what it needs is missing."""

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.errors import CommandMissing, GatewayError, Invalid, Unavailable
from smbgateway.host import Node
from smbgateway.samba.accounts import nt_hash
from smbgateway.watch import Watch

from .world import Site, contents, free_port, processes_of, site, until, user

HOST_SAMBA = ("/etc/samba", "/var/lib/samba", "/run/samba", "/var/cache/samba", "/var/lib/extrausers")
HOST_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/nsswitch.conf")


@pytest.fixture
def node(area: Path) -> Iterator[Site]:
    with site(area, "native") as one:
        yield one


@pytest.fixture
def made(node: Site) -> Site:
    node.apply(node.gateway(), user(), node.share())
    return node


def host_state() -> list[str]:
    found = mounts.run("find", *filter(os.path.exists, HOST_SAMBA), "-printf", "%p %y %m %U:%G %s %T@\n").splitlines()
    return sorted(found) + [Path(path).read_text() for path in HOST_FILES]


def test_nothing_of_the_hosts_own_is_touched(area: Path) -> None:
    before = host_state()
    with site(area, "apart") as one:
        one.apply(one.gateway(), user(), one.share())
        assert one.works("docs")
        one.remove(("share", "docs"), ("gateway", "files"), ("user", "alice"))
    assert host_state() == before


def test_two_gateways_run_beside_each_other(made: Site) -> None:
    made.apply(made.gateway("second"), made.share("other", "second"))
    assert made.works("docs")
    assert made.works("other", gateway="second")
    assert "NT_STATUS_BAD_NETWORK_NAME" in made.smb("other")
    pids = made.pids("second")
    made.remove(("share", "docs"), ("gateway", "files"))
    assert made.pids("second") == pids
    assert made.works("other", gateway="second")


def faults(site: Site, *items: dict[str, object]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        site.apply(*items)
    return [f"{fault.field}: {fault.message}" for fault in caught.value.faults]


def test_a_port_or_address_that_is_not_to_be_had_is_refused_by_field(made: Site) -> None:
    port = made.engine.site.world().gateways["files"].mode.port
    assert faults(made, made.gateway("second", port=port)) == [
        f"gateway.second.mode.port: port {port} of the same address is gateway files's"
    ]
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        busy = foreign.getsockname()[1]
        assert faults(made, made.gateway("second", port=busy)) == [
            f"gateway.second.mode.port: port {busy} is in use on 127.0.0.1 by something that is not ours"
        ]
    assert faults(made, made.gateway("second", addresses=["192.0.2.77"])) == [
        "gateway.second.mode.addresses: 192.0.2.77 is not an address of this node"
    ]
    assert made.works("docs")


def test_a_connection_inherits_the_names_of_all_shares(made: Site) -> None:
    _, smbd, *_ = made.pids()
    opened = [os.readlink(each) for each in Path(f"/proc/{smbd.split()[0]}/fd").iterdir()]
    assert f"{made.own()}/state/registry.tdb" in opened, "the smbd that begets connections has read them"
    said = made.smb("", extra=["-L", f"//{made.instance().address}"])
    assert re.search(r"IPC\$ +IPC +IPC Service \(files \(pve-smbgateway\)\)", said), said
    assert "NT_STATUS_ACCESS_DENIED" in made.smb("IPC$", user="", password="", extra=["-N"])


def test_after_a_reboot_all_is_served_again(made: Site, btrfs: mounts.Disk) -> None:
    made.apply(made.image("pictures"))
    assert "NT_STATUS_" not in made.smb("pictures", "put /etc/hostname kept")
    reboot(made)
    assert made.restart() == []
    assert made.drift() == []
    assert made.works("docs")
    assert "kept" in made.smb("pictures", "ls")


def reboot(site: Site) -> None:
    """All processes and mounts are gone, and what lay in memory."""
    for name in site.engine.site.world().gateways:
        for pid in processes_of(site.own(name)):
            os.kill(pid, 9)
        until(lambda name=name: not processes_of(site.own(name)), "the processes end")  # type: ignore[misc]
    mounts.unmount_below(Path(site.paths.root))
    shutil.rmtree(site.paths.run, ignore_errors=True)


def test_what_dies_is_started_again(made: Site) -> None:
    supervisor, smbd, *_ = made.pids()
    os.kill(int(smbd.split()[0]), 9)
    until(lambda: smbd not in made.pids() and made.works("docs"), "the supervisor starts smbd again")
    os.kill(int(supervisor.split()[0]), 9)
    until(lambda: not processes_of(made.own()), "smbd ends with its supervisor")
    Watch(made.engine).look()
    assert made.works("docs")
    assert made.drift() == []


def test_a_store_without_quorum_refuses_before_anything_is_touched(made: Site) -> None:
    before = contents(Path(made.paths.config))
    mounts.run("mount", "--bind", made.paths.state, made.paths.state)
    mounts.run("mount", "-o", "remount,bind,ro", made.paths.state)
    try:
        with pytest.raises(Unavailable) as caught:
            made.apply(made.share("late"))
    finally:
        mounts.run("umount", "--lazy", made.paths.state)
    assert str(caught.value).startswith("the store cannot be written: Read-only file system")
    assert "on Proxmox VE: no quorum? `pvecm status` tells" in str(caught.value)
    assert not (made.srv / "late").exists()
    assert contents(Path(made.paths.config)) == before


def test_storage_that_fills_up_on_the_way_is_undone(made: Site) -> None:
    small = made.srv / "small"
    small.mkdir(mode=0o755)
    mounts.run("mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", small)
    source = {"kind": "image", "path": str(small / "docs.img")}

    def fill(name: str, outcome: str, seconds: float) -> None:
        if name == "request":  # checked: now somebody else takes the room
            subprocess.run(["fallocate", "-l", "500m", small / "other"], check=True)

    with pytest.raises(GatewayError) as caught:
        made.engine.apply([made.share("late", source=source, quota="320M")], tell=fill)
    assert f"cannot set image {small}/docs.img" in str(caught.value)
    assert "No space left on device" in str(caught.value)
    assert sorted(os.listdir(small)) == ["other"]
    assert "files/late" not in made.engine.site.world().shares


class WithoutSmbd(Node):
    """A node on which Samba is not installed."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[0] == "smbd":
            raise CommandMissing("smbd", "samba")
        return super().run(*argv, stdin=stdin, timeout=timeout)


class OldSmbd(Node):
    """A node with the Samba of Debian 11."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv == ("smbd", "--version"):
            return "Version 4.13.13-Debian\n"
        return super().run(*argv, stdin=stdin, timeout=timeout)


def test_a_samba_that_is_missing_or_too_old_is_named_with_its_package(node: Site) -> None:
    field = "gateway.files.mode"
    for host, message in (
        (WithoutSmbd(), f"{field}: smbd, samba-vfs-modules are not installed (apt install samba samba-vfs-modules)"),
        (OldSmbd(), f"{field}: Samba 4.13 is too old (4.17 or newer is needed: apt install samba)"),
    ):
        node.engine = node.new_engine(host)
        with pytest.raises(Invalid) as caught:
            node.apply(node.gateway(), user(), node.share())
        assert str(caught.value) == f"nothing was changed: 1 fault in the request\n  {message}"
    assert not node.own().exists()


def test_a_share_whose_mount_is_gone_is_out_of_service_and_nothing_is_written_below(made: Site) -> None:
    made.apply(made.image("pictures"))
    mount = Path(made.paths.mounts) / "files" / "pictures"
    until(lambda: subprocess.run(["umount", mount], capture_output=True).returncode == 0, "it is unmounted")
    # The namespace of smbd follows (slave), so there is no path, and the share is not served.
    assert "NT_STATUS_BAD_NETWORK_NAME" in made.smb("pictures", "put /etc/hostname lost")
    assert next(line.partition(":")[0] for line in made.drift()) == f"mount of {made.srv}/pictures.img"
    assert list(mount.iterdir()) == []
    assert made.works("docs")
    made.apply(made.image("pictures"))
    assert made.works("pictures")


def test_a_disk_that_is_gone_is_not_replaced_by_an_empty_place(made: Site) -> None:
    (made.srv / "docs").rename(made.srv / "elsewhere")
    assert made.restart() == [
        f"share docs: cannot set directory {made.srv}/docs: directory {made.srv}/docs is gone: "
        "share docs had its data there\n"
        "  is its disk mounted? If the data is gone for good: delete the share, then make it again"
    ]
    assert not (made.srv / "docs").exists()


def test_passwords_appear_nowhere(node: Site) -> None:
    password = f"Known-to-this-run-{os.getpid()}"
    secrets = (password, nt_hash(password))
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = entry.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                seen.update(words for secret in secrets if secret in words)

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = node.apply(node.gateway(), user("alice", password), node.share())
    node.apply(user("alice", "Open-Sesame-2"))
    ended.set()
    watcher.join()
    assert seen == set()
    assert not any(secret in str(result) for secret in secrets)
    allowed = (node.paths.priv, f"{node.own()}/private/")
    for secret in (*secrets, "Open-Sesame-2", nt_hash("Open-Sesame-2")):
        found = subprocess.run(["grep", "-rlaF", "--", secret, node.paths.root], capture_output=True, text=True).stdout
        assert [path for path in found.splitlines() if not path.startswith(allowed)] == []
        assert secret not in found.replace(node.paths.root, "") or "Sesame" not in secret
    for path in Path(node.paths.priv).rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_root_too_long_for_sockets_is_refused(area: Path) -> None:
    with site(area, "long-" + "x" * 60) as one:
        told = faults(one, one.gateway("files", port=free_port()), user(), one.share())
    assert len(told) == 1
    assert told[0].startswith("gateway.files.name: ")
    assert told[0].endswith(" bytes too long for sockets")
