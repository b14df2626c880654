"""Names that nobody else gives. Imports little: commands that only read import it."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator
from functools import lru_cache


def unique_token() -> str:
    """Return a name of 32 hex digits that nobody else gives, in this process or any other; asks the system for none."""
    begin, count = _names(os.getpid())
    return f"{begin}{next(count):012x}"


@lru_cache(maxsize=4)  # per pid: a forked child must not go on where its parent was
def _names(pid: int) -> tuple[str, Iterator[int]]:  # noqa: ARG001 - the cache's key
    return uuid.uuid4().hex[:20], itertools.count()
