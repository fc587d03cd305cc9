"""A program, not a module of ours: asks a Ceph cluster one thing through its libraries, and ends.

    ceph_call.py command CONF NAME JSON      a command of `ceph`, as JSON with its `prefix`; prints the answer
    ceph_call.py list CONF NAME VOLUME PATH  what lies in a directory of a CephFS, one name a line
    ceph_call.py usages CONF NAME VOLUME     what subvolumes use, a JSON list of GROUP/NAME on standard input, of those
                                             that were asked about before better GROUP/NAME/FOLDER
    ceph_call.py forget CONF NAME VOLUME ENTITY WHERE  ends what is left of mounts at WHERE of this machine, by ENTITY
    ceph_call.py magic CONF NAME POOL SPACE IMAGE  the first four bytes of an RBD image, as Python writes them

It ends with the error number of the cluster's answer, or with AWAY where the cluster could not be asked. It does what
`ceph` does in half of its time; a process of its own, because nothing but its end stops a library that waits.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AWAY = 240
AT_ONCE = 8
SETTINGS = {
    "client_dirsize_rbytes": "true",  # the size of a directory is that of all below it: no question of its own
    "client_mount_timeout": "5",  # seconds, as the others
    "client_shutdown_timeout": "5",
    "rados_mon_op_timeout": "10",
    "rados_osd_op_timeout": "10",
}


def main() -> int:
    """Returns what the process shall end with."""
    try:
        import rados
    except ImportError:
        sys.stderr.write("python3-rados is not installed\n")
        return AWAY
    verb, conf, name, *words = sys.argv[1:]
    try:
        cluster = rados.Rados(conffile=conf, name=name, conf=SETTINGS)
        cluster.connect()
    except rados.Error as error:
        sys.stderr.write(f"{error}\n")
        return AWAY
    verbs: dict[str, Callable[..., int]] = {
        "command": _command,
        "forget": _forget,
        "list": _list,
        "magic": _magic,
        "usages": _usages,
    }
    return verbs[verb](cluster, *words)


def _command(cluster: Any, text: str) -> int:
    command = json.loads(text)
    ask = cluster.mgr_command if command["prefix"].startswith("fs subvolume") else cluster.mon_command
    code, answer, said = ask(text, b"")
    sys.stdout.write(answer.decode())
    sys.stderr.write(said)
    return abs(int(code))


def _forget(cluster: Any, volume: str, entity: str, where: str) -> int:
    """Sessions that no mount has any more: for a minute they would keep others from what they had open."""
    import cephfs

    code, answer, said = cluster.mon_command(json.dumps({"prefix": "fs get", "fs_name": volume, "format": "json"}), b"")
    if code == 0:
        client = cephfs.LibCephFS(rados_inst=cluster)
        client.init()
        for rank in json.loads(answer)["mdsmap"]["in"]:
            code, said = _forget_at(client, f"{volume}:{rank}", entity, where)
    sys.stderr.write(said)
    return abs(int(code))


def _forget_at(client: Any, server: str, entity: str, where: str) -> tuple[int, str]:
    code, answer, said = client.mds_command(server, json.dumps({"prefix": "session ls", "format": "json"}), b"")
    for session in json.loads(answer or "[]"):
        about = session["client_metadata"]
        same = (f"client.{about.get('entity_id')}", about.get("mount_point")) == (entity, where)
        if same and _is_own(session["entity"]["addr"]["addr"]) and not _runs(about.get("pid")):
            evict = {"prefix": "session evict", "filters": [f"id={session['id']}"]}
            code, _, said = client.mds_command(server, json.dumps(evict), b"")
    return code, said


def _is_own(address: str) -> bool:
    """Whether a client's HOST:PORT is of this machine: another may have the same mount by the same key."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
            tried.bind((host, 0))
    except OSError:
        return False
    return True


def _runs(pid: str | None) -> bool:
    """Whether that is a ceph-fuse; one that has died has no command line any more, also while nobody heeds its end."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"ceph-fuse" in file.read()
    except OSError:
        return False


def _list(cluster: Any, volume: str, path: str) -> int:
    import cephfs

    try:
        with _mounted(cluster, volume) as client:
            for entry in _entries(client, path):
                sys.stdout.write(f"{os.fsdecode(entry.d_name)!a}\n")
    except cephfs.OSError as error:
        sys.stderr.write(f"{error}\n")
        return abs(int(error.errno))
    return 0


@contextlib.contextmanager
def _mounted(cluster: Any, volume: str) -> Iterator[Any]:
    """A client of a volume. It says goodbye: who just ends holds others up until its session times out."""
    import cephfs

    client = cephfs.LibCephFS(rados_inst=cluster)
    client.mount(filesystem_name=volume.encode())
    try:
        yield client
    finally:
        client.unmount()


def _usages(cluster: Any, volume: str) -> int:
    import cephfs

    try:
        with _mounted(cluster, volume) as client:
            found = client.statfs(b"/")
            free = found["f_bavail"] * found["f_frsize"]
            names = json.load(sys.stdin)
            with ThreadPoolExecutor(AT_ONCE) as pool:  # each mostly waits for an answer
                rows = list(pool.map(lambda name: _row(client, name, free), names))
    except cephfs.OSError as error:
        sys.stderr.write(f"{error}\n")
        return abs(int(error.errno))
    json.dump(rows, sys.stdout)
    return 0


def _row(client: Any, name: str, free: int) -> dict[str, Any]:
    import cephfs

    try:
        return {**_usage(client, name), "free": free}
    except cephfs.OSError as error:
        return {"error": abs(int(error.errno))}


def _entries(client: Any, path: str) -> list[Any]:
    """What lies in a directory."""
    found, directory = [], client.opendir(path.encode())
    while entry := client.readdir(directory):
        if entry.d_name not in (b".", b".."):
            found.append(entry)
    client.closedir(directory)
    return found


def _inside(client: Any, path: str) -> str:
    """The directory of a subvolume's files: the only one in it, else that which its `.meta` names (ceph, mgr/volumes).

    To open `.meta` may take 5 s after the manager has written it.
    """
    folders = [entry.d_name.decode() for entry in _entries(client, path) if entry.is_dir()]
    if len(folders) == 1:
        return f"{path}/{folders[0]}"
    meta = client.open(f"{path}/.meta".encode(), "r", 0)
    try:
        text = client.read(meta, 0, 65536).decode()
    finally:
        client.close(meta)
    return str(next(line.partition(" = ")[2] for line in text.splitlines() if line.startswith("path = ")))


def _usage(client: Any, name: str) -> dict[str, Any]:
    """To look for the folder takes half of the time (measured)."""
    import cephfs

    group, subvolume, *folder = name.split("/")
    path = f"/volumes/{group}/{subvolume}"
    if folder:
        with contextlib.suppress(cephfs.ObjectNotFound):
            return _figures(client, f"{path}/{folder[0]}")
    return _figures(client, _inside(client, path))


def _figures(client: Any, inside: str) -> dict[str, Any]:
    import cephfs

    used = int(client.stat(inside).st_size)
    try:
        limit = int(client.getxattr(inside, "ceph.quota.max_bytes"))
    except cephfs.NoData:
        limit = 0
    return {"used": used, "limit": limit, "folder": os.path.basename(inside)}


def _magic(cluster: Any, pool: str, space: str, image: str) -> int:
    import rbd

    try:
        with cluster.open_ioctx(pool) as context:
            context.set_namespace(space)
            with rbd.Image(context, image, read_only=True) as opened:  # without a lock
                sys.stdout.write(f"{opened.read(0, 4)!r}")
    except rbd.Error as error:
        sys.stderr.write(f"{error}\n")
        return abs(int(error.errno))
    return 0


if __name__ == "__main__":
    result = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(result)  # the library's threads may wait for a cluster that has gone
