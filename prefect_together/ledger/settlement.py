"""What a reserved attempt did cost, by what the ledger says became of it. Reserves and settles nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from prefect_together._internal.process import ProcessId
from prefect_together.ledger.heartbeats import owned
from prefect_together.ledger.ledger import Attempt, Ledger

STUCK = 120.0
"""Seconds after a reservation, which a claim usually follows at once, after which none is expected any more."""


async def settled_cost(ledger: Ledger, key: str, reserved: Decimal, owner: ProcessId, at: str) -> Decimal | None:
    """Return what an attempt did cost, or None while nobody knows: what was reserved stays reserved then.

    Args:
        ledger: The ledger of the library.
        key: Of the attempt.
        reserved: USD that were set aside: its estimate, or the worst case.
        owner: The process that set them aside.
        at: When it did.
    """
    runs = owner.is_alive()  # before the ledger is read: who claims and dies meanwhile must not look as if it never had
    attempt = await _found(ledger, key)
    if not attempt.events:
        return Decimal(0) if await _never(ledger, attempt, at, runs=runs) else None
    claim: dict[str, Any] = await ledger.entry(attempt, "claimed") or {}
    if "owner" in claim and ProcessId.model_validate(claim["owner"]) != owner:
        return Decimal(0)  # two wanted to send it, and the other one did
    return await _cost(ledger, attempt, reserved)


async def _cost(ledger: Ledger, attempt: Attempt, reserved: Decimal) -> Decimal | None:
    state = attempt.state
    if state in {"claimed", "accepted", "unknown"}:
        return None
    if state == "refused":
        return Decimal(0)
    entry: dict[str, Any] = await ledger.entry(attempt, state) or {}
    if state == "adopted":
        return await _cost(ledger, await _found(ledger, str(entry.get("by"))), reserved)
    if state == "resolved" and entry.get("how") == "forgotten" and "lost" not in attempt.events:
        return Decimal(0)  # somebody found out that it was not charged
    files: list[dict[str, Any]] = entry.get("media") or [entry]
    reported = [file.get("cost") for file in files]
    return reserved if None in reported else sum((Decimal(str(cost)) for cost in reported), Decimal(0))


async def _found(ledger: Ledger, key: str) -> Attempt:
    fingerprint, scope, number = key.split("/")
    named = Attempt(fingerprint, scope, int(number))
    same = [known for known in (await ledger.history(fingerprint)).within(scope) if known.number == named.number]
    return same[0] if same else named


async def _never(ledger: Ledger, attempt: Attempt, at: str, *, runs: bool | None) -> bool:
    """Tell whether an attempt without a claim will never be sent; on another machine, see to it that it will not."""
    if runs is not None:
        return not runs
    if (datetime.now(timezone.utc) - datetime.fromisoformat(at)).total_seconds() < STUCK:
        return False
    # Clocks differ and processes are paused. So its claim is made for it: if it comes yet, that is taken and it tries anew.
    if not await ledger.record(attempt, "claimed", {**owned(), "why": "Its money was given back"}):
        return False
    await ledger.record(attempt, "refused", {"why": "Its money was given back before it was sent"})
    return True
