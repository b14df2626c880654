"""How long jobs of a model usually take, learnt from those that were waited for, and when to ask by that. Asks nothing.

The library keeps the last durations of each model in ``ledger/durations/<model>.json``, and of its clips of one length and
size in a file of their own: a habit and no record. A lost one is learnt again, and of two processes that write at once
either may win.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any

from prefect_together.errors import LibraryError
from prefect_together.storage.storage import Storage

ROOT = "ledger/durations"
ENOUGH = 5
"""Durations that make a habit."""
KEPT = 200
"""The latest durations that are kept for each model."""
FRESH = 300.0
"""Seconds for which what was read is taken for what is there."""
WRITE_EVERY = 5.0
"""Seconds between writes for one model."""

TOLD_EVERY = 10.0
"""Seconds for which those who ask are told the same: a plan is made for each habit that is told."""
A_LOOK = 0.16
"""What a look is worth in seconds of being late: this makes ten looks and under two seconds for jobs of two minutes."""
_PARTS = 16  # of a distribution: finer ones are what jobs did by chance
_STEPS = 200  # times that a plan chooses from
LONGEST = 60.0
"""Seconds of the longest pause: a job that fails does so early."""
LATE = 15.0
"""Seconds of the longest pause for a job that takes longer than all before."""


@dataclass
class _Habit:
    seconds: list[float] = field(default_factory=list[float])
    read_at: float = float("-inf")
    written_at: float = float("-inf")
    told: tuple[float, ...] = ()
    told_at: float = float("-inf")


_habits: dict[tuple[str, str], _Habit] = {}


def duration_keys(model: str, pace: str) -> tuple[str, str]:
    """Return under which names the durations of jobs are learnt, those of the most alike first."""
    return f"{model} {pace}", model


async def typical_durations(storage: Storage, *keys: str) -> tuple[float, ...]:
    """Return the known durations in seconds, shortest first, of the first name of which enough are known."""
    for name in keys:
        habit, now = await _habit(storage, name), time.monotonic()
        if len(habit.seconds) < ENOUGH:
            continue
        if now - habit.told_at > TOLD_EVERY or len(habit.told) < min(KEPT, len(habit.seconds)) * 0.8:
            habit.told, habit.told_at = tuple(sorted(habit.seconds)), now
        return habit.told
    return ()


async def record_duration(storage: Storage, model: str, keys: tuple[str, ...], seconds: float) -> None:
    """Remember how long a job took. A library that fails meanwhile is no error."""
    for name in keys:
        habit, now = await _habit(storage, name), time.monotonic()
        habit.seconds = [*habit.seconds, round(seconds, 2)][-KEPT:]
        if now - habit.written_at < WRITE_EVERY:
            continue
        habit.written_at = now
        entry = {"version": 1, "model": model, "seconds": habit.seconds}
        with contextlib.suppress(LibraryError):
            await storage.write(_key(name), (json.dumps(entry) + "\n").encode())


def poll_pauses(durations: tuple[float, ...], age: float) -> Iterator[float]:
    """Yield the seconds to wait before each look at a job, few early and dense about its expected end.

    Args:
        durations: How long such jobs took, shortest first.
        age: Seconds since the job was submitted.
    """
    times = plan(durations)
    shortest = late = _shortest(durations)
    while True:
        following = bisect.bisect_right(times, age + shortest / 2)
        if following < len(times):
            pause = times[following] - age
        else:
            pause = late = min(LATE, late * 1.3)
        pause = min(LONGEST, pause) * random.uniform(0.97, 1.03)  # noqa: S311 - not a secret
        yield pause
        age += pause


@lru_cache(maxsize=64)
def plan(durations: tuple[float, ...]) -> tuple[float, ...]:
    """Return the ages at which to look at a job: those that cost least, looks and lateness together.

    The cheapest continuation is found for each age, from the last one back: every look costs ``A_LOOK`` for each job that
    still runs, and every second between a job's end and the next look costs a second.
    """
    ages, over = _ends(durations)
    late = list(accumulate((over[k + 1] - over[k]) * (ages[k] + ages[k + 1]) / 2 for k in range(len(ages) - 1)))
    ended = [0.0, *late]  # the sum of the ages at which those ended that have ended
    cost, best = [0.0] * len(ages), [len(ages) - 1] * len(ages)
    soonest = _shortest(durations)
    for now in range(len(ages) - 2, -1, -1):
        cheapest = float("inf")
        for then in range(now + 1, len(ages)):
            pause = ages[then] - ages[now]
            if pause < soonest and then < len(ages) - 1 and now:
                continue
            wait = ages[then] * (over[then] - over[now]) - (ended[then] - ended[now])
            if wait >= cheapest:
                break  # later looks only wait longer
            if wait + cost[then] < cheapest:
                cheapest, best[now] = wait + cost[then], then
        cost[now] = cheapest + A_LOOK * (1.0 - over[now])
    times: list[float] = []
    now = 0
    while now < len(ages) - 1:
        now = best[now]
        times.append(ages[now])
    return tuple(times)


def _ends(durations: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """Return ages, and which part of all jobs is over by then.

    Between two known durations ends are thought to be spread evenly. One in so many is expected before the shortest, and
    one behind the longest.
    """
    count, low, high = len(durations), durations[0], durations[-1]
    margin = max(_shortest(durations), (high - low) / max(4, count / 4))
    parts = min(count, _PARTS)
    places = [round(part * (count - 1) / max(1, parts - 1)) for part in range(parts)]
    known = [max(0.0, low - margin), *(durations[place] for place in places), high + margin]
    shares = [0.0, *((1 + place) / (count + 1) for place in places), 1.0]
    # Equal durations would make a jump.
    known = [age + 1e-6 * place for place, age in enumerate(known)]
    step = (known[-1] - known[0]) / _STEPS
    ages = [known[0] + step * place for place in range(_STEPS)] + [known[-1]]
    over: list[float] = []
    for age in ages:
        after = min(max(1, bisect.bisect_left(known, age)), parts + 1)
        passed = (age - known[after - 1]) / (known[after] - known[after - 1])
        over.append(shares[after - 1] + passed * (shares[after] - shares[after - 1]))
    return [0.0, *ages], [0.0, *over]


def _shortest(durations: tuple[float, ...]) -> float:
    """Return the shortest pause: jobs of two minutes are never asked for more often than every second and a half."""
    return min(2.0, max(0.1, durations[len(durations) // 2] / 80))


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
