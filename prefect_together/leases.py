"""Whether somebody is still at work on an attempt: leases that are renewed while they are, and how others judge them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from datetime import datetime, timezone
from typing import Any

from prefect_together.errors import TogetherError
from prefect_together.ledger import Attempt, Ledger, new_token
from prefect_together.outliving import outlives
from prefect_together.owner import Owner, this_process

FIRST_BEAT = 4.0
"""Seconds before a lease is written at all: most pictures are done by then and need none."""
BEAT = 10.0
"""Seconds between renewals."""
OVERDUE = 32.0
"""Seconds without a renewal after which a holder that cannot be looked up counts as gone."""
HANDED_OUT = 3600.0
"""Seconds for which a submitted job that nobody waits for yet stays with the run that submitted it."""

_held: Counter[str] = Counter()  # what this very process is at work on, and how many of its callers are


class Hold:
    """What one call is at work on, as this process knows it: from before its claim is seen by others to its very end."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def add(self, attempt: Attempt) -> None:
        """Be at work on an attempt from now on."""
        self._keys.append(attempt.key)
        _held[attempt.key] += 1

    def __enter__(self) -> None:
        """Nothing is held before ``add``."""

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Be done with all of it."""
        for key in self._keys:
            _held[key] -= 1
            if not _held[key]:
                del _held[key]


class Holding:
    """Holds an attempt: renews its lease until the block ends, and gives it up at once where it ends badly."""

    def __init__(self, ledger: Ledger, attempt: Attempt) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._hold = Hold()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        # Most are over before the first beat: a timer costs them a tenth of a task.
        self._timer = asyncio.get_running_loop().call_later(FIRST_BEAT, self._begin)
        self._hold.add(self._attempt)

    async def __aexit__(self, _: object, error: BaseException | None, *__: object) -> None:
        try:
            self._timer.cancel()
            if self._beating:
                self._beating.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._beating
            if error is not None:  # cancelled as well: whoever comes next should not have to wait
                # In a task of its own: whoever is cancelled right now still tells others that they need not wait.
                await asyncio.shield(outlives(release(self._ledger, self._attempt)))
        finally:
            self._hold.let_go()

    def _begin(self) -> None:
        self._beating = asyncio.create_task(_beat(self._ledger, self._attempt))


async def release(ledger: Ledger, attempt: Attempt, *, handed_out: bool = False) -> None:
    """Say that nobody is at work on an attempt any more, or that its job was handed to somebody who will wait later."""
    with contextlib.suppress(TogetherError):  # others find out by themselves when the lease is overdue
        await ledger.renew(attempt, {**_signed(), "released": not handed_out, "handed_out": handed_out})


def owned() -> dict[str, Any]:
    """Return what a claim says about who makes it; ``token`` tells our own entry from an equal one of somebody else."""
    return {"owner": this_process().model_dump(), "token": new_token()}


class Watch:
    """Judges whether the holder of one attempt is alive, over several looks.

    A holder is dead at once where its process is known to be gone. Nobody is taken for dead by a wall clock, for those
    differ between machines and jump on one: only a lease that does not *change*, by our own monotonic clock, is overdue.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._beat: str | None = None
        self._changed = time.monotonic()

    async def alive(self) -> bool | None:
        """Look once, and tell whether somebody is at work on it; None where only more looks will tell."""
        entry = await self._ledger.entry(self._attempt, "lease") or await self._ledger.entry(self._attempt, "claimed")
        if entry is None:
            return False
        if entry.get("released"):
            return False
        owner = Owner.model_validate(entry["owner"])
        runs = owner.runs()
        if runs is False:
            return False
        if owner == this_process() and self._attempt.key in _held:
            return True
        if entry.get("handed_out"):
            return _age(entry) < HANDED_OUT
        if owner == this_process():
            return False
        if runs and _age(entry) < OVERDUE:  # the same machine, so the same clock, and the process is there
            return True
        beat, first = str(entry.get("token")), self._beat is None
        if beat != self._beat:
            self._beat, self._changed = beat, time.monotonic()
            return None if first else True
        return None if time.monotonic() - self._changed < OVERDUE else False


    async def settled(self) -> bool:
        """Look until it is known whether somebody is at work on it: half a minute where the holder is on another machine."""
        while (alive := await self.alive()) is None:
            await asyncio.sleep(BEAT / 4)
        return alive


async def _beat(ledger: Ledger, attempt: Attempt) -> None:
    while True:
        with contextlib.suppress(Exception):  # whatever it is, a missed beat is made good by the next
            await ledger.renew(attempt, _signed())
        await asyncio.sleep(BEAT)


def _signed() -> dict[str, Any]:
    return {**owned(), "released": False, "handed_out": False}


def _age(entry: dict[str, Any]) -> float:
    return (datetime.now(timezone.utc) - datetime.fromisoformat(str(entry["at"]))).total_seconds()
