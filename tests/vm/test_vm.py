"""A gateway in a virtual machine: made, used by a real client, grown, killed, undone; and what can be seen of it."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.errors import CommandFailed, GatewayError, Invalid
from smbgateway.guests.agent import Guest
from smbgateway.guests.image import Images
from smbgateway.host import Node
from smbgateway.samba.accounts import nt_hash
from smbgateway.watch import Watch
from tests.real.world import PASSWORD, user

from .conftest import Box

SAMBA = {"samba-dcerpcd", "rpcd_classic", "rpcd_winreg"}  # what serves beside smbd


def test_a_share_is_served_and_proved(box: Box) -> None:
    assert [proof.text for proof in box.made.proofs] == ["login as alice, wrote and read 1 MiB"]
    assert box.made.warnings == []  # clients get through from here
    assert box.site.works("docs", gateway="box")
    assert box.site.drift("box") == []
    assert "NT_STATUS_LOGON_FAILURE" in box.site.smb("docs", gateway="box", password="Wrong-Sesame-1")


def test_its_size_is_the_limit_and_grows_while_it_serves(box: Box) -> None:
    one, data = box.site, f"{box.mode.place('docs')}/data"
    box.guest.run("fallocate", "--length", "285M", f"{data}/most")
    big = Path(one.paths.root) / "big"
    big.write_bytes(os.urandom(40 << 20))
    assert "NT_STATUS_DISK_FULL" in one.smb("docs", f"put {big} big", gateway="box")
    changed = one.apply({**one.image("docs", gateway="box"), "quota": "400M"})
    assert [change.step.name for change in changed.changes if "quota" in change.step.name] == [
        f"quota of {one.srv}/docs.img"
    ]
    assert "NT_STATUS_" not in one.smb("docs", f"put {big} big; del big; del most", gateway="box")
    usage = (
        one.engine.site.blueprint(one.engine.site.world()).source(one.engine.site.world().shares["box/docs"]).usage()
    )
    assert usage.limit == 400 << 20


def test_no_secret_is_in_what_cloud_init_reads_nor_in_what_qemu_is_told(box: Box) -> None:
    own = f"Known-to-this-run-{os.getpid()}"  # the usual one is in the words of other rings' clients
    box.site.apply(user("carol", own))
    folder = Path(box.mode.folder)
    texts = [path.read_text() for path in (*folder.glob("seed/*"), folder / "configuration", folder / "console")]
    assert len(texts) == 5
    secrets = [secret for password in (PASSWORD, own) for secret in (password, nt_hash(password))]
    assert not [text for text in texts for secret in secrets if secret in text or secret in text.upper()]
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            assert own not in path.read_text(errors="replace")


def test_nothing_but_smb_is_reached_and_nothing_is_reached_from_inside(box: Box) -> None:
    own = mounts.run("ss", "-H", "-l", "-t", "-u", "-n", "-p").splitlines()
    assert [line.split()[4] for line in own if f"pid={box.mode.machine.pid()}," in line] == [f"127.0.0.1:{box.port}"]
    inside = box.guest.run("ss", "-H", "-l", "-t", "-u", "-n", "-p")
    assert {name for name in re.findall(r'\(\("([^"]+)"', inside) if "smb" not in name} <= SAMBA
    with pytest.raises(CommandFailed):
        box.guest.run("bash", "-c", f"exec 3<>/dev/tcp/10.0.2.2/{box.port}", timeout=1)


def test_it_rests_in_little_memory_on_a_small_disk(box: Box) -> None:
    found = {line.split(":")[0]: int(line.split()[1]) for line in (box.guest.read("/proc/meminfo") or "").splitlines()}
    assert found["MemTotal"] - found["MemAvailable"] <= 160 << 10  # KiB
    disk = Path(box.mode.images.disk(box.mode.mode.image))
    assert disk.stat().st_blocks * 512 <= 700 << 20


def test_the_disk_also_starts_by_uefi(box: Box, tmp_path: Path) -> None:
    layer, console = tmp_path / "layer", tmp_path / "console"
    image = box.mode.images.disk(box.mode.mode.image)
    mounts.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "qcow2", layer)
    words = ["-machine", "q35", "-accel", "tcg", "-cpu", "max", "-m", "512", "-bios", "/usr/share/ovmf/OVMF.fd"]
    words += ["-nodefaults", "-display", "none", "-serial", f"file:{console}", "-device", "virtio-scsi-pci"]
    words += ["-drive", f"if=none,id=disk,file={layer},format=qcow2", "-device", "scsi-hd,drive=disk,bootindex=1"]
    with subprocess.Popen(["qemu-system-x86_64", *words], stdin=subprocess.DEVNULL) as machine:
        try:
            said = lambda: console.read_text(errors="replace") if console.exists() else ""  # noqa: E731
            mounts.until(lambda: "efi: EFI" in said() and "Run /init" in said(), "the kernel starts", 300)
        finally:
            machine.kill()


def test_a_disk_of_somebody_else_is_looked_into(tmp_path: Path) -> None:
    images = Images(Node(), str(tmp_path / "images"))
    root, raw, disk = tmp_path / "root", tmp_path / "raw", tmp_path / "disk.qcow2"
    for path in ("usr/bin/python3", "usr/sbin/smbd", "etc/systemd/system/multi-user.target.wants/smbd.service"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    mounts.run("truncate", "--size=64M", raw)
    Node().run("sfdisk", "--quiet", str(raw), stdin="label: gpt\nstart=40960\n")
    mounts.run("mkfs.ext4", "-q", "-F", "-E", "offset=20971520", "-d", root, raw, "40000k")

    def told(file: Path) -> list[str]:
        with pytest.raises(Invalid) as raised:
            images.bring(str(file))
        return [fault.message for fault in raised.value.faults]

    assert told(raw) == [f"{raw} is raw"]
    mounts.run("qemu-img", "convert", "-O", "qcow2", raw, disk)
    assert told(disk) == [
        "it lacks acl, cloud-init, libnss-extrausers, qemu-guest-agent, smbclient, tdb-tools, xfsprogs",
        "smbd.service would start in it, and have the port",
    ]
    mounts.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "qcow2", f"{disk}.layer")
    assert told(Path(f"{disk}.layer")) == [f"{disk}.layer is a layer over {disk}"]
    mounts.run("qemu-img", "create", "-q", "-f", "qcow2", disk, "64M")
    assert told(disk) == ["no Debian was found in it"]


@contextlib.contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, *words: str) -> Iterator[None]:
    """The first command in the guest that has these words fails."""
    real, spent = Guest.run, []

    def run(self: Guest, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if not spent and all(word in argv for word in words):
            spent.append(argv)
            raise CommandFailed(argv, 1, "made to fail")
        return real(self, *argv, stdin=stdin, timeout=timeout)

    with monkeypatch.context() as patched:
        patched.setattr(Guest, "run", run)
        yield
    assert spent


@pytest.mark.parametrize("words", [("mount", "-t", "xfs"), ("net", "import", "more")], ids=["mounting", "publishing"])
def test_what_fails_inside_is_undone_to_the_last_disk(
    box: Box, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    one = box.site
    with failing(monkeypatch, *words), pytest.raises(GatewayError, match="made to fail") as raised:
        one.apply(one.image("more", gateway="box"))
    assert raised.value.left == []
    assert not (one.srv / "more.img").exists()
    files = [each["inserted"]["file"] for each in box.mode.machine.ask("query-block") if "inserted" in each]
    assert f"{one.srv}/more.img" not in files
    assert box.guest.run("ls", "/srv").split() == [Path(box.mode.place("docs")).name]
    assert one.works("docs", gateway="box")


def test_a_machine_that_was_killed_comes_back_with_its_shares(box: Box) -> None:
    one = box.site
    one.smb("docs", "put /etc/hostname kept", gateway="box")
    box.guest.run("sync")  # what a client has not flushed is lost, as when the power fails
    os.kill(box.mode.machine.pid() or 0, 9)
    mounts.until(lambda: box.mode.machine.pid() is None, "it is dead")
    assert not one.works("docs", gateway="box")
    watch = Watch(one.engine)

    def back() -> bool:
        watch.look()
        return one.engine.failing == {}

    mounts.until(back, "the machine is back", 600)  # on a busy node not at the first go
    assert box.mode.unreached() == ""
    assert one.works("docs", gateway="box")
    assert "kept" in one.smb("docs", "ls", gateway="box")


def alive(pid: int | None) -> bool:
    """Whether a process is there, and not only its number."""
    file = Path(f"/proc/{pid}/cmdline")
    return file.exists() and file.read_bytes() != b""


def test_it_goes_without_its_data(box: Box) -> None:
    """The last one: of the gateway nothing is left but the file, which any gateway can serve."""
    one, folder = box.site, Path(box.mode.folder)
    pid = box.mode.machine.pid()
    one.remove(("share", "box/docs"))
    one.remove(("gateway", "box"))
    assert (one.srv / "docs.img").exists()
    assert not folder.exists()
    assert not alive(pid)
