"""What becomes of a claim whose process is gone, and how a run takes over a job that another left behind. Never pays."""

from __future__ import annotations

from typing import Any

from prefect_together._internal.logs import Log
from prefect_together.engine.records import read_acceptance, record_paid
from prefect_together.errors import LibraryError
from prefect_together.ledger.ledger import Attempt, Ledger

_DIED = "The process that was sending it ended before it heard an answer"


async def bury(ledger: Ledger, attempt: Attempt, log: Log) -> None:
    """Record what a claim without a living process stands for: a take-over that is finished now, or an unknown outcome."""
    claim = await ledger.entry(attempt, "claimed") or {}
    if claim.get("adopted"):
        await take_over(ledger, attempt_named(str(claim["adopted"])), attempt, log)
    else:
        await ledger.record(attempt, "unknown", {"why": _DIED})


async def take_over(ledger: Ledger, orphan: Attempt, successor: Attempt, log: Log) -> bool:
    """Hand an accepted job from the attempt that was left behind to a claimed one; return whether it was to be had.

    Every step can be taken again by whoever finds the claim of the successor, so dying in between loses nothing.
    """
    try:
        acceptance = await read_acceptance(ledger, orphan)
    except LibraryError as error:
        await ledger.record(successor, "refused", {"why": f"There is nothing to take over: {error.what}"})
        return False
    if not await ledger.record(orphan, "adopted", {"by": successor.key}):
        taken: dict[str, Any] = await ledger.entry(orphan, "adopted") or {}
        if taken.get("by") != successor.key:
            await ledger.record(successor, "refused", {"why": "Another run took the job over; nothing was sent"})
            return False
    await record_paid(ledger, successor, "accepted", {**acceptance.entry(), "adopted": orphan.key}, log)
    log.info("Taking over what an earlier run paid for and did not keep: nothing is sent, nothing is paid.")
    return True


def attempt_named(key: str) -> Attempt:
    """Return the attempt with a key, without what is known of it."""
    fingerprint, scope, number = key.split("/")
    return Attempt(fingerprint, scope, int(number))
