"""What becomes of a claim whose process is gone, and how a run adopts a job that another left behind. Never pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect_together._internal.process import ProcessId
from prefect_together.engine.attempt import BoundAttempt
from prefect_together.engine.batch_record import BatchRecord, find_out, record_of
from prefect_together.errors import LibraryError
from prefect_together.ledger.heartbeats import process_name
from prefect_together.ledger.ledger import Attempt

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient

_DIED = "The process that was sending it ended before it heard an answer"


async def close_dead_claim(dead: BoundAttempt, client: TogetherClient) -> None:
    """Record what a claim without a living process stands for.

    That is an adoption, which is finished now; or a line of a provider's batch, whose record and Together's list tell what
    became of it; or else an unknown outcome.

    Raises:
        TogetherError: Together's list of batches cannot be had.
    """
    claim = await dead.entry("claimed") or {}
    if claim.get("adopted"):
        await adopt_job(dead.other(attempt_named(str(claim["adopted"]))), dead)
    elif record := claim.get("provider_batch"):
        await close_line(dead, record_of(dead.ledger.storage, str(record)), client)
    else:
        owner = {"process": process_name(ProcessId.model_validate(claim["owner"]))} if "owner" in claim else {}
        await dead.record("unknown", {"why": _DIED, **owner})


async def close_line(line: BoundAttempt, record: BatchRecord, client: TogetherClient) -> None:
    """Record what the claim of a line stands for, whose batch nobody sends any more. Raises as ``find_out``."""
    match await find_out(record, client, line.log):
        case "created" | "taken":
            await line.record_paid("accepted", record.acceptance().entry())
        case "unknown":
            facts = record.facts
            await line.record("unknown", {"why": facts["why"], "at_stake": facts["at_most"], "lines": facts["lines"]})
        case _:
            await line.record("refused", {"why": record.facts.get("why", "Its batch was not sent")})


async def adopt_job(orphan: BoundAttempt, successor: BoundAttempt) -> bool:
    """Hand an accepted job from the attempt that was left behind to a claimed one; return whether it was to be had.

    Every step can be taken again by whoever finds the claim of the successor, so dying in between loses nothing.

    Args:
        orphan: The attempt that was accepted and left behind.
        successor: The claimed attempt that goes on with it.
    """
    try:
        acceptance = await orphan.acceptance()
    except LibraryError as error:
        await successor.record("refused", {"why": f"There is nothing to take over: {error.what}"})
        return False
    if not await orphan.record("adopted", {"by": successor.key}):
        taken: dict[str, Any] = await orphan.entry("adopted") or {}
        if taken.get("by") != successor.key:
            await successor.record("refused", {"why": "Another run took the job over; nothing was sent"})
            return False
    await successor.record_paid("accepted", {**acceptance.entry(), "adopted": orphan.key})
    successor.log.info("Taking over what an earlier run paid for and did not keep: nothing is sent, nothing is paid.")
    return True


def attempt_named(key: str) -> Attempt:
    """Return the attempt with a key, without what is known of it."""
    fingerprint, scope, number = key.split("/")
    return Attempt(fingerprint, scope, int(number))
