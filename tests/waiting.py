"""Waiting for what other processes do.

What took too long raises `TimeoutError`: on a machine that stands still for a minute nothing is wrong with it, so such a test,
and no other, runs once more (`only_rerun` in pyproject.toml). A wrong result is none of time, and fails at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds to wait for what a process does, on a machine that may be busy."""


def until(
    what: str,
    happens: Callable[[], T | None],
    *,
    seconds: float = PATIENCE,
    every: float = 0.02,
    said: Callable[[], object] | None = None,
) -> T:
    """Wait until something is true, and return it.

    Args:
        what: It, in words.
        happens: Tells whether it is.
        seconds: How long to wait for it.
        every: Seconds between looks: a server that is asked has other work too.
        said: Gives what is told beside it if it never is, such as a log.
    """
    ends = time.monotonic() + seconds
    while not (found := happens()):
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds:.0f} s until {what}" + (f": {said()}" if said else ""))
        time.sleep(every)
    return found
