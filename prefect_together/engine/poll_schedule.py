"""How long jobs of a model usually take, learnt from those that were waited for, and when to poll by that. Sends nothing.

The library keeps the last durations of each model in ``ledger/durations/<model>.json``, and those of its clips of one length
and size in a file of their own. They are statistics and no record: lost ones are learnt again, and of two processes that
write at once either may win.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prefect_together.errors import LibraryError
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import Request
from prefect_together.storage.storage import Storage

ROOT = "ledger/durations"
ENOUGH = 5
"""Durations that must be known before polling goes by them."""
KEPT = 200
"""The latest durations that are kept for each model."""
FRESH = 300.0
"""Seconds for which a file that was read is not read again."""
WRITE_EVERY = 5.0
"""Seconds between writes of one file."""

EARLY = 0.05
"""The part of all jobs that is over when polling becomes dense."""
STEP = 0.03
"""The pause between dense polls, as a part of the median duration: 3.6 s for jobs of two minutes."""
SHORTEST = 0.1
"""Seconds of the shortest pause."""
LONGEST = 60.0
"""Seconds of the longest pause before polling becomes dense: a job that fails does so early."""
LATE = 15.0
"""Seconds of the longest pause from then on."""
GROWTH = 1.3
"""By how much each pause exceeds the one before it once a job takes longer than all that are known."""


@dataclass
class DurationHistory:
    """The durations that one file holds, as this process knows them."""

    seconds: list[float] = field(default_factory=list[float])
    """The latest ``KEPT``, oldest first."""
    read_at: float = float("-inf")
    """On the monotonic clock."""
    written_at: float = float("-inf")
    """On the monotonic clock."""


_histories: dict[tuple[str, str], DurationHistory] = {}


def duration_keys(request: Request) -> tuple[str, ...]:
    """Return the keys under which durations of such requests are recorded: the most specific first, the model last."""
    protocol = spec_of(request).job
    return (f"{request.model} {protocol.pace(request)}", request.model) if protocol else (request.model,)


async def typical_durations(storage: Storage, *keys: str) -> tuple[float, ...]:
    """Return the known durations of the first key that has enough of them.

    Args:
        storage: The library.
        keys: As ``duration_keys`` returns them; a model alone is a key too.

    Returns:
        Seconds, shortest first; empty where no key has ``ENOUGH`` durations. A library that fails counts as an empty one.
    """
    for key in keys:
        history = await _history(storage, key)
        if len(history.seconds) >= ENOUGH:
            return tuple(sorted(history.seconds))
    return ()


async def record_duration(storage: Storage, request: Request, seconds: float) -> None:
    """Record how long a job took, under each of its request's keys. A library that fails meanwhile is no error.

    Args:
        storage: The library.
        request: What the job was submitted for.
        seconds: The time from its submission to its end.
    """
    for key in duration_keys(request):
        history, now = await _history(storage, key), time.monotonic()
        history.seconds = [*history.seconds, round(seconds, 2)][-KEPT:]
        if now - history.written_at < WRITE_EVERY:
            continue
        history.written_at = now
        entry = {"version": 1, "model": request.model, "seconds": history.seconds}
        with contextlib.suppress(LibraryError):  # it only saves polls, and is written again
            await storage.write(_path(key), (json.dumps(entry) + "\n").encode())


def poll_pauses(durations: tuple[float, ...], age: float) -> Iterator[float]:
    """Yield without end the seconds to wait before each poll of a job: few polls at first, dense ones when it may be over.

    Polling becomes dense at the age at which ``EARLY`` of all jobs are over. A single poll halfway there measures those that
    end before: a duration is learnt only where an earlier poll saw the job running, and without them each generation
    of durations would be longer than the one before it.

    Args:
        durations: Seconds that such jobs took, shortest first; at least one.
        age: Seconds since the job was submitted.
    """
    early, median, longest = durations[int(EARLY * len(durations))], durations[len(durations) // 2], durations[-1]
    pause = _dense(median)
    for target in (early / 2, early):
        while target - age > pause / 2:
            sparse = _jittered(min(LONGEST, target - age))
            yield sparse
            age += sparse
    while True:
        # By its age, once it is older than most: a few quick jobs say little about one that takes a hundred times as long.
        pause = _dense(max(median, age)) if age <= longest else min(LATE, pause * GROWTH)
        dense = _jittered(pause)
        yield dense
        age += dense


def _dense(seconds: float) -> float:
    """Return the pause between dense polls of jobs that take so long."""
    return min(LATE, max(SHORTEST, STEP * seconds))


def _jittered(pause: float) -> float:
    """Return a pause changed by up to 3 %, so that jobs submitted together are not polled together."""
    return pause * random.uniform(0.97, 1.03)  # noqa: S311 - not a secret


async def _history(storage: Storage, key: str) -> DurationHistory:
    """Return the history of a key, read anew where what is known is no longer fresh."""
    history = _histories.setdefault((storage.url, key), DurationHistory())
    now = time.monotonic()
    if now - history.read_at > FRESH:
        history.read_at = now
        # Whatever is wrong with it: it only says when to poll first.
        with contextlib.suppress(FileNotFoundError, LibraryError, ValueError, KeyError, TypeError):
            entry: dict[str, Any] = json.loads(await storage.read(_path(key)))
            history.seconds = [float(seconds) for seconds in entry["seconds"]][-KEPT:]
    return history


def _path(key: str) -> str:
    """Return the path of a key's file in the library."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in key.lower())
    return f"{ROOT}/{plain}.json"
