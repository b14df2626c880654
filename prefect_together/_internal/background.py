"""Work that outlives whoever waits for it: paid requests in flight, and what they still have to write."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

_tasks: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    """Start work that goes on when its waiter is cancelled; await ``asyncio.shield`` of what this returns."""
    task = asyncio.create_task(work)
    _tasks.add(task)
    task.add_done_callback(_done)
    return task


async def wait_for_spawned(patience: float) -> bool:
    """Wait until all of it is done, for so many seconds at most; return whether it is."""
    if not _tasks:
        return True
    _, left = await asyncio.wait(set(_tasks), timeout=patience)
    return not left


def _done(task: asyncio.Task[Any]) -> None:
    _tasks.discard(task)
    if not task.cancelled():
        task.exception()  # taken note of: a waiter that was cancelled will not ask any more
