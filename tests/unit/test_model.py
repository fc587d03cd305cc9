"""The one validator: what it refuses, with which words, and what it never lets through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway import fields, model, sizes
from smbgateway.errors import Invalid
from smbgateway.store import slim

SHARE: dict[str, Any] = {
    "kind": "share",
    "name": "docs",
    "gateway": "files",
    "source": {"kind": "directory", "path": "/srv/docs"},
}
GATEWAY: dict[str, Any] = {"kind": "gateway", "name": "files"}
USER: dict[str, Any] = {"kind": "user", "name": "office"}
GROUP: dict[str, Any] = {"kind": "group", "name": "staff"}
DIGITS_OF_A_SIZE = "a number with K, M, G or T, such as 10G"


def faults(*items: object) -> list[str]:
    """Each fault as `field: message (hint)`."""
    with pytest.raises(Invalid) as caught:
        model.parse(items)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None  # pydantic's own error shows what was typed, passwords too
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def one(item: dict[str, Any], **changes: object) -> Any:
    return model.parse([item | changes])[0]


SHARE_NAMES = {
    "": "share name is empty",
    "a" * 81: "share name has 81 characters: at most 80",
    "..": '".." is not a share name: letters, digits, blanks and . _ -, first a letter or digit',
    "a/b": '"a/b" is not a share name: letters, digits, blanks and . _ -, first a letter or digit',
    " a": '" a" is not a share name: letters, digits, blanks and . _ -, first a letter or digit',
    "a]": '"a]" is not a share name: letters, digits, blanks and . _ -, first a letter or digit',
    "a%U": '"a%U" is not a share name: letters, digits, blanks and . _ -, first a letter or digit',
    "a\n[b]": "share name has a control character (character 0xa)",
    "a\u200bb": "share name has a control character (ZERO WIDTH SPACE)",
    "a\u2028b": "share name has a control character (LINE SEPARATOR)",
    "a\ud800": "share name has a control character (character 0xd800)",
    "d\u043ecs": 'share name has "\u043e" (CYRILLIC SMALL LETTER O): only ASCII, so that no two names look alike',
    "\uff41": 'share name has "\uff41" (FULLWIDTH LATIN SMALL LETTER A): only ASCII, so that no two names look alike',
    "global": '"global" is a reserved name',
    "Homes": '"Homes" is a reserved name',
    "print$": '"print$" is a reserved name',
    "IPC$": '"IPC$" is a reserved name',
}


@pytest.mark.parametrize(("name", "text"), SHARE_NAMES.items(), ids=ascii)
def test_bad_share_names(name: str, text: str) -> None:
    label = name if name.isprintable() and name else "0"
    assert faults(SHARE | {"name": name}) == [f"share.{label}.name: {text}"]


@pytest.mark.parametrize("name", ["docs", "Docs 2026", "a", "9", "_x", "hidden$", "a.b-c_d", "a" * 80])
def test_good_share_names(name: str) -> None:
    assert one(SHARE, name=name).name == name


@pytest.mark.parametrize(
    ("item", "name", "text"),
    [
        (GATEWAY, "", "gateway name is empty"),
        (GATEWAY, "a" * 41, "gateway name has 41 characters: at most 40"),
        (GATEWAY, "Files", '"Files" is not a gateway name: small letters, digits and -, first a letter'),
        (GATEWAY, "-x", '"-x" is not a gateway name: small letters, digits and -, first a letter'),
        (GATEWAY, "x-", '"x-" is not a gateway name: small letters, digits and -, first a letter'),
        (GATEWAY, "..", '".." is not a gateway name: small letters, digits and -, first a letter'),
        (USER, "root", '"root" is a reserved name'),
        (USER, "Office", '"Office" is not a name: small letters, digits and . _ -, first a letter'),
        (USER, "a:b", '"a:b" is not a name: small letters, digits and . _ -, first a letter'),
        (USER, "pc$", '"pc$" is not a name: small letters, digits and . _ -, first a letter'),
        (USER, "a" * 33, "name has 33 characters: at most 32"),
        (GROUP, "nogroup", '"nogroup" is a reserved name'),
        (GROUP, 7, "Input should be a valid string"),
    ],
)
def test_bad_names_of_others(item: dict[str, Any], name: object, text: str) -> None:
    label = name if isinstance(name, str) and name else "0"
    assert faults(item | {"name": name}) == [f"{item['kind']}.{label}.name: {text}"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ("10X", f'"10X" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("", f'"" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("G", f'"G" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("1e9", f'"1e9" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("0x10", f'"0x10" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("10 GG", f'"10 GG" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("-1G", f'"-1G" is not a size: write {DIGITS_OF_A_SIZE}'),
        (-1, f'"-1" is not a size: write {DIGITS_OF_A_SIZE}'),
        ("\u0661G", f'"\u0661G" is not a size: write {DIGITS_OF_A_SIZE}'),  # a digit, of Arabic script
        ("10\u212a", f'"10\u212a" is not a size: write {DIGITS_OF_A_SIZE}'),  # the Kelvin sign, which folds to k
        ("9" * 400, f'"{"9" * 47}..." is not a size: write {DIGITS_OF_A_SIZE}'),
        (0, '"0" is out of range: a size is more than 0 and less than 8E'),
        ("0.1B", '"0.1B" is out of range: a size is more than 0 and less than 8E'),
        ("9000P", '"9000P" is out of range: a size is more than 0 and less than 8E'),
        (2**63, f'"{2**63}" is out of range: a size is more than 0 and less than 8E'),
        (1.5, "write a size such as 10G, or a number of bytes"),
        (float("inf"), "write a size such as 10G, or a number of bytes"),
        (True, "write a size such as 10G, or a number of bytes"),
        ([], "write a size such as 10G, or a number of bytes"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_bad_sizes(size: object, text: str) -> None:
    assert faults(SHARE | {"quota": size}) == [f"share.docs.quota: {text}"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10G", 10 << 30),
        ("512 MiB", 512 << 20),
        ("1.5T", 3 << 39),
        (" 7 ", 7),
        ("7B", 7),
        ("2kb", 2048),
        ("1p", 1 << 50),
    ],
)
def test_good_sizes(text: str, size: int) -> None:
    assert sizes.parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (2**20 - 1, "1.0 MiB"), (10 << 30, "10 GiB")],
)
def test_sizes_as_shown(size: int, text: str) -> None:
    assert sizes.show_size(size) == text


@given(st.integers(1, 2**63 - 1))
def test_a_number_of_bytes_is_kept_exactly(size: int) -> None:
    assert sizes.parse_size(size) == sizes.parse_size(str(size)) == size


@given(st.integers(1, 2**62))
def test_a_shown_size_reads_back_near_enough(size: int) -> None:
    assert abs(sizes.parse_size(sizes.show_size(size)) - size) <= size / 20


@given(st.integers(1, 999), st.sampled_from(sizes.UNITS), st.sampled_from(["", "B", "iB", "ib"]), st.booleans())
def test_a_whole_number_of_units_is_shown_as_it_was_written(count: int, unit: str, end: str, blank: bool) -> None:
    written = f"{count}{' ' if blank else ''}{unit}{end}"
    assert sizes.show_size(sizes.parse_size(written)) == f"{count} {unit}iB"


@given(st.text() | st.integers() | st.floats() | st.none() | st.lists(st.integers()))
def test_any_size_is_taken_or_refused_with_words(value: object) -> None:
    try:
        size, words = sizes.parse_size(value), ""
    except ValueError as error:
        size, words = 0, str(error)
    assert "size" in words or 0 < size < 2**63


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("srv/docs", '"srv/docs" is not an absolute path'),
        ("", '"" is not an absolute path'),
        ("/srv/a\nb", "the path has a control character (0xa)"),
        ("/srv/a\x00", "the path has a control character (0x0)"),
        ("/srv/a\u2029b", "the path has a control character (0x2029)"),
        ("/srv/%U", 'the path has "%" in it, which Samba would expand'),
        ("/srv/../etc", 'the path has ".." in it'),
        ("/srv/a ", 'the path ends in a blank, \\ or ", which Samba would drop'),
        ("/srv/a\\", 'the path ends in a blank, \\ or ", which Samba would drop'),
        ('/srv/a"', 'the path ends in a blank, \\ or ", which Samba would drop'),
        ("/srv/" + "a" * 1000, "the path is longer than 1000 bytes"),
        (7, "Input should be a valid string"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_bad_paths(path: object, text: str) -> None:
    assert faults(SHARE | {"source": {"kind": "directory", "path": path}}) == [f"share.docs.source.path: {text}"]


def test_a_path_is_kept_in_its_shortest_form() -> None:
    assert one(SHARE, source={"kind": "image", "path": "//srv/./a..b/ü/"}).source.path == "/srv/a..b/ü"


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        ("tank", '"tank" is not a dataset below a pool: write POOL/NAME, such as tank/docs'),
        ("tank/", '"tank/" is not a dataset below a pool: write POOL/NAME, such as tank/docs'),
        ("tank/a@b", '"tank/a@b" is not a dataset below a pool: write POOL/NAME, such as tank/docs'),
        ("tank/a b", '"tank/a b" is not a dataset below a pool: write POOL/NAME, such as tank/docs'),
        ("tank/..", '"tank/.." has "." or ".." as a component'),
    ],
)
def test_bad_datasets(dataset: str, text: str) -> None:
    assert faults(SHARE | {"source": {"kind": "zfs", "dataset": dataset}}) == [f"share.docs.source.dataset: {text}"]


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("a\nguest ok = yes", "control characters and line ends are not allowed"),
        ("a\u2028b", "control characters and line ends are not allowed"),
        ("\x1b[31m", "control characters and line ends are not allowed"),
        (" a", "no blanks at either end and no \\ at the end"),
        ("a\\", "no blanks at either end and no \\ at the end"),
        ("100 %", '"%" is not allowed: Samba would expand it'),
        ("a" * 257, "String should have at most 256 characters"),
        (None, "Input should be a valid string"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_bad_comments(comment: object, text: str) -> None:
    assert faults(SHARE | {"comment": comment}) == [f"share.docs.comment: {text}"]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("x", "'x' does not appear to be an IPv4 or IPv6 address"),
        ("192.168.1.0/24", "'192.168.1.0/24' does not appear to be an IPv4 or IPv6 address"),
        ("fe80::1%eth0", "an address has no zone (%): write the address alone"),
        ("fe80::1%x\n[evil]", "an address has no zone (%): write the address alone"),
    ],
)
def test_bad_addresses(address: str, text: str) -> None:
    bad = GATEWAY | {"mode": {"kind": "native", "addresses": ["192.168.1.5", address]}}
    assert faults(bad) == [f"gateway.files.mode.addresses.1: {text}"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("x", "resource.0: Input should be a valid dictionary or object to extract fields from"),
        ({}, 'resource.0: "kind" is missing'),
        ({"kind": "shar"}, 'resource.0: unknown kind "shar" (known: gateway, share, user, group, receiver)'),
        ({"kind": []}, 'resource.0: unknown kind "[]" (known: gateway, share, user, group, receiver)'),
        (USER | {1: 2}, "user.office.1: Keys should be strings"),
        (SHARE | {"quotas": 1}, 'share.docs.quotas: unknown field "quotas" (did you mean "quota"?)'),
        (SHARE | {"zzz": 1}, 'share.docs.zzz: unknown field "zzz"'),
        (
            SHARE | {"source": {"kind": "image", "path": "/srv/x", "thn": True}},
            'share.docs.source.thn: unknown field "thn" (did you mean "thin"?)',
        ),
        (
            SHARE | {"source": {"kind": "directory", "path": "/srv/x", "thin": True}},
            'share.docs.source.thin: unknown field "thin"',
        ),
        (
            SHARE | {"source": {"kind": "imag", "path": "/srv/x"}},
            'share.docs.source: unknown kind "imag" (known: directory, image, btrfs, xfs, zfs, cephfs, rbd, storage)',
        ),
        (SHARE | {"source": {"path": "/srv/x"}}, 'share.docs.source: "kind" is missing'),
        (SHARE | {"source": {"kind": "image"}}, 'share.docs.source.path: "path" is missing'),
        (
            SHARE | {"source": "/srv/x"},
            "share.docs.source: Input should be a valid dictionary or object to extract fields from",
        ),
        (
            SHARE | {"purpose": {"kind": "media", "general": 1}},  # a field named as a member of the union
            'share.docs.purpose.general: unknown field "general"',
        ),
        (
            SHARE | {"purpose": {"kind": "archive", "grace": 1}},
            "share.docs.purpose.grace: Input should be greater than or equal to 5",
        ),
        (SHARE | {"access": {"media": "x"}}, "share.docs.access.media: Input should be 'read' or 'write'"),
        (SHARE | {"access": {"@root": "read"}}, 'share.docs.access.@root: "@root" is a reserved name'),
        (
            SHARE | {"access": {"A b": "read"}},
            'share.docs.access.A b: "A b" is not a user or @group: '
            "small letters, digits and . _ -, first a letter; @ before a group",
        ),
        (SHARE | {"access": ["office"]}, "share.docs.access: Input should be a valid dictionary"),
        (
            GATEWAY | {"mode": {"kind": "native", "prt": 1}},
            'gateway.files.mode.prt: unknown field "prt" (did you mean "port"?)',
        ),
        (
            GATEWAY | {"mode": {"kind": "native", "port": 0}},
            "gateway.files.mode.port: Input should be greater than or equal to 1",
        ),
        (
            GATEWAY | {"hardened": "maybe"},
            "gateway.files.hardened: Input should be a valid boolean, unable to interpret input",
        ),
        (
            GATEWAY | {"minimum_protocol": "NT1"},
            "gateway.files.minimum_protocol: Input should be 'SMB2_10', 'SMB3_00' or 'SMB3_11'",
        ),
        (GROUP | {"members": "office"}, "group.staff.members: Input should be a valid tuple"),
        (GROUP | {"members": ["a", "root"]}, 'group.staff.members.1: "root" is a reserved name'),
        (USER | {"uid": 0}, "user.office.uid: Input should be greater than or equal to 20002"),
        (
            USER | {"full_name": "a,b"},
            "user.office.full_name: a colon or comma is not allowed: both separate fields in passwd(5)",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_field_and_words_of_a_fault(item: object, expected: str) -> None:
    assert faults(item) == [expected]


def test_every_fault_of_every_item_at_once() -> None:
    assert faults(
        SHARE | {"name": "global", "quota": "10X", "colour": "red"},
        GROUP,
        USER | {"full_name": "a:b", "password": "short", "uid": 1},
        7,
    ) == [
        'share.global.name: "global" is a reserved name',
        f'share.global.quota: "10X" is not a size: write {DIGITS_OF_A_SIZE}',
        'share.global.colour: unknown field "colour"',
        "user.office.full_name: a colon or comma is not allowed: both separate fields in passwd(5)",
        "user.office.password: a password has 8 to 127 characters",
        "user.office.uid: Input should be greater than or equal to 20002",
        "resource.3: Input should be a valid dictionary or object to extract fields from",
    ]


def test_the_count_of_faults_is_said() -> None:
    with pytest.raises(Invalid, match=r"^nothing was changed: 1 fault in the request\n"):
        model.parse([SHARE | {"quota": 0}])
    with pytest.raises(Invalid, match=r"^nothing was changed: 2 faults in the request\n"):
        model.parse([SHARE | {"quota": 0}, 1])


@pytest.mark.parametrize("password", ["short", "a" * 128, "tab\tinside", "line\nend12", ["correct-horse"], 1234567890])
def test_a_bad_password_is_refused_and_not_shown(password: object) -> None:
    text = "\n".join(faults(USER | {"password": password}, USER | {"name": "B", "password": password}))
    assert "user.office.password: " in text
    assert str(password) not in text


def test_a_password_is_never_shown() -> None:
    user = one(USER, password="correct-horse")
    for shown in (user, user.sealed("ready")):
        texts = [repr(shown), str(shown), repr(shown.model_dump()), shown.model_dump_json(), f"{shown.password}"]
        assert not [text for text in texts if "correct" in text]
    assert user.password.get_secret_value() == user.sealed("ready").password.get_secret_value() == "correct-horse"


def test_a_mistyped_field_does_not_show_its_value() -> None:
    assert faults(USER | {"pasword": "correct-horse"}) == [
        'user.office.pasword: unknown field "pasword" (did you mean "password"?)'
    ]


NAME_LIKE = st.text(st.sampled_from("aZ09_-. $@%[]=;#\\/\"'\n\r\tà\u200b:*?<>|"), max_size=12) | st.text(max_size=90)
MISREAD = set('"/\\[]:|<>+=;,*?%#\n\r\t')  # MS-SRVS, smb.conf(5), and path and command separators


@given(NAME_LIKE)
def test_a_share_name_that_is_accepted_cannot_be_misread(name: str) -> None:
    try:
        accepted = one(SHARE, name=name).name
    except Invalid:
        return
    assert accepted == name == name.strip()
    assert name.isascii()
    assert name.isprintable()
    assert not MISREAD & set(name)
    assert name.lower() not in fields.RESERVED_SHARES
    assert not name.startswith((".", "-"))


@given(NAME_LIKE)
def test_an_account_name_that_is_accepted_cannot_be_misread(name: str) -> None:
    try:
        one(SHARE, access={name: "read"})
    except Invalid:
        return
    assert not (MISREAD | set(" $")) & set(name)
    assert "@" not in name[1:]
    assert name.lstrip("@") not in fields.RESERVED_ACCOUNTS
    one(GROUP if name.startswith("@") else USER, name=name.removeprefix("@")[:32])


@given(st.text('/. ab\\"%\nü', max_size=12).map(lambda text: f"/{text}"))
def test_a_path_that_is_accepted_cannot_be_misread(path: str) -> None:
    try:
        accepted = one(SHARE, source={"kind": "directory", "path": path}).source.path
    except Invalid:
        return
    assert accepted.startswith("/")
    assert not {"..", "."} & set(accepted.split("/"))
    assert not {"%", "\n"} & set(accepted)
    assert accepted == "/" or not accepted.endswith((" ", "\\", '"', "/"))
    assert one(SHARE, source={"kind": "directory", "path": accepted}).source.path == accepted


VARIANTS: list[tuple[dict[str, Any], dict[str, object]]] = [
    (
        GATEWAY,
        {
            "name": "other",
            "mode": {"kind": "native", "port": 1445},
            "cluster": {
                "members": [{"node": "n1", "address": "10.1.1.1"}],
                "addresses": [{"address": "10.1.0.100/24", "interface": "vmbr0"}],
            },
            "enabled": False,
            "hardened": True,
            "minimum_protocol": "SMB3_11",
            "allow_guests": True,
            "discovery": False,
            "workgroup": "OFFICE",
            "apple": True,
            "sid": "S-1-5-21-1-2-3",
        },
    ),
    (
        SHARE,
        {
            "name": "other",
            "gateway": "other",
            "source": {"kind": "image", "path": "/srv/docs"},
            "quota": 1,
            "levels": {"notice": 1},
            "snapshots": {"daily": 1},
            "purpose": {"kind": "media"},
            "access": {"office": "read"},
            "guest": "read",
            "encryption": "required",
            "hidden": True,
            "storage": True,
            "comment": "x",
            "adopted": True,
            "foreign": True,
            "project": 445000000,
            "common": True,
            "user_quota": 1,
        },
    ),
    (USER, {"name": "other", "enabled": False, "full_name": "X", "uid": 20002, "password_set": 1}),
    (GROUP, {"name": "other", "members": ["office"], "gid": 20002}),
]


@pytest.mark.parametrize(("item", "changes"), VARIANTS, ids=["gateway", "share", "user", "group"])
def test_the_digest_changes_with_any_field_and_with_nothing_else(item: dict[str, Any], changes: dict[str, Any]) -> None:
    plain = one(item).sealed("ready")
    record = json.loads(plain.model_dump_json())
    assert (
        one(record).sealed("failed").digest
        == plain.digest
        == one(item, state="failed", digest="x").sealed("ready").digest
    )
    digests = {name: one(item, **{name: value}).sealed("ready").digest for name, value in changes.items()}
    assert len({plain.digest, *digests.values()}) == len(changes) + 1
    untested = set(type(plain).model_fields) - set(changes) - {"kind", "state", "digest", "password", "made"}
    assert not untested, "a new field needs a line in VARIANTS"


def test_the_digest_does_not_tell_the_password() -> None:
    assert one(USER, password="correct-horse").sealed("ready").digest == one(USER).sealed("ready").digest


def test_the_order_of_access_does_not_change_the_digest() -> None:
    there, back = {"a": "read", "b": "write"}, {"b": "write", "a": "read"}
    assert one(SHARE, access=there).sealed("ready").digest == one(SHARE, access=back).sealed("ready").digest


@pytest.mark.parametrize("item", [GATEWAY, SHARE, USER, GROUP], ids=lambda item: item["kind"])
def test_what_is_shown_can_be_applied(item: dict[str, Any]) -> None:
    record = one(item).sealed("ready")
    assert model.parse([json.loads(record.model_dump_json())]) == [record]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zfs", '"zfs" is not a source: write KIND:SPEC, such as zfs:tank/docs'),
        ("zfs:", '"zfs:" is not a source: write KIND:SPEC, such as zfs:tank/docs'),
        ("zsf:tank/docs", 'unknown kind of source "zsf": did you mean "zfs"?'),
        ("q:x", 'unknown kind of source "q": known: directory, image, btrfs, xfs, zfs, cephfs, rbd, storage'),
    ],
)
def test_bad_source_words(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole text is compared)
        model.parse_source(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["directory:/srv/a:b", "image:/srv/a.img", "btrfs:/pool/a", "zfs:tank/docs"])
def test_source_words_there_and_back(text: str) -> None:
    assert model.show_source(one(SHARE, source=model.parse_source(text)).source) == text


LONG = "x" * 100_000
SECRET = "Hunter-Two-22"


@pytest.mark.parametrize(
    "item",
    [
        SHARE | {"name": LONG},
        SHARE | {LONG: 1},
        SHARE | {"quota": LONG},
        SHARE | {"quota": 10**4000},
        SHARE | {"source": {"kind": LONG}},
        SHARE | {"source": {"kind": "directory", "path": LONG}},
        SHARE | {"source": {"kind": "zfs", "dataset": LONG}},
        SHARE | {"access": {LONG: "read"}},
        SHARE | {"comment": LONG},
        GATEWAY | {"mode": {"addresses": [LONG]}},
        {"kind": LONG},
    ],
)
def test_a_message_is_short_however_long_the_input(item: dict[str, Any]) -> None:
    assert all(len(text) < 300 for text in faults(item))


@pytest.mark.parametrize("password", [SECRET[:7], SECRET * 10, [SECRET], {SECRET: 1}, SECRET + "\n"], ids=type)
def test_no_message_repeats_a_password(password: object) -> None:
    assert SECRET[:7] not in str(faults(USER | {"password": password}))
    with pytest.raises(ValueError, match="password") as raw:
        model.User.model_validate(USER | {"password": password})
    assert SECRET[:7] not in str(raw.value), "nor does pydantic itself, should it ever be printed"


def test_what_records_have_in_common_is_held_once() -> None:
    parts: dict[object, Any] = {}
    first, second = (slim(one(SHARE, name=name), parts) for name in ("a1", "a2"))
    assert isinstance(first, model.Share)
    assert isinstance(second, model.Share)
    assert first.levels is second.levels
    assert first.model_fields_set is second.model_fields_set
    assert first == one(SHARE, name="a1")
