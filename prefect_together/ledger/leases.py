"""Whether somebody is still at work on an attempt: leases that are renewed while they are, and how others judge them.

An attempt's lease is written once and names its holder. What is renewed is the heartbeat of the process: see ``heartbeats``.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.background import spawn
from prefect_together._internal.process import ProcessId, this_process
from prefect_together.errors import LibraryError, TogetherError
from prefect_together.ledger import heartbeats
from prefect_together.ledger.heartbeats import heartbeat_key, heartbeat_of, owned, patience_with
from prefect_together.ledger.ledger import Attempt, Ledger, decode

FIRST_BEAT = 4.0
"""Seconds before a lease is written at all: most pictures are done by then and need none."""
_SLOW = 10.0
"""Seconds for a look, after which the patience with its holder begins anew: the library may have been busy."""
HANDED_OUT = 3600.0
"""Seconds for which a submitted job that nobody waits for yet stays with the run that submitted it."""

_held: Counter[str] = Counter()  # what this very process is at work on, and how many of its callers are


class LocalHold:
    """What one call is at work on, as this process knows it: from before its claim is seen by others to its very end."""

    __slots__ = ("_keys",)

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
        """Be done with all of it; once is enough."""
        for key in self._keys:
            _held[key] -= 1
            if not _held[key]:
                del _held[key]
        self._keys.clear()


class Lease:
    """Holds an attempt until the block ends, and gives it up at once where it ends badly.

    Its lease is written when the work on it takes longer than most, and renewed from then on.
    """

    __slots__ = ("_attempt", "_hold", "_ledger", "_renewed", "_timer", "_writing")

    def __init__(self, ledger: Ledger, attempt: Attempt) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._hold = LocalHold()
        self._renewed = False
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self.begin()

    async def __aexit__(self, _: object, error: BaseException | None, *__: object) -> None:
        await self.end(error)

    def begin(self) -> None:
        """Hold the attempt from now on."""
        # Most are over before: a timer costs them a tenth of a task.
        self._timer = asyncio.get_running_loop().call_later(FIRST_BEAT, self._renew)
        self._hold.add(self._attempt)
        heartbeat_of(self._ledger.storage).begin()

    def forget(self) -> None:
        """Have this process hold it no more, at once; others learn of it by ``end``."""
        self._hold.let_go()

    async def end(self, error: BaseException | None = None) -> None:
        """Hold it no more.

        Args:
            error: What the work on it ended with, where it ended badly: the attempt is given up.
        """
        try:
            await self._end()
            if error is not None:  # cancelled as well: whoever comes next should not have to wait
                # In a task of its own: whoever is cancelled right now still tells others that they need not wait.
                await asyncio.shield(spawn(release(self._ledger, self._attempt)))
        finally:
            self._hold.let_go()
            heartbeat_of(self._ledger.storage).end()

    def _renew(self) -> None:
        self._timer = None  # which holds on to the context of whoever began
        self._renewed = True
        self._writing = asyncio.create_task(self._write())
        heartbeat_of(self._ledger.storage).add(self._attempt)

    async def _write(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # it is tried again: from here on others know who renews it
                await self._ledger.renew(self._attempt, _signed())
                self._writing = None
                return
            await asyncio.sleep(heartbeats.BEAT)

    async def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._renewed:
            heartbeat_of(self._ledger.storage).remove(self._attempt)
        if (writing := self._writing) is not None:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing


async def release(ledger: Ledger, attempt: Attempt, *, handed_out: bool = False) -> None:
    """Say that nobody is at work on an attempt any more, or that its job was handed to somebody who will wait later."""
    with contextlib.suppress(TogetherError):  # others find out by themselves when the lease is overdue
        await ledger.renew(attempt, {**_signed(), "released": not handed_out, "handed_out": handed_out})


def shared_lease(record: str) -> Attempt:
    """Return what stands for all lines of a provider's batch: thousands of leases of their own would cost it dearly.

    Args:
        record: What the library's record of the batch is called.
    """
    return Attempt(record, "provider-batch", 1)


async def begin_lease(ledger: Ledger, attempt: Attempt) -> None:
    """Write a lease at once, where others may look before it is renewed for the first time."""
    await ledger.renew(attempt, _signed())


@contextlib.asynccontextmanager
async def one_at_a_time(ledger: Ledger, work: Attempt) -> AsyncGenerator[bool]:
    """Yield True to one process for the block, and False to those that come meanwhile.

    Two that begin in the same moment may both hear True: for what is right when it is done twice, and a waste.

    Args:
        ledger: The ledger.
        work: What stands for the work.
    """
    if await LeaseMonitor(ledger, work).settled():
        yield False
        return
    async with Lease(ledger, work):
        await begin_lease(ledger, work)
        yield True
    await release(ledger, work)


class LeaseMonitor:
    """Judges whether the holder of one attempt is alive, over several looks.

    A holder is dead at once where its process is known to be gone. Nobody is taken for dead by a wall clock, for those
    differ between machines and jump on one: only a lease that does not *change*, by our own monotonic clock, is overdue. For
    how long it may not, its holder says: who looks cannot know how long the holder's machine may keep it from renewing.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt) -> None:
        self._ledger = ledger
        self._attempt = attempt
        self._beat: str | None = None
        self._changed = time.monotonic()

    async def alive(self) -> bool | None:
        """Look once, and tell whether somebody is at work on it; None where only more looks will tell."""
        began = time.monotonic()
        try:
            return await self._look(began)
        except LibraryError:
            self._beat = None  # for all that is known its holder could not renew it either
            raise

    async def _look(self, began: float) -> bool | None:
        entry = await self._signed_by_holder()
        if entry is None:
            return False
        if entry.get("released"):
            return False
        owner = ProcessId.model_validate(entry["owner"])
        token, at = str(entry.get("token")), entry
        runs = owner.is_alive()
        if runs is False:
            return False
        if owner == this_process() and self._attempt.key in _held:
            return True
        if entry.get("handed_out"):
            return _age(entry) < HANDED_OUT
        if owner == this_process():
            return False
        if (pulse := await self._heartbeat(owner)) is not None:
            token, at = f"{token} {pulse['token']}", pulse
        if runs and _age(at) < patience_with(at):  # the same machine, so the same clock, and the process is there
            return True
        return self._changing(token, patience_with(at), began)

    def _changing(self, beat: str, patience: float, began: float) -> bool | None:
        """Tell by a look that began then whether a lease changes; None where more looks will tell."""
        now, first = time.monotonic(), self._beat is None
        if beat != self._beat:
            self._beat, self._changed = beat, now
            return None if first else True
        if now - began > _SLOW:  # a library that keeps its readers waiting does so with those who renew
            self._changed = now
        return None if now - self._changed < patience else False

    async def _signed_by_holder(self) -> dict[str, Any] | None:
        entry = await self._ledger.entry(self._attempt, "lease") or await self._ledger.entry(self._attempt, "claimed")
        if entry and (record := entry.get("provider_batch")):  # the lines of a batch have one lease together
            self._attempt = shared_lease(str(record))
            entry = await self._ledger.entry(self._attempt, "lease")
        return entry

    async def _heartbeat(self, owner: ProcessId) -> dict[str, Any] | None:
        """Return the last renewal by a process, where it is still at work on this attempt."""
        key = heartbeat_key(owner)
        try:
            pulse = decode(key, await self._ledger.storage.read(key))
        except FileNotFoundError:
            return None
        return pulse if self._attempt.key in pulse["holds"] else None

    async def settled(self) -> bool:
        """Look until it is known whether somebody is at work on it: as long as the holder says, where it is elsewhere."""
        while (alive := await self.alive()) is None:
            await asyncio.sleep(heartbeats.BEAT / 4)
        return alive


def _signed() -> dict[str, Any]:
    return {**owned(), "released": False, "handed_out": False}


def _age(entry: dict[str, Any]) -> float:
    return (datetime.now(timezone.utc) - datetime.fromisoformat(str(entry["at"]))).total_seconds()
