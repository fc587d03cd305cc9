"""Clusters: what is refused, the files of ctdbd, the rule of the fence."""

import contextlib
import shlex
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from smbgateway.allocate import Node, allocate
from smbgateway.checks import check
from smbgateway.cluster import ctdbd, files
from smbgateway.cluster.negotiate import request
from smbgateway.cluster.quorum import SILENT, STALL, TIE, Verdict, View, judge
from smbgateway.errors import Invalid
from smbgateway.model import Cluster, Gateway, parse
from smbgateway.samba import supervise
from smbgateway.samba.instance import Instance
from smbgateway.samba.launch import Spawn
from smbgateway.samba.proof import Prover
from smbgateway.store import MemoryStore
from smbgateway.world import World

from .fakes import Call, FakeHost

NODE = Node("n1", (), (), "", 0)
MEMBERS = [{"node": f"n{number}", "address": f"10.1.1.{number}"} for number in (1, 2, 3)]
PUBLIC = [{"address": "10.1.0.100/24", "interface": "vmbr0"}]
OTHERS = [{"address": "10.1.0.101/24", "interface": "vmbr0"}]
LOCKS = "file:PATH on the file system that the members share, rados:POOL/OBJECT, or pmxcfs on Proxmox VE"


def gateway(name: str = "files", mode: Any = None, **more: Any) -> dict[str, Any]:
    cluster = {"members": MEMBERS, "addresses": PUBLIC, "lock": "file:/shared/lock", **more}
    return {"kind": "gateway", "name": name, "cluster": cluster, **({"mode": mode} if mode else {})}


def world(*items: dict[str, Any]) -> World:
    empty = World.of(MemoryStore())
    return empty.staged(allocate(parse(items), empty, NODE))


def faults(*items: dict[str, Any], former: World | None = None) -> list[tuple[str, str, str]]:
    former = former or World.of(MemoryStore())
    records = allocate(parse(items), former, NODE)
    return [(f.field, f.message, f.hint) for f in check(former.staged(records), former, records)]


def cluster(*items: dict[str, Any], former: World | None = None) -> Cluster:
    (record,) = allocate(parse(items), former or World.of(MemoryStore()), NODE)
    assert isinstance(record, Gateway)
    assert record.cluster
    return record.cluster


def test_a_cluster_as_it_should_be() -> None:
    assert faults(gateway()) == []
    assert faults(gateway(lock="rados:smb@ctdb/files", quorum="lock")) == []


def test_it_has_a_lock() -> None:
    without = ("gateway.files.cluster.lock", "without a lock both halves of a partition would serve", LOCKS)
    assert faults(gateway(lock=None)) == [without]


@pytest.mark.parametrize("lock", ["", "file:", "file:lock", "nfs:/x", "rados:pool", "rados:-x/y", "file:/a/../b"])
def test_what_is_no_lock(lock: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse([gateway(lock=lock)])
    assert caught.value.faults[0].field == "gateway.files.cluster.lock"


def test_it_is_made_as_one_and_stays_one() -> None:
    single = {"kind": "gateway", "name": "files"}
    told = ("gateway.files.cluster", "a cluster is made as one, and stays one")
    hint = "make another gateway, and its shares there"
    assert (*told, hint) in faults(gateway(), former=world(single))
    assert (*told, hint) in faults(single, former=world(gateway()))


def test_members_run_on_nodes_that_they_name() -> None:
    machine = {"kind": "vm", "bridge": "vmbr0", "address": "10.1.0.5/24"}
    what = "members of a cluster run on the nodes or in containers: a machine cannot be one"
    hint = "mode: native or lxc; or leave out cluster, and let Proxmox HA restart it on another node"
    assert ("gateway.files.mode", what, hint) in faults(gateway(mode=machine))
    hint = "cluster.members are its nodes, cluster.addresses its addresses"
    told = ("gateway.files.mode", "a cluster has no node or address of its own", hint)
    assert faults(gateway(mode={"node": "n1"})) == [told]


def contained(name: str = "files", mode: Any = None, **more: Any) -> dict[str, Any]:
    """A cluster whose members are containers."""
    given = {"bridge": "vmbr1", "addresses": [{**PUBLIC[0], "interface": "eth0"}], **more}
    return gateway(name, {"kind": "lxc", "bridge": "vmbr0", "memory": "256M", **(mode or {})}, **given)


def test_an_address_is_one_gateways() -> None:
    told = faults(contained("more"), former=world(gateway()))
    assert told == [("gateway.more.cluster.addresses", "10.1.0.100 is gateway files's", "")]
    others = [{**OTHERS[0], "interface": "eth0"}]
    assert faults(contained("more", addresses=others), former=world(gateway())) == [], "each has a ctdbd of its own"


OWN_DIRECTORY = "file:PATH on the file system that the members share, in a directory of its own"


@pytest.mark.parametrize(
    ("mode", "more", "field", "message", "hint"),
    [
        ({}, {}, "", "", ""),
        (
            {"address": "10.1.0.5/24"}, {}, "mode", "a cluster has no node or address of its own",
            "cluster.members are its nodes, cluster.addresses its addresses",
        ),
        ({"vmid": 105}, {}, "mode.vmid", "each node makes its member of what it has itself", "leave it out"),
        (
            {"memory": "128M"}, {}, "mode.memory", "ctdbd, the fence and Samba of a member need 256M",
            "memory: 256M or more",
        ),
        (
            {}, {"bridge": ""}, "cluster.bridge", "it is missing: containers have the members' own network by it",
            "such as vmbr1",
        ),
        (
            {}, {"bridge": "vmbr0"}, "cluster.bridge", "vmbr0 is the one of clients",
            "CTDB neither authenticates nor encrypts: give members a bridge of their own",
        ),
        (
            {}, {"addresses": PUBLIC}, "cluster.addresses", "there is no interface vmbr0 in a container",
            "interface: eth0, which hangs on vmbr0",
        ),
        (
            {}, {"length": 31}, "cluster.members", "they are in different networks: 10.1.1.0/31, 10.1.1.2/31",
            "length: of the prefix they share",
        ),
        (
            {}, {"lock": "rados:ctdb/files"}, "cluster.lock",
            "a container has neither the network of Ceph nor a key, which clients are not to come near", OWN_DIRECTORY,
        ),
        (
            {}, {"lock": "pmxcfs"}, "cluster.lock",
            "the file system of Proxmox VE is not seen in an unprivileged container", OWN_DIRECTORY,
        ),
    ],
)  # fmt: skip
def test_members_in_containers(mode: Any, more: Any, field: str, message: str, hint: str) -> None:
    assert faults(contained(mode=mode, **more)) == ([(f"gateway.files.{field}", message, hint)] if field else [])


def test_a_lock_of_containers_is_beside_no_data() -> None:
    source = {"kind": "directory", "path": "/shared/docs", "shared": True}
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": source}
    what = "containers see its directory, and share docs is in there"
    assert faults(contained(), share) == [("gateway.files.cluster.lock", what, OWN_DIRECTORY)]
    assert faults(contained(lock="file:/shared/locks/files"), share) == []


def test_a_container_that_is_no_member_has_an_address() -> None:
    told = faults({"kind": "gateway", "name": "files", "mode": {"kind": "lxc", "bridge": "vmbr0"}})
    hint = "ADDRESS/LENGTH on the bridge, such as 192.168.1.50/24"
    assert told == [("gateway.files.mode.address", '"address" is missing', hint)]


def test_what_members_on_the_nodes_have_not() -> None:
    told = ("gateway.files.cluster.bridge", "only members in containers have one", "leave it out")
    assert faults(gateway(bridge="vmbr1")) == [told]


@pytest.mark.parametrize(
    ("members", "message", "hint"),
    [
        (MEMBERS[:1], "a cluster has at least two members", "leave out cluster for one node"),
        ([*MEMBERS, {**MEMBERS[0], "address": "10.1.1.9"}], "node n1 stands twice", ""),
        (
            [*MEMBERS, {**MEMBERS[0], "node": "n4"}],
            "address 10.1.1.1 stands twice",
            "an address that a member had is not given again",
        ),
        (
            [*MEMBERS[:2], {"node": "n3", "address": "10.1.0.3"}],
            "10.1.0.3 of n3 is in 10.1.0.0/24, the network of clients",
            "CTDB neither authenticates nor encrypts: give members addresses in a network of their own",
        ),
    ],
)
def test_members_that_are_refused(members: list[dict[str, str]], message: str, hint: str) -> None:
    assert faults(gateway(members=members)) == [("gateway.files.cluster.members", message, hint)]


def test_an_address_stands_once() -> None:
    told = ("gateway.files.cluster.addresses", "10.1.0.100 stands twice", "")
    assert faults(gateway(addresses=PUBLIC * 2)) == [told]


def test_a_node_is_a_member_of_one_cluster() -> None:
    more = gateway("more", members=MEMBERS[:2], addresses=OTHERS, mode={"port": 4450})
    told = faults(more, former=world(gateway()))
    what = "n1, n2 is a member of gateway files: a node has one ctdbd"
    assert told == [("gateway.more.cluster.members", what, "add the share to it (--gateway files)")]


def test_a_native_gateway_beside_a_cluster_needs_another_port() -> None:
    told = faults({"kind": "gateway", "name": "one", "mode": {"node": "n2"}}, former=world(gateway()))
    assert [(field, message) for field, message, _ in told] == [
        ("gateway.one.mode.port", "port 445 of the same address is gateway files's")
    ]


ONE_NODE = "put it on CephFS or a shared file system, or serve it by a gateway of one node"


@pytest.mark.parametrize(
    ("source", "refused", "hint"),
    [
        ({"kind": "cephfs", "subvolume": "cephfs/docs"}, None, ""),
        ({"kind": "directory", "path": "/srv/docs", "shared": True}, None, ""),
        (
            {"kind": "directory", "path": "/srv/docs"},
            "directory",
            f"source.shared: true, if it lies on a shared file system; else {ONE_NODE}",
        ),
        ({"kind": "image", "path": "/srv/docs.img"}, "image", ONE_NODE),
        ({"kind": "btrfs", "path": "/srv/docs"}, "btrfs", ONE_NODE),
        ({"kind": "xfs", "path": "/srv/docs"}, "xfs", ONE_NODE),
        ({"kind": "zfs", "dataset": "tank/docs"}, "zfs", ONE_NODE),
        ({"kind": "storage", "storage": "local-zfs"}, "storage", ONE_NODE),
        ({"kind": "rbd", "image": "rbd/docs"}, "rbd", ONE_NODE),
    ],
)
def test_what_several_nodes_can_serve(source: dict[str, Any], refused: str | None, hint: str) -> None:
    quota = {"quota": "10G"} if refused in ("storage", "rbd") else {}
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": source, **quota}
    why = {"storage": "it is a volume of one guest", "rbd": "it has one writer only"}.get(
        str(refused), "it is local to one node"
    )
    what = f"a cluster cannot serve a {refused} source: {why}"
    told = [fault for fault in faults(gateway(), share) if "cluster" in fault[1]]
    assert told == ([("share.docs.source", what, hint)] if refused else [])
    assert not any("cluster" in message for _, message, _ in faults({"kind": "gateway", "name": "files"}, share))


def test_its_lock_stays() -> None:
    what = "the lock is file:/shared/lock: members that ask for another would not keep each other out"
    told = faults(gateway(lock="rados:ctdb/files"), former=world(gateway()))
    hint = "make another gateway with the other lock, and its shares there"
    assert told == [("gateway.files.cluster.lock", what, hint)]


def test_a_lock_of_pmxcfs_goes_with_a_majority() -> None:
    assert faults(gateway(lock="pmxcfs")) == []
    what = "a last survivor has no lock of pmxcfs, which needs a majority of nodes"
    hint = "quorum: majority, or a lock of another kind"
    assert faults(gateway(lock="pmxcfs", quorum="lock")) == [("gateway.files.cluster.quorum", what, hint)]


def test_members_come_and_go_one_at_a_time() -> None:
    field, former = "gateway.files.cluster.members", world(gateway())
    fourth = {"node": "n4", "address": "10.1.1.4"}
    hint = "change one at a time: so there is a majority at any moment, and only one"
    told = faults(gateway(members=[*MEMBERS[:2], fourth]), former=former)
    assert told == [(field, "n3, n4 would leave or join at once", hint)]
    assert faults(gateway(members=MEMBERS[:2]), former=former) == []
    assert faults(gateway(members=[*MEMBERS, fourth]), former=former) == []
    moved = [*MEMBERS[:2], {"node": "n3", "address": "10.1.1.9"}]
    what = "n3 is a member at 10.1.1.3, which stays while it is one"
    assert faults(gateway(members=moved), former=former) == [
        (field, what, "apply without n3, then with its new address")
    ]


def test_who_leaves_keeps_the_number_and_who_comes_is_the_last() -> None:
    first = world(gateway())
    without = gateway(members=[MEMBERS[0], MEMBERS[2]])
    left = cluster(without, former=first)
    assert files.nodes(left) == "10.1.1.1\n#10.1.1.2\n10.1.1.3\n"
    second = first.staged(allocate(parse([without]), first, NODE))
    fourth = {"node": "n4", "address": "10.1.1.4"}
    grown = cluster(gateway(members=[fourth, *MEMBERS[:1], MEMBERS[2]]), former=second)
    assert files.nodes(grown) == "10.1.1.1\n#10.1.1.2\n10.1.1.3\n10.1.1.4\n"
    assert [member.node for member in grown.active] == ["n1", "n3", "n4"]
    back = cluster(gateway(), former=second)
    assert files.nodes(back) == "10.1.1.1\n10.1.1.2\n10.1.1.3\n"


def helper(made: Cluster) -> list[str]:
    """What is run to take the lock, by the program that asks for it again."""
    begin = f"exec setsid setpriv --pdeathsig TERM /usr/bin/python3 -I -m {files.MUTEX} /own "
    text = files.lock(made, "/own", made.members[0], "/priv/locks/files", "/usr/bin/python3", str)
    _, found, rest = text.partition(begin)
    assert found
    return shlex.split(rest)


def test_the_files_of_ctdbd() -> None:
    made = cluster(gateway())
    assert files.public_addresses(made) == "10.1.0.100/24 vmbr0\n"
    conf = files.conf(made.members[1], "/own")
    assert "\tnode address = 10.1.1.2\n\tcluster lock = !/etc/ctdb/lock\n" in conf
    assert "\tvolatile database directory = /own/ctdb/var/volatile\n" in conf
    assert "\trealtime scheduling = false\n" in conf
    assert helper(made) == ["/usr/libexec/ctdb/ctdb_mutex_fcntl_helper", "/shared/lock"]
    rados = ["/usr/libexec/ctdb/ctdb_mutex_ceph_rados_helper", "ceph"]
    assert helper(cluster(gateway(lock="rados:smb@ctdb/files"))) == [*rados, "client.smb", "ctdb", "files", "5"]
    assert helper(cluster(gateway(lock="rados:ctdb/files"))) == [*rados, "client.admin", "ctdb", "files", "5"]
    pmxcfs = ["/usr/bin/python3", "-I", "-m", files.PMXCFS, "/priv/locks/files", "n1", "10.1.1.1", "/own/run/mutex"]
    assert helper(cluster(gateway(lock="pmxcfs"))) == pmxcfs
    assert "    ctdb setvar KeepaliveInterval 1\n" in files.events("/own")
    assert "route" not in files.events("/own")
    assert '&&\n        ip route replace default via 10.1.0.1 dev "$2" ;;' in files.events("/own", "10.1.0.1")


def nodes(*flags: int) -> bytes:
    """struct ctdb_node_map: numbers, flags, and addresses."""
    address = struct.pack("=HH4s20x", 2, 0, bytes([10, 77, 1, 1]))
    return struct.pack("=I", len(flags)) + b"".join(
        struct.pack("=II", number, each) + address for number, each in enumerate(flags)
    )


class Played(threading.Thread):
    """A ctdbd that answers at its socket: member 2 of three, the second unreachable; the leader is the first."""

    ANSWERS: ClassVar = {
        15: (0, b""), 23: (0, b""), 35: (2, b""), 91: (0, nodes(0, 3, 2)), 125: (0, b""), 138: (0, b"\5\0\0\0"),
    }  # fmt: skip

    def __init__(self, own: Path) -> None:
        super().__init__(daemon=True)
        (own / "ctdb/run").mkdir(parents=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(own / "ctdb/run/ctdbd.socket"))
        self.listener.listen()
        self.messages: list[bytes] = []
        self.start()

    def run(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                while header := connection.recv(32):
                    self.answer(connection, struct.unpack("=8I", header))

    def answer(self, connection: socket.socket, header: tuple[int, ...]) -> None:
        body = connection.recv(header[0] - 32)
        if header[4] == 5:
            self.messages.append(body)
            return
        (opcode,) = struct.unpack_from("=I", body)
        if opcode == 125:
            self.messages.append(body[28:])
        status, data = self.ANSWERS[opcode]
        if opcode == 91:
            connection.sendall(ctdbd.message(2, ctdbd.LEADER, struct.pack("=I", 0)))
        connection.sendall(ctdbd.packet(8, 0, header[7], struct.pack("=iII", status, len(data), 0) + data))


def test_what_a_member_sees_is_asked_of_ctdbd(tmp_path: Path) -> None:
    assert ctdbd.look(str(tmp_path)) is None
    played = Played(tmp_path)
    view = ctdbd.look(str(tmp_path))
    assert view is not None
    assert (view.pnn, view.recovering, view.leader, view.connected) == (2, False, 0, 2)
    assert view.flags == {0: frozenset(), 1: {"DISCONNECTED", "UNHEALTHY"}, 2: {"UNHEALTHY"}}
    assert view.lost_leader is None
    with contextlib.closing(ctdbd.Ctdbd(str(tmp_path))) as asked:
        asked.allow_takeover()
        asked.call_election()
        asked.set_link(2, "eth0", up=False)
    for _ in range(200):
        if len(played.messages) == 4:
            break
        time.sleep(0.01)
    assert played.messages[0] == struct.pack("=QI", 0xFB03 << 48, 16) + bytes(20)
    assert played.messages[1] == struct.pack("=QII", 0xF101 << 48, 4, 0xFFFFFFFF)
    assert played.messages[2][:24] == b"eth0" + bytes(20)
    assert played.messages[3] == struct.pack("=QIIIQ", 0xFB00 << 48, 16, 2, 0, 0) + bytes(4)


def test_who_left_is_no_member_and_a_leader_may_be_gone() -> None:
    assert ctdbd.parse_nodes(nodes(0, 0x10, 0x20 | 0x08 | 0x04)) == {
        0: frozenset(),
        2: {"DISABLED", "BANNED", "STOPPED"},
    }
    assert View(0, ctdbd.parse_nodes(nodes(0, 1)), False, 1).lost_leader == 1
    assert View(0, ctdbd.parse_nodes(nodes(0, 0x10)), False, 1).lost_leader == 1
    assert View(0, ctdbd.parse_nodes(nodes(0, 2)), False, 1).lost_leader is None


def seen(connected: int, of: int, recovering: bool = False, own: str = "") -> View:
    flags = {n: frozenset({"DISCONNECTED"} if n >= connected else ()) for n in range(of)}
    flags[0] = frozenset({own} if own else ())
    return View(0, flags, recovering)


MINORITY = "sees {} of {} members, which is no majority"


@pytest.mark.parametrize(
    ("view", "members", "linked", "quorum", "verdict"),
    [
        (seen(3, 3), 3, True, "majority", Verdict(True, True)),
        (seen(2, 3), 3, True, "majority", Verdict(True, True)),
        (seen(2, 3), 3, False, "majority", Verdict(True, True)),
        (seen(1, 3), 3, True, "majority", Verdict(False, False, MINORITY.format(1, 3))),
        (seen(1, 3), 3, True, "lock", Verdict(True, True)),
        (seen(1, 3), 3, False, "lock", Verdict(False, False, MINORITY.format(1, 3))),
        (seen(1, 2), 2, True, "majority", Verdict(True, True)),
        (seen(1, 2), 2, False, "majority", Verdict(False, False, MINORITY.format(1, 2))),
        (seen(2, 4), 4, False, "majority", Verdict(True, True)),
        (seen(1, 4), 4, True, "majority", Verdict(False, False, MINORITY.format(1, 4))),
        (seen(1, 2, True), 2, True, "majority", Verdict(True, False, "is in recovery", TIE)),
        (seen(2, 3, True), 3, True, "majority", Verdict(True, False, "is in recovery", STALL)),
        (seen(3, 3, own="BANNED"), 3, True, "majority", Verdict(True, False, "is banned")),
        (seen(3, 3, own="STOPPED"), 3, True, "majority", Verdict(True, False, "is stopped")),
        (seen(3, 3, own="UNHEALTHY"), 3, True, "majority", Verdict(True, True)),
        (None, 3, True, "majority", Verdict(False, False, "ctdbd does not answer", SILENT)),
    ],
)
def test_who_may_serve(view: View | None, members: int, linked: bool, quorum: str, verdict: Verdict) -> None:
    assert judge(view, members, linked, quorum) == verdict


def test_the_question_to_smbd_is_one_of_smb2() -> None:
    asked = request()
    assert asked[:8] == b"\x00\x00\x00\x6a\xfeSMB"
    assert len(asked) == 4 + 64 + 36 + 6


def test_a_log_that_has_become_long_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "ctdb.log"
    monkeypatch.setattr(supervise, "LONGEST_LOG", 4)
    supervise.cut(str(log))
    with log.open("a") as writer:
        writer.write("long\n")
        writer.flush()
        supervise.cut(str(log))
        writer.write("more")
    assert ((tmp_path / "ctdb.log.old").read_text(), log.read_text()) == ("long\n", "more")


def test_a_new_share_is_awaited_at_each_address_and_where_it_is_missing_is_told() -> None:
    def asked(address: str, *said: str) -> list[Call]:
        argv = ("smbclient", "--configfile=/own/client.conf", "--port=445", "-N", f"//{address}/docs", "-c", "exit")
        return [Call(argv, f"tree connect failed: NT_STATUS_{word}\n", 1) for word in said]

    served, late = asked("10.0.0.1", "ACCESS_DENIED"), asked("10.0.0.2", "BAD_NETWORK_NAME", "ACCESS_DENIED")
    host = FakeHost([*served, *late, *asked("10.0.0.3", "BAD_NETWORK_NAME")])
    prover = Prover(Instance(host, Gateway(name="files"), "/own", Spawn(host)))
    told = prover.unserved("docs", ["10.0.0.1", "10.0.0.2", "10.0.0.3"], time.monotonic() + 0.5)
    assert [line.partition(":")[0] for line in told] == ["share docs is not served at 10.0.0.3"]
    assert len(host.done) > 4, "it asks again"
