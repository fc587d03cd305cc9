"""The OpenAPI document. `python -m smbgateway.api.schema` prints it, as docs/openapi.json has it."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

OF_BODIES = ("400", "413")


def document(app: FastAPI) -> dict[str, Any]:
    """What the framework says of the routes, in short: each problem described once, and no title that only repeats."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    made["info"]["license"] = app.license_info
    shared = made["components"]["responses"] = {}
    for operation in (operation for path in made["paths"].values() for operation in path.values()):
        for code, response in list(operation["responses"].items()):
            if code in OF_BODIES and "requestBody" not in operation:
                del operation["responses"][code]
            elif code >= "400":
                shared[code] = response
                operation["responses"][code] = {"$ref": f"#/components/responses/{code}"}
    for part in ("paths", "components"):
        made[part] = _untitled(made[part])
    return made


def _untitled(value: Any) -> Any:
    if isinstance(value, list):
        return [_untitled(each) for each in value]
    if isinstance(value, dict):
        return {name: _untitled(each) for name, each in value.items() if name != "title" or isinstance(each, dict)}
    return value


def text(made: dict[str, Any]) -> str:
    """The document with a line for each path, each schema and each response: differences are easy to read."""
    return f"{_lines(made, 3)}\n"


def _lines(value: Any, depth: int, indent: str = "") -> str:
    if not depth or not isinstance(value, dict) or not value:
        return json.dumps(value)
    lines = [f"{indent} {json.dumps(name)}: {_lines(each, depth - 1, indent + ' ')}" for name, each in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def main() -> None:
    """Print it. No engine is started for it."""
    from ..engine import Engine
    from ..host import Node
    from ..paths import Paths
    from ..store import MemoryStore
    from .app import make

    print(text(make(Engine(MemoryStore(), Paths("/nonexistent"), Node(), "node")).openapi()), end="")


if __name__ == "__main__":
    main()
