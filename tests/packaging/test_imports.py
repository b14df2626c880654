"""Who may import whom, which module stays how long, and what stays unloaded until it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import prefect_together
from prefect_together.generations.registry import specs

ROOT = "prefect_together"
PACKAGE = Path(prefect_together.__file__).parent
LINES = 300
LOOSE = 7
"""Modules that may lie right below the package: the errors, and the doors by which one comes in from outside."""
HEIGHT = 8
"""Layers that a person can keep in mind."""

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
    "httpx": {"cli", "http"},
    "httpx_aiohttp": {"http"},
    "yarl": {"http"},
    "prefect": {"_internal", "automations", "blocks", "cli", "tasks", "ui"},
    "obstore": {"storage"},
    "orjson": {"_internal"},
    "PIL": {"generations", "sandbox", "tasks", "ui"},
    "av": {"generations", "sandbox", "tasks", "ui"},
    "starlette": {"cli", "sandbox"},
    "uvicorn": {"cli", "sandbox"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
    "pytest": {"testing"},
    "narwhals": {"batch"},
    "pyarrow": {"batch"},
    "sqlalchemy": {"batch"},
}
"""What only these may import."""


@dataclass(frozen=True)
class Module:
    """A module and all that it imports."""

    name: str
    path: Path

    @cached_property
    def imports(self) -> list[str]:
        """Names of modules, or of what is in them. Read when first asked for: all workers collect, and few run these tests."""
        parts = self.name.split(".")
        package = parts if self.path.name == "__init__.py" else parts[:-1]
        return list(imported(ast.parse(self.path.read_text(encoding="utf-8")), package))

    @property
    def unit(self) -> str:
        """The module or subpackage right below the package that it belongs to."""
        return unit(self.name)


def unit(name: str) -> str:
    """Return what a module is called in the layers."""
    return name.split(".")[1] if "." in name else name


def modules() -> Iterator[Module]:
    """Find every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = [ROOT, *path.relative_to(PACKAGE).with_suffix("").parts]
        yield Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)


def imported(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Find all imports in a tree: those within functions and those for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


MODULES = list(modules())
NAMES = {module.name for module in MODULES}
BY_NAME = [pytest.param(module, id=module.name) for module in MODULES]


def ours(module: Module) -> set[str]:
    """Return which of our modules it imports, at the top, within functions and for type checkers."""
    found = set(module.imports)
    known = {target if target in NAMES else target.rpartition(".")[0] for target in found}
    return known & NAMES - {module.name}


def foreign(module: Module) -> set[str]:
    """Return which other distributions and parts of the standard library it imports, type checking included."""
    return {target.split(".")[0] for target in module.imports} - {ROOT}


def test_layers_name_every_module() -> None:
    """A new module is put into a layer when it is written, and one that is gone leaves no trace."""
    listed = [name for layer in LAYERS for name in layer]
    assert len(set(listed)) == len(listed)
    assert {module.unit for module in MODULES} - MOVED == set(listed)


def test_the_layout_fits_into_a_head() -> None:
    """There are at most seven modules loose at the top, and at most eight layers."""
    loose = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert LOOSE >= len(loose), loose
    assert HEIGHT >= len(LAYERS)


@pytest.mark.parametrize("module", BY_NAME)
def test_imports_go_strictly_downwards(module: Module) -> None:
    """Nothing imports from its own layer or from one above it; the names of release 0.1 are above all, and in nobody's way."""
    height = {name: number for number, layer in enumerate((*LAYERS, tuple(MOVED))) for name in layer}
    upwards = {name for name in ours(module) if unit(name) != module.unit and height[unit(name)] >= height[module.unit]}
    assert set() == upwards


def test_no_cycles() -> None:
    """Modules can be put in an order in which each imports only earlier ones, within subpackages too; so can packages."""
    known = {module.name: ours(module) for module in MODULES}
    assert NAMES == set(TopologicalSorter(known).static_order())
    packages: dict[str, set[str]] = {}
    for name, targets in known.items():
        packages.setdefault(unit(name), set()).update(unit(target) for target in targets if unit(target) != unit(name))
    assert packages.keys() == set(TopologicalSorter(packages).static_order())


@pytest.mark.parametrize("name", sorted(MOVED))
def test_moved_names_hold_no_code(name: str) -> None:
    """What release 0.1 had elsewhere is imported there, and nothing else."""
    (module,) = (module for module in MODULES if module.unit == name)
    allowed = {ast.Expr, ast.ImportFrom, ast.Assign}  # its docstring, what is there, and ``__all__``
    assert {type(node) for node in ast.parse(module.path.read_text(encoding="utf-8")).body} == allowed


@pytest.mark.parametrize("module", BY_NAME)
def test_reserved_libraries(module: Module) -> None:
    """HTTP, Prefect, object stores and media are each the business of a few modules."""
    misused = {name for name in foreign(module) if name in RESERVED and module.unit not in RESERVED[name]}
    assert set() == misused


@pytest.mark.parametrize("module", [entry for entry in MODULES if entry.unit == "sandbox"], ids=lambda module: module.name)
def test_sandbox_is_independent(module: Module) -> None:
    """The sandbox knows nothing of ours but the catalogue, so that it judges the client from outside."""
    assert {unit(name) for name in ours(module)} <= {"sandbox", "catalog"}


def test_types_do_not_know_each_other() -> None:
    """The module of a generation type imports that of no other, and only the registry knows them all."""
    types = {spec.request.__module__ for spec in specs()}
    assert len(specs()) == len(types)
    results = {spec.result.__module__: spec.request.__module__ for spec in specs()}
    knowing = {module.name: ours(module) & types for module in MODULES if module.unit == "generations"}
    foreign_types = {name: known - {results.get(name)} for name, known in knowing.items()}
    assert {f"{ROOT}.generations.registry"} >= {name for name, known in foreign_types.items() if known}


def test_tasks_of_types_do_not_know_each_other() -> None:
    """A task module knows one generation type or none, and imports no other one that knows a type."""
    types = {spec.request.__module__ for spec in specs()}
    tasks = [module for module in MODULES if module.unit == "tasks"]
    knowing = {module.name: ours(module) & types for module in tasks if ours(module) & types}
    assert types == set().union(*knowing.values()), "a type has no tasks"
    assert {} == {name: known for name, known in knowing.items() if len(known) > 1}
    package = f"{ROOT}.tasks"  # it hands out all tasks, and has none of its own
    assert {} == {
        module.name: found for module in tasks if module.name != package and (found := ours(module) & knowing.keys())
    }


@pytest.mark.parametrize("module", BY_NAME)
def test_modules_stay_short(module: Module) -> None:
    """Every module has fewer than 300 lines."""
    assert len(module.path.read_text(encoding="utf-8").splitlines()) < LINES


def test_light_parts_load_nothing_heavy() -> None:
    """Requests, the catalogue and the sandbox are there without Prefect, an HTTP client or an imaging library."""
    code = (
        "import sys, prefect_together.generations.registry, prefect_together.catalog, prefect_together.sandbox;"
        "print(*sorted({'prefect', 'aiohttp', 'httpx', 'PIL', 'av'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == ""


def test_listing_a_ledger_loads_little() -> None:
    """Who lists a ledger waits for its entries, not for imports: not even for pydantic."""
    code = (
        "import sys, prefect_together.ledger.queries, prefect_together.cli.library_commands;"
        "print(*sorted({'prefect', 'pydantic', 'aiohttp', 'httpx', 'PIL'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generate_image", "generate_video", "generate_text", "generate_speech", "MediaLibrary"])
def test_importing_a_task_leaves_alone_what_it_may_not_need(name: str) -> None:
    """A flow that is imported has loaded neither our HTTP client, nor tables, cards or what reads files: a call loads them."""
    late = ("aiohttp", "PIL", "av", "imagesize", "tinytag", "narwhals", "pyarrow", "sqlalchemy", "prefect_together.cli")
    ours = ("http.client", "batch.request_table", "engine.lifecycle", "ledger.spend_limit", "ui.artifacts", "ui.review_form")
    modules = {*late, *(f"{ROOT}.{one}" for one in ours)}
    code = (
        f"import sys, prefect; before = set(sys.modules); from prefect_together import {name};"
        f"print(*sorted({modules!r} & (set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.strip() == ""


@pytest.mark.slow
def test_importing_reads_no_source() -> None:
    """No class reads its own source on being made, which takes a model longer than all else; a schema may, when asked for."""
    code = (
        "import inspect, prefect; read = []; find = inspect.findsource;"
        "inspect.findsource = lambda what: read.append(what) or find(what);"
        "from prefect_together import ImageRequest; print(len(read));"
        "print('description' in ImageRequest.model_json_schema()['properties']['seed'], len(read) > 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ["0", "True", "True"] == run.stdout.split()
