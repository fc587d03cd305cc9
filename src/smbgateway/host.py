"""Where commands run and files live. The only module that starts processes."""

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import Protocol

from .errors import CommandFailed, CommandMissing

PACKAGES = {
    "btrfs": "btrfs-progs",
    "ceph-fuse": "ceph-fuse",
    "ctdb": "ctdb",
    "ctdbd": "ctdb",
    "debugfs": "e2fsprogs",
    "getfacl": "acl",
    "getfattr": "attr",
    "ip": "iproute2",
    "losetup": "mount",
    "lsattr": "e2fsprogs",
    "lxc-attach": "lxc",
    "lxc-info": "lxc",
    "mkfs.xfs": "xfsprogs",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "net": "samba-common-bin",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "pdbedit": "samba-common-bin",
    "perl": "perl",
    "pvesh": "pve-manager",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "rbd": "ceph-common",
    "rbd-fuse": "rbd-fuse",
    "repquota": "quota",
    "rsync": "rsync",
    "sendmail": "postfix",
    "setfacl": "acl",
    "setfattr": "attr",
    "setquota": "quota",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "smbclient": "smbclient",
    "smbcontrol": "samba",
    "smbd": "samba",
    "smbstatus": "samba",
    "ss": "iproute2",
    "tdbbackup": "tdb-tools",
    "tdbdump": "tdb-tools",
    "umount": "mount",
    "unshare": "util-linux",
    "xfs_db": "xfsprogs",
    "xfs_growfs": "xfsprogs",
    "xfs_quota": "xfsprogs",
    "zfs": "zfsutils-linux",
    "zpool": "zfsutils-linux",
}
STUCK: set["subprocess.Popen[str]"] = set()  # killed, and not ended yet
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "LANGUAGE": "C", "HOME": "/root"}


class Host(Protocol):
    """A place where commands run: the node, a container, a guest."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a command and return its standard output. Raises CommandFailed, CommandMissing."""

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none."""

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace a file in one step: new file beside it, fsync, rename."""


class Node:
    """This machine."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a command in a session of its own, so that a timeout ends its children too."""
        _collect()
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError:
            raise CommandMissing(argv[0], PACKAGES.get(argv[0])) from None
        try:
            output, errors = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as late:
            _kill(process)
            said, hangs = (late.output or b"").decode(errors="replace"), lambda: process.poll() is None
            raise CommandFailed(argv, -1, f"no answer within {timeout:g} s", said, hangs) from None
        if process.returncode:
            raise CommandFailed(argv, process.returncode, errors.strip() or output, output)
        return output

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none."""
        try:
            with open(path, "rb") as file:
                return file.read().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace a file in one step: new file beside it, fsync, rename."""
        descriptor, new = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            set_mode(new, mode)
            os.replace(new, path)
        except BaseException:
            os.unlink(new)
            raise
        sync_directory(os.path.dirname(path))


def replace_file(path: str, text: str) -> None:
    """Replace a file by rename, and leave it to the kernel when that is brought to disk: for what is soon said anew."""
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(new, path)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a command with its session, and do not wait for what survives: who left it, or hangs in a dead mount."""
    os.killpg(process.pid, 9)
    try:
        process.communicate(timeout=1)
    except subprocess.TimeoutExpired:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        STUCK.add(process)


def _collect() -> None:
    """Reap what has ended since: a process in a dead mount ends when that does."""
    for process in list(STUCK):
        if process.poll() is not None:
            STUCK.discard(process)


def ending(host: Host) -> bool:
    """Whether the machine is going down; never told where there is no systemd."""
    try:
        return host.run("systemctl", "is-system-running").strip() == "stopping"
    except CommandFailed as error:
        return error.output.strip() == "stopping"
    except CommandMissing:
        return False


def sync_directory(path: str) -> None:
    """Bring renames and new files of a directory to disk (fsync(2), NOTES)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold flock(2) on a file of that name; it ends with us, however we end."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def set_mode(path: str, mode: int) -> None:
    """Like chmod, where the file system has modes: pmxcfs decides them itself and answers EPERM."""
    try:
        os.chmod(path, mode)
    except PermissionError:
        if not path.startswith("/etc/pve/"):
            raise


Process = subprocess.Popen[bytes]


def start(argv: Sequence[str], log: str) -> Process:
    """Start a daemon as our child; its output goes to the end of the file `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )


def spawn(argv: Sequence[str], log: str) -> None:
    """Start a daemon that is nobody's child and outlives us."""
    start(["setsid", "--fork", *argv], log).wait()
