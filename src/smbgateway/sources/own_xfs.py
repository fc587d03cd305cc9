"""An XFS that we make ourselves, on a file or a device that is all a share's: what is there, what fits, is it fresh."""

import re
from bisect import bisect_right

from ..errors import CommandFailed, Conflict, Fault
from ..host import Host
from ..sizes import show_size

MI = 1024 * 1024
MINIMUM = 300 * MI  # mkfs.xfs refuses smaller ones
LOG_MEBI, KEPT_MEBI = 64, 32  # without a size of ours, the log of a large one has 512 MiB
COPY = "make a smaller share and copy the files"
FRESH_INODES = 3  # of an XFS with no files: the root directory and two of its own


def _file_mebi(quota: int) -> int:
    # Measured (xfsprogs 6.1): the log, what XFS keeps back (5 %, at most 32 MiB), and 0.7 % for its trees.
    return quota + LOG_MEBI + min(KEPT_MEBI, -(-quota // 16)) + -(-quota // 128)


def file_size(quota: int) -> int:
    """Bytes of the XFS whose user may write `quota` bytes, a whole number of MiB."""
    return _file_mebi(-(-quota // MI)) * MI


def quota_of(size: int) -> int:
    """The inverse: bytes that users may write to an XFS of `size` bytes, 0 where it is smaller than its overhead."""
    return max(0, bisect_right(range(size // MI + 1), size // MI, key=_file_mebi) - 1) * MI


def round_up(quota: int) -> int:
    """The quota that it really gets: whole MiB."""
    return -(-quota // MI) * MI


def request_faults(quota: int | None) -> list[Fault]:
    """Whether an image can be made for a quota."""
    if quota is None:
        return [Fault("quota", "an image needs a quota: it is made in that size")]
    if quota >= MINIMUM:
        return []
    return [Fault("quota", f"{show_size(quota)} is too small: an XFS image has at least {show_size(MINIMUM)}")]


def shrink_faults(quota: int | None, now: int) -> list[Fault]:
    """Whether one that has the quota `now` can get another."""
    if round_up(quota or 0) >= now:
        return []
    message = f"an image never shrinks: it has {show_size(now)}, {show_size(quota or 0)} was asked for"
    return [Fault("quota", message, COPY)]


def refuse_shrink(title: str, size: int, present: int) -> None:
    """Raises Conflict where it has more bytes than it shall have."""
    if size < present:
        message = f"an image never shrinks: it has {show_size(quota_of(present))}"
        raise Conflict(f"{title} keeps its size", message, hint=COPY)


def signature(host: Host, path: str) -> str | None:
    """What a file or device holds: `xfs`, another signature, a partition table; None where there is no signature."""
    try:
        found = host.run("blkid", "-p", "-o", "export", "--", path)
    except CommandFailed as error:
        if error.code == 2:
            return None
        raise
    words = dict(line.split("=", 1) for line in found.splitlines() if "=" in line)
    return words.get("TYPE") or f"a partition table ({words.get('PTTYPE', 'of unknown kind')})"


def starts_blank(host: Host, path: str) -> bool:
    """Whether its first MiB is zeros."""
    try:
        host.run("cmp", "-n", str(MI), "--", path, "/dev/zero")
    except CommandFailed as error:
        if error.code != 1:
            raise
        return error.output.startswith("cmp: EOF on")
    return True


def make(host: Host, path: str, *options: str) -> None:
    """Make it, on what is blank."""
    # No -f: mkfs itself refuses what has a signature. Without rmapbt the overhead is the one measured.
    words = ("-q", "-K", "-l", f"size={LOG_MEBI}m", "-m", "rmapbt=0,reflink=1", *options, path)
    host.run("mkfs.xfs", *words, timeout=600)


def attach(guest: Host, device: str, mount: str) -> None:
    """Mount it in a virtual machine that has the device to itself."""
    guest.run("mount", "-t", "xfs", "-o", "nodev,nosuid,noexec,discard", "--", device, mount)


def fresh(host: Host, path: str) -> bool:
    """Whether the unmounted XFS holds no file. Its counters are true only with a clean log."""
    if "<CLEAN>" not in host.run("xfs_logprint", "-t", path):
        return False
    text = host.run("xfs_db", "-r", "-c", "sb 0", "-c", "print icount ifree", path)
    counts = dict(re.findall(r"^(\w+) = (\d+)$", text, re.MULTILINE))
    return int(counts["icount"]) - int(counts["ifree"]) == FRESH_INODES


def inside(host: Host, mount: str) -> int:
    """Bytes of the mounted XFS; less than the file or device where growing was interrupted."""
    text = host.run("xfs_info", mount)
    match = re.search(r"^data\s.*?bsize=(\d+)\s+blocks=(\d+)", text, re.MULTILINE)
    if not match:
        raise CommandFailed(["xfs_info", mount], 0, f"unknown answer: {text}")
    return round_up(int(match[1]) * int(match[2]))  # it leaves up to 64 blocks at the end unused
