"""What the gateways of a node need, and what stands against them: looked at without the engine, and never changed."""

import contextlib
import glob
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from . import aging, storages
from .cluster import versions
from .cluster.member import look as look_member
from .errors import CommandFailed, CommandMissing, GatewayError
from .finding import Finding
from .host import ENVIRONMENT, PACKAGES, Host
from .installation import Installation
from .model import Cluster, Gateway
from .modes.native import missing, samba_version
from .paths import Paths
from .samba.supervise import DCERPCD
from .sources.cells import closed_way, mounts
from .store import FileStore
from .world import World

SMB = 445
LITTLE = 64 << 20  # bytes free, below which records and Samba's databases are in danger
ASKEW = 60.0  # seconds that clocks of nodes may differ
LONG = 600.0  # seconds after which a change is not under way any more
TOOLS = (
    "getfacl", "getfattr", "ip", "mount", "net", "pdbedit", "setfacl", "setfattr", "smbcontrol", "smbstatus", "ss",
    "tdbdump", "umount", "unshare",
)  # fmt: skip
SOURCES = {
    "image": ("mkfs.xfs", "xfs_growfs", "xfs_db", "losetup"),
    "btrfs": ("btrfs",),
    "zfs": ("zfs", "zpool"),
    "cephfs": ("ceph-fuse",),
    "rbd": ("rbd", "mkfs.xfs", "xfs_growfs", "xfs_db"),
}


def checkup(paths: Paths, host: Host, node: str) -> Iterator[Finding]:
    """Everything. Raises nothing: a check that cannot be made is a finding."""
    store = FileStore(paths)
    site = Installation(store, paths, host, node)
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "samba": lambda: samba(host),
        "tools": tools,
        "clock": lambda: clock(paths, host),
        "store": lambda: folders(paths),
        "records": lambda: records(store, site),
        "cluster": lambda: clusters(site),
        "ports": lambda: ports(site),
        "places": lambda: places(paths, host),
        "leftovers": lambda: leftovers(store, site),
        "storages": lambda: storages.look(site),
        "templates": lambda: aging.look(site),
    }
    yield from _made_out(checks)


def mend(paths: Paths, host: Host, node: str) -> Iterator[Finding]:
    """Set right what can be without a question. Raises nothing."""
    site = Installation(FileStore(paths), paths, host, node)
    yield from _made_out({"storages": lambda: storages.mend(site)})


def _made_out(checks: Mapping[str, Callable[[], Iterator[Finding]]]) -> Iterator[Finding]:
    for name, check in checks.items():
        try:
            yield from check()
        except (GatewayError, OSError) as error:
            why = error.reason if isinstance(error, GatewayError) else str(error)
            yield Finding(name, "warn", f"{name} cannot be checked: {why}", getattr(error, "hint", ""))


def samba(host: Host) -> Iterator[Finding]:
    """The Samba that native gateways run."""
    faults = missing(host)
    for fault in faults:
        yield Finding("samba", "fail", fault.message, fault.hint)
    if not faults:
        version = ".".join(map(str, samba_version(host.run("smbd", "--version"))))
        yield Finding("samba", "ok", f"Samba {version} with its modules, and libnss-extrausers")
        if not any(map(os.path.exists, DCERPCD)):
            yield Finding("samba", "fail", f"none of {', '.join(DCERPCD)} is there", "apt install --reinstall samba")


def tools() -> Iterator[Finding]:
    """Programs beside Samba: those that every gateway needs, then those of single sources."""
    absent = _absent(TOOLS)
    yield from _told(absent, "fail", "")
    if not absent:
        yield Finding("tools", "ok", "all programs that gateways need")
    for source, programs in SOURCES.items():
        absent = _absent(programs)
        yield from _told(absent, "warn", f", for {source} sources")
        if not absent:
            yield Finding("tools", "ok", f"{source} sources")


def _absent(programs: Sequence[str]) -> list[str]:
    return [name for name in programs if not shutil.which(name, path=ENVIRONMENT["PATH"])]


def _told(absent: Sequence[str], state: Literal["warn", "fail"], use: str) -> Iterator[Finding]:
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        install = f"apt install {' '.join(dict.fromkeys(PACKAGES[name] for name in absent))}"
        yield Finding("tools", state, f"{', '.join(absent)} {verb} not installed{use}", install)


def clock(paths: Paths, host: Host) -> Iterator[Finding]:
    """Whether the clock is set by the network, and not behind our own records."""
    try:
        told = host.run("timedatectl", "show", "--property=NTPSynchronized", "--value").strip()
    except (CommandFailed, CommandMissing):  # no systemd here
        told = "unknown"
    if told == "no":
        hint = "apt install systemd-timesyncd (or chrony); domains refuse logins beyond 5 minutes"
        yield Finding("clock", "warn", "the clock is not set by the network", hint)
    times = [os.stat(path).st_mtime for path in glob.iglob(f"{glob.escape(paths.config)}/**/*.json", recursive=True)]
    ahead = max(times, default=0.0) - time.time()
    if ahead > ASKEW:
        yield Finding("clock", "fail", f"the clock is {ahead / 3600:.1f} hours behind the newest record", "set it")
    elif told != "no":
        yield Finding("clock", "ok", "the clock" + (" is set by the network" if told == "yes" else ""))


def folders(paths: Paths) -> Iterator[Finding]:
    """Whether records, secrets and state can be written (by a file gone at once), and only root sees secrets."""
    for name, folder in (("records", paths.config), ("secrets", paths.priv), ("state", paths.state)):
        made = _made(folder)
        try:
            with tempfile.NamedTemporaryFile(dir=made, prefix=".new-doctor-") as probe:
                probe.write(b"x")
        except OSError as error:
            hint = "on Proxmox VE: no quorum? `pvecm status` tells; elsewhere: look at that file system"
            yield Finding("store", "fail", f"{name} cannot be written: {error.strerror}: {made}", hint)
        else:
            yield Finding("store", "ok", f"{name} in {folder}" + ("" if made == folder else " (not made yet)"))
    status = os.statvfs(_made(paths.state))
    if status.f_bavail * status.f_frsize < LITTLE:
        yield Finding("store", "fail", f"less than {LITTLE >> 20} MiB are free at {paths.state}", "make room there")
    if os.path.isdir(paths.priv) and os.stat(paths.priv).st_mode & 0o077 and not paths.on_proxmox:
        yield Finding("store", "fail", f"others than root may look into {paths.priv}", f"chmod 0700 {paths.priv}")


def _made(folder: str) -> str:
    """A folder, or what of its path is there."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return folder


def records(store: FileStore, site: Installation) -> Iterator[Finding]:
    """Whether all records can be read, and whose the gateways are."""
    world = site.world()
    for path, why in store.broken.items():
        yield Finding("records", "fail", f"broken record {path}: {why}", "it is left out until it is mended or removed")
    for gateway in world.gateways.values():
        if not site.owns(gateway):
            hint = f"this is node {site.node}; was it renamed? serve --node {gateway.nodes[0]}"
            yield Finding("records", "ok", f"gateway {gateway.name} is node {', '.join(gateway.nodes)}'s", hint)
        elif site.blueprint(world).instance(gateway).pid():
            yield Finding("records", "ok", f"gateway {gateway.name} is this node's, and runs")
        elif not gateway.enabled:
            yield Finding("records", "ok", f"gateway {gateway.name} is this node's, and was stopped", "gateway start")
        else:
            what = f"gateway {gateway.name} is this node's, and does not run"
            yield Finding("records", "warn", what, "the engine starts it: does the engine run?")


def clusters(site: Installation) -> Iterator[Finding]:
    """What members of clusters need beside Samba: ctdbd, their own network, one version, and the lock."""
    for gateway in site.world().gateways.values():
        if gateway.cluster and site.owns(gateway):
            yield from _member(site, gateway, gateway.cluster)


def _member(site: Installation, gateway: Gateway, cluster: Cluster) -> Iterator[Finding]:
    for fault in look_member(site.host, gateway, cluster, site.node, site.paths.config):
        yield Finding("cluster", "fail", f"gateway {gateway.name}: {fault.message}", fault.hint)
    if gateway.mode.kind == "native" and (absent := _absent(("ctdbd",))):
        yield from _told(absent, "fail", f", for gateway {gateway.name}")
    own = next(member.address for member in cluster.active if member.node == site.node)
    what = f"members of gateway {gateway.name} reach this one at {own}, port 4379, unencrypted"
    yield Finding("cluster", "ok", what, "let nobody but members into that network")
    told = versions.known(site.host, site.paths.versions(gateway.name), gateway.nodes)
    if others := versions.apart(told, site.node):
        shown = ", ".join(f"{node} has Samba {version}" for node, version in sorted(others.items()))
        what = f"members of gateway {gateway.name} do not go together: {shown}, this node {told.get(site.node, 'none')}"
        yield Finding("cluster", "warn", what, "upgrade all to one minor version")
    kind, _, place = str(cluster.lock).partition(":")
    if kind == "file" and not os.path.isdir(os.path.dirname(place)):
        what = f"the lock of gateway {gateway.name} cannot be had: there is no {os.path.dirname(place)}"
        yield Finding("cluster", "fail", what, "mount the file system that the members share")
    if kind == "rados" and not os.path.exists("/etc/ceph/ceph.conf"):
        what = f"the lock of gateway {gateway.name} cannot be had: there is no /etc/ceph/ceph.conf"
        yield Finding("cluster", "fail", what, "apt install ceph-common, and copy its configuration and key")


def ports(site: Installation) -> Iterator[Finding]:
    """Who listens where gateways do, or would."""
    lines = site.host.run("ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes").splitlines()
    own = {gateway.mode.port for gateway in site.world().gateways.values() if site.owns(gateway)}
    for port in sorted({SMB, *own}):
        found = [line for line in lines if line.split()[3].endswith(f":{port}")]
        strangers = [line for line in found if not _ours(site, line)]
        for line in strangers:
            what = (
                f"port {port} is taken on {line.split()[3].rpartition(':')[0]} by {_program(line)}, which is not ours"
            )
            hint = "it is left alone: give gateways an address of their own (--address), or stop it"
            yield Finding("ports", "warn", what, hint)
        if not strangers:
            yield Finding("ports", "ok", f"port {port} is {'served by a gateway' if found else 'free'}")


def _ours(site: Installation, line: str) -> bool:
    """Whether a process of a line of `ss` runs with a configuration of ours."""
    pids = re.findall(r"pid=(\d+)", line)
    return any(site.paths.instance("") in (site.host.read(f"/proc/{pid}/cmdline") or "") for pid in pids)


def _program(line: str) -> str:
    found = re.search(r'\("([^"]*)",pid=(\d+)', line)
    return f"{found[1]} (process {found[2]})" if found else "something"


def places(paths: Paths, host: Host) -> Iterator[Finding]:
    """Whether users may pass through to where sources lie."""
    for folder in filter(os.path.isdir, (*paths.roots, paths.mounts)):
        if closed := closed_way(host, f"{folder}/x"):
            yield Finding("places", "warn", f"of shares below {folder}, {closed}")
        else:
            yield Finding("places", "ok", f"users may pass through {folder}")


def leftovers(store: FileStore, site: Installation) -> Iterator[Finding]:
    """What belongs to nothing that is recorded: instances, mounts; and changes that were cut off."""
    world = site.world()
    if store.broken:  # whose it is cannot be told
        return
    stale = [*_instances(site, world), *_mounts(site, world), *_changes(site.paths.journal)]
    for what, hint in stale:
        yield Finding("leftovers", "warn", what, hint)
    if not stale:
        yield Finding("leftovers", "ok", "nothing is left of what is no longer recorded")


def _instances(site: Installation, world: World) -> Iterator[tuple[str, str]]:
    for own in glob.glob(f"{glob.escape(site.paths.instance(''))}*"):
        if os.path.basename(own) not in world.gateways:
            pid = (site.host.read(f"{own}/run/supervisor.pid") or "").strip()
            runs = pid and own in (site.host.read(f"/proc/{pid}/cmdline") or "").split("\0")
            yield f"{own} is of no gateway", f"{f'kill {pid}; ' if runs else ''}rm -r {own}"


def _mounts(site: Installation, world: World) -> Iterator[tuple[str, str]]:
    area = f"{site.paths.mounts}/"
    for path in mounts(site.host):
        if path.startswith(area) and path.removeprefix(area) not in world.shares:
            yield f"what is mounted on {path} is of no share", f"umount {path}"


def _changes(journal: str) -> Iterator[tuple[str, str]]:
    for path in glob.glob(f"{glob.escape(journal)}/*.jsonl"):
        with contextlib.suppress(FileNotFoundError):  # it ended just now
            if time.time() - os.stat(path).st_mtime > LONG:
                yield f"a change was cut off: {path}", "the engine finishes it, or puts it back: status tells"
