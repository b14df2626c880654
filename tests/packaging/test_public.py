"""The public names: all there, all described, and async twins that differ in nothing but the waiting."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import Task

import prefect_together
from prefect_together import catalog, sandbox

PUBLIC = {name: getattr(prefect_together, name) for name in prefect_together.__all__}
TASKS: dict[str, Task[Any, Any]] = {name: value for name, value in PUBLIC.items() if isinstance(value, Task)}
SYNC = sorted(name for name, task in TASKS.items() if not task.isasync)

NOT_OPTIONS = {
    "__annotate__",  # of Python 3.14
    "__annotations__",  # compared with the signature
    "__doc__",
    "__module__",
    "__name__",
    "__qualname__",
    "__wrapped__",
    "description",  # the docstring again
    "fn",
    "isasync",
    "name",
    "source_code",
    "task_key",
}
"""What a task is, in contrast to how it is run. Anything else that Prefect keeps on a task has to be equal in twins."""


@pytest.mark.parametrize("module", [prefect_together, catalog, sandbox], ids=lambda module: module.__name__)
def test_all_resolves(module: Any) -> None:
    """Every name in ``__all__`` is there, and is listed once."""
    assert [] == [name for name in module.__all__ if not hasattr(module, name)]
    assert len(set(module.__all__)) == len(module.__all__)


def test_nothing_else_is_public() -> None:
    """What the package has, and what is neither private nor a module nor an import of its own, is in ``__all__``."""
    found = {name for name in dir(prefect_together) if not name.startswith("_")}
    modules = {name for name in found if inspect.ismodule(getattr(prefect_together, name))}
    assert set(prefect_together.__all__) == found - modules - {"TYPE_CHECKING", "Any", "annotations"}


def test_unknown_names_are_attribute_errors() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'generate_picture'"):
        _ = prefect_together.generate_picture


def test_type_checkers_and_the_interpreter_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING are those that happen on use, from the same modules."""
    tree = ast.parse(Path(prefect_together.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    declared = {
        node.module: tuple(alias.name for alias in node.names) for node in block.body if isinstance(node, ast.ImportFrom)
    }
    homes = cast("dict[str, tuple[str, ...]]", vars(prefect_together)["_HOMES"])
    assert homes == declared
    assert sorted(name for names in homes.values() for name in names) == sorted(prefect_together.__all__)


@pytest.mark.parametrize("name", prefect_together.__all__)
def test_described(name: str) -> None:
    """Every public name has a docstring of its own that begins with a sentence."""
    text: str | None = (TASKS[name].fn if name in TASKS else PUBLIC[name]).__doc__
    assert text
    assert text.strip().partition("\n\n")[0].rstrip().endswith((".", "?"))


@pytest.mark.parametrize("name", prefect_together.__all__)
def test_methods_described(name: str) -> None:
    """So has every public method and property that a class of ours defines."""
    value = PUBLIC[name]
    for base in inspect.getmro(value) if inspect.isclass(value) else ():
        if base.__module__.startswith("prefect_together"):
            for attribute, member in vars(base).items():
                if not attribute.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)):
                    assert inspect.getdoc(getattr(base, attribute)), f"{base.__name__}.{attribute}"


def test_tasks_come_in_pairs() -> None:
    """Every task has an async twin whose name has an ``a`` in front, and nothing async stands alone."""
    assert SYNC
    assert {f"a{name}" for name in SYNC} == set(TASKS) - set(SYNC)


@pytest.mark.parametrize("name", SYNC)
def test_twins_have_one_signature(name: str) -> None:
    """Twins take the same parameters with the same defaults and annotations, and promise the same result."""
    task, twin = TASKS[name], TASKS[f"a{name}"]
    assert inspect.signature(task.fn) == inspect.signature(twin.fn)
    assert not inspect.iscoroutinefunction(task.fn)
    assert inspect.iscoroutinefunction(twin.fn)


@pytest.mark.parametrize("name", SYNC)
def test_twins_have_the_same_options(name: str) -> None:
    """Retries, caching, results, tags and whatever else Prefect keeps on a task are equal in twins."""
    task, twin = (vars(TASKS[which]) for which in (name, f"a{name}"))
    options, other = ({key: value for key, value in kept.items() if key not in NOT_OPTIONS} for kept in (task, twin))
    assert options == other
    assert {"retries", "persist_result", "cache_policy", "tags"} <= set(options)
