"""Clusters: what is refused, the files of ctdbd, the rule of the fence."""

import contextlib
from typing import Any

import pytest

from smbgateway.allocate import Node, allocate
from smbgateway.checks import check
from smbgateway.cluster import files, takeover
from smbgateway.cluster.member import ClusterMember
from smbgateway.cluster.negotiate import request
from smbgateway.cluster.operations import Operations
from smbgateway.cluster.quorum import SILENT, STALL, TIE, Verdict, View, judge, parse_status
from smbgateway.errors import Conflict, Invalid, NotFound
from smbgateway.model import Cluster, Gateway, parse
from smbgateway.samba.instance import Instance
from smbgateway.samba.launch import Spawn
from smbgateway.store import MemoryStore
from smbgateway.world import World

from .fakes import FakeHost

NODE = Node("n1", (), (), "", 0)
MEMBERS = [{"node": f"n{number}", "address": f"10.1.1.{number}"} for number in (1, 2, 3)]
PUBLIC = [{"address": "10.1.0.100/24", "interface": "vmbr0"}]
LOCKS = "file:PATH on the file system that the members share, or rados:POOL/OBJECT"


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
    lxc = {"kind": "lxc", "bridge": "vmbr0", "address": "10.1.0.5/24"}
    assert faults(gateway(mode=lxc)) == [("gateway.files.mode", "a member does not run in mode lxc", "mode: native")]
    hint = "cluster.members are its nodes, cluster.addresses its addresses"
    told = ("gateway.files.mode", "a cluster has no node or address of its own", hint)
    assert faults(gateway(mode={"node": "n1"})) == [told]


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
    told = faults(gateway("more", members=MEMBERS[:2], mode={"port": 4450}), former=world(gateway()))
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
    ],
)
def test_what_several_nodes_can_serve(source: dict[str, Any], refused: str | None, hint: str) -> None:
    share = {"kind": "share", "name": "docs", "gateway": "files", "source": source}
    what = f"a cluster cannot serve a {refused} source: it is local to one node"
    assert faults(gateway(), share) == ([("share.docs.source", what, hint)] if refused else [])
    assert faults({"kind": "gateway", "name": "files"}, share) == []


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


def test_the_files_of_ctdbd() -> None:
    made = cluster(gateway())
    assert files.public_addresses(made) == "10.1.0.100/24 vmbr0\n"
    conf = files.conf(made.members[1], "/own")
    assert "\tnode address = 10.1.1.2\n\tcluster lock = !/etc/ctdb/lock\n" in conf
    assert "\tvolatile database directory = /own/ctdb/var/volatile\n" in conf
    assert "\trealtime scheduling = false\n" in conf
    assert "exec /usr/libexec/ctdb/ctdb_mutex_fcntl_helper /shared/lock\n" in files.lock(made, "/own")
    rados = files.lock(cluster(gateway(lock="rados:smb@ctdb/files")), "/own")
    assert "exec /usr/libexec/ctdb/ctdb_mutex_ceph_rados_helper ceph client.smb ctdb files\n" in rados
    assert "client.admin ctdb files\n" in files.lock(cluster(gateway(lock="rados:ctdb/files")), "/own")
    assert "    ctdb setvar KeepaliveInterval 1\n" in files.events("/own")


STATUS = """Number of nodes:3
pnn:0 10.77.1.1        OK
pnn:1 10.77.1.2        DISCONNECTED|UNHEALTHY|INACTIVE
pnn:2 10.77.1.3        UNHEALTHY (THIS NODE)
Generation:1563838083
Size:2
hash:0 lmaster:0
hash:1 lmaster:2
Recovery mode:NORMAL (0)
Leader:0
"""


def test_the_status_of_ctdb_is_read() -> None:
    view = parse_status(STATUS)
    assert view is not None
    assert (view.pnn, view.recovering, view.leader, view.connected) == (2, False, 0, 2)
    assert view.flags[1] == {"DISCONNECTED", "UNHEALTHY", "INACTIVE"}
    assert view.flags[2] == {"UNHEALTHY"}
    unknown = parse_status(STATUS.replace("NORMAL (0)", "RECOVERY (1)").replace("Leader:0", "Leader:UNKNOWN"))
    assert unknown == View(2, view.flags, True, None)
    assert parse_status("Warning: All nodes are banned.\n") is None


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


def test_the_message_that_allows_takeover_runs() -> None:
    sent = takeover.request()
    assert len(sent) == 72
    assert sent[:12] == b"\x48\0\0\0BDTC\x01\0\0\0"
    assert sent[32:40] == bytes(6) + b"\x03\xfb"
    assert set(sent[44:]) == {0}


class Asked(FakeHost):
    """A node on which ctdb answers, wherever it is entered."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        self.done.append(argv)
        return {"status": STATUS, "all": "|Public IP|Node|\n|10.1.0.100|0|\n|10.1.0.101|-1|\n"}[argv[-1]]


def operations() -> tuple[Operations, Asked]:
    addresses = [*PUBLIC, {"address": "10.1.0.101/24", "interface": "vmbr0"}]
    (record,) = allocate(parse([gateway(addresses=addresses)]), World.of(MemoryStore()), NODE)
    assert isinstance(record, Gateway)
    running = {"/own/run/supervisor.pid": "7", "/proc/7/cmdline": "python\0/own\0", "/own/run/health": "9 no smbd\n"}
    host = Asked(files=running)
    instance = Instance(host, record, "/own", Spawn(host))
    return Operations(ClusterMember(instance, "n3", contextlib.nullcontext)), host


def test_the_status_of_a_cluster() -> None:
    shown = operations()[0].status()
    assert [(row["node"], row["state"], row["leader"], row["addresses"], row["why"]) for row in shown["members"]] == [
        ("n1", "healthy", True, ["10.1.0.100"], ""),
        ("n2", "unreachable", False, [], ""),
        ("n3", "unhealthy", False, [], "no smbd"),
    ]
    assert shown["addresses"] == [{"address": "10.1.0.100", "node": "n1"}, {"address": "10.1.0.101", "node": ""}]


def test_the_last_healthy_member_is_not_drained() -> None:
    asked, host = operations()
    with pytest.raises(Conflict, match="node n1 is not drained: no other member is healthy"):
        asked.drain("n1", True)
    with pytest.raises(Conflict, match=r"10.1.0.100 is not moved: node n2 is unreachable"):
        asked.move("10.1.0.100", "n2")
    with pytest.raises(NotFound, match="node n9 is no member of gateway files"):
        asked.drain("n9", False)
    assert not any("disable" in words or "moveip" in words for words in host.done)
