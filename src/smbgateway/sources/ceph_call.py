"""A program, not a module of ours: asks a Ceph cluster one thing through its libraries, and ends.

    ceph_call.py command CONF NAME JSON      a command of `ceph`, as JSON with its `prefix`; prints the answer
    ceph_call.py list CONF NAME VOLUME PATH  what lies in a directory of a CephFS, one name a line

It ends with the error number of the cluster's answer, or with AWAY where the cluster could not be asked. It does what
`ceph` does in half of its time; a process of its own, because nothing but its end stops a library that waits.
"""

import json
import os
import sys
from typing import Any

AWAY = 240
PATIENCE = {"client_mount_timeout": "5", "rados_mon_op_timeout": "10", "rados_osd_op_timeout": "10"}  # seconds


def main() -> int:
    """Returns what the process shall end with."""
    try:
        import rados
    except ImportError:
        sys.stderr.write("python3-rados is not installed\n")
        return AWAY
    verb, conf, name, *words = sys.argv[1:]
    try:
        cluster = rados.Rados(conffile=conf, name=name, conf=PATIENCE)
        cluster.connect()
    except rados.Error as error:
        sys.stderr.write(f"{error}\n")
        return AWAY
    return _command(cluster, words[0]) if verb == "command" else _list(cluster, words[0], words[1])


def _command(cluster: Any, text: str) -> int:
    command = json.loads(text)
    ask = cluster.mgr_command if command["prefix"].startswith("fs subvolume") else cluster.mon_command
    code, answer, said = ask(text, b"")
    sys.stdout.write(answer.decode())
    sys.stderr.write(said)
    return abs(int(code))


def _list(cluster: Any, volume: str, path: str) -> int:
    import cephfs

    try:
        client = cephfs.LibCephFS(rados_inst=cluster)
        client.mount(filesystem_name=volume.encode())
        directory = client.opendir(path.encode())
        while entry := client.readdir(directory):
            if entry.d_name not in (b".", b".."):
                sys.stdout.write(f"{os.fsdecode(entry.d_name)!a}\n")
    except cephfs.OSError as error:
        sys.stderr.write(f"{error}\n")
        return abs(int(error.errno))
    return 0


if __name__ == "__main__":
    result = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(result)  # the library's threads may wait for a cluster that has gone
