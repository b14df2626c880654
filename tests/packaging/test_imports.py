"""Who may import whom, which module stays how long, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import prefect_together

ROOT = "prefect_together"
PACKAGE = Path(prefect_together.__file__).parent
LINES = 300

LAYERS = (
    ("catalog", "errors"),
    ("_internal", "sandbox", "storage"),
    ("http", "ledger", "testing"),
    ("generations",),
    ("blocks", "engine"),
    ("batch", "ui"),
    ("automations", "cli", "tasks"),
    (ROOT,),
)
"""From the bottom up. A module or subpackage imports from layers below its own, at the top of a file or within a function."""

MOVED = frozenset({"media", "reconciliation"})
"""Names of release 0.1 under which Prefect has stored results; they hold no code, and nothing imports them."""

RESERVED = {
    "aiohttp": {"http"},
    "httpx": {"http"},
    "httpx_aiohttp": {"http"},
    "yarl": {"http"},
    "prefect": {"_internal", "automations", "blocks", "cli", "tasks", "ui"},
    "obstore": {"storage"},
    "orjson": {"_internal"},
    "PIL": {"sandbox", "ui"},
    "av": {"generations", "sandbox", "tasks", "ui"},
    "starlette": {"sandbox"},
    "uvicorn": {"sandbox"},
    "pytest": {"testing"},
    "narwhals": {"batch"},
    "pyarrow": {"batch"},
}
"""What only these may import."""


class Import(NamedTuple):
    """One imported module, or name of a module, and whether that is for type checkers only."""

    target: str
    typing: bool


class Module(NamedTuple):
    """A module and all that it imports."""

    name: str
    path: Path
    imports: list[Import]

    @property
    def unit(self) -> str:
        """The module or subpackage right below the package that it belongs to."""
        return unit(self.name)


def unit(name: str) -> str:
    """Return what a module is called in the layers."""
    return name.split(".")[1] if "." in name else name


def read() -> Iterator[Module]:
    """Read every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = [ROOT, *path.relative_to(PACKAGE).with_suffix("").parts]
        package = parts[:-1]
        name = ".".join(package if parts[-1] == "__init__" else parts)
        yield Module(name, path, list(imported(ast.parse(path.read_text(encoding="utf-8")), package)))


def imported(node: ast.AST, package: list[str], *, typing: bool = False) -> Iterator[Import]:
    """Find the imports below a node, those within functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, typing) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            above = package[: len(package) - child.level + 1] if child.level else []
            base = ".".join([*above, *([child.module] if child.module else [])])
            yield from (Import(f"{base}.{alias.name}", typing) for alias in child.names)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from imported(child, package, typing=True)
        else:
            yield from imported(child, package, typing=typing)


MODULES = list(read())
NAMES = {module.name for module in MODULES}
BY_NAME = [pytest.param(module, id=module.name) for module in MODULES]


def ours(module: Module, *, typing: bool = False) -> set[str]:
    """Return which of our modules it imports; those for type checkers only where they are asked for."""
    found = {entry.target for entry in module.imports if typing or not entry.typing}
    known = {target if target in NAMES else target.rpartition(".")[0] for target in found}
    return known & NAMES - {module.name}


def foreign(module: Module) -> set[str]:
    """Return which other distributions and parts of the standard library it imports, type checking included."""
    return {entry.target.split(".")[0] for entry in module.imports} - {ROOT}


def test_layers_name_every_module() -> None:
    """A new module is put into a layer when it is written, and one that is gone leaves no trace."""
    listed = [name for layer in LAYERS for name in layer]
    assert len(set(listed)) == len(listed)
    assert {module.unit for module in MODULES} - MOVED == set(listed)


@pytest.mark.parametrize("module", BY_NAME)
def test_imports_go_strictly_downwards(module: Module) -> None:
    """Nothing imports from its own layer or from one above it."""
    height = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    upwards = {name for name in ours(module) if unit(name) != module.unit and height[unit(name)] >= height[module.unit]}
    assert set() == upwards


def test_no_cycles() -> None:
    """Modules can be put in an order in which each imports only earlier ones, within subpackages too."""
    order = TopologicalSorter({module.name: ours(module) for module in MODULES}).static_order()
    assert set(order) == NAMES


@pytest.mark.parametrize("module", BY_NAME)
def test_reserved_libraries(module: Module) -> None:
    """HTTP, Prefect, object stores and media are each the business of a few modules."""
    misused = {name for name in foreign(module) if name in RESERVED and module.unit not in RESERVED[name]}
    assert set() == misused


@pytest.mark.parametrize("module", [entry for entry in MODULES if entry.unit == "sandbox"], ids=lambda module: module.name)
def test_sandbox_is_independent(module: Module) -> None:
    """The sandbox knows nothing of ours but the catalogue, so that it judges the client from outside."""
    assert {unit(name) for name in ours(module, typing=True)} <= {"sandbox", "catalog"}


@pytest.mark.parametrize("package", ["requests", "tasks"])
def test_types_do_not_know_each_other(package: str) -> None:
    """A type of generation is one file of requests and one of tasks, and no such file imports another of its package."""
    shared = (
        {"base", "explain"}
        if package == "requests"
        else {"batches", "calling", "many", "options", "plans", "runs", "telling", "work"}
    )
    prefix = f"{ROOT}.{package}."
    types = {name for name in NAMES if name.startswith(prefix) and name.removeprefix(prefix) not in shared}
    assert {f"{prefix}images", f"{prefix}videos"} <= types
    for module in MODULES:
        if module.name.startswith(prefix):
            assert set() == ours(module, typing=True) & types, f"{module.name} knows a type"


@pytest.mark.parametrize("module", BY_NAME)
def test_modules_stay_short(module: Module) -> None:
    """Every module has fewer than 300 lines."""
    assert len(module.path.read_text(encoding="utf-8").splitlines()) < LINES


def test_light_parts_load_nothing_heavy() -> None:
    """Requests, the catalogue and the sandbox are there without Prefect, an HTTP client or an imaging library."""
    code = (
        "import sys, prefect_together.requests, prefect_together.catalog, prefect_together.sandbox;"
        "print(*sorted({'prefect', 'aiohttp', 'httpx', 'PIL', 'av'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == ""


def test_importing_tasks_leaves_the_network_and_media_alone() -> None:
    """Importing a flow loads Prefect and neither our HTTP client nor an imaging library."""
    code = (
        "import sys, prefect, prefect_together.tasks;"
        "print(*sorted({'prefect_together.http.client', 'aiohttp', 'PIL', 'av'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.strip() == ""
