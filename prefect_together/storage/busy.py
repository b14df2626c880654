"""A store that asks for fewer requests: what it does not take now is asked again, for a minute.

obstore asks again by itself, ten times, which is over in two to four seconds; S3 says ``503 SlowDown`` until it has spread a
bucket's keys over more servers, which takes longer.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from obstore.exceptions import BaseError

PATIENCE = 60.0
"""Seconds for which a store that is busy is asked again."""
_LONGEST = 5.0
"""Seconds between two questions at most, before the jitter of a quarter."""
_ANSWERED = re.compile(r"status code: (\d{3})")
_BUSY = frozenset({429, 500, 502, 503, 504})
_T = TypeVar("_T")


def status_of(error: BaseException | None) -> int | None:
    """Return the status of the answer that an error of a store is about, or None where there was none."""
    answered = _ANSWERED.search(str(error)) if isinstance(error, BaseError) else None
    return int(answered[1]) if answered else None


def is_busy(error: BaseException | None) -> bool:
    """Tell whether an error says that a store is there and does not take the request now."""
    return status_of(error) in _BUSY


async def patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Ask a store for something that may be asked for again, until it is not busy or patience is over.

    A write may have been done though it was answered so: who creates an object has to tell its own from another's.
    """
    pauses = _pauses()
    while True:
        try:
            return await ask()
        except BaseError as error:  # noqa: PERF203 - each try is a request
            await asyncio.sleep(_pause(error, pauses))


def patiently_here(ask: Callable[[], _T]) -> _T:
    """Do the same on a thread that may be kept waiting."""
    pauses = _pauses()
    while True:
        try:
            return ask()
        except BaseError as error:  # noqa: PERF203 - as above
            time.sleep(_pause(error, pauses))


def _pause(error: BaseError, pauses: Iterator[float]) -> float:
    """Return how long to wait before a store is asked again, or raise its error."""
    pause = next(pauses, None) if is_busy(error) else None
    if pause is None:
        raise error
    return pause


def _pauses() -> Iterator[float]:
    """Yield pauses in seconds that grow, until patience is over."""
    began, longest = time.monotonic(), 0.5
    while time.monotonic() - began <= PATIENCE:
        yield min(_LONGEST, longest) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
        longest *= 2
