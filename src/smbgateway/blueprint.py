"""From records to steps: the one place that knows which cells make a gateway and a share."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from . import discovery, modes, sources
from .cluster.member import ClusterMember
from .errors import CommandFailed, Unavailable
from .host import Host
from .model import (
    DirectorySource,
    Gateway,
    HomesPurpose,
    ImageSource,
    MediaPurpose,
    RbdSource,
    Share,
    StorageSource,
    TimeMachinePurpose,
    XfsSource,
)
from .paths import Paths
from .proxmox.client import Proxmox
from .proxmox.sections import Sections
from .proxmox.storages import Storages
from .restoration import Restoration
from .samba.accounts import Accounts
from .samba.announcer import Announcer
from .samba.config import GROUP_ID, Parameters, share_section
from .samba.instance import Instance
from .samba.registry import Registry
from .sources import Place, Snapshots, Source, Usage, userquota
from .sources.cells import stat
from .sources.foresight import Foresight
from .sources.guest_image import GuestImage
from .sources.rbd import Rbd
from .sources.storage import Storage
from .step import Ledger, Step
from .store import Store
from .world import World

MEDIA_RECORDSIZE = 1024 * 1024
MANY = 10  # shares from which on one command reads of all


@dataclass(frozen=True)
class Blueprint:
    """Steps of the records of one world, on one node."""

    host: Host
    paths: Paths
    store: Store
    world: World
    roots: Sequence[str] = ()
    node: str = ""
    proxmox: Proxmox | None = None

    def mode(self, gateway: Gateway) -> modes.Mode:
        """How a gateway runs."""
        return modes.make(self.host, self.paths, gateway, self.proxmox, self.node)

    def instance(self, gateway: Gateway) -> Instance:
        """The Samba of a gateway."""
        return self.mode(gateway).instance

    def source(self, share: Share) -> Source:
        """Where a share's data lives. Raises Unavailable where it is a volume, and its gateway has none."""
        place = self._place(share)
        gateway = self.world.gateways.get(share.gateway)
        mode = self.mode(gateway) if gateway else None
        if mode and mode.disks and isinstance(share.source, ImageSource):
            return GuestImage(self.host, mode.disks, place, share.source)
        if gateway is None or mode is None:
            return sources.make(self.host, place, share.source)
        if not isinstance(share.source, StorageSource):
            if gateway.mode.kind == "vm" and not mode.disks:
                what = f"a virtual machine of Proxmox VE has no {share.source.kind} of the node as its disk"
                raise Unavailable(what, hint="use storage:STORAGE")
            return sources.make(self.host, place, share.source)
        volumes = mode.volumes
        if volumes is None:
            raise self._no_volumes(gateway, share, share.source)
        return Storage(volumes, place, share.source)

    def _no_volumes(self, gateway: Gateway, share: Share, spec: StorageSource) -> Unavailable:
        if self.proxmox is None:
            return Unavailable("storages are those of Proxmox VE, which is not here", hint="name the place of the data")
        own = Storages(self.proxmox).place(spec.storage, share.name, share.quota is not None)
        hint = f"name the place on the node: {own}" if own else "use mode lxc or vm"
        what = f"a {gateway.mode.kind} gateway has no guest that could have a volume of storage {spec.storage}"
        return Unavailable(what, hint=hint)

    def data_host(self, share: Share) -> Host:
        """Who sees the data of a share at the path of its source."""
        mode = self.mode(self.world.gateways[share.gateway])
        where = mode.volumes if isinstance(share.source, StorageSource) else mode.disks
        return where.host if where else self.host

    def inside(self, share: Share) -> bool:
        """Whether its data is made in the guest, once that runs."""
        if isinstance(share.source, StorageSource):
            return True
        gateway = self.world.gateways.get(share.gateway)
        return gateway is not None and self.mode(gateway).disks is not None

    def _place(self, share: Share) -> Place:
        media = isinstance(share.purpose, MediaPurpose)
        return Place(
            gateway=share.gateway,
            share=share.name,
            mount=f"{self.paths.mounts}/{share.key}",
            roots=(*self.paths.roots, *self.roots),
            group=GROUP_ID,
            refused=(self.paths.state, self.paths.config, self.paths.priv),
            adopted=share.adopted,
            quota=share.quota,
            recordsize=MEDIA_RECORDSIZE if media else None,
            project=share.project or 0,
            secrets=f"{self.paths.priv}/ceph",
            common=f"{self.paths.mounts}/.ceph" if share.common else "",
        )

    def has_rights_of_its_own(self, share: Share) -> bool:
        """Whether the directory of a share is there, and is none that we made (for a share before this one)."""
        ours = f"0:{GROUP_ID} 2770"
        return stat(self.data_host(share), self.source(share).path, "%u:%g %a") not in (None, ours)

    def foreseeing(self, shares: Sequence[Share]) -> "Blueprint":
        """The same for the storage of these shares, of which much is read now, and once: of many it is quicker so.

        Not below mounts of ours, which may be dead, and are looked at with care.
        """
        paths = [share.source.path for share in shares if isinstance(share.source, DirectorySource | XfsSource)]
        return replace(self, host=Foresight(self.host, paths)) if len(paths) > MANY else self

    def storage(self, share: Share, joins: bool = False) -> list[Step]:
        """Source, quota, homes: everything below Samba, on the node.

        joins    for a member of a cluster that does not make the share: it never does, as it may not have the same
                 file system mounted there
        """
        return [] if self.inside(share) else self._data(share, joins)

    def _data(self, share: Share, joins: bool = False) -> list[Step]:
        source = self.source(share)
        steps = source.steps()
        shared = joins and isinstance(share.source, DirectorySource)
        if share.made or joins:
            steps = [never_anew(step, share) if step.holds_data or shared else step for step in steps]
        back = [self.restoration(share, source.snapshots).unfinished()] if source.snapshots else []
        return [*steps, *self.limits(share), *back, *self._homes(share, source.path)]

    def shown(self, share: Share) -> list[Step]:
        """What makes its data seen where Samba runs, once that is there: all of it, where it lies there."""
        if self.inside(share):
            return self._data(share)
        return self.mode(self.world.gateways[share.gateway]).shown(share.name, self._top(self.source(share)))

    def detach(self, share: Share) -> None:
        """Give back the device of its data that this node has, after all is unmounted. Raises GatewayError."""
        if isinstance(share.source, RbdSource):
            rbd = self.source(share)
            assert isinstance(rbd, Rbd)  # noqa: S101 - the registry of sources goes by it
            rbd.way.detach()

    def restoration(self, share: Share, snapshots: Snapshots) -> Restoration:
        """How a share's data is put back to one of its snapshots."""
        return Restoration(self.host, share.title, self.source(share).path, snapshots)

    def quota(self, share: Share) -> list[Step]:
        """The step of the limit."""
        return self.source(share).quota(share.quota)

    def limits(self, share: Share) -> list[Step]:
        """The limit of the share, and those of its users."""
        return [*self.quota(share), *userquota.steps(self.host, share.source, self._uids(share), share.user_quota)]

    def _uids(self, share: Share) -> set[int]:
        return set(self.people(share).values())

    def people(self, share: Share) -> dict[str, int]:
        """Who has access to a share, by name and uid."""
        names = {name for principal in share.access for name in self._members(principal)}
        return {name: self.world.users[name].uid or 0 for name in sorted(names)}

    def _homes(self, share: Share, path: str) -> list[Step]:
        if not isinstance(share.purpose, HomesPurpose):
            return []
        names = {member for principal in share.access for member in self._members(principal)}
        host = self.data_host(share)
        return [self._home(host, f"{path}/{name}", self.world.users[name].uid or 0) for name in sorted(names)]

    def _members(self, principal: str) -> Iterable[str]:
        if not principal.startswith("@"):
            return [principal] if principal in self.world.users else []
        group = self.world.groups.get(principal[1:])
        return [name for name in group.members if name in self.world.users] if group else []

    @staticmethod
    def _home(host: Host, path: str, uid: int) -> Step:
        def write(value: str | None) -> None:
            if value is None:
                try:
                    host.run("rmdir", "--", path)
                except CommandFailed as error:
                    if "No such file" not in error.output and "not empty" not in error.output:
                        raise
            else:
                host.run("install", "-d", "-m", "2700", "-o", str(uid), "-g", str(GROUP_ID), "--", path)

        want = f"{uid}:{GROUP_ID} 2700"
        # It lies in a directory of data, which decides whether anything may go; an empty home may always go.
        return Step(f"home {path}", want, lambda: stat(host, path, "%u:%g %a"), write, destroy=lambda: write(None))

    def accounts(self, gateway: Gateway) -> Accounts:
        """The users and groups of a gateway: all of the installation's."""
        return Accounts(self.instance(gateway), self.world.users, self.world.groups, self.store.secret)

    def guest(self, gateway: Gateway) -> list[Step]:
        """The Samba of a gateway, running, with its accounts."""
        mode, accounts = self.mode(gateway), self.accounts(gateway)
        instance = mode.instance
        if gateway.cluster:
            member = self.member(gateway)
            people = [member.shared(step) for step in accounts.passdb()]
            samba = [*instance.steps(), *member.steps(), *accounts.files(), member.daemon()]
            return [*mode.steps(), *samba, *people]
        if not gateway.enabled:
            return self._stopped(gateway)
        found = Announcer(instance).step(discovery.name_in_explorer(gateway, self.node))
        samba = [*instance.steps(), *accounts.files(), found, instance.daemon(), *accounts.passdb()]
        return [*mode.steps(), *samba, *self.announced(gateway)]

    def _stopped(self, gateway: Gateway) -> list[Step]:
        """A gateway that shall stand still: its machine is kept as it is."""
        mode = self.mode(gateway)
        running = [*mode.running(), mode.instance.daemon()]
        names = {step.name for step in running}

        def write(value: str | None) -> None:
            if value is None:
                Ledger().converge(running)
            else:
                Ledger().remove(running)

        read = lambda: None if any(step.read() is not None for step in running) else "stopped"  # noqa: E731
        machine = [step for step in mode.steps() if step.name not in names]
        return [*machine, Step(f"{gateway.title} stopped", "stopped", read, write)]

    def announced(self, gateway: Gateway) -> list[Step]:
        """What tells the network of a gateway."""
        if not gateway.enabled:
            return []
        return discovery.steps(self.host, self.paths.avahi, gateway, self.world.shares_of(gateway.name))

    def unannounced(self, gateway: Gateway, gone: bool = False) -> list[Step]:
        """What the network is to be told no more; all of it where the gateway is gone."""
        wanted = [] if gone else self.announced(gateway)
        return discovery.leftovers(self.host, self.paths.avahi, gateway, wanted)

    def member(self, gateway: Gateway) -> ClusterMember:
        """This node's part of a cluster."""
        place = self.mode(gateway)
        assert isinstance(place, modes.Native | modes.LxcMember)  # noqa: S101 - no other is let in (cluster/rules.py)
        return ClusterMember(place, self.node, self.store.lock, self.paths, self.host)

    def published(self, registry: Registry, share: Share) -> Step:
        """The share in its gateway's registry."""
        step = registry.published(share.name, self.parameters(share))
        gateway = self.world.gateways[share.gateway]
        return self.member(gateway).shared(step) if gateway.cluster else step

    def parameters(self, share: Share) -> Parameters:
        """The definition of a share."""
        source = self.source(share)
        gateway = self.world.gateways[share.gateway]
        dfree = None
        if source.has_quota and not source.shows_quota and not isinstance(share.purpose, TimeMachinePurpose):
            dfree = self.size_program(share)  # fruit tells Macs the size of their backup, and would not be asked
        return share_section(share, gateway, self.served(share), dfree, self._shadow(share, source))

    @staticmethod
    def _top(source: Source) -> str:
        """The directory that is shown to a container: above the data where the snapshots there are seen in it too."""
        snapshots = source.snapshots
        return (
            snapshots.parameters["mountpoint"]
            if snapshots and snapshots.parameters and snapshots.inside
            else source.path
        )

    def _shadow(self, share: Share, source: Source) -> Mapping[str, str] | None:
        """Where Samba finds snapshots; None where it sees none."""
        parameters = source.snapshots.parameters if source.snapshots else None
        served = self.served(share)
        if parameters is None or (served != source.path and self._top(source) == source.path):
            return None
        above = source.path.removeprefix(parameters["mountpoint"])
        return {**parameters, "mountpoint": served.removesuffix(above)}

    def hides_versions(self, share: Share) -> str:
        """Why clients of a share find no previous versions although it has snapshots; empty where they do."""
        source = self.source(share)
        if not share.snapshots.total or source.snapshots is None or self._shadow(share, source):
            return ""
        where = "" if source.snapshots.parameters is None else " in a container"
        what = f"clients do not find them as previous versions, which a {share.source.kind} source does not show{where}"
        return f"{share.title}: snapshots are taken, and can be restored; {what}"

    def listed(self, share: Share) -> list[Step]:
        """What makes a share a storage of Proxmox VE."""
        if not share.storage or self.proxmox is None:
            return []
        nodes = self.world.gateways[share.gateway].nodes
        return [Sections(self.proxmox).step(share.gateway, share.name, nodes)]

    def served(self, share: Share) -> str:
        """Where its Samba finds a share."""
        source = self.source(share)
        if self.inside(share):
            return source.path
        top = self._top(source)
        return self.mode(self.world.gateways[share.gateway]).served(share.name, top) + source.path.removeprefix(top)

    def size_program(self, share: Share) -> str:
        """The program that tells a client the size of a share, where the file system shows another.

        One for each share: smbd calls it as the connected user, with the path asked for and no argument of ours
        (smb.conf(5), dfree command; a blank and what follows would be part of its name).
        """
        return f"{self.mode(self.world.gateways[share.gateway]).sizes}/{size_name(share)}"

    def publish_size(self, share: Share, usage: Usage | None = None) -> None:
        """Write that program, where one is needed: total and free space, in units of 1 KiB. Raises GatewayError."""
        source = self.source(share)
        if not source.has_quota or source.shows_quota:
            return
        usage = usage or source.usage()
        text = f"#!/bin/sh\necho {usage.total // 1024} {usage.available // 1024} 1024\n"
        self.mode(self.world.gateways[share.gateway]).tell_size(size_name(share), text)

    def everything(self, gateway: Gateway, shares: Sequence[Share]) -> list[Step]:
        """All steps of a gateway and some of its shares, in the order of a creation."""
        registry = Registry(self.instance(gateway))
        if len(shares) > MANY and gateway.enabled:
            registry.prefetch()
        foreseeing = self.foreseeing(shares)
        steps = [step for share in shares for step in foreseeing.storage(share)]
        steps += self.guest(gateway)
        if gateway.enabled:
            steps += [step for share in shares for step in self.shown(share)]
            steps += [self.published(registry, share) for share in shares]
        return steps + [step for share in shares for step in self.listed(share)]


def size_name(share: Share) -> str:
    """The name of the file of that program."""
    return f"size-{hashlib.sha256(share.name.encode()).hexdigest()[:16]}"


def never_anew(step: Step, share: Share) -> Step:
    """The step, but where its data is gone it is an error: an empty place would hide the loss, and be filled."""

    def write(value: str | None) -> None:
        if value is not None and step.read() is None:
            hint = "is its disk mounted? If the data is gone for good: delete the share, then make it again"
            raise Unavailable(f"{step.name} is gone", f"share {share.name} had its data there", hint=hint)
        step.write(value)

    return replace(step, write=write)
