"""A gateway in a container: made, used from the node's network, dying, coming back, going; and beside others."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lab import mounts
from lab.containers import Bridge
from smbgateway.errors import CommandFailed, GatewayError
from smbgateway.guests.container import Container
from smbgateway.host import Node
from smbgateway.intake import Options
from smbgateway.monitor import Sizes
from smbgateway.mounting import mount_all
from smbgateway.sources import Usage
from smbgateway.upgrade import Upgrade
from smbgateway.versions import Versions
from smbgateway.watch import Watch

from .crash import STEPS, every_point, whole
from .explorer import explored
from .world import PASSWORD, Site, client, leftovers, processes_of, site, until, user

NUMBERS = count()


@dataclass
class Guests:
    """A site whose gateways are containers."""

    site: Site
    bridge: Bridge
    others: list[str] = field(default_factory=list)  # links of the bridge that are not its own

    def gateway(self, name: str = "files", **mode: Any) -> dict[str, Any]:
        known = self.site.engine.site.world().gateways.get(name)
        address = getattr(known and known.mode, "address", None) or self.bridge.address()
        lxc = {"kind": "lxc", "bridge": self.bridge.name, "address": address, **mode}
        return {"kind": "gateway", "name": name, "mode": lxc}

    def container(self, name: str = "files") -> Container:
        return Container(Node(), self.site.paths.containers, name)

    def left(self) -> list[str]:
        """What a gateway that is gone may have left on the node."""
        paths = self.site.paths
        found = [
            str(path) for folder in (paths.containers, f"{paths.mounts}/.guests") for path in Path(folder).glob("*")
        ]
        links = [link for link in links_of(self.bridge) if link not in self.others]
        inside = [point for point in mounts.mounts_below(Path(paths.mounts)) if point != paths.mounts]
        return [*found, *links, *inside, *leftovers(self.site)]


@pytest.fixture
def guests(area: Path, bridge: Bridge, templates: Path) -> Iterator[Guests]:
    with site(area, f"lxc{next(NUMBERS)}") as one:
        os.makedirs(one.paths.templates)
        mounts.run("mount", "--bind", templates, one.paths.templates)
        yield Guests(one, bridge, links_of(bridge))


def links_of(bridge: Bridge) -> list[str]:
    """The names of what is plugged into it."""
    lines = mounts.run("ip", "-brief", "link", "show", "master", bridge.name).splitlines()
    return [line.split()[0] for line in lines]


@pytest.fixture(scope="module")
def standing(area: Path, bridge: Bridge, templates: Path) -> Iterator[Guests]:
    """The same as `served`, one for all tests that leave gateway and share as they are."""
    with site(area, f"lxc{next(NUMBERS)}") as one:
        os.makedirs(one.paths.templates)
        mounts.run("mount", "--bind", templates, one.paths.templates)
        made = Guests(one, bridge)
        one.apply(made.gateway(), user(), user("bob"), one.share(access={"alice": "write", "bob": "write"}))
        yield made


@pytest.fixture
def served(guests: Guests) -> Guests:
    """With a gateway `files`, a user and a share `docs`."""
    guests.site.apply(guests.gateway(), user(), guests.site.share())
    return guests


def test_a_share_is_served_proved_and_removed_without_its_data(guests: Guests) -> None:
    one = guests.site
    result = one.apply(guests.gateway(), user(), one.share())
    assert [proof.text for proof in result.proofs] == ["login as alice, wrote and read 1 MiB"]
    assert result.addresses == [f"\\\\{guests.gateway()['mode']['address'].partition('/')[0]}\\docs"]
    assert one.works("docs")
    address = guests.gateway()["mode"]["address"].partition("/")[0]
    found = f"FILES/Workgroup:WORKGROUP {address}"
    until(lambda: explored(os.getpid(), f"{guests.bridge.network}.1") == found, "Explorer finds it")
    one.smb("docs", "put /etc/hostname kept; mkdir folder")
    assert (one.drift(), one.apply(guests.gateway(), one.share()).changes) == ([], [])
    one.remove(("share", "files/docs"))
    one.remove(("gateway", "files"))
    assert (one.srv / "docs/kept").read_text() == Path("/etc/hostname").read_text()
    assert guests.left() == []


def test_it_is_unprivileged_limited_and_keeps_the_numbers_of_owners(standing: Guests) -> None:
    one, inside = standing.site, standing.container()
    assert inside.run("cat", "/proc/self/uid_map").split() == ["0", "1879048192", "65536"]
    assert standing.site.smb("docs", "put /etc/hostname by-client")
    (one.srv / "docs/by-root").write_text("of the node\n")
    uid = one.engine.site.world().users["alice"].uid
    made = [one.srv / "docs" / name for name in ("by-client", "by-root")]
    on_node = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in made}
    assert on_node == {"by-client": (uid, 20000), "by-root": (0, 20000)}
    seen = inside.run("stat", "--printf=%n %u %g\n", "/srv/docs/by-client", "/srv/docs/by-root").splitlines()
    assert seen == [f"/srv/docs/by-client {uid} 20000", "/srv/docs/by-root 0 20000"]
    limits = [Path(path).read_text().strip() for path in cgroup_files(inside, "memory.limit_in_bytes", "memory.max")]
    assert limits == [str(128 << 20)]


def test_no_link_made_inside_leads_out(standing: Guests) -> None:
    inside = standing.container()
    inside.write("/etc/hostname", "inside\n")
    inside.run("ln", "-s", "/etc/hostname", "/tmp/file")
    inside.run("ln", "-s", "../../../../../../../../root", "/tmp/folder")
    inside.run("ln", "-s", "/proc/1/root/etc/hostname", "/tmp/magic")
    assert inside.read("/tmp/file") == inside.run("cat", "/etc/hostname") == "inside\n"
    inside.write("/tmp/folder/made-inside", "by its root\n")
    assert inside.run("stat", "--printf=%u %g %a", "/root/made-inside") == "0 0 644"
    assert not os.path.exists("/root/made-inside")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        inside.read("/tmp/magic")
    assert " /srv/docs " in (inside.read("/proc/self/mountinfo") or "")
    inside.write("/dev/shm/secret", "", 0o600)  # mounted by itself: nobody outside has a number there
    assert inside.run("stat", "--printf=%u %a", "/dev/shm/secret") == "0 600"


def cgroup_files(inside: Container, *names: str) -> list[str]:
    """The files of a container's control groups that are there under one of these names."""
    pid = mounts.run("lxc-info", "--lxcpath", inside.folder, "--name", inside.name, "--pid", "--no-humanize").strip()
    groups = [line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    files = [f"/sys/fs/cgroup/{kind}{group}/{name}" for kind, group in groups for name in names]
    return [os.path.normpath(file) for file in files if os.path.exists(file)]


def test_what_dies_is_started_again_and_a_reboot_brings_all_back(served: Guests) -> None:
    one, inside = served.site, served.container()
    mounts.run("lxc-stop", "--kill", "--lxcpath", inside.folder, "--name", "files")
    assert not one.works("docs")
    Watch(one.engine).look()
    assert one.works("docs")
    inside.run("kill", "-KILL", str(one.instance().pid()))
    Watch(one.engine).look()
    assert one.works("docs")
    mounts.run("lxc-stop", "--kill", "--lxcpath", inside.folder, "--name", "files")
    mounts.run("umount", f"{one.paths.shown('files')}/docs")
    assert (one.restart(), one.works("docs"), one.drift()) == ([], True, [])


def test_an_engine_that_is_killed_comes_up_to_a_whole_container_or_none(guests: Guests) -> None:
    one, gateway = guests.site, guests.gateway()
    one.apply(user())

    def served(event: str) -> list[str]:
        faults = [f"drift: {line}" for line in one.drift()] + ([] if guests.container().runs() else ["it stands still"])
        if event:
            one.remove(("gateway", "files"))
            faults += guests.left()
        return faults

    steps = f"{STEPS}'((directory |configuration |limits )?(of )?container files|directories of gateway)"
    assert every_point(one, lambda engine: engine.apply([gateway]), served, steps) > 4

    def shown(event: str) -> list[str]:
        faults = whole(one)
        one.remove(("share", "files/docs"), destroy_data=True)
        return faults + [f"{path} is left" for path in Path(one.paths.shown("files")).glob("docs")]

    steps = f"{STEPS}'(mount point|.* in container files|share docs)"
    assert every_point(one, lambda engine: engine.apply([one.share()]), shown, steps) > 3


def begun(container: Container) -> str:
    """When its first process was started, in ticks (proc(5))."""
    return container.run("cat", "/proc/1/stat").rpartition(")")[2].split()[19]


def test_it_is_stopped_and_started_and_stays_stopped(served: Guests) -> None:
    one, container = served.site, served.container()
    one.smb("docs", "put /etc/hostname kept")
    one.apply({**served.gateway(), "enabled": False})
    assert (container.runs(), one.drift()) == (False, [])
    Watch(one.engine).look()
    assert (one.restart(), container.runs()) == ([], False)  # nor does a reboot start it
    result = one.apply(served.gateway())
    assert [proof.share for proof in result.proofs] == ["docs"]
    assert one.works("docs")
    first = begun(container)
    one.engine.restart("files")
    assert begun(container) != first
    assert (one.works("docs"), one.drift()) == (True, [])


def test_at_boot_data_is_mounted_before_anything_runs(served: Guests) -> None:
    one, inside = served.site, served.container()
    mounts.run("lxc-stop", "--kill", "--lxcpath", inside.folder, "--name", "files")
    mounts.run("umount", f"{one.paths.shown('files')}/docs")
    assert mount_all(one.engine.site) == []
    assert f"{one.paths.shown('files')}/docs" in mounts.mounts_below(Path(one.paths.mounts))
    assert not inside.runs()
    os.rename(one.srv / "docs", one.srv / "away")
    mounts.run("umount", f"{one.paths.shown('files')}/docs")
    assert "share files/docs: " in mount_all(one.engine.site)[0]
    os.rename(one.srv / "away", one.srv / "docs")


def test_limits_change_while_it_serves_and_want_of_memory_is_told(served: Guests) -> None:
    one, container = served.site, served.container()
    watch = Watch(one.engine)
    watch.look()
    first = begun(container)
    result = one.apply(served.gateway(memory="160M", cores=2))
    assert "limits of container files" in [change.step.name for change in result.changes]
    limits = [Path(path).read_text().strip() for path in cgroup_files(container, "memory.limit_in_bytes", "memory.max")]
    assert (limits, one.drift()) == ([str(160 << 20)], [])
    hungry = "x = bytearray(300 << 20)"
    with pytest.raises(CommandFailed):
        container.run("python3", "-c", hungry)
    watch._count_killed(one.engine.site.world())
    assert [text for _, text in one.engine.events["files"]] == [
        "1 of its processes was killed for want of memory: gateway update --memory gives it more"
    ]
    assert begun(container) == first
    assert one.works("docs")


@pytest.fixture
def further(served: Guests) -> Iterator[None]:
    """Further templates go: the directory of them is that of all tests."""
    yield
    for name in ("newer", "worse"):
        mounts.run("rm", "-rf", f"{served.site.paths.templates}/{name}")


def test_an_upgrade_replaces_the_root_and_nothing_else(served: Guests, further: None) -> None:
    one, container = served.site, served.container()
    one.smb("docs", "put /etc/hostname kept")
    former = one.engine.site.world().gateways["files"]
    container.run("touch", "/etc/of-the-former-root")
    newer = copied(one, "newer")
    result = Upgrade(one.engine).run("files")
    assert [proof.text for proof in result.proofs] == ["shadow login as alice, wrote and read 1 MiB"]
    assert container.read("/etc/which") == newer
    assert container.read("/etc/of-the-former-root") is None
    now = one.engine.site.world().gateways["files"]
    assert (now.mode.template, now.sid, now.mode.mac) == (newer, former.sid, former.mode.mac)
    assert (one.works("docs"), one.drift()) == (True, [])
    assert "has newer already" in Upgrade(one.engine).run("files").warnings[0]
    broken = copied(one, "worse", "usr/sbin/smbd")
    with pytest.raises(GatewayError) as raised:
        Upgrade(one.engine).run("files", broken)
    assert "configuration of container files" in raised.value.undone
    assert one.engine.site.world().gateways["files"].mode.template == newer
    assert (container.read("/etc/which"), one.works("docs"), one.drift()) == (newer, True, [])


def copied(one: Site, name: str, *without: str) -> str:
    """A template as the newest, but for what it lacks."""
    templates = Path(one.paths.templates)
    source = next(path for path in templates.iterdir() if path.name not in ("newer", "worse"))
    mounts.run("cp", "-a", "--reflink=auto", source, templates / name)
    root = templates / name / "root"
    (root / "etc/which").write_text(name)
    for path in without:
        (root / path).unlink()
    os.chown(root, os.stat(root).st_uid, -1)  # the time of its making is that of the last change
    return name


def test_two_gateways_serve_at_once_and_do_not_see_each_other(guests: Guests, btrfs: mounts.Disk) -> None:
    one, folder = guests.site, btrfs.path / "containers"
    for path in (folder, Path(one.paths.containers)):
        path.mkdir()
    mounts.run("mount", "--bind", folder, one.paths.containers)  # of roots that are overlays, btrfs is no exception
    one.apply(guests.gateway(), user(), one.share(), guests.gateway("lab"), one.share("tests", "lab"))
    assert one.works("docs")
    assert one.works("docs")
    assert one.works("tests", gateway="lab")
    assert guests.container("lab").run("ls", "/srv").split() == ["tests"]
    assert "NT_STATUS_BAD_NETWORK_NAME" in one.smb("docs", gateway="lab")
    assert int(mounts.run("du", "-s", "--apparent-size", "--block-size=1", folder / "lab").split()[0]) < 8 << 20
    one.remove(("share", "lab/tests"))
    one.remove(("gateway", "lab"))
    assert one.works("docs")


def test_a_share_whose_data_is_not_mounted_is_not_served(served: Guests) -> None:
    one = served.site
    mounts.run("umount", f"{one.paths.shown('files')}/docs")
    assert "NT_STATUS_" in one.smb("docs", "put /etc/hostname lost")
    assert list((one.srv / "docs").iterdir()) == []
    mounts.run("lxc-attach", "--lxcpath", one.paths.containers, "--name", "files", "--", "ls", "/srv")
    closed = subprocess.run(
        ["lxc-attach", "--lxcpath", one.paths.containers, "--name", "files", "--", "touch", "/srv/docs/lost"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Permission denied" in closed.stderr


def test_a_gateway_moves_from_the_node_into_a_container_and_back(guests: Guests) -> None:
    one = guests.site
    native = one.gateway(addresses=[f"{guests.bridge.network}.1"], port=445)  # smbcacls knows no other port
    one.apply(native, user(), user("bob"), one.share(access={"alice": "write", "bob": "write"}))
    one.smb("docs", "mkdir folder; put /etc/hostname folder/file")
    assert acl(one, "folder/file", "-a", "ACL:bob:DENIED/0/FULL") == ""
    before = owners(one), acl(one, "folder/file")
    for mode in (guests.gateway(), native):
        result = one.apply(mode)
        assert [proof.share for proof in result.proofs] == ["docs"]
        assert result.warnings == []
        assert (owners(one), acl(one, "folder/file")) == before
        assert one.works("docs", user="bob")
        assert "NT_STATUS_ACCESS_DENIED" in one.smb("docs", "get folder/file /dev/null", user="bob")
        assert one.drift() == []
        left = guests.left() if mode is native else [*map(str, processes_of(one.own())), *one.own().glob("*")]
        assert left == []


def owners(one: Site) -> list[str]:
    return sorted(mounts.run("find", one.srv / "docs", "-printf", "%P %U:%G %m\n").splitlines())


def acl(one: Site, path: str, *change: str) -> str:
    """The NT ACL of a file as alice sees it, or what became of changing it."""
    words = [word for word in client(one, "files", "docs", "alice", PASSWORD)[1:] if not word.startswith("--port")]
    done = subprocess.run(["smbcacls", *words, path, *change], capture_output=True, text=True, cwd="/")
    return done.stdout + done.stderr


def test_what_a_client_sets_cannot_be_taken_for_an_nt_acl(standing: Guests) -> None:
    one = standing.site
    one.smb("docs", "put /etc/hostname file")
    assert acl(one, "file", "-a", "ACL:alice:ALLOWED/0/READ") == ""
    before = acl(one, "file")
    assert "ACL:FILES\\alice:ALLOWED/0x0/READ" in before
    one.smb("docs", "setea file NTACL forged; setea file user.NTACL forged")
    assert acl(one, "file") == before
    names = mounts.run("getfattr", "-m", "-", "--absolute-names", one.srv / "docs/file").split()
    assert "user.NTACL" in names


# What the file system takes, and SMB does not: it shows such files under short names, or not at all.
HOSTILE = [
    b"a\nb", b"\x01\x1b[31m", b"caf\xe9", b"back\\slash", b"a:b", b"what?*<>|\"", b"ends with a dot.", b" ", b"-rf",
    b"$(touch x);`id`", b"%S%u", b"A" * 255, b".smbgw-new", "日本 🎉".encode(),
]  # fmt: skip


def test_hostile_names_of_files_stop_nobody(standing: Guests) -> None:
    one, folder = standing.site, os.fsencode(standing.site.srv / "docs")
    for name in HOSTILE:
        os.mkdir(folder + b"/" + name)
    said = one.smb("docs", "ls; mkdir über; put /etc/hostname über/ß日本🎉; put /etc/hostname über/-rf; ls über/*")
    assert "NT_STATUS" not in said
    assert ("日本 🎉" in said, "A" * 255 in said, "ß日本🎉" in said) == (True, True, True)
    assert sorted(os.listdir(one.srv / "docs/über")) == ["-rf", "ß日本🎉"]
    one.apply(standing.gateway(), one.share(comment="touched", access={"alice": "write", "bob": "write"}))
    assert (one.drift(), one.works("docs")) == ([], True)
    for name in HOSTILE:
        os.rmdir(folder + b"/" + name)  # nobody renamed or removed one


def test_attributes_and_acls_that_clients_set_come_back(standing: Guests) -> None:
    one, file = standing.site, standing.site.srv / "docs/marked"
    one.smb("docs", "put /etc/hostname marked; put /etc/hostname marked:stream; setea marked Colour blue")
    assert "Colour (0) =" in one.smb("docs", "geteas marked")
    assert os.getxattr(file, "user.Colour") == b"blue"
    assert ":stream" in one.smb("docs", "allinfo marked")
    assert acl(one, "marked", "-a", "ACL:bob:DENIED/0/W") == ""
    before = acl(one, "marked")
    assert "bob:DENIED" in before
    one.engine.restart("files")
    assert (acl(one, "marked"), os.getxattr(file, "user.Colour")) == (before, b"blue")
    moved = file.with_name("copy")
    mounts.run("cp", "--archive", file, moved)  # by the node's root: with all attributes
    assert acl(one, "copy") == before
    assert "NT_STATUS_ACCESS_DENIED" in one.smb("docs", "put /etc/hostname copy", user="bob")


def test_clients_see_the_quota_of_every_source(served: Guests, btrfs: mounts.Disk) -> None:
    one = served.site
    pool = {"kind": "btrfs", "path": str(btrfs.path / "container-quota")}
    one.engine.apply([one.image("small"), one.share("sub", source=pool, quota="50M")], allowing(btrfs.path))
    for share, limit in (("small", 300 << 10), ("sub", 50 << 10)):
        said = one.smb(share, "du")
        blocks = int(said.rpartition(" blocks of size 1024.")[0].split()[-1])
        assert limit <= blocks < limit * 1.1, said  # an image is a little larger than what it holds
    Sizes(one.engine)._publish(one.engine.site.world(), {"files/sub": Usage(20 << 20, 50 << 20, 30 << 20)})
    (program,) = served.container().run("ls", "/srv/:sizes").split()
    assert served.container().run("sh", f"/srv/:sizes/{program}") == f"{50 << 10} {30 << 10} 1024\n"
    with pytest.raises(CommandFailed, match="Permission denied"):
        served.container().run("sh", "-c", f"echo 1 1 1 > /srv/:sizes/{program}")
    assert "NT_STATUS_DISK_FULL" in one.smb("sub", f"put {big(one, 60 << 20)} big")
    one.smb("sub", "del big")
    assert_previous_versions(one, "sub")
    for share in ("small", "sub"):
        one.remove(("share", f"files/{share}"), destroy_data=True)
    assert one.works("docs")


def assert_previous_versions(one: Site, share: str) -> None:
    """A snapshot of the node's is found by clients of the container."""
    one.smb(share, "put /etc/hostname letter")
    Versions(one.engine).take(share)
    one.smb(share, "put /etc/os-release letter")
    (version,) = re.findall(r"^(@GMT-\S+)", one.smb(share, "allinfo letter"), re.MULTILINE)
    target = Path(one.paths.root) / "former"
    one.smb(share, f'get "{version}\\letter" {target}')
    assert target.read_text() == Path("/etc/hostname").read_text()


def allowing(*paths: Path) -> Options:
    return Options(allow_paths=tuple(str(path) for path in paths))


def big(one: Site, size: int) -> Path:
    file = Path(one.paths.root) / "big"
    file.write_bytes(os.urandom(size))
    return file
