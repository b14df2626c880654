"""How functions become tasks here: mapped without ``unmapped``, and with states that say what came of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ParamSpec, TypeVar, cast

from prefect import State, Task, unmapped
from prefect.context import TaskRunContext
from prefect.states import Completed
from pydantic import BaseModel

from prefect_together._internal.prefect_compat import keep_class, result_of
from prefect_together.errors import InvalidRequest
from prefect_together.tasks._options import options
from prefect_together.tasks._typed import AsyncTask, SyncTask

_P = ParamSpec("_P")
_R = TypeVar("_R")


def sync_task(kind: str) -> Callable[[Callable[_P, _R]], SyncTask[_P, _R]]:
    """Make a function a task with the options that all tasks here have."""
    return cast("Any", _made(kind))


def async_task(kind: str) -> Callable[[Callable[_P, Coroutine[Any, Any, _R]]], AsyncTask[_P, _R]]:
    """Make a coroutine function such a task."""
    return cast("Any", _made(kind))


def stateful_task(kind: str) -> Callable[[Callable[_P, _R]], SyncTask[_P, _R]]:
    """Make a function a task that completes with the text of its result as its message."""
    return cast("Any", _made_stateful(kind))


def async_stateful_task(kind: str) -> Callable[[Callable[_P, Coroutine[Any, Any, _R]]], AsyncTask[_P, _R]]:
    """Make a coroutine function such a task."""
    return cast("Any", _made_stateful(kind))


def _made(kind: str) -> Callable[[Callable[..., Any]], Any]:
    return lambda function: _TogetherTask(function, **options(kind))


def _made_stateful(kind: str) -> Callable[[Callable[..., Any]], Any]:
    return lambda function: _StatefulTask(_returning_state(function), **options(kind))


class _TogetherTask(Task[_P, _R]):
    """Hands blocks, limits and requests to each run of a mapped task as they are.

    Pydantic's models can be iterated over, field by field, so Prefect takes them for collections and takes them apart.
    """

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task once for each element of its iterable arguments.

        Raises:
            InvalidRequest: A table of requests is among them, of which some rows may be none.
        """
        from prefect_together.batch.request_table import RequestTable  # is slow to import, and few flows have tables

        if any(isinstance(given, RequestTable) for given in (*args, *kwargs.values())):
            raise InvalidRequest(_no_table(self.name.replace("-", "_"), inspect.signature(self.fn).parameters))
        return cast("Any", super()).map(*map(_whole, args), **{name: _whole(value) for name, value in kwargs.items()})

    def with_options(self, *args: Any, **changed: Any) -> Task[_P, _R]:
        made = super().with_options(*args, **changed)
        keep_class(made, self)
        return made


def _no_table(name: str, parameters: Iterable[str]) -> str:
    """Return why a table is not mapped over, and what to give instead.

    Args:
        name: The function of the task.
        parameters: What it takes: ``requests``, where it takes a whole table.
    """
    if "requests" not in parameters:
        return (
            f"{name}.map takes requests, and was given a RequestTable: generate_batch(table) makes all its rows in one "
            f"task run, or give {name}.map([row.request for row in table if row.request])."
        )
    shared = f'; {name}.map([table] * 4, name="…") has four task runs share them' if "chunk_size" in parameters else ""
    return f"{name}.map takes a list of tables, and was given one: {name}(table) takes all its rows in one task run{shared}."


def _whole(value: Any) -> Any:
    return unmapped(value) if isinstance(value, BaseModel) else value


class _StatefulTask(_TogetherTask[_P, _R]):
    """Unpacks the state that the task returns, so that its callers get the plain result."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = cast("Any", super()).__call__(*args, **kwargs)
        if kwargs.get("return_state"):
            return found
        return _awaited(found) if inspect.isawaitable(found) else _plain(found)


def _returning_state(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a function that says its result in a state where Prefect runs it as a task, and is itself everywhere else."""

    def said(result: Any) -> Any:
        context = TaskRunContext.get()
        ours = context is not None and context.task.fn is told
        return Completed(message=str(result), data=result) if ours else result

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return said(await function(*args, **kwargs))

        told: Any = awaited
    else:

        @functools.wraps(function)
        def waited(*args: Any, **kwargs: Any) -> Any:
            return said(function(*args, **kwargs))

        told = waited
    return cast("Callable[_P, _R]", told)


async def _awaited(coming: Any) -> Any:
    return _plain(await coming)


def _plain(found: Any) -> Any:
    return result_of(cast("State[Any]", found)) if isinstance(found, State) else found
