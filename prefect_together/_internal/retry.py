"""How long to pause before trying again. Tries nothing itself."""

from __future__ import annotations

import random


def backoff(tries: int, *, first: float, longest: float) -> float:
    """Return a jittered pause in seconds that doubles with every try.

    Args:
        tries: How many tries have failed: 1, 2, …
        first: Seconds after the first one.
        longest: Seconds at most, before the jitter of a quarter.
    """
    return min(longest, first * 2 ** (tries - 1)) * random.uniform(0.75, 1.25)  # noqa: S311 - not a secret
