"""Steps that several sources share: a directory of data, the earmark, a mount."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from ..errors import CommandFailed, Conflict, Fault, HoldsData, Unavailable
from ..host import Host
from ..sizes import show_size
from ..step import Step
from . import Place

UNKNOWN = {"type": "an unknown file system", "source": "", "root": "", "options": ""}
EARMARK = "trusted.smbgateway"  # not user.*: clients can set those
OWNED = "%F %u:%g %a"  # of a path: what it is, whose, and who may do what (stat(1))
PROOF_FILE = ".smbgw-proof-"
# Never served: these themselves, and of the second line all that is inside.
THEMSELVES = frozenset(("/", "/home", "/root", "/srv", "/var", "/var/lib"))
INSIDE = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/lxc",
    "/var/lib/vz",
)


def stat_question(path: str, shape: str) -> tuple[str, ...]:
    """`stat --printf SHAPE`, of the name itself, not of what a link points to."""
    return ("stat", f"--printf={shape}", "--", path)


def earmark_question(path: str) -> tuple[str, ...]:
    """What answers with the earmark alone."""
    return ("getfattr", "-h", "--absolute-names", "--only-values", "-n", EARMARK, "--", path)


def stat(host: Host, path: str, shape: str) -> str | None:
    """What `stat` says of a path; None where absent."""
    try:
        return host.run(*stat_question(path, shape))
    except CommandFailed as error:
        if "No such file" in error.output or "Not a directory" in error.output:
            return None
        raise


def data_directory(host: Host, path: str, group: int) -> Step:
    """A directory of users' data: root and the gateway's group own it, and new files belong to that group."""

    def read() -> str | None:
        found = stat(host, path, OWNED)
        return None if found is None else found.removeprefix("directory ")

    def write(value: str | None) -> None:
        if value is None:
            remove_empty(host, path)
            return
        if value == (found := read()):
            return
        owner, mode = value.split()
        if found is None:
            uid, gid = owner.split(":")
            host.run("install", "-d", "-o", uid, "-g", gid, "-m", mode.zfill(5), "--", path)
            return
        refuse_foreign(path, stat(host, path, "%F"), "directory")
        host.run("chown", "--no-dereference", owner, "--", path)
        host.run("chmod", mode.zfill(5), "--", path)  # with fewer digits a directory keeps its set-group-ID bit

    return Step(
        f"directory {path}",
        f"0:{group} 2770",
        read,
        write,
        destroy=lambda: host.run("rm", "-rf", "--one-file-system", "--", path),
    )


def opened_directory(host: Host, path: str, group: int, make: bool = False) -> Step:
    """A directory that was there before us: it keeps owner and mode; the group gets an ACL entry, also for new files.

    make     where it is absent it is made as `data_directory` does; without, its absence is an error
    """
    entry = f"group:{group}:rwx"

    def acl() -> list[str]:
        try:
            lines = host.run("getfacl", "-n", "-p", "-E", "-c", "--", path).splitlines()
        except CommandFailed as error:
            if "No such file" in error.output:
                return []
            raise
        return [line for line in lines if line]

    def read() -> str | None:
        lines = acl()
        return entry if entry in lines and f"default:{entry}" in lines else "\n".join(lines) or None

    def write(value: str | None) -> None:
        if value is None:
            if make:
                remove_empty(host, path)
            return
        if make and not acl():
            data_directory(host, path, group).write(f"0:{group} 2770")
        if value == entry:
            host.run("setfacl", "-n", "-m", f"{entry},mask::rwx,default:{entry},default:mask::rwx", "--", path)
        else:
            host.run("setfacl", "-k", "--set-file=-", "--", path, stdin=value + "\n")

    # Part of the data, so a plain delete leaves it; destroy is refused for what was there before us.
    return Step(f"access to {path}", entry, read, write, destroy=nothing)


def nothing() -> None:
    """What `destroy` does to what was there before us, and to what goes with the thing it lies in."""


def inner_directory(host: Host, place: Place, path: str) -> Step:
    """The served directory inside a file system, subvolume or dataset: it is destroyed with that, not file by file."""
    if place.adopted:
        return opened_directory(host, path, place.group, make=True)
    return replace(data_directory(host, path, place.group), destroy=nothing)


def snapshot(name: str, read: Callable[[], str | None], take: Callable[[], object], drop: Callable[[], object]) -> Step:
    """A snapshot as a cell: taken once, removed only by name."""

    def write(value: str | None) -> None:
        if value is None and read() is not None:
            raise HoldsData(f"{name} stays", "it may hold what is nowhere else")
        if value is not None and read() is None:
            take()

    def destroy() -> None:
        if read() is not None:
            drop()

    return Step(name, "snapshot", read, write, destroy=destroy)


def remove_empty(host: Host, path: str) -> None:
    """Remove a directory that holds nothing but our own proof files. Raises HoldsData."""
    try:
        host.run("find", path, "-maxdepth", "1", "-name", f"{PROOF_FILE}*", "-type", "f", "-delete")
        host.run("rmdir", "--", path)
    except CommandFailed as error:
        if "No such file" in error.output:
            return
        if "not empty" in error.output:
            raise HoldsData(f"{path} stays", "files of clients are in it") from error
        raise


def earmark(host: Host, place: Place, path: str) -> Step:
    """The mark that says whose source it is."""

    def write(value: str | None) -> None:
        if value is not None:
            host.run("setfattr", "-h", "-n", EARMARK, "-v", value, "--", path)
        elif read_earmark(host, path) is not None:
            host.run("setfattr", "-h", "-x", EARMARK, "--", path)

    return Step(f"earmark of {path}", place.earmark, lambda: read_earmark(host, path), write)


def read_earmark(host: Host, path: str) -> str | None:
    """The earmark of a path, None where it has none or is absent."""
    try:
        return host.run(*earmark_question(path))
    except CommandFailed as error:
        if "No such attribute" in error.output or "No such file" in error.output:
            return None
        if "not supported" in error.output:
            hint = "use a local file system such as XFS, ext4, btrfs or ZFS (xattr=on)"
            raise Unavailable(f"the file system of {path} keeps no extended attributes of ours", hint=hint) from error
        raise


def owner_faults(mark: str | None, place: Place, field: str) -> list[Fault]:
    """A fault where the earmark names another share."""
    if mark in (None, "", "-", place.earmark):
        return []
    words = dict(word.split("=", 1) for word in str(mark).split(" ") if "=" in word)
    other = f"share {words.get('share', '?')} of gateway {words.get('gateway', '?')}"
    return [Fault(field, f"it belongs to {other}", "delete that share first, or choose another source")]


def path_faults(host: Host, path: str, place: Place, field: str) -> list[Fault]:
    """Faults of a path as such: outside the allowed roots, the system's or ours, or reached through a link."""
    if path in THEMSELVES or any(_within(path, folder) for folder in (*INSIDE, *place.refused)):
        return [Fault(field, f"{path} is the system's own: it is never shared")]
    if not any(path.startswith(f"{root.rstrip('/')}/") for root in place.roots):
        allowed = ", ".join(place.roots)
        return [Fault(field, f"{path} is not below an allowed directory ({allowed})", "root may add one: --allow-path")]
    real = host.run("realpath", "--canonicalize-missing", "--", path).strip()
    if real != path:
        return [Fault(field, f"{path} leads through a symbolic link to {real}", "name the real path")]
    parent = os.path.dirname(path)
    if stat(host, parent, "%F") != "directory":
        return [Fault(field, f"the directory {parent} does not exist", f"mkdir -p {parent}")]
    return []


def closed_way(host: Host, path: str) -> str:
    """Words for the directories above `path` that users may not pass through (no x for others); empty for none."""
    above = ["/" + "/".join(path.strip("/").split("/")[:length]) for length in range(path.strip("/").count("/") + 1)]
    lines = host.run("stat", "--printf=%a %n\\n", "--", *above).splitlines()
    closed = [line for line in lines if not int(line.split(" ")[0], 8) & 0o001]
    told = ", ".join(f"{name} (mode {mode})" for mode, name in (line.split(" ", 1) for line in closed))
    return f"users may not pass through {told}: chmod o+x it, or choose another place" if told else ""


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def mount_point(host: Host, path: str) -> Step:
    """A directory nobody may enter or fill while nothing is mounted on it: no mount, no path."""

    def write(value: str | None) -> None:
        if value is not None:
            host.run("mkdir", "-p", "-m", "0", "--", path)
        elif stat(host, path, "%F") is not None:
            host.run("rmdir", "--", path)

    def read() -> str | None:
        # What is mounted there is not asked: it may be dead, and the mount itself is another step.
        return "directory" if mounted(host, path) else stat(host, path, "%F")

    return Step(f"mount point {path}", "directory", read, write)


def mount(host: Host, path: str, what: str, found: Callable[[], str | None], attach: Callable[[], object]) -> Step:
    """A mount on `path` of `what`; `found` reads what is mounted there, `attach` mounts it."""

    def write(value: str | None) -> None:
        present = found()
        refuse_foreign(path, present, what)
        if value is None and present is not None:
            host.run("umount", "--", path)
        elif value is not None and present is None:
            attach()

    return Step(f"mount of {what}", what, found, write)


def outlasting(host: Host) -> tuple[str, ...]:
    """What to put before a command whose daemon serves a mount: under systemd it would end with the engine's unit."""
    booted = (host.read("/proc/1/comm") or "").strip() == "systemd"
    return ("systemd-run", "--quiet", "--collect", "--scope") if booted else ()


def space(host: Host, path: str) -> tuple[int, int, int]:
    """Bytes of the file system of a path: all, used, and free for users (statvfs)."""
    words = host.run("stat", "-f", "--printf=%b %f %a %S", "--", path).split()
    total, free, available, block = (int(word) for word in words)
    return total * block, (total - free) * block, available * block


def oversized(host: Host, folder: str, wanted: int | None) -> list[Fault]:
    """A limit that the file system of a folder can never give. To promise several shares the same space is no fault."""
    total = space(host, folder)[0] if wanted else 0
    if not wanted or wanted <= total:
        return []
    message = f"{show_size(wanted)} is more than the {show_size(total)} of the file system of {folder}"
    return [Fault("quota", message, "--force sets it all the same", waivable=True)]


def gone(what: str) -> Conflict:
    """What to raise instead of making anew what was there before us."""
    hint = "import or mount what holds it, or delete the share"
    return Conflict(f"{what} is gone", "it was there before the share, so it is not made anew", hint=hint)


def mounted(host: Host, path: str) -> dict[str, str] | None:
    """What is mounted exactly on a path, as `mounts` has it; None for nothing."""
    return mounts(host).get(path)


def mounts(host: Host) -> dict[str, dict[str, str]]:
    """By path the mount on top there (proc(5), mountinfo): its `type`, `source`, `root` in that, and `options`."""
    table = {}
    for line in (host.read("/proc/self/mountinfo") or "").split("\n")[:-1]:
        fields, _, rest = line.partition(" - ")
        kind, source, of_all = rest.split(" ", 2)
        root, path, options = fields.split(" ")[3:6]
        found = {"type": kind, "source": _unescape(source), "root": _unescape(root), "options": f"{options},{of_all}"}
        table[_unescape(path)] = found
    return table


def mount_of(host: Host, path: str) -> tuple[str, dict[str, str]]:
    """The mount that a path without links lies in, by its mount point, and what `mounts` has of it."""
    table = mounts(host)
    mount = mount_in(table, path)
    return mount, table.get(mount, UNKNOWN)  # in a chroot "/" may be no mount


def mount_in(table: Mapping[str, object], path: str) -> str:
    """The mount point that a path without links lies in, among all."""
    while path not in table and path != "/":
        path = os.path.dirname(path)
    return path


def _unescape(text: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, letter)
    return text


def refuse_foreign(what: str, found: str | None, wanted: str) -> None:
    """Refuse to overwrite what is not ours. Raises Conflict."""
    if found not in (None, wanted):
        raise Conflict(
            f"{what} holds something else", f"found {found}, expected {wanted}", hint="nothing was overwritten"
        )
