"""The XFS projects of a node: its lists of them, which are not ours alone, and what each uses."""

import re

from ..errors import Unavailable
from ..host import Host, locked

PATHS, NAMES = "/etc/projects", "/etc/projid"  # NUMBER:PATH and NAME:NUMBER (projects(5), projid(5))
PROJECT_QUOTA = "prjquota"  # the mount option, as the kernel tells it
LOCK = "/run/pve-smbgateway-projects.lock"  # of all installations on the node
ROW = re.compile(r"^#(\d+)\s+(\d+)\s+\d+\s+(\d+)\s", re.MULTILINE)


def line(host: Host, file: str, number: int) -> str | None:
    """What a list says of a project, None for nothing."""
    return next((found for found in _lines(host, file) if _number(file, found) == number), None)


def put(host: Host, file: str, number: int, wanted: str | None) -> None:
    """Set or (None) remove the line of a project; all others stay as they are."""
    with locked(LOCK):
        before = _lines(host, file)
        after = [found for found in before if _number(file, found) != number]
        if wanted is not None:
            after.append(wanted)
        if after != before:
            host.write(file, "".join(f"{each}\n" for each in after))


def taken(host: Host) -> set[int]:
    """The numbers in both lists."""
    found = {_number(file, each) for file in (PATHS, NAMES) for each in _lines(host, file)}
    return {number for number in found if number is not None}


def _lines(host: Host, file: str) -> list[str]:
    lines = (host.read(file) or "").split("\n")
    return lines if lines[-1] else lines[:-1]


def _number(file: str, text: str) -> int | None:
    word = text.partition(":")[0] if file == PATHS else text.rpartition(":")[2]
    return int(word) if re.fullmatch(r"[0-9]+", word.strip()) else None


def usages(host: Host, mount: str, number: int | None = None) -> dict[int, tuple[int, int | None]]:
    """Bytes used, and the limit (None: none), of every project of an XFS, or of one; by one command."""
    only = "" if number is None else f" -L {number} -U {number}"
    text = ask(host, mount, f"report -p -n -N -b{only}")
    rows = ((int(word) for word in row) for row in ROW.findall(text))
    found = {project: (used * 1024, limit * 1024 or None) for project, used, limit in rows}
    if number is None and not found:  # xfs_quota ends well also where it cannot
        raise Unavailable(f"{mount} tells nothing of projects", hint="is it an XFS, mounted with prjquota?")
    return found


def ask(host: Host, mount: str, command: str) -> str:
    """A command of xfs_quota(8), which has no need of the lists: it would look at each of their paths."""
    return host.run("xfs_quota", "-D", "/dev/null", "-P", "/dev/null", "-x", "-c", command, mount)
