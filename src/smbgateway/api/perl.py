"""The fields of requests for the API of Proxmox VE. `python -m smbgateway.api.perl` prints them, as Perl reads them.

Each field is a parameter. What is a list here is a list there (`string-list`); what is an object is its JSON.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..create import CreateRequest
from ..model import KINDS
from .machines import TemplateBody

NOT_GIVEN = {"kind", "name", "state"}
WORDS = ("pattern", "maxLength", "minLength", "minimum", "maximum", "enum")
HEAD = """\
package PVE::API2::SMBGateway::Fields;

# The parameters of requests: [form, JSON schema] by field. Generated from the model by python -m smbgateway.api.perl;
# do not edit.

use strict;
use warnings;

our %OF = (
"""


def fields() -> dict[str, dict[str, tuple[str, dict[str, Any]]]]:
    """Form and schema of every field that a request may give, by kind of request."""
    found = {"create": _fields(CreateRequest.model_json_schema(), set())}
    found["template"] = _fields(TemplateBody.model_json_schema(), set())
    for kind, model in KINDS.items():
        found[kind] = _fields(model.model_json_schema(), NOT_GIVEN | set(model.allocated))
    return found


def _fields(schema: Mapping[str, Any], left_out: set[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    required = set(schema.get("required", ()))
    given = {name: field for name, field in schema["properties"].items() if name not in left_out}
    return {name.replace("_", "-"): _field(field, name in required) for name, field in sorted(given.items())}


def _field(field: Mapping[str, Any], required: bool) -> tuple[str, dict[str, Any]]:
    form, told = _form(field)
    made: dict[str, Any] = {"type": form if form in ("boolean", "integer") else "string"}
    if form == "list":
        made["format"] = "string-list"
    elif form != "object":
        made |= {word: told[word] for word in WORDS if word in told}
    if "pattern" in made:
        made["pattern"] = re.sub(r"^\^(.*)\$$", r"(?:\1)", made["pattern"])
    if "description" in told or form == "object":
        made["description"] = told.get("description", "JSON of an object.")
    return form, made if required else {**made, "optional": 1}


def _form(field: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What kind of parameter a field is, and the part of its schema that says more."""
    choices = [choice for choice in field.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        return _form({**choices[0], **{k: v for k, v in field.items() if k == "description"}})
    if choices:  # a size: a number, or a number with a unit
        return "text", {}
    kind = field.get("type", "object")
    return {"string": "text", "array": "list"}.get(kind, kind), field


def text() -> str:
    """The Perl module."""
    lines = []
    for kind, given in fields().items():
        rows = (
            f"        {_perl(name)} => [{_perl(form)}, {_perl(schema)}],\n" for name, (form, schema) in given.items()
        )
        lines.append(f"    {kind} => {{\n{''.join(rows)}    }},\n")
    return f"{HEAD}{''.join(lines)});\n\n1;\n"


def _perl(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{word} => {_perl(each)}" for word, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_perl, value)) + "]"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


if __name__ == "__main__":
    print(text(), end="")
