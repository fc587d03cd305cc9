"""The system disk of virtual machines: a minimal Debian with Samba, cloud-init and QEMU's agent; nothing else listens.

It lies in FOLDER/NAME/disk.qcow2 and is never written again: each machine has a layer of its own above it. It boots by
BIOS (GRUB behind the master boot record) and by UEFI (GRUB in an EFI partition); both read the kernel by its link in
the root, so a loop device is never needed.
"""

import contextlib
import hashlib
import json
import os
import time

from ..errors import CommandFailed, CommandMissing, Conflict, Fault, Invalid
from ..host import Host
from . import foreign
from .template import Recipe, Template, bootstrap, package_version, workplace

PACKAGES = (
    "acl,attr,cloud-init,initramfs-tools,iproute2,libnss-extrausers,linux-image-cloud-amd64,python3,qemu-guest-agent,"
    "samba,samba-vfs-modules,smbclient,systemd-sysv,tdb-tools,udev,wsdd2,xfsprogs"
)
DISK, ABOUT = "disk.qcow2", "about.json"
BOOT = "/usr/lib/grub/i386-pc/boot.img"
MI = 1 << 20
GAP, EFI, SIZE = 1 * MI, 16 * MI, 1536 * MI  # before the first partition, of that, of the whole
SECTOR = 512
LABEL = "smbgateway"
# Measured without KVM: programs of systemd's for the kernel's BPF, and self-tests of ciphers, take a fifth of a start.
QUICK = "lsm=capability cryptomgr.notests audit=0"
IDLE = (
    "aesni_intel", "autofs4", "crc32_pclmul", "crct10dif_pclmul", "cryptd", "evdev", "floppy", "ghash_clmulni_intel",
    "kvm_amd", "kvm_intel", "polyval_clmulni", "sg", "sha1_ssse3", "sha256_ssse3", "sha512_ssse3",
)  # fmt: skip
GRUB = f"""\
search --no-floppy --label {LABEL} --set=root
linux /vmlinuz root=LABEL={LABEL} rw console=tty0 console=ttyS0 panic=10 {QUICK}
initrd /initrd.img
boot
"""
BIOS_MODULES = ("biosdisk", "part_msdos", "ext2", "search", "search_label", "linux", "normal", "boot")
EFI_MODULES = ("fat", *BIOS_MODULES[1:])
HOOK = """\
#!/bin/sh
[ "$1" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
# With what Proxmox VE has cloud-init read: whether there is such a drive is asked before udev runs.
manual_add_modules virtio_pci virtio_scsi virtio_blk sd_mod sr_mod isofs
"""
CLOUD = """\
# The engine sets up what is inside; here it is only the name of the machine and its network.
datasource_list: [NoCloud, ConfigDrive, None]
cloud_init_modules: [seed_random, set_hostname]
cloud_config_modules: []
cloud_final_modules: []
system_info: {network: {renderers: [networkd]}}
"""
# Of some hundred devices of the kernel these have a driver or a name to get; each that is told costs a process.
DEVICES = ("block", "net", "pci", "scsi", "virtio", "virtio-ports")
TRIGGER = f"ExecStart=-udevadm trigger --action=add {' '.join(f'--subsystem-match={name}' for name in DEVICES)}"
# Before the packages come: what is chosen for them, by path.
CHOSEN = {
    "etc/initramfs-tools/conf.d/smbgateway": "MODULES=list\n",
    "etc/cloud/cloud.cfg.d/90-smbgateway.cfg": CLOUD,
    "etc/systemd/journald.conf.d/smbgateway.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n",
    # As soon as its device is there: what is to be done inside need not wait for cloud-init.
    # Of each question it would write a line, and each of these costs the journal a turn.
    "etc/systemd/system/qemu-guest-agent.service.d/smbgateway.conf": (
        "[Unit]\nDefaultDependencies=no\n[Service]\nLogLevelMax=notice\n"
    ),
    "etc/systemd/system/systemd-udev-trigger.service.d/smbgateway.conf": f"[Service]\nExecStart=\n{TRIGGER}\n",
    "etc/modprobe.d/smbgateway.conf": "".join(f"blacklist {name}\n" for name in IDLE),
}
# Stock services of Samba's, and what a machine that is replaced rather than looked after has no use for.
MASKED = (
    "smbd.service", "nmbd.service", "winbind.service", "samba.service", "samba-ad-dc.service", "wsdd2.service",
    "ldconfig.service", "proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service",
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "xfs_scrub_all.timer", "getty@tty1.service", "getty-static.service", "serial-getty@ttyS0.service",
    "modprobe@drm.service",
    "modprobe@configfs.service", "modprobe@fuse.service", "modprobe@efi_pstore.service", "systemd-pstore.service",
    "cloud-init-hotplugd.socket",
    # A root that is mounted as it stays, a journal in memory, a random source of the node's, nobody who logs in.
    "systemd-remount-fs.service", "systemd-journal-flush.service", "systemd-random-seed.service",
    "systemd-user-sessions.service", "systemd-networkd-persistent-storage.service", "systemd-hibernate-clear.service",
    "systemd-modules-load.service", "kmod-static-nodes.service", "systemd-udev-load-credentials.service",
    "systemd-tmpfiles-setup-dev-early.service", "systemd-tmpfiles-setup-dev.service",
    "dev-hugepages.mount", "dev-mqueue.mount", "run-lock.mount", "tmp.mount", "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
)  # fmt: skip
NEEDED = {
    "qemu-img": "qemu-utils",
    "sfdisk": "fdisk",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "grub-mkimage": "grub-common",
    BOOT: "grub-pc-bin",
    "/usr/lib/grub/x86_64-efi/normal.mod": "grub-efi-amd64-bin",
}
NETWORK = "/usr/lib/systemd/system/systemd-networkd.service"


class Images:
    """Those of this node."""

    def __init__(self, host: Host, folder: str) -> None:
        self.host, self.folder = host, folder

    def all(self) -> list[Template]:
        """All that are there, oldest first."""
        with contextlib.suppress(FileNotFoundError):
            found = [self._image(name) for name in os.listdir(self.folder) if not name.startswith(".")]
            return sorted(found, key=lambda image: (image.made, image.name))
        return []

    @staticmethod
    def version() -> str:
        """Of what an image is made of: it changes when that does."""
        return hashlib.sha256(repr((PACKAGES, CHOSEN, MASKED, HOOK, GRUB)).encode()).hexdigest()[:8]

    def newest(self) -> str:
        """The name of the newest, empty where there is none."""
        return next((image.name for image in reversed(self.all())), "")

    def disk(self, name: str) -> str:
        """Where one lies."""
        return f"{self.folder}/{name}/{DISK}"

    def _image(self, name: str) -> Template:
        about = json.loads(self.host.read(f"{self.folder}/{name}/{ABOUT}") or "{}")
        return Template(name, str(about.get("samba", "")), int(about.get("made", 0)), self.disk(name))

    def build(self, recipe: Recipe, output: str = "") -> Template:
        """Build one; a copy of its disk goes to `output`, for `bring` on other nodes. Raises CommandMissing, Failed."""
        self._check()
        with workplace(self.folder) as place:
            root, files = f"{place}/root", f"{place}/chosen"
            self._choose(files)
            bootstrap(
                self.host,
                recipe,
                root,
                PACKAGES,
                "image",
                "--format=directory",
                f"--essential-hook=copy-in {files}/etc /",
            )
            samba = package_version(self.host.read(f"{root}/var/lib/dpkg/status") or "", "samba")
            disk = Disk(self.host, place)
            disk.make(root)
            if output:
                self.host.run("cp", "--sparse=always", "--", disk.file, output, timeout=600)
            return self._keep(disk.file, place, recipe.suite, samba)

    def _check(self) -> None:
        """What is missing is told before the work."""
        for program, package in NEEDED.items():
            try:
                self.host.run("sh", "-c", 'command -v "$0" || test -e "$0"', program)
            except CommandFailed as error:
                raise CommandMissing(program, package) from error

    def _choose(self, files: str) -> None:
        hook = "etc/initramfs-tools/hooks/smbgateway"
        for path, text in {**CHOSEN, hook: HOOK}.items():
            os.makedirs(os.path.dirname(f"{files}/{path}"), exist_ok=True)
            self.host.write(f"{files}/{path}", text, 0o755 if path == hook else 0o644)
        units = f"{files}/etc/systemd/system"
        os.makedirs(f"{units}/multi-user.target.wants")
        for unit in MASKED:
            os.symlink("/dev/null", f"{units}/{unit}")
        os.symlink(NETWORK, f"{units}/multi-user.target.wants/systemd-networkd.service")

    def bring(self, file: str) -> Template:
        """Make one of a disk: what `build` has made elsewhere, or any Debian with what is needed. Raises Invalid."""
        with workplace(self.folder) as place:
            try:
                faults = foreign.faults(self.host, file, place, LABEL)
            except CommandFailed as error:
                raise Invalid.of([Fault("file", f"{file} is no disk", error.output)]) from error
            if faults:
                raise Invalid.of(faults)
            self.host.run("cp", "--sparse=always", "--", file, f"{place}/{DISK}", timeout=600)
            return self._keep(f"{place}/{DISK}", place, "imported", "")

    def _keep(self, file: str, place: str, word: str, samba: str) -> Template:
        name = f"{word}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        os.makedirs(f"{place}/done")
        os.rename(file, f"{place}/done/{DISK}")
        os.chmod(f"{place}/done/{DISK}", 0o444)
        self.host.write(f"{place}/done/{ABOUT}", json.dumps({"samba": samba, "made": int(time.time())}) + "\n")
        try:
            os.rename(f"{place}/done", f"{self.folder}/{name}")
        except OSError as error:
            raise Conflict(f"image {name} is there already", str(error)) from error
        return self._image(name)


class Disk:
    """A bootable disk, made of a tree of files without a loop device."""

    def __init__(self, host: Host, place: str) -> None:
        self.host, self.place, self.file = host, place, f"{place}/{DISK}"

    def make(self, root: str) -> None:
        """Partitions, file systems, both boot loaders; in the end it is compact."""
        raw, start = f"{self.place}/raw", GAP + EFI
        # Each machine gets an id of its own; but it is no first start, for which systemd would set up all anew.
        for name in ("etc/machine-id", "etc/.updated", "var/.updated"):
            self.host.write(f"{root}/{name}", "")
        self.host.run("truncate", f"--size={SIZE}", "--", raw)
        table = f"start={GAP // SECTOR}, size={EFI // SECTOR}, type=ef\nstart={start // SECTOR}, type=83, bootable\n"
        self.host.run("sfdisk", "--quiet", raw, stdin=table)
        options = f"offset={start},lazy_itable_init=1"
        words = ("-q", "-F", "-L", LABEL, "-m", "1", "-O", "^metadata_csum_seed,^orphan_file", "-E", options)
        # GRUB of Debian 12 cannot read file systems with these two features.
        self.host.run("mkfs.ext4", *words, "-d", root, raw, f"{(SIZE - start) // 1024}k", timeout=600)
        self._bios(raw)
        self._efi(raw)
        self.host.run("qemu-img", "convert", "-O", "qcow2", raw, self.file, timeout=600)

    def _loader(self, kind: str, modules: tuple[str, ...]) -> str:
        file, script = f"{self.place}/{kind}", f"{self.place}/grub.cfg"
        self.host.write(script, GRUB)
        self.host.run("grub-mkimage", "-O", kind, "-o", file, "-p", "/boot/grub", "-c", script, *modules)
        return file

    def _bios(self, raw: str) -> None:
        first, rest = BOOT, self._loader("i386-pc", BIOS_MODULES)
        self._put(first, raw, "bs=440", "count=1")  # behind it is the table of partitions
        self._put(rest, raw, f"bs={SECTOR}", "seek=1")

    def _efi(self, raw: str) -> None:
        loader, made = self._loader("x86_64-efi", EFI_MODULES), f"{self.place}/efi"
        self.host.run("mkfs.vfat", "-C", "-n", "SMBGW", made, str(EFI // 1024))
        self.host.run("mmd", "-i", made, "::/EFI", "::/EFI/BOOT")
        self.host.run("mcopy", "-i", made, loader, "::/EFI/BOOT/BOOTX64.EFI")
        self._put(made, raw, f"bs={MI}", f"seek={GAP // MI}")

    def _put(self, file: str, raw: str, *where: str) -> None:
        self.host.run("dd", f"if={file}", f"of={raw}", "conv=notrunc", "status=none", *where)
