"""Resources as text: YAML or JSON, one document or several, bare or as `resources: [...]` (which `export` writes)."""

from typing import Any

import yaml

from .errors import Fault, Invalid

LONGEST = 16 * 1024 * 1024


def read_documents(text: str) -> list[Any]:
    """The resources in a text. Raises Invalid with the line where it cannot be read."""
    if len(text) > LONGEST:
        raise Invalid.of([Fault("text", f"more than {LONGEST // 1024 // 1024} MiB")])
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Invalid.of([Fault("text", f"neither YAML nor JSON: {place}{problem}")]) from error
    items: list[Any] = []
    for document in documents:
        if isinstance(document, dict) and set(document) == {"resources"} and isinstance(document["resources"], list):
            items += document["resources"]
        elif isinstance(document, list):
            items += document
        elif document is not None:
            items.append(document)
    return items


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML without aliases (a small text could become a huge one) and without two values for one key."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise yaml.MarkedYAMLError(problem=f'the key "{name}" is not text', problem_mark=key.start_mark)
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f'"{name}" stands twice', problem_mark=key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)
