"""Kinds of fields: what a name, a path, a text may be. Each says in words what is wrong with a value."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from .sizes import parse_size

# Names Samba or Windows give a meaning of their own (smb.conf(5) SPECIAL SECTIONS; MS-SRVS administrative shares).
RESERVED_SHARES = {"global", "homes", "printers", "print$", "ipc$", "admin$", "fax$", "netlogon", "sysvol"}
RESERVED_ACCOUNTS = {"root", "nobody", "nogroup", "guest", "administrator", "smbgw", "smbgw-guest"}


def cut(value: object) -> str:
    """Words of the sender's as part of a message: not longer than a line."""
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


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
        raise ValueError(f'"{cut(value)}" is not an absolute path')
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
        raise ValueError(f'"{cut(value)}" is not a dataset below a pool: write POOL/NAME, such as tank/docs')
    if any(part in (".", "..") for part in value.split("/")):
        raise ValueError(f'"{value}" has "." or ".." as a component')
    return value


def _subvolume(value: str) -> str:
    parts = value.split("/")
    if len(parts) not in (2, 3) or len(value) > 200 or not all(re.fullmatch(_CEPH_NAME, part) for part in parts):
        raise ValueError(f'"{value[:200]}" is not a subvolume: write VOLUME/GROUP/NAME, such as cephfs/office/docs')
    return value if len(parts) == 3 else f"{parts[0]}/{DEFAULT_GROUP}/{parts[1]}"


def _rbd_image(value: str) -> str:
    if not re.fullmatch(rf"{_CEPH_NAME}(/{_CEPH_NAME}){{1,2}}", value):
        raise ValueError(f'"{cut(value)}" is not an image: write POOL/IMAGE or POOL/NAMESPACE/IMAGE')
    return value


def _address(value: str) -> str:
    if "%" in value:
        raise ValueError("an address has no zone (%): write the address alone")
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"'{cut(value)}' does not appear to be an IPv4 or IPv6 address") from None


def _interface(value: str) -> str:
    if value.lower() in ("dhcp", "auto", "slaac"):
        # Clients, their drives and what announces a gateway know it by its address.
        told = "a gateway has an address that stays: have the DHCP server keep one for it, and write that one here"
        raise ValueError(f'"{cut(value)}" is none: {told}')
    if "/" not in value:
        raise ValueError(f'"{cut(value)}" has no length of its prefix: write ADDRESS/LENGTH, such as 192.168.1.50/24')
    try:
        return str(ipaddress.ip_interface(value))
    except ValueError:
        raise ValueError(f'"{cut(value)}" is not ADDRESS/LENGTH, such as 192.168.1.50/24') from None


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


def password_rule(value: SecretStr) -> SecretStr:
    """8 to 127 characters, none of them control characters. Raises ValueError."""
    secret = value.get_secret_value()
    if not 8 <= len(secret) <= 127:
        raise ValueError("a password has 8 to 127 characters")
    if any(_is_control(letter) for letter in secret):
        raise ValueError("a password has no control characters")
    return value


def _mail_address(value: str) -> str:
    # RFC 5321 allows more; what is quoted or has no domain no receiver uses, and a name alone is a local account's.
    if not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+(@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)?", value):
        raise ValueError(f'"{cut(value)}" is not a mail address: write NAME@DOMAIN, or a local NAME such as root')
    if len(value) > 254:
        raise ValueError("a mail address has at most 254 characters")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    if not whole or len(value) > 2000 or not re.fullmatch(r"[!-~]+", value):
        raise ValueError(f'"{cut(value)}" is not a URL: write https://HOST/PATH')
    if "@" in parts.netloc:
        raise ValueError("the URL has a password in it, which everybody could read: give it as the password")
    return value


def secret_rule(value: SecretStr) -> SecretStr:
    """1 to 1000 visible ASCII characters. Raises ValueError."""
    if not re.fullmatch(r"[!-~]{1,1000}", value.get_secret_value()):
        raise ValueError("a secret has 1 to 1000 characters, all of them visible ASCII")
    return value


def _cluster_lock(value: str) -> str:
    kind, _, rest = value.partition(":")
    if kind == "file" and rest:
        return f"file:{_path(rest)}"
    if kind == "rados" and re.fullmatch(rf"({_CEPH_NAME}@)?{_CEPH_NAME}/{_CEPH_NAME}", rest):
        return value
    if value == "pmxcfs":
        return value
    raise ValueError(f'"{cut(value)}" is not a lock: write file:PATH, rados:[USER@]POOL/OBJECT or pmxcfs')


_CEPH_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"  # what starts with _ is Ceph's own
DEFAULT_GROUP = "smbgateway"  # of VOLUME/NAME
Path = Annotated[str, AfterValidator(_path)]
Dataset = Annotated[str, AfterValidator(_dataset)]
Subvolume = Annotated[str, AfterValidator(_subvolume)]
RbdImage = Annotated[str, AfterValidator(_rbd_image)]
CephUser = Annotated[str, Field(max_length=80, pattern=rf"^{_CEPH_NAME}$")]
StorageId = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z][\w.-]*[A-Za-z0-9]$")]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Url = Annotated[str, AfterValidator(_url)]
Hostname = Annotated[str, Field(max_length=253, pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+)?$")]
Address = Annotated[str, AfterValidator(_address)]
Interface = Annotated[str, AfterValidator(_interface)]
Link = Annotated[str, Field(max_length=15, pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*)?$")]
Mac = Annotated[str, Field(pattern=r"^([0-9a-f]{2}(:[0-9a-f]{2}){5})?$")]
Tag = Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9_][a-z0-9_+.-]*$")]
NodeName = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)?$")]
Text = Annotated[str, Field(max_length=256), AfterValidator(_text)]
FullName = Annotated[Text, AfterValidator(_full_name)]
_SIZES = {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "string", "examples": ["10G", "1.5T"]}]}
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(_SIZES)]
ClusterLock = Annotated[str, AfterValidator(_cluster_lock)]
Rights = Literal["read", "write"]
State = Literal["creating", "ready", "failed", "deleting"]
