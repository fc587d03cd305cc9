"""Rules between resources, over the staged world: pure, every fault at once."""

import bisect
import functools
from collections.abc import Callable, Iterable, Sequence

from .cluster import rules as clusters
from .errors import Fault
from .model import (
    SOURCE_SPECS,
    CephfsSource,
    Gateway,
    Group,
    HomesPurpose,
    ImageSource,
    LxcMode,
    MailWay,
    RbdSource,
    Receiver,
    Resource,
    Share,
    Source,
    StorageSource,
    User,
    VmMode,
    WebhookWay,
    XfsSource,
    ZfsSource,
    did_you_mean,
    show_source,
)
from .world import World

FREE_ID = "leave it out to get a free one"
ANEW = "a password goes with its receiver only: delete it, then make it again"


def check(staged: World, former: World, changed: Iterable[Resource]) -> list[Fault]:
    """The faults of the changed resources in the staged world."""
    faults: list[Fault] = []
    changed = list(changed)
    places = Places(staged) if any(isinstance(record, Share) for record in changed) else None
    for record in changed:
        found = list(RULES[record.kind](record, staged, former))
        if isinstance(record, Share) and places:
            found += places.faults(record)
        faults += [Fault(f"{record.kind}.{record.name}.{f.field}", f.message, f.hint) for f in found]
    return faults


def check_removed(staged: World, removed: Iterable[Resource]) -> list[Fault]:
    """The faults of removing records: what still needs them."""
    faults: list[Fault] = []
    for record in removed:
        for user in _needed_by(record, staged):
            hint = f"delete or change {user.title} first"
            faults.append(Fault(f"{record.kind}.{record.name}", f"{user.title} still needs it", hint))
        gateway = staged.gateways.get(record.gateway) if isinstance(record, Share) else None
        if gateway and not gateway.enabled:
            hint = f"start it first: gateway start {gateway.name}"
            faults.append(Fault(f"share.{record.name}", f"its gateway {gateway.name} is stopped", hint))
    return faults


def _needed_by(record: Resource, staged: World) -> list[Resource]:
    if isinstance(record, Gateway):
        return list(staged.shares_of(record.name))
    if isinstance(record, User):
        shares: list[Resource] = [share for share in staged.shares.values() if record.name in share.access]
        return shares + [group for group in staged.groups.values() if record.name in group.members]
    if isinstance(record, Group):
        return [share for share in staged.shares.values() if f"@{record.name}" in share.access]
    return []


def _gateway(gateway: Gateway, staged: World, former: World) -> Iterable[Fault]:
    before = former.gateways.get(gateway.name)
    if before and before.mode.node != gateway.mode.node:
        yield Fault("mode.node", f"it runs on {before.mode.node}", "a native gateway does not move: make another there")
    for other in staged.gateways.values():
        if other.name != gateway.name and _collide(gateway, other):
            yield Fault(
                "mode.address" if _alone(gateway) else "mode.port",
                f"port {gateway.mode.port} of the same address is gateway {other.name}'s",
                f"add the share to it (--gateway {other.name}), or give this one its own address (--address)",
            )
    if not gateway.cluster and isinstance(gateway.mode, LxcMode) and not gateway.mode.address:
        yield Fault("mode.address", '"address" is missing', "ADDRESS/LENGTH on the bridge, such as 192.168.1.50/24")
    if gateway.cluster and not gateway.enabled:
        yield Fault("enabled", "a cluster is not stopped as a whole", "gateway drain moves its addresses from a node")
    yield from _moved(gateway, staged, before)
    yield from _guests(gateway, staged, before)
    if getattr(gateway.mode, "ha_nodes", ()) and not getattr(gateway.mode, "ha", False):
        yield Fault("mode.ha_nodes", "they are those of high availability, which is off", "add ha, or leave them out")
    for share in staged.shares_of(gateway.name):
        if share.state == "ready":
            for fault in _bound(share, gateway):
                yield Fault("mode.ha", f"share {share.name}: {fault.message}", fault.hint)
    yield from clusters.faults(gateway, staged, before)


def _guests(gateway: Gateway, staged: World, before: Gateway | None) -> Iterable[Fault]:
    if gateway.allow_guests and gateway.hardened:
        yield Fault("allow_guests", "a hardened gateway encrypts, and a guest's session cannot be encrypted")
    guests = [share.name for share in staged.shares_of(gateway.name) if share.guest]
    if guests and not gateway.allow_guests and before and before.allow_guests:
        yield Fault("allow_guests", f"guests may open {', '.join(guests)}", "close those shares to guests first")


def _alone(gateway: Gateway) -> bool:
    """Whether it has an address of its own, which is none of the node's."""
    return isinstance(gateway.mode, LxcMode) or bool(getattr(gateway.mode, "bridge", ""))


def _moved(gateway: Gateway, staged: World, before: Gateway | None) -> Iterable[Fault]:
    """Nobody else has the disks of a virtual machine: its shares cannot be another's at the same time."""
    kinds = {gateway.mode.kind, before.mode.kind} if before else {gateway.mode.kind}
    if len(kinds) > 1 and "vm" in kinds and (shares := staged.shares_of(gateway.name)):
        names = ", ".join(share.name for share in shares)
        hint = "delete them first (their data stays), and make them again afterwards"
        yield Fault("mode.kind", f"the data of {names} cannot be moved into or out of a virtual machine", hint)


def _collide(one: Gateway, two: Gateway) -> bool:
    mine, theirs = set(one.mode.addresses), set(two.mode.addresses)
    if _alone(one) or _alone(two):
        return bool(mine & theirs)
    if not set(one.nodes) & set(two.nodes) or one.mode.port != two.mode.port:
        return False
    return not mine or not theirs or bool(mine & theirs)


def _share(share: Share, staged: World, former: World) -> Iterable[Fault]:
    gateway = staged.gateways.get(share.gateway)
    if gateway is None:
        hint = did_you_mean(share.gateway, staged.gateways)
        yield Fault("gateway", f"there is no gateway {share.gateway}", hint)
    before = former.shares.get(share.key)
    if before and before.source != share.source:
        here = show_source(before.source)
        yield Fault("source", f"the data is at {here} and stays there", "make another share for another source")
    yield from clusters.source_faults(share, gateway)
    yield from _bound(share, gateway) if gateway else ()
    yield from _in_machine(share, gateway)
    yield from _project(share, staged)
    yield from _principals(share, staged)
    if share.guest and gateway and not gateway.allow_guests:
        hint = "allow_guests on the gateway; its sessions are then not all signed"
        yield Fault("guest", f"gateway {gateway.name} allows no guests", hint)
    if share.guest and share.encryption == "required":
        yield Fault("guest", "a guest's session cannot be encrypted", "leave out encryption, or guests")
    if share.guest and isinstance(share.purpose, HomesPurpose):
        yield Fault("guest", "a guest has no home")


def _bound(share: Share, gateway: Gateway) -> Iterable[Fault]:
    """With high availability, data that only one node has."""
    moves = share.source.kind in ("cephfs", "rbd", "storage") or getattr(share.source, "shared", False)
    if getattr(gateway.mode, "ha", False) and not moves:
        told = f"a {share.source.kind} source is one node's, and gateway {gateway.name} may be started on another"
        yield Fault("source", told, "use cephfs, rbd, storage, or a directory that is shared; or a gateway without ha")


def _in_machine(share: Share, gateway: Gateway | None) -> Iterable[Fault]:
    in_machine = gateway and isinstance(gateway.mode, VmMode)
    if in_machine and not isinstance(share.source, ImageSource | StorageSource):
        told = f"a virtual machine sees no {share.source.kind} of the node: its shares are disks"
        yield Fault("source", told, "use image:PATH, on Proxmox VE storage:ID")


def _project(share: Share, staged: World) -> Iterable[Fault]:
    if share.project and not isinstance(share.source, XfsSource):
        yield Fault("project", f"a {share.source.kind} source is no XFS project", "leave it out")
    if share.common and not isinstance(share.source, CephfsSource):
        yield Fault("common", f"a {share.source.kind} source has no group that could be mounted", "leave it out")
    for other in staged.shares.values() if share.project else ():
        if other.key != share.key and other.project == share.project:
            yield Fault("project", f"{share.project} is share {other.key}'s", FREE_ID)


class Places:
    """Where all shares of the staged world have names and data, to find two on the same."""

    def __init__(self, staged: World) -> None:
        self.staged = staged
        self.names: dict[str, list[Share]] = {}
        self.specs: dict[tuple[str, ...], list[Share]] = {}
        for share in staged.shares.values():
            self.names.setdefault(share.key.lower(), []).append(share)
            self.specs.setdefault(self._place(share), []).append(share)
        self.sorted = sorted(self.specs)

    def _place(self, share: Share) -> tuple[str, ...]:
        gateway = self.staged.gateways.get(share.gateway)
        node = gateway.mode.node if gateway else ""
        if isinstance(share.source, StorageSource):  # a volume of its own
            return (node, "volumes", share.key)
        shared, *place = _where(share.source)
        return (shared or node, *place)

    def _around(self, place: tuple[str, ...]) -> Iterable[Share]:
        """What is at a place, and what it lies in."""
        for length in range(3, len(place) + 1):
            yield from self.specs.get(place[:length], ())

    def _inside(self, place: tuple[str, ...]) -> Iterable[Share]:
        """What lies in a place: it follows it in the order of places."""
        for number in range(bisect.bisect_right(self.sorted, place), len(self.sorted)):
            if self.sorted[number][: len(place)] != place:
                return
            yield from self.specs[self.sorted[number]]

    def faults(self, share: Share) -> Iterable[Fault]:
        """What else has its name, but for case, or its data, or lies inside or around it."""
        for other in self.names[share.key.lower()]:
            if other.key != share.key:
                hint = "SMB does not tell capitals apart"
                yield Fault("name", f"it differs from share {other.name} only in case", hint)
        place = self._place(share)
        for other in [*self._around(place), *self._inside(place)]:
            if other.key != share.key:
                what = f"share {other.name} of gateway {other.gateway} ({show_source(other.source)})"
                hint = "two shares never have the same data, or one inside the other"
                yield Fault(f"source.{SOURCE_SPECS[share.source.kind]}", f"it is in use by {what}", hint)


@functools.lru_cache(maxsize=1 << 16)
def _where(source: Source) -> tuple[str, ...]:
    """Whether a source is all nodes' alike (else ""), what its place is a name in, and that place, in parts."""
    fields = vars(source)
    shared = isinstance(source, CephfsSource | RbdSource) or fields.get("shared", False)
    space = source.kind if isinstance(source, ZfsSource | CephfsSource | RbdSource) else "files"
    place = str(fields[SOURCE_SPECS[source.kind]])
    return ("all nodes" if shared else "", f"{space} {fields.get('conf', '')}", *place.strip("/").split("/"))


def _principals(share: Share, staged: World) -> Iterable[Fault]:
    for principal in share.access:
        kind, name = ("group", principal[1:]) if principal.startswith("@") else ("user", principal)
        if name not in staged.table(kind):
            hint = did_you_mean(name, staged.table(kind)) or f"make it: pve-smbgateway {kind} create {name}"
            yield Fault(f"access.{principal}", f"there is no {kind} {name} of ours", hint)


def _user(user: User, staged: World, former: World) -> Iterable[Fault]:
    if user.name in staged.groups:
        yield Fault("name", f"there is a group {user.name}: a user and a group of one name confuse Windows")
    if other := next((u for u in staged.users.values() if u.name != user.name and u.uid == user.uid), None):
        yield Fault("uid", f"{user.uid} is user {other.name}'s: they would be one to the file system", FREE_ID)


def _group(group: Group, staged: World, former: World) -> Iterable[Fault]:
    if group.name in staged.users:
        yield Fault("name", f"there is a user {group.name}: a user and a group of one name confuse Windows")
    if other := next((g for g in staged.groups.values() if g.name != group.name and g.gid == group.gid), None):
        yield Fault("gid", f"{group.gid} is group {other.name}'s: they would be one to the file system", FREE_ID)
    for member in group.members:
        if member not in staged.users:
            hint = did_you_mean(member, staged.users) or f"make it: pve-smbgateway user create {member}"
            yield Fault("members", f"there is no user {member} of ours", hint)


def _receiver(receiver: Receiver, staged: World, former: World) -> Iterable[Fault]:
    way = receiver.way
    secret = receiver.password or receiver.password_set
    if isinstance(way, MailWay) and not way.server and (way.login or way.port or secret):
        yield Fault("way.server", "only a server has a port, login or password: without one, sendmail is used", ANEW)
    if isinstance(way, MailWay) and bool(way.login) != bool(secret):
        yield Fault("password", "a login has a password, and a password a login", ANEW)
    if isinstance(way, MailWay) and way.login and way.security == "none":
        yield Fault("way.security", "without TLS everybody on the way could read the password", "use starttls or tls")
    if isinstance(way, WebhookWay) and secret and way.url.startswith("http://"):
        yield Fault("way.url", "without TLS everybody on the way could read the secret", "use https")
    if isinstance(way, WebhookWay) and "{secret}" in way.url and not secret:
        yield Fault("password", "the URL asks for a secret, and there is none")
    if way.kind in ("proxmox", "journal") and secret:
        yield Fault("password", f"{way.kind} takes none", ANEW)


RULES: dict[str, Callable[..., Iterable[Fault]]] = {
    "gateway": _gateway,
    "group": _group,
    "receiver": _receiver,
    "share": _share,
    "user": _user,
}


def doubled(records: Sequence[Resource]) -> list[Fault]:
    """Faults of a request that names one resource twice."""
    seen: set[tuple[str, str]] = set()
    faults = []
    for record in records:
        identity = (record.kind, record.key.lower())
        if identity in seen:
            faults.append(Fault(f"{record.kind}.{record.name}", "it stands twice in the request"))
        seen.add(identity)
    return faults
