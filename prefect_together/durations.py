"""How long a model usually takes to render, learnt from the jobs that were waited for; decides nothing and never fails."""

from __future__ import annotations

import json
import re
import statistics
from typing import Any

from prefect_together.errors import TogetherError
from prefect_together.storage import Storage

KEPT = 20
"""Jobs that are remembered for each model."""


async def usual(storage: Storage, model: str) -> float | None:
    """Return the median of the last jobs in seconds, or None where there were none."""
    known = await _read(storage, model)
    return statistics.median(known) if known else None


async def learn(storage: Storage, model: str, seconds: float) -> None:
    """Remember how long a job took. Two who write at once lose one number, which is as good a median."""
    known = [*await _read(storage, model), round(seconds, 1)][-KEPT:]
    try:
        await storage.write(_key(model), json.dumps({"version": 1, "model": model, "seconds": known}).encode() + b"\n")
    except TogetherError:
        return


async def _read(storage: Storage, model: str) -> list[float]:
    try:
        entry: Any = json.loads(await storage.read(_key(model)))
        return [float(value) for value in entry["seconds"]][-KEPT:]
    except (TogetherError, FileNotFoundError, ValueError, TypeError, KeyError):
        return []


def _key(model: str) -> str:
    return f"durations/{re.sub(r'[^a-z0-9.]+', '-', model.lower()).strip('-.')}.json"
