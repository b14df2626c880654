"""Attempts that were never made, for tests of what looks through a ledger."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone

from prefect_together.ledger.ledger import Attempt, Event, Ledger
from prefect_together.storage.storage import Storage

BEGAN = datetime(2026, 11, 1, tzinfo=timezone.utc)
ENDS: tuple[tuple[Event, ...], ...] = (
    ("claimed", "stored"),
    ("claimed", "accepted", "stored"),
    ("claimed", "refused"),
    ("claimed", "failed"),
    ("claimed", "unknown", "resolved"),
    ("claimed", "adopted"),
)
OPEN: tuple[tuple[Event, ...], ...] = (("claimed",), ("claimed", "accepted"), ("claimed", "unknown"), ("claimed", "lost"))


def attempt(number: int, scope: str = "any") -> Attempt:
    """Return the first attempt at some request; all of them begin with one of four pairs of digits."""
    digits = hashlib.sha256(str(number).encode()).hexdigest()
    return Attempt(f"{'07f'[number % 2]}{'ab'[number // 2 % 2]}{digits[:38]}", scope, 1)


async def fill(storage: Storage, numbers: range, ends: tuple[tuple[Event, ...], ...] = ENDS, scope: str = "any") -> None:
    """Write attempts that came to these ends in turn, an hour between them."""
    ledger = Ledger(storage)
    for number in numbers:
        at = (BEGAN + timedelta(hours=number)).isoformat()
        for event in ends[number % len(ends)]:
            await ledger.record(attempt(number, scope), event, {"at": at, "kind": "chat", "model": "m", "number": number})
