"""What is chosen rather than observed: ids, SIDs, the node. Picked once, under the lock, and kept in the record."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from .errors import Conflict
from .model import (
    CephfsSource,
    Cluster,
    Gateway,
    Group,
    LxcMode,
    Member,
    Mode,
    Receiver,
    Resource,
    Share,
    User,
    VmMode,
    XfsSource,
)
from .samba.config import needs_apple
from .world import World

IDS = range(20002, 30000)  # 20000 is the common group, 20001 the guest
OWN_MOUNTS = 32  # of a group of CephFS: each is a process with 18 MB, or of the kernel a session with the cluster
PROJECTS = range(445_000_000, 446_000_000)  # people, containers and kubelet number theirs from 1, 10000 and 1048577 on


@dataclass(frozen=True)
class Node:
    """What is chosen from on this node, and the Unix time.

    taken     ids of accounts that it uses itself
    projects  numbers of XFS projects that it has
    template  of new containers
    image     of new virtual machines
    vmid      the first free number of a guest, on Proxmox VE
    storage   of roots of containers, on Proxmox VE
    disks     the storage of system disks of virtual machines, there too
    """

    name: str
    taken: Collection[int]
    projects: Collection[int]
    template: str
    now: int
    vmid: int | None = None
    storage: str = ""
    disks: str = ""
    image: str = ""


def allocate(records: Sequence[Resource], former: World, node: Node) -> list[Resource]:
    """Complete the records of a request: allocated fields are kept where they were, chosen where they were not."""
    chosen: list[Resource] = []
    for record in records:
        before = former.get(record)
        kept = _keep(record, before)
        if before is None and (wanted := getattr(record, "uid", None) or getattr(record, "gid", None)) in node.taken:
            what = f"{record.title} cannot have the id {wanted}: it is an account's of this node"
            raise Conflict(what, hint="leave it out to get a free one")
        world = former if isinstance(kept, Share) else former.staged(chosen)
        chosen.append(_choose(kept, world, node))
    return _with_apple(_with_mounts(_with_projects(chosen, former, node.projects), former), former)


def _keep(record: Resource, before: Resource | None) -> Resource:
    if before is None:
        return record
    return record.model_copy(update={name: getattr(before, name) for name in record.allocated})


def _choose(record: Resource, world: World, node: Node) -> Resource:
    update: dict[str, object] = {}
    if isinstance(record, Gateway):
        update["sid"] = record.sid or _sid(world)
        before = world.gateways.get(record.name)
        update["mode"] = record.mode if record.cluster else _mode(record, before, world, node)
        update["cluster"] = record.cluster and _cluster(record.cluster, before.cluster if before else None)
    elif isinstance(record, User):
        update["uid"] = record.uid or _free((user.uid for user in world.users.values()), node.taken)
    elif isinstance(record, Group):
        update["gid"] = record.gid or _free((group.gid for group in world.groups.values()), node.taken)
    if isinstance(record, User | Receiver) and record.password:
        update["password_set"] = max(node.now, (record.password_set or 0) + 1)
    return record.model_copy(update=update)


def _mode(gateway: Gateway, before: Gateway | None, world: World, node: Node) -> Mode:
    mode = gateway.mode
    update: dict[str, object] = {} if mode.node else {"node": node.name}
    if isinstance(mode, LxcMode | VmMode):
        chosen: dict[str, str | int | None] = {
            "mac": _mac(gateway.name, mode),
            "template": node.template,
            "image": node.image,
            "vmid": _vmid(world, node.vmid),
            "storage": node.storage if isinstance(mode, LxcMode) else node.disks,
        }
        if before and before.mode.kind == mode.kind:
            chosen |= {name: getattr(before.mode, name) for name in mode.allocated}
        chosen = {name: chosen[name] for name in mode.allocated}
        update |= {name: value for name, value in chosen.items() if not getattr(mode, name)}
    return mode.model_copy(update=update)


def _cluster(cluster: Cluster, before: Cluster | None) -> Cluster:
    """Members keep their numbers: who is left out is marked as removed in its place, who is new goes to the end."""
    wanted = {(member.node, member.address): member for member in cluster.members}
    known = [(member.node, member.address) for member in before.members] if before else []
    kept = [wanted.pop(key, Member(node=key[0], address=key[1], removed=True)) for key in known]
    return cluster.model_copy(update={"members": (*kept, *wanted.values())})


def _vmid(world: World, first: int | None) -> int | None:
    """A number that neither Proxmox VE nor a record of ours has given away."""
    taken = {getattr(gateway.mode, "vmid", None) for gateway in world.gateways.values()}
    return next(number for number in count(first) if number not in taken) if first else None


def _mac(gateway: str, mode: LxcMode | VmMode) -> str:
    """An address of hardware, of those that belong to nobody (the second bit of the first byte).

    One made again at the same place has the same: a new one stays unknown for a minute to who remembers the former.
    """
    words = f"{gateway} {mode.bridge} {mode.vlan} {mode.address or secrets.token_hex(5)}"
    return ":".join(f"{byte:02x}" for byte in b"\x02" + hashlib.sha256(words.encode()).digest()[:5])


def _free(used: Iterable[int | None], taken: Collection[int]) -> int:
    busy = {*used, *taken}
    for number in IDS:
        if number not in busy:
            return number
    raise Conflict("all 9998 ids are in use")


def _sid(world: World) -> str:
    """One machine SID for all gateways, so that owners in NT ACLs stay true when a share moves."""
    known = next((gateway.sid for gateway in world.gateways.values() if gateway.sid), "")
    return known or "S-1-5-21-" + "-".join(str(secrets.randbelow(2**32 - 2**20) + 2**20) for _ in range(3))


def _with_projects(records: list[Resource], former: World, taken: Collection[int]) -> list[Resource]:
    """A share on an XFS gets a number that no other has."""
    shares = [*former.shares.values(), *(record for record in records if isinstance(record, Share))]
    busy = {*taken, *(share.project for share in shares)}
    free = (number for number in PROJECTS if number not in busy)

    def numbered(record: Resource) -> Resource:
        if not isinstance(record, Share) or not isinstance(record.source, XfsSource):
            return record
        if record.project in taken and former.get(record) is None:
            what = f"{record.title} cannot have the XFS project {record.project}: the node has one of that number"
            raise Conflict(what, hint="leave it out to get a free one")
        return record.model_copy(update={"project": record.project or next(free)})

    return [numbered(record) for record in records]


def _with_mounts(records: list[Resource], former: World) -> list[Resource]:
    """A new share on CephFS has a mount of its own, or where its group has many of these, one with others."""
    own = Counter(_group_of(share) for share in former.shares.values() if not share.common)

    def placed(record: Resource) -> Resource:
        if not isinstance(record, Share) or not isinstance(record.source, CephfsSource) or former.get(record):
            return record
        own[_group_of(record)] += 1
        return record.model_copy(update={"common": record.common or own[_group_of(record)] > OWN_MOUNTS})

    return [placed(record) for record in records]


def _group_of(share: Share) -> str:
    source = share.source
    return f"{source.conf} {source.subvolume.rpartition('/')[0]}" if isinstance(source, CephfsSource) else ""


def _with_apple(records: list[Resource], former: World) -> list[Resource]:
    """A gateway whose share needs fruit gets it for good; it joins the request where it did not stand in it."""
    staged = former.staged(records)
    for name in {record.gateway for record in records if isinstance(record, Share) and needs_apple(record)}:
        gateway = staged.gateways.get(name)
        if gateway and not gateway.apple:
            records = [record for record in records if (record.kind, record.key) != ("gateway", name)]
            records.insert(0, gateway.model_copy(update={"apple": True}))
    return records
