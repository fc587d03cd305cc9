"""The resources an administrator states, and their only validator.

Sizes are bytes inside; `10G`, `512M`, `1.5T` (powers of 1024) are accepted at the edges.
"""

import difflib
import hashlib
import ipaddress
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
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
)
from pydantic_core import ErrorDetails

from .errors import Fault, Invalid

KI, UNITS = 1024, "KMGTP"
# Names Samba or Windows give a meaning of their own (smb.conf(5) SPECIAL SECTIONS; MS-SRVS administrative shares).
RESERVED_SHARES = {"global", "homes", "printers", "print$", "ipc$", "admin$", "fax$", "netlogon", "sysvol"}
RESERVED_ACCOUNTS = {"root", "nobody", "nogroup", "guest", "administrator", "smbgw", "smbgw-guest"}


def parse_size(value: object) -> int:
    """Turn `10G`, `512 MiB`, `1.5T` or a number of bytes into bytes. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("write a size such as 10G, or a number of bytes")
    text = str(value).strip()
    match = re.fullmatch(r"(\d{1,20}(?:\.\d{1,20})?)\s*(?:([KMGTP])(?:i?B)?|B)?", text, re.ASCII | re.IGNORECASE)
    if not match:
        raise ValueError(f'"{text}" is not a size: write a number with K, M, G or T, such as 10G')
    unit = KI ** (UNITS.index(match[2].upper()) + 1) if match[2] else 1
    size = int(Decimal(match[1]) * unit)  # not float, which rounds above 8 PiB
    if not 0 < size < 2**63:
        raise ValueError(f'"{text}" is out of range: a size is more than 0 and less than 8E')
    return size


def show_size(size: float) -> str:
    """Bytes for a person: `10 GiB`, `1.5 TiB`, `200 B`."""
    for unit in ("B", *(f"{letter}iB" for letter in UNITS)):
        if round(size, 1) < KI or unit == "PiB":
            return f"{size:.0f} {unit}" if size == int(size) or unit == "B" else f"{size:.1f} {unit}"
        size /= KI
    raise AssertionError


def _is_control(letter: str) -> bool:
    """Whether a letter steers instead of being seen: controls, invisible ones, and what Unicode calls a line end."""
    category = unicodedata.category(letter)
    return category[0] == "C" or category in ("Zl", "Zp")


def _plain(value: str, what: str) -> None:
    for letter in value:
        name = unicodedata.name(letter, f"character {ord(letter):#x}")
        if _is_control(letter):
            raise ValueError(f"{what} has a control character ({name})")
        if not letter.isascii():
            raise ValueError(f'{what} has "{letter}" ({name}): only ASCII, so that no two names look alike')


def _named(what: str, pattern: str, rule: str, longest: int, reserved: Iterable[str]) -> AfterValidator:
    """A validator of names: says what is wrong in words."""
    taken = frozenset(reserved)

    def check(value: str) -> str:
        if not value:
            raise ValueError(f"{what} is empty")
        if len(value) > longest:
            raise ValueError(f"{what} has {len(value)} characters: at most {longest}")
        _plain(value, what)
        if value.lower().removeprefix("@") in taken:
            raise ValueError(f'"{value}" is a reserved name')
        if not re.fullmatch(pattern, value):
            raise ValueError(f'"{value}" is not a {what}: {rule}')
        return value

    return AfterValidator(check)


GatewayName = Annotated[
    str,
    _named("gateway name", r"[a-z][a-z0-9-]*[a-z0-9]|[a-z]", "small letters, digits and -, first a letter", 40, ()),
]
ShareName = Annotated[
    str,
    _named(
        "share name",
        r"[A-Za-z0-9_]([A-Za-z0-9 ._-]*[A-Za-z0-9_-])?\$?",
        "letters, digits, blanks and . _ -, first a letter or digit",
        80,  # MS-SMB2 / MS-SRVS: a share name is at most 80 characters
        RESERVED_SHARES,
    ),
]
_ACCOUNT = r"[a-z_][a-z0-9_.-]*"
_ACCOUNT_RULE = "small letters, digits and . _ -, first a letter"
AccountName = Annotated[str, _named("name", _ACCOUNT, _ACCOUNT_RULE, 32, RESERVED_ACCOUNTS)]
Principal = Annotated[
    str, _named("user or @group", "@?" + _ACCOUNT, _ACCOUNT_RULE + "; @ before a group", 33, RESERVED_ACCOUNTS)
]


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f'"{value}" is not an absolute path')
    for letter in value:
        if _is_control(letter):
            raise ValueError(f"the path has a control character ({ord(letter):#x})")
    if "%" in value:
        raise ValueError('the path has "%" in it, which Samba would expand')
    if value.endswith((" ", "\\", '"')):
        raise ValueError('the path ends in a blank, \\ or ", which Samba would drop')
    if ".." in value.split("/"):
        raise ValueError('the path has ".." in it')
    if len(value.encode()) > 1000:
        raise ValueError("the path is longer than 1000 bytes")
    return "/" + "/".join(part for part in value.split("/") if part not in ("", "."))


def _dataset(value: str) -> str:
    # zfs(8): letters, digits and - _ . : per component; @ and # belong to snapshots and bookmarks.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9_.:-]+)+", value) or len(value) > 200:
        raise ValueError(f'"{value}" is not a dataset below a pool: write POOL/NAME, such as tank/docs')
    if any(part in (".", "..") for part in value.split("/")):
        raise ValueError(f'"{value}" has "." or ".." as a component')
    return value


def _address(value: str) -> str:
    if "%" in value:
        raise ValueError("an address has no zone (%): write the address alone")
    return str(ipaddress.ip_address(value))


def _text(value: str) -> str:
    if any(_is_control(letter) for letter in value):
        raise ValueError("control characters and line ends are not allowed")
    if value != value.strip() or value.endswith("\\"):
        raise ValueError("no blanks at either end and no \\ at the end")
    if "%" in value:
        raise ValueError('"%" is not allowed: Samba would expand it')
    return value


def _full_name(value: str) -> str:
    if ":" in value or "," in value:
        raise ValueError("a colon or comma is not allowed: both separate fields in passwd(5)")
    return value


def _password(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    if not 8 <= len(secret) <= 127:
        raise ValueError("a password has 8 to 127 characters")
    if any(_is_control(letter) for letter in secret):
        raise ValueError("a password has no control characters")
    return value


Path = Annotated[str, AfterValidator(_path)]
Dataset = Annotated[str, AfterValidator(_dataset)]
Address = Annotated[str, AfterValidator(_address)]
Text = Annotated[str, Field(max_length=256), AfterValidator(_text)]
FullName = Annotated[Text, AfterValidator(_full_name)]
Size = Annotated[int, BeforeValidator(parse_size)]
Rights = Literal["read", "write"]
State = Literal["creating", "ready", "failed"]


class Model(BaseModel):
    """Common to all: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DirectorySource(Model):
    """A directory of the node, existing or new. It has no quota of its own."""

    kind: Literal["directory"] = "directory"
    path: Path


class ImageSource(Model):
    """A file that holds its own XFS. `thin` takes host space only as it is used, and may run out of it."""

    kind: Literal["image"] = "image"
    path: Path
    thin: bool = False


class BtrfsSource(Model):
    """A btrfs subvolume with a qgroup limit."""

    kind: Literal["btrfs"] = "btrfs"
    path: Path


class ZfsSource(Model):
    """A ZFS dataset with a quota."""

    kind: Literal["zfs"] = "zfs"
    dataset: Dataset


Source = Annotated[DirectorySource | ImageSource | BtrfsSource | ZfsSource, Field(discriminator="kind")]
# What stands behind the colon of KIND:SPEC.
SOURCE_SPECS: dict[str, str] = {"directory": "path", "image": "path", "btrfs": "path", "zfs": "dataset"}


class NativeMode(Model):
    """A Samba instance of its own on the node. Without addresses it listens on all; Explorer needs port 445."""

    kind: Literal["native"] = "native"
    node: str = Field("", max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$")
    addresses: tuple[Address, ...] = ()
    port: int = Field(445, ge=1, le=65535)


Mode = NativeMode  # becomes a union by `kind` with the next mode


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
    """A directory per user, made at the first login, open to that user only."""

    kind: Literal["homes"] = "homes"


Purpose = Annotated[
    GeneralPurpose | TimeMachinePurpose | MediaPurpose | ArchivePurpose | HomesPurpose, Field(discriminator="kind")
]


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
        body = self.model_dump(mode="json", exclude={"state", "digest", "password"})
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        return self.model_copy(update={"state": state, "digest": digest})


ResourceT = TypeVar("ResourceT", bound=Resource)


class Gateway(Resource):
    """One Samba server. `apple` is set by itself when a share needs it: then all its shares load fruit."""

    allocated = ("apple", "sid")

    kind: Literal["gateway"] = "gateway"
    name: GatewayName
    mode: Mode = Field(default_factory=NativeMode)
    hardened: bool = False
    minimum_protocol: Literal["SMB2_10", "SMB3_00", "SMB3_11"] = "SMB3_00"
    allow_guests: bool = False
    workgroup: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,14}$")] = "WORKGROUP"
    apple: bool = False
    sid: str = Field("", pattern=r"^(S-1-5-21(-\d{1,10}){3})?$")


class Share(Resource):
    """One SMB share on one gateway. `adopted`: the source was there before us, so we never destroy it."""

    allocated = ("adopted",)

    kind: Literal["share"] = "share"
    name: ShareName
    gateway: GatewayName
    source: Source
    quota: Size | None = None
    purpose: Purpose = Field(default_factory=GeneralPurpose)
    access: dict[Principal, Rights] = {}
    guest: Rights | None = None
    encryption: Literal["default", "required"] = "default"
    hidden: bool = False
    comment: Text = ""
    adopted: bool = False

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
    password: Annotated[SecretStr, AfterValidator(_password)] | None = Field(None, exclude=True)
    uid: int | None = Field(None, ge=20000, le=29999)
    password_set: int | None = Field(None, ge=0)


class Group(Resource):
    """Users by a common name."""

    allocated = ("gid",)

    kind: Literal["group"] = "group"
    name: AccountName
    members: tuple[AccountName, ...] = ()
    gid: int | None = Field(None, ge=20000, le=29999)


AnyResource = Annotated[Gateway | Share | User | Group, Field(discriminator="kind")]
KINDS: dict[str, type[Resource]] = {"gateway": Gateway, "group": Group, "share": Share, "user": User}
_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyResource)


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
    return f"{item['kind']}.{name if isinstance(name, str) and name.isprintable() and name else position}"


def _fault(label: str, detail: ErrorDetails) -> Fault:
    place, known = _trace(detail["loc"])
    message, hint = detail["msg"].removeprefix("Value error, "), ""
    if detail["type"] == "extra_forbidden":
        message, hint = f'unknown field "{place[-1]}"', did_you_mean(place[-1], known)
    elif detail["type"] == "missing":
        message = f'"{place[-1]}" is missing'
    elif detail["type"] == "union_tag_invalid":
        kinds = str(detail["ctx"]["expected_tags"]).replace("'", "")
        message, hint = f'unknown kind "{detail["ctx"]["tag"]}"', f"known: {kinds}"
    elif detail["type"] == "union_tag_not_found":
        message = '"kind" is missing'
    return Fault(".".join([label, *place]), message, hint)


def _trace(location: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """What the user wrote of a location, and the fields known where it ends.

    Members of a union stand in it by their tag, and a bad key by "[key]": the user wrote neither.
    """
    place: list[str] = []
    known: list[str] = []
    inside: Any = KINDS.get(str(location[0])) if location else None
    for part in location[1:]:
        fields = getattr(inside, "model_fields", None)
        members = {m.model_fields["kind"].default: m for m in get_args(inside) if hasattr(m, "model_fields")}
        if fields is not None:
            known, inside = list(fields), fields[part].annotation if part in fields else None
            place.append(str(part))
        elif part in members:
            inside = members[part]
        elif part != "[key]":
            place.append(str(part))
    return place, known


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a mistyped word, empty where nothing is near."""
    close = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f'did you mean "{close[0]}"?' if close else ""


def parse_source(text: str) -> dict[str, str]:
    """`KIND:SPEC` as a source. Raises ValueError."""
    kind, colon, spec = text.partition(":")
    if not colon or not spec:
        raise ValueError(f'"{text}" is not a source: write KIND:SPEC, such as zfs:tank/docs')
    if kind not in SOURCE_SPECS:
        hint = did_you_mean(kind, SOURCE_SPECS) or f"known: {', '.join(SOURCE_SPECS)}"
        raise ValueError(f'unknown kind of source "{kind}": {hint}')
    return {"kind": kind, SOURCE_SPECS[kind]: spec}


def show_source(source: BaseModel) -> str:
    """A source as `KIND:SPEC`."""
    kind = str(getattr(source, "kind", ""))
    return f"{kind}:{getattr(source, SOURCE_SPECS[kind])}"
