"""Resources as text: what is read, what is refused, and where it says the fault is."""

import pytest

from smbgateway import documents
from smbgateway.documents import read_documents
from smbgateway.errors import Invalid


def fault(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        read_documents(text)
    (only,) = caught.value.faults
    assert only.field == "text"
    return only.message.removeprefix("neither YAML nor JSON: ")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("---\n...\n---\n", []),
        ("{kind: user, name: a}", [{"kind": "user", "name": "a"}]),
        ('{"kind": "user", "name": "a"}', [{"kind": "user", "name": "a"}]),
        ("kind: user\n---\nkind: group\n", [{"kind": "user"}, {"kind": "group"}]),
        ("- kind: user\n- kind: group\n", [{"kind": "user"}, {"kind": "group"}]),
        ("resources:\n- kind: user\n- 5\n", [{"kind": "user"}, 5]),
        ('{"resources": [{"kind": "user"}]}\n---\n[{"kind": "group"}]', [{"kind": "user"}, {"kind": "group"}]),
        ("resources: []\nname: a\n", [{"resources": [], "name": "a"}]),
        ("resources: 5", [{"resources": 5}]),
        ("just text", ["just text"]),
        ("\ufeffname: a", [{"name": "a"}]),
        ("a: yes\nb: null\nc: 1.5\nd: 0x10\ne: 'no'\n", [{"a": True, "b": None, "c": 1.5, "d": 16, "e": "no"}]),
        ("name: 2026-01-31", [{"name": "2026-01-31"}]),
        ("<<: {a: 1}\nb: 2", [{"<<": {"a": 1}, "b": 2}]),
        ("'a\\tb': \"\\u263a\"", [{"a\\tb": "\u263a"}]),
    ],
)
def test_what_is_read(text: str, items: list[object]) -> None:
    assert read_documents(text) == items


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\nb: *x\n", "line 2, column 4: aliases are not allowed"),
        ("&a [*a]", "line 1, column 5: aliases are not allowed"),
        ("a: 1\nb: 2\na: 3\n", 'line 3, column 1: "a" stands twice'),
        ('{"a": {"b": 1, "b": 2}}', 'line 1, column 16: "b" stands twice'),
        ("a: 1\n2: 3\n", 'line 2, column 1: the key "2" is not text'),
        ("yes: 3\n", 'line 1, column 1: the key "True" is not text'),
        ("[a]: 1\n", "line 1, column 1: the key \"['a']\" is not text"),
        ("a:\n\tb: 1\n", "line 2, column 1: found character that cannot start any token"),
        ("a: [1\n", "line 2, column 1: did not find expected ',' or ']'"),
        ('{"a": 1', "line 2, column 1: did not find expected ',' or '}'"),
        ("a: 'b\n", "line 2, column 1: found unexpected end of stream"),
        ("a: 1\n b: 2\n", "line 2, column 3: mapping values are not allowed in this context"),
        ("a: 1\nb: \0", "line 2, column 4: the character 0x0 is not allowed"),
        ("a: \ud800", "line 1, column 4: the character 0xd800 is not allowed"),
        ("a: !!int x", "line 1, column 4: not a value of type int"),
        ('a: !!int ""', "line 1, column 4: not a value of type int"),
        ("a: !!bool perhaps", "line 1, column 4: not a value of type bool"),
        ("b:\n  a: " + "9" * 5000, "line 2, column 6: not a value of type int"),
        ("!!str {a: 1}", "line 1, column 1: expected a scalar node, but found mapping"),
    ],
)
def test_what_is_refused_and_where(text: str, message: str) -> None:
    assert fault(text) == message


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!!binary", "!!timestamp", "!!set", "!!omap", "!own"])
def test_only_the_types_of_json(tag: str) -> None:
    assert fault(f"a: {tag} x").startswith("line 1, column 4: could not determine a constructor for the tag")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[" * 100_000, "line 1, column 51"),
        ("{a: " * 100_000, "line 1, column 201"),
        ("- " * 100_000, "line 1, column 101"),
        ("".join(" " * depth + "-\n" for depth in range(500)), "line 51, column 51"),
    ],
    ids=["list", "mapping", "entries", "lines"],
)
def test_depth_is_limited(text: str, place: str) -> None:
    """The parser recurses in C: without a limit such a text ends the whole engine."""
    assert fault(text) == f"{place}: nested more than 50 deep"


def test_depth_that_is_enough() -> None:
    read_documents("[" * 50 + "]" * 50)


def test_length_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fault("a" * (documents.LONGEST + 1)) == "more than 8 MiB"
    monkeypatch.setattr(documents, "MOST", 100)
    assert fault("[1" + ",\n1" * 200 + "]") == "line 99, column 1: more than 100 values"


def test_words_of_the_sender_are_cut_short() -> None:
    assert fault("? " + "[" + "x" * 100_000 + "]\n: 1\n").startswith("line 1, column 3: the key \"['xxxx")
    assert len(fault("? " + "[" + "x" * 100_000 + "]\n: 1\n")) < 200
