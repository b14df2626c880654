"""Lets a test's event loop jump from timer to timer, so that it measures waits exactly and waits for none of them."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

_P = ParamSpec("_P")


class _Selector(selectors.SelectSelector):
    """Instead of waiting for the next timer, tells how long the wait would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None:
            self.waited += max(0.0, timeout)
        return super().select(None if timeout is None else 0)


class _Loop(asyncio.SelectorEventLoop):
    """Its time is what its selector did not wait for."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return 1000.0 + self._virtual.waited


def now() -> float:
    """Return the time of the loop that runs; a test puts it in the place of ``time.monotonic``."""
    return asyncio.get_running_loop().time()


def virtual_time(test: Callable[_P, Coroutine[Any, Any, None]]) -> Callable[_P, None]:
    """Run a test on a loop of its own whose clock is ahead as soon as only a timer is left to wait for.

    Only for tests without threads, files and sockets: their answers would come late by that clock.
    """

    @functools.wraps(test)
    def run(*args: _P.args, **fixtures: _P.kwargs) -> None:
        loop = _Loop()
        try:
            loop.run_until_complete(test(*args, **fixtures))
        finally:
            loop.close()

    return run
