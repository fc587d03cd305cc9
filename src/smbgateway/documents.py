"""Resources as text: YAML or JSON, one document or several, bare or as `resources: [...]` (which `export` writes)."""

import re
from typing import Any, NoReturn

import yaml

from .errors import Fault, Invalid

LONGEST = 8 * 1024 * 1024  # characters; 10,000 shares are a third of it
DEEPEST, MOST = 50, 500_000  # levels; values
PLAIN = ("str", "int", "float", "bool", "null", "map", "seq")  # what JSON has; a date is text
# YAML 1.1, section 4.1.1: all else may not stand in a text.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Yaml: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_documents(text: str) -> list[Any]:
    """The resources in a text. Raises Invalid with the line where it cannot be read."""
    if len(text) > LONGEST:
        raise Invalid.of([Fault("text", f"more than {LONGEST // 1024 // 1024} MiB")])
    try:
        _refuse_unprintable(text)
        _refuse_tricks(text)
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise Invalid.of([Fault("text", f"neither YAML nor JSON: {_place(error)}{error.problem}")]) from None
    return [item for document in documents for item in _items(document)]


def _items(document: Any) -> list[Any]:
    """The resources of one document."""
    if isinstance(document, dict) and set(document) == {"resources"} and isinstance(document["resources"], list):
        return list(document["resources"])
    if isinstance(document, list):
        return document
    return [] if document is None else [document]


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _refuse_unprintable(text: str) -> None:
    found = _UNPRINTABLE.search(text)
    if found:
        before = text[: found.start()]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        mark = yaml.Mark("text", found.start(), line, column, None, None)  # type: ignore[arg-type]
        _refuse(f"the character {ord(found[0]):#x} is not allowed", mark)


def _refuse_tricks(text: str) -> None:
    """No aliases, by which a small text becomes a huge one; no depth at which a parser that recurses would crash."""
    depth, problem = 0, ""
    for count, event in enumerate(yaml.parse(text, Loader=_Yaml)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            problem = f"nested more than {DEEPEST} deep" if depth > DEEPEST else ""
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            problem = "aliases are not allowed"
        if problem or count > MOST:
            _refuse(problem or f"more than {MOST} values", event.start_mark)


def _refuse(problem: str, mark: Any) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


class _Loader(_Yaml):  # type: ignore[misc]
    """YAML with the types of JSON only, and without two values for one key."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(problem=f"not a value of type {kind}", problem_mark=node.start_mark) from error

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.MarkedYAMLError(
                    problem=f'the key "{str(name)[:80]}" is not text', problem_mark=key.start_mark
                )
            if name in seen:
                _refuse(f'"{name[:80]}" stands twice', key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_TAGS = {f"tag:yaml.org,2002:{name}" for name in PLAIN}
_Loader.yaml_constructors = {
    tag: construct for tag, construct in _Yaml.yaml_constructors.items() if tag is None or tag in _TAGS
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS]
    for first, resolvers in _Yaml.yaml_implicit_resolvers.items()
}
