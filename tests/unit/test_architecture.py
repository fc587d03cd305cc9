"""The shape of the source: imports go one way, one place starts processes, nothing grows without end."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src" / "smbgateway"
FILES = sorted(SRC.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 450, 55

# A module may import from its own layer and from those below it. What is not named here is as high as what it imports.
LAYERS = [
    {"errors", "model", "paths"},
    {"step", "host"},
    {"guests"},
    {"checks", "store", "modes", "sources", "samba", "cluster", "quota"},
    {"engine"},
    {"api"},
    {"cli"},
]
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
STARTS_PROCESSES = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "create_subprocess_exec"}


def name_of(file: Path) -> str:
    return str(file.relative_to(SRC).with_suffix(""))


def area(file: Path) -> str:
    """A module at the top, or a package with all that is in it."""
    return file.relative_to(SRC).parts[0].removesuffix(".py")


def imports(file: Path, tree: ast.AST) -> Iterator[str]:
    """Dotted names of what a file imports; of ours from the package on, such as `smbgateway.model`."""
    package = ["smbgateway", *file.relative_to(SRC).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


AREAS = {area(file) for file in FILES}


@cache
def areas_used(file: Path) -> set[str]:
    dotted = (name.split(".") for name in imports(file, ast.parse(file.read_text())))
    return {parts[1] for parts in dotted if parts[0] == "smbgateway" and len(parts) > 1 and parts[1] in AREAS}


USED: dict[str, set[str]] = {name: set() for name in AREAS}
for each in FILES:
    USED[area(each)] |= areas_used(each) - {area(each), "__init__"}


@cache
def rank(name: str) -> int:
    return RANKS[name] if name in RANKS else max(map(rank, USED[name]), default=0)


def test_nothing_imports_itself_in_a_circle() -> None:
    TopologicalSorter(USED).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_go_one_way(file: Path) -> None:
    above = {used for used in areas_used(file) if rank(used) > rank(area(file))}
    assert not above, f"{name_of(file)} imports from layers above it"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_only_host_starts_processes(file: Path) -> None:
    tree = ast.parse(file.read_text())
    modules = {name.split(".")[0] for name in imports(file, tree)} & {"subprocess", "pty", "multiprocessing"}
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & STARTS_PROCESSES
    if area(file) != "host":
        assert not modules | calls


def test_the_command_line_starts_without_pydantic() -> None:
    """The client is as quick as Python itself: what it imports at the top is the standard library and itself."""
    for file in (file for file in FILES if area(file) == "cli"):
        body = ast.Module([node for node in ast.parse(file.read_text()).body if not isinstance(node, ast.If)], [])
        top = ast.Module([node for node in body.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
        names = set(imports(file, top))
        assert not {name for name in names if name.split(".")[0] in {"pydantic", "fastapi", "starlette", "rich"}}
        assert not {name for name in names if name.startswith(("smbgateway.model", "smbgateway.engine"))}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_sizes_stay_readable(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = {f.name: n for f in functions if (n := (f.end_lineno or 0) - f.lineno + 1) > LONGEST_FUNCTION}
    assert not long
