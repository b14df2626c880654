"""A store that asks for fewer requests: what it does not take now is asked again, for a minute.

obstore asks again by itself, ten times, which is over in two to four seconds; S3 says ``503 SlowDown`` until it has spread a
bucket's keys over more servers, which takes longer.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
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
    began, tries = time.monotonic(), 0
    while True:
        tries += 1
        try:
            return await ask()
        except BaseError as error:
            if not is_busy(error) or time.monotonic() - began > PATIENCE:
                raise
            await asyncio.sleep(min(_LONGEST, 0.25 * 2**tries) * random.uniform(0.75, 1.25))  # noqa: S311 - not a secret
