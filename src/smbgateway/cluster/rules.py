"""What a cluster may be, and what it may serve. Pure."""

import ipaddress
from collections import Counter
from collections.abc import Iterable

from ..errors import Fault
from ..model import CephfsSource, Cluster, DirectorySource, Gateway, LxcMode, Share, VmMode
from ..world import World

LOCKS = "file:PATH on the file system that the members share, rados:POOL/OBJECT, or pmxcfs on Proxmox VE"
ONE_NODE = "put it on CephFS or a shared file system, or serve it by a gateway of one node"
CHOSEN = ("mac", "template", *LxcMode.on_proxmox)
LEAST = 256 << 20  # bytes
OUTSIDE = {
    "rados": "a container has neither the network of Ceph nor a key, which clients are not to come near",
    "pmxcfs": "the file system of Proxmox VE is not seen in an unprivileged container",
}
NOT_SHARED = {"rbd": "it has one writer only", "storage": "it is a volume of one guest"}


def faults(gateway: Gateway, staged: World, before: Gateway | None) -> Iterable[Fault]:
    """What stands against a gateway as a cluster."""
    if before and bool(before.cluster) != bool(gateway.cluster):
        yield Fault("cluster", "a cluster is made as one, and stays one", "make another gateway, and its shares there")
    if not gateway.cluster:
        return
    yield from _mode(gateway)
    if isinstance(gateway.mode, LxcMode):
        yield from _containers(gateway.mode, gateway.cluster, staged.shares_of(gateway.name))
    elif gateway.cluster.bridge:
        yield Fault("cluster.bridge", "only members in containers have one", "leave it out")
    yield from _members(gateway.cluster)
    yield from _addresses(gateway.cluster)
    if gateway.cluster.lock is None:
        yield Fault("cluster.lock", "without a lock both halves of a partition would serve", LOCKS)
    if gateway.cluster.lock == "pmxcfs" and gateway.cluster.quorum == "lock":
        hint = "quorum: majority, or a lock of another kind"
        yield Fault("cluster.quorum", "a last survivor has no lock of pmxcfs, which needs a majority of nodes", hint)
    if before and before.cluster:
        yield from _changes(before.cluster, gateway.cluster)
    for other in staged.gateways.values():
        if other.name == gateway.name or not other.cluster:
            continue
        if both := set(gateway.addresses) & set(other.addresses):
            yield Fault("cluster.addresses", f"{', '.join(sorted(both))} is gateway {other.name}'s")
        native = gateway.mode.kind == other.mode.kind == "native"
        if native and (both := set(gateway.nodes) & set(other.nodes)):
            what = f"{', '.join(sorted(both))} is a member of gateway {other.name}: a node has one ctdbd"
            yield Fault("cluster.members", what, f"add the share to it (--gateway {other.name})")


def _changes(before: Cluster, after: Cluster) -> Iterable[Fault]:
    """A lock stays, and members come and go one at a time: any two majorities of before and after share one."""
    if after.lock and before.lock and after.lock != before.lock:
        what = f"the lock is {before.lock}: members that ask for another would not keep each other out"
        yield Fault("cluster.lock", what, "make another gateway with the other lock, and its shares there")
    was, now = ({member.node: member.address for member in each.active} for each in (before, after))
    moved = [node for node in sorted(was.keys() & now.keys()) if was[node] != now[node]]
    for node in moved:
        what = f"{node} is a member at {was[node]}, which stays while it is one"
        yield Fault("cluster.members", what, f"apply without {node}, then with its new address")
    if not moved and len(changed := sorted(was.keys() ^ now.keys())) > 1:
        hint = "change one at a time: so there is a majority at any moment, and only one"
        yield Fault("cluster.members", f"{', '.join(changed)} would leave or join at once", hint)


def _mode(gateway: Gateway) -> Iterable[Fault]:
    mode = gateway.mode
    if isinstance(mode, VmMode):
        hint = "mode: native or lxc; or leave out cluster, and let Proxmox HA restart it on another node"
        yield Fault("mode", "members of a cluster run on the nodes or in containers: a machine cannot be one", hint)
    elif mode.node or mode.addresses:
        hint = "cluster.members are its nodes, cluster.addresses its addresses"
        yield Fault("mode", "a cluster has no node or address of its own", hint)


def _containers(mode: LxcMode, cluster: Cluster, shares: Iterable[Share]) -> Iterable[Fault]:
    """What members in containers need, and what they cannot have."""
    if given := [name for name in CHOSEN if getattr(mode, name)]:
        yield Fault(f"mode.{given[0]}", "each node makes its member of what it has itself", "leave it out")
    if mode.memory < LEAST:
        yield Fault("mode.memory", "ctdbd, the fence and Samba of a member need 256M", "memory: 256M or more")
    if not cluster.bridge:
        yield Fault("cluster.bridge", "it is missing: containers have the members' own network by it", "such as vmbr1")
    elif cluster.bridge == mode.bridge:
        hint = "CTDB neither authenticates nor encrypts: give members a bridge of their own"
        yield Fault("cluster.bridge", f"{cluster.bridge} is the one of clients", hint)
    if others := sorted({each.interface for each in cluster.addresses} - {"eth0"}):
        what = f"there is no interface {', '.join(others)} in a container"
        yield Fault("cluster.addresses", what, f"interface: eth0, which hangs on {mode.bridge}")
    networks = {ipaddress.ip_interface(f"{each.address}/{cluster.length}").network for each in cluster.active}
    if len(networks) > 1:
        shown = ", ".join(sorted(map(str, networks)))
        yield Fault("cluster.members", f"they are in different networks: {shown}", "length: of the prefix they share")
    yield from _lock_inside(str(cluster.lock), shares)


def _lock_inside(lock: str, shares: Iterable[Share]) -> Iterable[Fault]:
    kind, _, path = lock.partition(":")
    hint = "file:PATH on the file system that the members share, in a directory of its own"
    if kind in OUTSIDE:
        yield Fault("cluster.lock", OUTSIDE[kind], hint)
    folder = f"{path.rpartition('/')[0]}/"
    for share in shares if kind == "file" else ():
        if isinstance(share.source, DirectorySource) and f"{share.source.path}/".startswith(folder):
            yield Fault("cluster.lock", f"containers see its directory, and share {share.name} is in there", hint)


def _members(cluster: Cluster) -> Iterable[Fault]:
    for what, values in (
        ("node", [member.node for member in cluster.active]),
        ("address", [member.address for member in cluster.members]),
    ):
        for value in (value for value, number in Counter(values).items() if number > 1):
            hint = "an address that a member had is not given again" if what == "address" else ""
            yield Fault("cluster.members", f"{what} {value} stands twice", hint)
    if len(cluster.active) < 2:
        yield Fault("cluster.members", "a cluster has at least two members", "leave out cluster for one node")


def _addresses(cluster: Cluster) -> Iterable[Fault]:
    public = [ipaddress.ip_interface(each.address) for each in cluster.addresses]
    for address, number in Counter(each.ip for each in public).items():
        if number > 1:
            yield Fault("cluster.addresses", f"{address} stands twice")
    for member in cluster.active:
        inside = [str(each.network) for each in public if ipaddress.ip_address(member.address) in each.network]
        if inside:
            what = f"{member.address} of {member.node} is in {inside[0]}, the network of clients"
            hint = "CTDB neither authenticates nor encrypts: give members addresses in a network of their own"
            yield Fault("cluster.members", what, hint)


def source_faults(share: Share, gateway: Gateway | None) -> Iterable[Fault]:
    """Whether a source can be served by several nodes at once."""
    source = share.source
    shared = isinstance(source, DirectorySource) and source.shared
    if gateway and gateway.cluster and not shared and not isinstance(source, CephfsSource):
        why = NOT_SHARED.get(source.kind, "it is local to one node")
        hint = f"source.shared: true, if it lies on a shared file system; else {ONE_NODE}"
        yield Fault("source", f"a cluster cannot serve a {source.kind} source: {why}",
                    hint if isinstance(source, DirectorySource) else ONE_NODE)  # fmt: skip
