"""A mini Ceph cluster for tests and benches: one mon, mgr, osd and mds, in memory, up in seconds.

    python -m lab.ceph up DIR      start one that stays, and say how to use it
    python -m lab.ceph down DIR    end it, and remove DIR

All it has lies in DIR; its FSID, keys and address (in 127.0.0.0/8, with Ceph's usual ports) are its own. So it runs
beside other copies and beside a real Ceph, and touches nothing in /etc/ceph, /var/lib/ceph and /run/ceph.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.mounts import run, unmount_below, until

ROOT = Path(__file__).resolve().parent.parent
DAEMONS = {"mon": "a", "mgr": "x", "osd": "0", "mds": "a"}
CLIENTS = ("ceph-fuse", "rbd-fuse", "rbd-nbd", "ceph", "rbd", "rados")
ELSEWHERE = "SMBGW_CEPH"  # names the directory of a cluster that is up, for a machine that cannot have its own
SLOW = 120  # seconds for what takes four on an idle machine
CAPS = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mds", "allow *", "mgr", "allow *"),
    "mgr.x": ("mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"),
    "osd.0": ("mon", "allow profile osd", "mgr", "allow profile osd", "osd", "allow *"),
    "mds.a": ("mon", "allow profile mds", "osd", "allow rwx", "mds", "allow *", "mgr", "allow profile mds"),
}
# A value such as $name is filled in by Ceph itself. Left out is all that would warn about a cluster of one disk.
CONF = """\
[global]
fsid = {fsid}
mon_host = {mons}
mon_initial_members = a
public_addr = {address}
cluster_addr = {address}
ms_bind_ipv4 = true
ms_bind_ipv6 = false
ms_async_op_threads = 1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
run_dir = {dir}
pid_file = {dir}/$type.$id.pid
admin_socket = {dir}/$name.asok
log_file = {dir}/log/$name.log
crash_dir = {dir}/crash
keyring = {dir}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_warn_on_pool_no_redundancy = false
mon_data_avail_warn = 2
mon_data_avail_crit = 1
[client]
admin_socket =
log_file =
err_to_stderr = true
[mon]
mon_data = {dir}/mon
mon_cluster_log_file = {dir}/log/cluster.log
mgr_initial_modules =
mon_memory_autotune = false
rocksdb_cache_size = 33554432
[mgr]
mgr_data = {dir}/mgr
mgr_tick_period = 1
mgr_stats_period = 1
[osd]
osd_data = {dir}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_op_num_shards = 1
osd_op_num_threads_per_shard = 2
osd_mclock_skip_benchmark = true
osd_check_max_object_name_len_on_startup = false
[mds]
mds_data = {dir}/mds
mds_cache_memory_limit = 134217728
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster in a directory."""

    path: Path

    @property
    def conf(self) -> Path:
        return self.path / "ceph.conf"

    def tool(self, program: str, *words: str | Path) -> str:
        """Run a program of Ceph as client.admin; its output."""
        return run(program, "--conf", self.conf, *words)

    def ceph(self, *words: str | Path) -> str:
        return self.tool("ceph", "--connect-timeout", "20", *words)

    def volume(self, name: str) -> None:
        """Make a CephFS, and wait until the mds serves it."""
        self.ceph("fs", "volume", "create", name)
        until(lambda: '"up:active"' in self.ceph("mds", "stat", "--format", "json"), "the mds is active", SLOW)

    def pool(self, name: str) -> None:
        """Make a pool for RBD images."""
        self.ceph("osd", "pool", "create", name, "8")
        self.tool("rbd", "pool", "init", name)

    def removed(self, image: str) -> bool:
        """Try to remove an image, which a client may have open for a moment more; whether it is gone."""
        words = ["rbd", "--conf", str(self.conf), "rm", "--no-progress", f"rbd/{image}"]
        return subprocess.run(words, capture_output=True).returncode in (0, errno.ENOENT)

    def start(self, kind: str) -> None:
        """Start a daemon: nobody's child, so that nobody has to wait for it when it ends."""
        with (self.path / "log" / f"{kind}.out").open("ab") as log:
            # In the foreground: `ceph fs subvolume` fails in a mgr that has closed its stderr.
            words = ["setsid", "--fork", f"ceph-{kind}", "-f", "-i", DAEMONS[kind], "--conf", str(self.conf)]
            subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", check=True)

    def kill(self, *programs: str) -> None:
        """Kill what runs of these programs for this cluster, and wait until it is gone."""
        for pid in self.processes(*programs):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not self.processes(*programs), f"{' '.join(programs)} end")

    def processes(self, *programs: str) -> list[int]:
        """Processes of these programs whose command line names something of this cluster."""
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._is_of(entry, programs)]

    def _is_of(self, entry: Path, programs: tuple[str, ...]) -> bool:
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")  # empty when it has ended
            return (entry / "comm").read_text().strip() in programs and any(self._names(word) for word in words)
        except (FileNotFoundError, ProcessLookupError):
            return False

    def _names(self, word: bytes) -> bool:
        return f"{self.path}/".encode() in word

    def ready(self) -> bool:
        """Whether osd and mgr are up."""
        state = json.loads(self.ceph("-s", "--format", "json"))
        return bool(state["osdmap"]["num_up_osds"] == 1 and state["mgrmap"]["available"])


def up(path: Path, address: str = "") -> Cluster:
    """Start a cluster in a new directory, at an address of this network namespace, or one of its own in 127.0.0.0/8."""
    made, fsid = Cluster(path.resolve()), uuid.uuid4()
    made.path.mkdir(mode=0o711, parents=True)  # users of a share pass through it
    for name in (*DAEMONS, "log", "crash"):
        (made.path / name).mkdir()
    _configure(made, fsid, address)
    _make_keys(made.path)
    made.tool("ceph-mon", "--mkfs", "-i", "a", "--keyring", made.path / "mon.keyring")
    made.start("mon")
    made.start("mgr")
    disk = str(uuid.uuid4())
    made.ceph("osd", "new", disk, "0")
    made.tool("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
    made.start("osd")
    made.start("mds")
    until(made.ready, "Ceph is ready", SLOW)
    return made


def _configure(made: Cluster, fsid: uuid.UUID, address: str) -> None:
    address = address or f"127.{64 + fsid.bytes[0] % 128}.{fsid.bytes[1]}.{1 + fsid.bytes[2] % 254}"
    mons = f"[v2:{address}:3300,v1:{address}:6789]"
    made.conf.write_text(CONF.format(dir=made.path, fsid=fsid, address=address, mons=mons))


def _make_keys(path: Path) -> None:
    """All keys at once, known to the mon from its first moment on."""
    keyring = path / "mon.keyring"
    run("ceph-authtool", "--create-keyring", keyring)
    for name, caps in CAPS.items():
        pairs = zip(caps[::2], caps[1::2], strict=True)
        words = [word for kind, cap in pairs for word in ("--cap", kind, cap)]
        run("ceph-authtool", keyring, "--gen-key", "--name", name, *words)
    keyring.chmod(0o600)
    shutil.copy(keyring, path / "keyring")


def down(path: Path) -> None:
    """End whatever there is of a cluster, its clients first, and remove it."""
    made = Cluster(path.resolve())
    made.kill(*CLIENTS)  # what is mounted on them gets errors instead of waiting for ever
    made.kill(*(f"ceph-{kind}" for kind in DAEMONS))
    unmount_below(made.path)
    if made.path.exists():
        run("rm", "-rf", "--one-file-system", made.path)


@contextmanager
def cluster(path: Path, address: str = "") -> Iterator[Cluster]:
    """A cluster that ends with the block, or with this process if that is killed: a guard of its own ends it."""
    command = [sys.executable, "-m", "lab.ceph", "guard", str(path.resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True):
        yield up(path, address)  # Popen closes the pipe, which is the guard's word to begin, and waits


def fill(made: Cluster) -> None:
    """What tests and benches find in one: a CephFS, and a pool of images."""
    made.volume("cephfs")
    made.pool("rbd")


def guard(path: Path) -> None:
    """Wait until whoever started us closes the pipe, by its will or by its death."""
    sys.stdin.buffer.read()
    down(path)


def main() -> None:
    """The command."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("up", "down", "guard"):
        sys.exit(__doc__)
    verb, path = sys.argv[1], Path(sys.argv[2])
    if verb == "up":
        started = time.monotonic()
        made = up(path)
        print(f"up in {time.monotonic() - started:.1f} s: export CEPH_CONF={made.conf}")
    else:
        (down if verb == "down" else guard)(path)


if __name__ == "__main__":
    main()
