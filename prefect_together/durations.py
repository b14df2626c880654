"""How long jobs of a model usually take, learnt from those that were waited for, and when to ask by that. Asks nothing.

The library keeps the last durations of each model in ``ledger/durations/<model>.json``: a habit and no record. A lost
one is learnt again, and of two processes that write at once either may win.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prefect_together.errors import LibraryError
from prefect_together.storage import Storage

ROOT = "ledger/durations"
ENOUGH = 5
"""Durations that make a habit."""
KEPT = 100
"""The latest durations that are kept for each model."""
FRESH = 300.0
"""Seconds for which what was read is taken for what is there."""
WRITE_EVERY = 5.0
"""Seconds between writes for one model."""

PART = 0.25
"""The part of the jobs still running that tells how dense their ends are just now."""
PATIENCE = 1.9
"""Less asks more often and hears earlier: with this, about ten looks and under two seconds for jobs of two minutes."""
LONGEST = 60.0
"""Seconds of the longest pause: a job that fails does so early."""
LATE = 15.0
"""Seconds of the longest pause for a job that takes longer than all before."""


@dataclass
class _Habit:
    seconds: list[float] = field(default_factory=list[float])
    read_at: float = float("-inf")
    written_at: float = float("-inf")


_habits: dict[tuple[str, str], _Habit] = {}


async def usual(storage: Storage, model: str) -> tuple[float, ...]:
    """Return the known durations of a model in seconds, shortest first; none where too few are known."""
    habit = await _habit(storage, model)
    return tuple(sorted(habit.seconds)) if len(habit.seconds) >= ENOUGH else ()


async def learn(storage: Storage, model: str, seconds: float) -> None:
    """Remember how long a job took. A library that fails meanwhile is no error."""
    habit = await _habit(storage, model)
    habit.seconds = [*habit.seconds, round(seconds, 2)][-KEPT:]
    now = time.monotonic()
    if now - habit.written_at < WRITE_EVERY:
        return
    habit.written_at = now
    entry = {"version": 1, "model": model, "seconds": habit.seconds}
    with contextlib.suppress(LibraryError):
        await storage.write(_key(model), (json.dumps(entry) + "\n").encode())


def looks(durations: tuple[float, ...], age: float) -> Iterator[float]:
    """Yield the seconds to wait before each look at a job, few early and dense about its expected end.

    Args:
        durations: How long such jobs took, shortest first.
        age: Seconds since the job was submitted.
    """
    shortest = min(2.0, max(0.1, durations[len(durations) // 2] / 80))
    late = shortest
    while True:
        left = durations[bisect.bisect_right(durations, age) :]
        if age < durations[0]:
            pause = min(LONGEST, max(shortest, durations[0] - age))
        elif left:
            # Asking costs a look for each job that still runs, being late costs seconds for each that ends: both together
            # cost least where the pause is the root of (still running / ending per second).
            pause = max(shortest, (PATIENCE * (left[min(len(left) - 1, int(len(left) * PART) + 1)] - age)) ** 0.5)
        else:
            pause = late = min(LATE, late * 1.3)
        pause *= random.uniform(0.95, 1.05)  # noqa: S311 - not a secret
        yield pause
        age += pause


async def _habit(storage: Storage, model: str) -> _Habit:
    habit = _habits.setdefault((storage.url, model), _Habit())
    now = time.monotonic()
    if now - habit.read_at > FRESH:
        habit.read_at = now
        with contextlib.suppress(FileNotFoundError, LibraryError, ValueError, KeyError, TypeError):
            entry: dict[str, Any] = json.loads(await storage.read(_key(model)))
            habit.seconds = [float(seconds) for seconds in entry["seconds"]][-KEPT:]
    return habit


def _key(model: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in model.lower())
    return f"{ROOT}/{plain}.json"
