"""Whether a call fits the published schema of Proxmox VE's REST API.

The schemas are no part of this project: SMBGW_PROXMOX_API names their directory, else it is ../shared/proxmox-api.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BESIDE = ROOT.parent / "shared"
VARIABLE = "SMBGW_PROXMOX_API"
Shape = Mapping[str, Any]
SLOT = re.compile(r"\{[^}]+\}")


def folder() -> Path:
    """Where the schemas lie, if they are there."""
    return Path(os.environ.get(VARIABLE) or BESIDE / "proxmox-api")


def expected() -> bool:
    """Whether they must be there: CI with the directory of shared things beside the clone, or one that is named."""
    return VARIABLE in os.environ or (os.environ.get("CI") == "true" and BESIDE.is_dir())


class Schema:
    """The methods of one release."""

    def __init__(self, methods: Mapping[str, Shape]) -> None:
        self.methods = methods
        self.paths = [(re.compile(SLOT.sub("([^/]+)", key)), key) for key in methods]

    @classmethod
    def load(cls, release: int) -> "Schema | None":
        """That of Proxmox VE 8 or 9; None in a plain clone, which has none."""
        file = folder() / f"pve{release}.json"
        if not file.exists():
            assert not expected(), f"{file} is not there: calls of Proxmox VE cannot be checked"
            return None
        return cls(json.loads(file.read_text()))

    def faults(self, method: str, path: str, parameters: Mapping[str, Any]) -> list[str]:
        """What is wrong with a call."""
        found = [(match, key) for pattern, key in self.paths if (match := pattern.fullmatch(f"{method} {path}"))]
        if not found:
            return [f"there is no {method} {path}"]
        match, key = min(found, key=lambda each: len(each[0].groups()))  # a fixed name goes before a slot
        slots = dict(zip((slot[1:-1] for slot in SLOT.findall(key)), match.groups(), strict=True))
        shape = self.methods[key].get("parameters", {})
        if "allOf" in shape:  # one part for all, and one of each type
            return _variant(shape["allOf"], {**slots, **parameters})
        return _members(shape.get("properties") or {}, {**slots, **parameters}, shape.get("additionalProperties") == 0)


def _variant(parts: Sequence[Shape], values: Mapping[str, Any]) -> list[str]:
    wanted = values.get("type", "")
    shapes: dict[str, Shape] = {"type": {"type": "string"}}
    for part in parts:
        chosen = [each for each in part.get("oneOf", [part]) if each.get("instance-type", wanted) == wanted]
        if not chosen:
            return [f"type: {wanted} is none of them"]
        shapes |= chosen[0]["properties"]
    return _members(shapes, values, closed=True)


def _members(shapes: Mapping[str, Shape], values: Mapping[str, Any], closed: bool) -> list[str]:
    faults = []
    for name, value in values.items():
        shape = shapes.get(name) or shapes.get(re.sub(r"\d+$", "[n]", name))
        if shape is not None:
            faults += [f"{name}: {fault}" for fault in _value(shape, value)]
        elif closed:
            faults.append(f"{name}: no such parameter")
    optional = (name for name, shape in shapes.items() if shape.get("optional") or "alias" in shape)
    needed = shapes.keys() - set(optional)
    return faults + [
        f"{name}: is missing" for name in sorted(needed) if name not in values and not name.endswith("[n]")
    ]


def _value(shape: Shape, value: str | list[str]) -> list[str]:
    kind = shape.get("type", "string")
    if isinstance(value, list) != (kind == "array"):
        return [f"{value} is no {kind}"]
    if isinstance(value, list):
        return [fault for each in value for fault in _value(shape["items"], each)]
    faults = []
    if kind in ("integer", "number"):
        if not re.fullmatch(r"-?\d+" if kind == "integer" else r"-?\d+(\.\d+)?", value):
            return [f"{value} is no {kind}"]
        low, high = float(shape.get("minimum", "-inf")), float(shape.get("maximum", "inf"))
        faults += [] if low <= float(value) <= high else [f"{value} is out of limits"]
    elif kind == "boolean":
        faults += [] if value in ("0", "1") else [f"{value} is neither 0 nor 1"]
    if "enum" in shape and value not in shape["enum"]:
        faults.append(f"{value} is none of {', '.join(shape['enum'])}")
    if "pattern" in shape and not re.search(f"^(?:{python(shape['pattern'])})$", value):
        faults.append(f"{value} does not match {shape['pattern']}")
    if not int(shape.get("minLength", 0)) <= len(value) <= int(shape.get("maxLength", 1 << 30)):
        faults.append(f"{value} has a wrong length")
    if isinstance(shape.get("format"), dict):
        faults += _property_string(shape["format"], value)
    return faults


def _property_string(members: Mapping[str, Shape], value: str) -> list[str]:
    """NAME=VALUE,...; the first word may be the value of the key that is the default."""
    default = next((name for name, shape in members.items() if shape.get("default_key")), "")
    words = [word.partition("=") for word in value.split(",")]
    parts = {name if equals else default: text if equals else name for name, equals, text in words}
    aliases = {name: shape["alias"] for name, shape in members.items() if "alias" in shape}
    # What the name of an alias says: virtio=MAC is a MAC, of the model virtio.
    parts |= {shape["keyAlias"]: name for name, shape in members.items() if "keyAlias" in shape and name in parts}
    return _members(members, {aliases.get(name, name): text for name, text in parts.items()}, closed=True)


def python(pattern: str) -> str:
    """A pattern of Perl's as Python has it."""
    return re.sub(r"\(\?\^?([a-z]*):", lambda flags: f"(?{flags[1]}:" if flags[1] else "(?:", pattern)
