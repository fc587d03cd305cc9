"""The resources an administrator states, and their only validator.

Sizes are bytes inside; `10G`, `512M`, `1.5T` (powers of 1024) are accepted at the edges.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from .errors import Fault, Invalid
from .fields import (
    AccountName,
    FullName,
    GatewayName,
    Principal,
    Rights,
    ShareName,
    Size,
    State,
    Text,
    cut,
    password_rule,
    secret_rule,
)
from .specs import SOURCE_SPECS as SOURCE_SPECS
from .specs import BtrfsSource as BtrfsSource
from .specs import CephfsSource as CephfsSource
from .specs import Cluster as Cluster
from .specs import DirectorySource as DirectorySource
from .specs import ImageSource as ImageSource
from .specs import JournalWay as JournalWay
from .specs import LxcMode as LxcMode
from .specs import MailWay as MailWay
from .specs import Member as Member
from .specs import Model as Model
from .specs import NativeMode as NativeMode
from .specs import ProxmoxWay as ProxmoxWay
from .specs import RbdSource as RbdSource
from .specs import Source as Source
from .specs import StorageSource as StorageSource
from .specs import VmMode as VmMode
from .specs import Way as Way
from .specs import WebhookWay as WebhookWay
from .specs import XfsSource as XfsSource
from .specs import ZfsSource as ZfsSource


def _kind_of_mode(value: object) -> object:
    return {"kind": "native", **value} if isinstance(value, Mapping) else value


Mode = Annotated[NativeMode | LxcMode | VmMode, Field(discriminator="kind"), BeforeValidator(_kind_of_mode)]


class GeneralPurpose(Model):
    """Office files."""

    kind: Literal["general"] = "general"


class TimeMachinePurpose(Model):
    """Backups of Macs. The share tells them 95 % of its quota as their limit."""

    kind: Literal["timemachine"] = "timemachine"


class MediaPurpose(Model):
    """Large files, Macs and players."""

    kind: Literal["media"] = "media"


class ArchivePurpose(Model):
    """Write once: a file becomes read-only `grace` seconds after its last change. Not compliance storage."""

    kind: Literal["archive"] = "archive"
    grace: int = Field(300, ge=5, le=86400 * 30)


class HomesPurpose(Model):
    """A directory per user, made with the access, open to that user only; it stays when the access goes."""

    kind: Literal["homes"] = "homes"


Purpose = Annotated[
    GeneralPurpose | TimeMachinePurpose | MediaPurpose | ArchivePurpose | HomesPurpose, Field(discriminator="kind")
]


Percent = Annotated[float, Field(gt=0, le=100)]


class Levels(Model):
    """When a share is told of: how full it is, in percent of its quota, and within how many days it fills."""

    notice: Percent = 75
    warning: Percent = 85
    critical: Percent = 95
    fills_within: float = Field(7, ge=0, le=365)

    @model_validator(mode="after")
    def _ascending(self) -> "Levels":
        if not self.notice <= self.warning <= self.critical:
            raise ValueError("levels ascend: notice, warning, critical")
        return self


MOST_SNAPSHOTS = 512  # Explorer shows none at all where there are more
Count = Annotated[int, Field(ge=0, le=MOST_SNAPSHOTS)]


class Schedule(Model):
    """How many snapshots are kept of each kind; they are taken as often as the most frequent kind says."""

    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.hourly + self.daily + self.weekly + self.monthly

    @model_validator(mode="after")
    def _few(self) -> "Schedule":
        if self.total > MOST_SNAPSHOTS:
            raise ValueError(f"{self.total} snapshots in all: Explorer shows none of more than {MOST_SNAPSHOTS}")
        return self


class Resource(Model):
    """A record. `allocated` names the fields the engine fills in and keeps; a request may leave them out."""

    allocated: ClassVar[tuple[str, ...]] = ()

    name: str
    state: State = "creating"
    digest: str = ""

    @property
    def key(self) -> str:
        """Its identity among its kind."""
        return self.name

    @property
    def title(self) -> str:
        """`share docs`: for sentences."""
        return f"{self.kind} {self.name}"

    kind: str

    def sealed(self: "ResourceT", state: State) -> "ResourceT":
        """The record as it is stored: with its state and the digest of everything else."""
        body = self.model_dump(mode="json", exclude={"state", "digest", "password", "made"})
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        made = {"made": True} if isinstance(self, Share) and state == "ready" else {}
        return self.model_copy(update={"state": state, "digest": digest, **made})


ResourceT = TypeVar("ResourceT", bound=Resource)


class Gateway(Resource):
    """One Samba server, or a cluster of them.

    apple    set by itself when a share needs it: then all its shares load fruit
    cluster  the nodes that serve it together
    enabled  whether it shall run
    """

    allocated = ("apple", "sid")

    kind: Literal["gateway"] = "gateway"
    name: GatewayName
    mode: Mode = Field(default_factory=NativeMode)
    cluster: Cluster | None = None
    enabled: bool = True
    hardened: bool = False
    minimum_protocol: Literal["SMB2_10", "SMB3_00", "SMB3_11"] = "SMB3_00"
    allow_guests: bool = False
    discovery: bool = True
    workgroup: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,14}$")] = "WORKGROUP"
    apple: bool = False
    sid: str = Field("", pattern=r"^(S-1-5-21(-\d{1,10}){3})?$")

    @property
    def nodes(self) -> tuple[str, ...]:
        """Who runs it."""
        return tuple(member.node for member in self.cluster.active) if self.cluster else (self.mode.node,)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach it; none for every address of its node."""
        public = self.cluster.addresses if self.cluster else ()
        return tuple(each.address.partition("/")[0] for each in public) or self.mode.addresses


class Share(Resource):
    """One SMB share on one gateway.

    adopted  the source was there before us: we never destroy it
    foreign  its directory had an owner and rights of its own, which go on to count
    made     its data exists: should it be gone one day, nothing empty takes its place
    project  its number as an XFS project
    common   its CephFS is mounted once for all such shares of a group: chosen where a group has many
    storage  shown as a storage of Proxmox VE, which keeps for years how full it is
    user_quota  bytes that each user with access may have; on a file system that holds more, all there counts
    """

    allocated = ("adopted", "foreign", "made", "project", "common")

    kind: Literal["share"] = "share"
    name: ShareName
    gateway: GatewayName
    source: Source
    quota: Size | None = None
    user_quota: Size | None = None
    levels: Levels = Levels()
    snapshots: Schedule = Schedule()
    purpose: Purpose = Field(default_factory=GeneralPurpose)
    access: dict[Principal, Rights] = {}
    guest: Rights | None = None
    encryption: Literal["default", "required"] = "default"
    hidden: bool = False
    storage: bool = False
    comment: Text = ""
    adopted: bool = False
    foreign: bool = False
    made: bool = False
    project: int | None = Field(None, ge=1, lt=2**32 - 1)
    common: bool = False

    @property
    def key(self) -> str:
        """Share names are unique per gateway."""
        return f"{self.gateway}/{self.name}"


class User(Resource):
    """A person, the same in every gateway. The password comes in and never goes out; `password_set` is a Unix time."""

    allocated = ("uid", "password_set")

    kind: Literal["user"] = "user"
    name: AccountName
    enabled: bool = True
    full_name: FullName = ""
    password: Annotated[SecretStr, AfterValidator(password_rule)] | None = Field(None, exclude=True)
    uid: int | None = Field(None, ge=20002, le=29999)  # 20001 is the guest
    password_set: int | None = Field(None, ge=0)


class Group(Resource):
    """Users by a common name."""

    allocated = ("gid",)

    kind: Literal["group"] = "group"
    name: AccountName
    members: tuple[AccountName, ...] = ()
    gid: int | None = Field(None, ge=20002, le=29999)  # 20000 is everybody's group


class Receiver(Resource):
    """Who is told of shares that fill, from which level on. The password is that of the mail server or the webhook."""

    allocated = ("password_set",)

    kind: Literal["receiver"] = "receiver"
    name: AccountName
    way: Way
    least: Literal["notice", "warning", "critical"] = "notice"
    enabled: bool = True
    password: Annotated[SecretStr, AfterValidator(secret_rule)] | None = Field(None, exclude=True)
    password_set: int | None = Field(None, ge=0)


AnyResource = Annotated[Gateway | Share | User | Group | Receiver, Field(discriminator="kind")]
KINDS: dict[str, type[Resource]] = {
    "gateway": Gateway,
    "group": Group,
    "receiver": Receiver,
    "share": Share,
    "user": User,
}
_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyResource, config=ConfigDict(hide_input_in_errors=True))


def parse(items: Iterable[object]) -> list[Resource]:
    """Validate resources. Raises Invalid with every fault of every item, each with its field."""
    resources, faults = examine(items)
    if faults:
        raise Invalid.of(faults)
    return resources


def examine(items: Iterable[object]) -> tuple[list[Resource], list[Fault]]:
    """Validate resources; also returns what is left of a faulty one without its faulty fields, for further checks."""
    resources: list[Resource] = []
    faults: list[Fault] = []
    for position, item in enumerate(items):
        try:
            resources.append(_ADAPTER.validate_python(item))
        except ValidationError as error:
            faults += [_fault(_label(item, position), detail) for detail in error.errors()]
            resources += _rest(item, error)
    return resources, faults


def _rest(item: object, error: ValidationError) -> list[Resource]:
    faulty = {str(detail["loc"][1]) for detail in error.errors() if len(detail["loc"]) > 1}
    if not isinstance(item, Mapping) or not faulty:
        return []
    try:
        return [_ADAPTER.validate_python({name: value for name, value in item.items() if name not in faulty})]
    except ValidationError:
        return []


def _label(item: object, position: int) -> str:
    if not isinstance(item, Mapping) or not isinstance(item.get("kind"), str) or item["kind"] not in KINDS:
        return f"resource.{position}"
    name = item.get("name")
    return f"{item['kind']}.{cut(name) if isinstance(name, str) and name.isprintable() and name else position}"


def _fault(label: str, detail: ErrorDetails) -> Fault:
    location = detail["loc"]
    return explained(detail, KINDS.get(str(location[0])) if location else None, location[1:], label)


def explained(detail: ErrorDetails, inside: Any, location: tuple[int | str, ...], label: str = "") -> Fault:
    """What pydantic found at a `location` inside a model, in our words; `label` stands before the field."""
    place, known = _trace(inside, location)
    message, hint = detail["msg"].removeprefix("Value error, "), ""
    if detail["type"] == "extra_forbidden":
        message, hint = f'unknown field "{place[-1]}"', did_you_mean(place[-1], known)
    elif detail["type"] == "missing" and place:
        message = f'"{place[-1]}" is missing'
    elif detail["type"] == "union_tag_invalid":
        kinds = str(detail["ctx"]["expected_tags"]).replace("'", "")
        message, hint = f'unknown kind "{cut(detail["ctx"]["tag"])}"', f"known: {kinds}"
    elif detail["type"] == "union_tag_not_found":
        message = '"kind" is missing'
    return Fault(".".join(part for part in [label, *place] if part), message, hint)


def _trace(inside: Any, location: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """What the user wrote of a location, and the fields known where it ends.

    Members of a union stand in it by their tag, and a bad key by "[key]": the user wrote neither.
    """
    place: list[str] = []
    known: list[str] = []
    for part in location:
        models = [m for m in get_args(inside) if hasattr(m, "model_fields")]
        if models and "kind" not in models[0].model_fields:
            inside, models = models[0], []  # one that may be left out, or one of many, which its number tells
            if isinstance(part, int):
                place.append(str(part))
                continue
        fields = getattr(inside, "model_fields", None)
        members = {m.model_fields["kind"].default: m for m in models}
        if fields is not None:
            known, inside = list(fields), fields[part].annotation if part in fields else None
            place.append(cut(part))
        elif part in members:
            inside = members[part]
        elif part != "[key]":
            place.append(cut(part))
    return place, known


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a mistyped word, empty where nothing is near."""
    close = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def parse_source(text: str) -> dict[str, str]:
    """`KIND:SPEC` as a source. Raises ValueError."""
    kind, colon, spec = text.partition(":")
    if not colon or not spec:
        raise ValueError(f'"{cut(text)}" is not a source: write KIND:SPEC, such as zfs:tank/docs')
    if kind not in SOURCE_SPECS:
        kind = cut(kind)
        hint = did_you_mean(kind, SOURCE_SPECS) or f"known: {', '.join(SOURCE_SPECS)}"
        raise ValueError(f'unknown kind of source "{kind}": {hint}')
    return {"kind": kind, SOURCE_SPECS[kind]: spec}


def show_source(source: BaseModel) -> str:
    """A source as `KIND:SPEC`."""
    kind = str(getattr(source, "kind", ""))
    return f"{kind}:{getattr(source, SOURCE_SPECS[kind])}"
