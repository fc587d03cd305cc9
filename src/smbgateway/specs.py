"""Where a share's data may live, how a gateway may run, and how somebody is told, as the administrator writes it.

Part of the model, and reached through it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .fields import (
    Address,
    CephUser,
    ClusterLock,
    Dataset,
    Hostname,
    Interface,
    Link,
    Mac,
    MailAddress,
    NodeName,
    Path,
    RbdImage,
    Size,
    StorageId,
    Subvolume,
    Tag,
    Url,
)


class Model(BaseModel):
    """Common to all: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # passwords are input


class NativeMode(Model):
    """A Samba instance of its own on the node. Without addresses it listens on all; Explorer needs port 445."""

    kind: Literal["native"] = "native"
    node: NodeName = ""
    addresses: tuple[Address, ...] = ()
    port: int = Field(445, ge=1, le=65535)

    @property
    def inside(self) -> tuple[str, int]:
        """Where it is reached from where its Samba runs."""
        return self.addresses[0] if self.addresses else "127.0.0.1", self.port


class LxcMode(Model):
    """An unprivileged container, with an address of its own on a bridge of the node.

    address   of a member of a cluster none: it has those that move
    router    where it sends what is not for its own network
    mac       fixed, as clients remember it; chosen where it is left out
    memory    of all its processes together
    swap      beside it
    cores     as much of the processor as so many cores have; all where it is left out
    template  what its root is made of: the newest of the node where it is left out; on Proxmox VE STORAGE:vztmpl/FILE

    On Proxmox VE alone:
    vmid      its number, and
    storage   of its root: both chosen where they are left out
    firewall  whether the rules of the node hold for it
    order     in which the node starts its guests
    tags      beside ours
    ha        whether another node takes over when its own is lost, and
    ha_nodes  which: any where none is named
    """

    allocated: ClassVar[tuple[str, ...]] = ("mac", "template", "vmid", "storage")
    on_proxmox: ClassVar[tuple[str, ...]] = ("vmid", "storage", "firewall", "order", "tags", "ha", "ha_nodes")

    kind: Literal["lxc"] = "lxc"
    node: NodeName = ""
    bridge: Link
    address: Interface | None = None
    router: Address | None = None
    vlan: int | None = Field(None, ge=1, le=4094)
    mtu: int | None = Field(None, ge=1280, le=65535)
    mac: Mac = ""
    memory: Annotated[Size, Field(ge=64 << 20)] = 128 << 20
    swap: Size | None = None
    cores: int | None = Field(None, ge=1, le=1024)
    template: str = Field("", max_length=255, pattern=r"^([a-z0-9][a-z0-9-]*|[A-Za-z][\w.-]*:vztmpl/[\w.+-]+)?$")
    vmid: int | None = Field(None, ge=100, le=999_999_999)
    storage: str = Field("", max_length=100, pattern=r"^([A-Za-z][\w.-]*[A-Za-z0-9])?$")
    firewall: bool = False
    order: int | None = Field(None, ge=0, le=9999)
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()
    ha: bool = False
    ha_nodes: Annotated[tuple[NodeName, ...], Field(max_length=32)] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach it."""
        return (self.address.partition("/")[0],) if self.address else ()

    @property
    def port(self) -> int:
        """Its own, so the one that Windows knows."""
        return 445

    @property
    def inside(self) -> tuple[str, int]:
        """Where it is reached from inside."""
        return self.addresses[0] if self.addresses else "127.0.0.1", self.port


class VmMode(Model):
    """A virtual machine, with a kernel of its own. Its shares lie on disks that nothing else has mounted.

    bridge   of the node, for an address of its own; without one the node passes on what comes to `port` of `listen`
    image    what its system disk is made of: the newest of the node where it is left out
    memory   that it sees
    cores    that it sees

    On Proxmox VE alone:
    vmid, vlan, firewall, order, tags, ha, ha_nodes as of a container, and
    storage  of its system disk
    It has an address of its own there, and `image` may be STORAGE:import/FILE, a disk of its storages.
    """

    allocated: ClassVar[tuple[str, ...]] = ("mac", "image", "vmid", "storage")
    on_proxmox: ClassVar[tuple[str, ...]] = ("vmid", "storage", "vlan", "firewall", "order", "tags", "ha", "ha_nodes")

    kind: Literal["vm"] = "vm"
    node: NodeName = ""
    bridge: Link = ""
    address: Interface | None = None
    router: Address | None = None
    vlan: int | None = Field(None, ge=1, le=4094)
    mtu: int | None = Field(None, ge=1280, le=65535)
    mac: Mac = ""
    listen: Address | None = None
    port: int = Field(445, ge=1, le=65535)
    memory: Annotated[Size, Field(ge=256 << 20)] = 512 << 20
    cores: int = Field(2, ge=1, le=128)
    image: str = Field("", max_length=255, pattern=r"^([a-z0-9][a-z0-9-]*|[A-Za-z][\w.-]*:import/[\w.+-]+)?$")
    vmid: int | None = Field(None, ge=100, le=999_999_999)
    storage: str = Field("", max_length=100, pattern=r"^([A-Za-z][\w.-]*[A-Za-z0-9])?$")
    firewall: bool = False
    order: int | None = Field(None, ge=0, le=9999)
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()
    ha: bool = False
    ha_nodes: Annotated[tuple[NodeName, ...], Field(max_length=32)] = ()

    @model_validator(mode="after")
    def _one_way_in(self) -> "VmMode":
        if ":" in (self.listen or ""):
            raise ValueError("the node passes on IPv4 alone: give it an address of its own, on a bridge")
        if bool(self.bridge) != bool(self.address):
            raise ValueError("bridge and address go together: with both it has an address of its own")
        if self.bridge and (self.listen or self.port != 445):
            raise ValueError("with an address of its own it needs neither listen nor port")
        if not self.bridge and (self.router or self.mtu or self.vlan):
            raise ValueError("router, mtu and vlan are for a machine on a bridge")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach it; none for every address of its node."""
        if self.address:
            return (self.address.partition("/")[0],)
        return (self.listen,) if self.listen else ()

    @property
    def inside(self) -> tuple[str, int]:
        """Where it is reached from inside."""
        return "127.0.0.1", 445


class DirectorySource(Model):
    """A directory of the node, existing or new. It has no quota of its own.

    shared  it lies on a file system that all nodes have mounted, with locks that hold between them
    """

    kind: Literal["directory"] = "directory"
    path: Path
    shared: bool = False


class ImageSource(Model):
    """A file that holds its own XFS. `thin` takes host space only as it is used, and may run out of it."""

    kind: Literal["image"] = "image"
    path: Path
    thin: bool = False


class BtrfsSource(Model):
    """A btrfs subvolume with a qgroup limit."""

    kind: Literal["btrfs"] = "btrfs"
    path: Path


class XfsSource(Model):
    """A directory on an XFS with project quotas. It becomes a project."""

    kind: Literal["xfs"] = "xfs"
    path: Path


class ZfsSource(Model):
    """A ZFS dataset. `limit` names the property of its quota: `quota` counts snapshots too, `refquota` does not."""

    kind: Literal["zfs"] = "zfs"
    dataset: Dataset
    limit: Literal["refquota", "quota"] = "refquota"


class CephfsSource(Model):
    """A CephFS subvolume, VOLUME/GROUP/NAME; made and looked after as `user` of the cluster that `conf` names."""

    kind: Literal["cephfs"] = "cephfs"
    subvolume: Subvolume
    conf: Path = "/etc/ceph/ceph.conf"
    user: CephUser = "admin"


class RbdSource(Model):
    """An RBD image, POOL/IMAGE or POOL/NAMESPACE/IMAGE, with its own XFS; as `user` of the cluster of `conf`."""

    kind: Literal["rbd"] = "rbd"
    image: RbdImage
    conf: Path = "/etc/ceph/ceph.conf"
    user: CephUser = "admin"


class StorageSource(Model):
    """A volume of a storage of Proxmox VE, as large as the quota. It belongs to the guest, which takes it along."""

    kind: Literal["storage"] = "storage"
    storage: StorageId


Source = Annotated[
    DirectorySource | ImageSource | BtrfsSource | XfsSource | ZfsSource | CephfsSource | RbdSource | StorageSource,
    Field(discriminator="kind"),
]
# What stands behind the colon of KIND:SPEC.
SOURCE_SPECS: dict[str, str] = {
    "directory": "path",
    "image": "path",
    "btrfs": "path",
    "xfs": "path",
    "zfs": "dataset",
    "cephfs": "subvolume",
    "rbd": "image",
    "storage": "storage",
}


class ProxmoxWay(Model):
    """The notifications of Proxmox VE: its matchers decide who is told, by severity and by the field `type`."""

    kind: Literal["proxmox"] = "proxmox"


class MailWay(Model):
    """Mail, by the program sendmail or, where a server is named, by SMTP."""

    kind: Literal["mail"] = "mail"
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=50)]
    sender: MailAddress | None = None
    server: Hostname = ""
    port: int | None = Field(None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    login: str = Field("", max_length=200, pattern=r"^[!-~]*$")


class WebhookWay(Model):
    """A POST of JSON. The secret goes where `{secret}` stands in the URL, else as `Authorization: Bearer`."""

    kind: Literal["webhook"] = "webhook"
    url: Url


class JournalWay(Model):
    """The system's log."""

    kind: Literal["journal"] = "journal"


Way = Annotated[ProxmoxWay | MailWay | WebhookWay | JournalWay, Field(discriminator="kind")]


class Member(Model):
    """A node of a cluster, and its address in the network of CTDB, which is neither authenticated nor encrypted.

    Its place in the record is its number (PNN), which is never given to another: who leaves stays, as `removed`.
    """

    node: Annotated[NodeName, Field(min_length=1)]
    address: Address
    removed: bool = False


class PublicAddress(Model):
    """An address that clients use, which moves between members; ADDRESS/LENGTH."""

    address: Interface
    interface: Annotated[Link, Field(min_length=1)]


class Cluster(Model):
    """A gateway of several nodes.

    lock    which half may go on after a partition: file:PATH on the shared file system, rados:[USER@]POOL/OBJECT, or
            pmxcfs, the cluster file system of Proxmox VE
    quorum  who serves: a majority, or by `lock` also a last survivor that has the lock

    Where members are containers:
    bridge  of the members' own network, called the same on all nodes, and
    length  of the prefix of that network
    """

    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=16)]
    addresses: Annotated[tuple[PublicAddress, ...], Field(min_length=1, max_length=64)]
    lock: ClusterLock | None = None
    quorum: Literal["majority", "lock"] = "majority"
    bridge: Link = ""
    length: int = Field(24, ge=1, le=127)

    @property
    def active(self) -> tuple[Member, ...]:
        """Members that have not left."""
        return tuple(member for member in self.members if not member.removed)
