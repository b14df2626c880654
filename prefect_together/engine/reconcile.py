"""Brings ledger and library together again: fetches what was paid for, lists what nobody knows. Never pays unasked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from prefect_together._internal.logs import Log
from prefect_together.engine.attempt import BoundAttempt
from prefect_together.engine.context import GenerationContext, RunInfo
from prefect_together.engine.lifecycle import generate, resume
from prefect_together.engine.reconciliation import Entry, Reconciliation
from prefect_together.engine.recovery import close_dead_claim
from prefect_together.errors import InvalidRequest, LibraryError, TogetherError
from prefect_together.generations.policy import Policy
from prefect_together.generations.registry import read_request
from prefect_together.generations.results import Generated, GenerationTimeout
from prefect_together.http.client import TogetherClient
from prefect_together.ledger.leases import LeaseMonitor, shared_lease
from prefect_together.ledger.ledger import OPEN, UNDECIDED, Ledger
from prefect_together.ledger.packing import pack
from prefect_together.ledger.queries import LedgerRow, find_attempt, stream_attempts
from prefect_together.storage.storage import Storage

_AT_ONCE = 32
_HELD = 4096  # open attempts that are looked at: whether a process of another machine is gone takes half a minute to see

ProgressOfSteps = Callable[[str, float], None]
"""Takes which step is being done, and what part of it is done: 0 to 1."""


async def reconcile(
    storage: Storage,
    client: TogetherClient,
    *,
    log: Log,
    policy: Policy | None = None,
    wait: float = 0.0,
    progress: ProgressOfSteps | None = None,
) -> Reconciliation:
    """Adopt everything that was accepted and never kept, list what needs a decision, and pack what is settled.

    Of what is settled nothing is read, and of what is open some at a time is held; of batches at Together, all lines.

    Args:
        storage: The library; nothing else is needed, on whatever machine.
        client: The account that paid.
        log: Where to say what happens.
        policy: What is allowed.
        wait: Seconds to wait for each job that still renders; 0 asks each once.
        progress: Hears how far it is.

    Raises:
        LibraryError: The ledger cannot be read.
    """
    work = _Reconciler(storage, client, log, policy or Policy(), wait)
    looking: set[asyncio.Task[None]] = set()
    batched: list[LedgerRow] = []
    try:
        async for row in stream_attempts(storage, states=OPEN, progress=progress and partial(progress, "Looking")):
            if row.claim.get("provider_batch"):  # whoever takes the first line takes all, also those not seen yet
                batched.append(row)
                continue
            looking.add(asyncio.create_task(work.look(row)))
            looking = await _some_done(looking, leave=_HELD)
        for row in batched:
            looking.add(asyncio.create_task(work.look(row)))
            looking = await _some_done(looking, leave=_HELD)
        await _some_done(looking, leave=0)
    finally:
        for task in looking:
            task.cancel()
    work.report.newest_first()
    try:
        done = await pack(storage, everything=False, progress=progress and partial(progress, "Packing"))
        work.report.packed = done.attempts
    except LibraryError as error:  # small entries are as good as packed ones
        log.warning("What is settled is not packed: %s", error.what)
    return work.report


async def _some_done(tasks: set[asyncio.Task[None]], *, leave: int) -> set[asyncio.Task[None]]:
    """Wait until no more than so many tasks are left, and return those; raises what one of the others raised."""
    while len(tasks) > leave:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    return tasks


async def forget(storage: Storage, key: str) -> LedgerRow:
    """Note that an undecided attempt is settled: it was not charged, or does not matter. Its request may be sent again.

    Raises:
        InvalidRequest: There is no such attempt, or it is not undecided.
    """
    row = await _undecided(storage, key)
    await Ledger(storage).record(row.attempt, "resolved", {"how": "forgotten"})
    return row


async def resubmit(
    storage: Storage, client: TogetherClient, key: str, *, log: Log, policy: Policy | None = None, timeout: float = 1800.0
) -> list[Generated]:
    """Send the request of an undecided attempt again, which is paid for, and keep what comes.

    Args:
        storage: The library.
        client: The account that pays.
        key: The attempt's, or its beginning.
        log: Where to say what happens.
        policy: What is allowed.
        timeout: Seconds to wait for a job.

    Raises:
        InvalidRequest: There is no such attempt, or it is not undecided, or this release does not know its type.
        TogetherError: As the tasks raise.
    """
    row = await _undecided(storage, key)
    context = _context(row, storage, client, log, policy or Policy())
    await Ledger(storage).record(row.attempt, "resolved", {"how": "resubmitted by hand"})
    return await generate(context, timeout=timeout, fingerprint=row.attempt.fingerprint)


class _Reconciler:
    def __init__(self, storage: Storage, client: TogetherClient, log: Log, policy: Policy, wait: float) -> None:
        self.report = Reconciliation()
        self._storage = storage
        self._client = client
        self._log = log
        self._policy = policy
        self._wait = wait
        self._ledger = Ledger(storage)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._alive: dict[str, bool] = {}
        self._unfinished: set[str] = set()

    async def look(self, row: LedgerRow) -> None:
        """Do what can be done about one attempt, and report it."""
        report = self.report
        if row.environment not in {None, self._client.environment}:
            report.elsewhere += 1
            return
        if row.state not in UNDECIDED and await self._at_work(row):
            report.running.append(Entry.of(row))
            return
        async with self._slots:
            await self._settle(row)

    async def _settle(self, row: LedgerRow) -> None:
        """Do what can be done about one that nobody is at work on."""
        report = self.report
        if row.state == "claimed":
            try:
                await close_dead_claim(BoundAttempt(self._ledger, row.attempt, self._log), self._client)
            except TogetherError as error:  # whether its batch was made could not be asked
                report.failed.append(Entry.of(row, str(error)))
                return
            row = await find_attempt(self._storage, row.key)
        if row.state in UNDECIDED:
            report.undecided.append(Entry.of(row))
        elif row.state == "accepted":
            await self._resume(row)

    async def _at_work(self, row: LedgerRow) -> bool:
        """Tell whether somebody is at work on an attempt; the lines of one batch are looked after together."""
        record = row.claim.get("provider_batch")
        if record is None:
            return await LeaseMonitor(self._ledger, row.attempt).settled()
        async with self._turns[record]:
            if record not in self._alive:
                self._alive[record] = await LeaseMonitor(self._ledger, shared_lease(record)).settled()
            return self._alive[record]

    async def _resume(self, row: LedgerRow) -> None:
        """Fetch what an attempt was accepted for; the lines of one batch in turn, for the first takes them all."""
        record = row.outcome.get("provider_batch")
        if record is None:
            await self._resumed(row)
            return
        async with self._turns[record]:
            if record in self._unfinished:
                self.report.running.append(Entry.of(row))
            elif not await self._resumed(row):
                self._unfinished.add(record)

    async def _resumed(self, row: LedgerRow) -> bool:
        """Fetch what an attempt was accepted for; return False where that is still at work."""
        report = self.report
        try:
            context = _context(row, self._storage, self._client, self._log, self._policy)
        except ValueError as error:  # a request that this release cannot read
            report.failed.append(Entry.of(row, str(error)))
            return True
        try:
            report.kept += await resume(context, row.attempt, timeout=self._wait)
        except GenerationTimeout:
            report.running.append(Entry.of(row))
            return False
        except TogetherError as error:
            after = await find_attempt(self._storage, row.key)
            if after.state in UNDECIDED:
                report.undecided.append(Entry.of(after))
            else:
                report.failed.append(Entry.of(row, str(error)))
        return True


def _context(row: LedgerRow, storage: Storage, client: TogetherClient, log: Log, policy: Policy) -> GenerationContext:
    run = RunInfo(log=log, flow_run=row.flow_run)
    request = read_request(row.kind, row.claim["request"])
    return GenerationContext(
        request=request, client=client, storage=storage, run=run, policy=policy, in_scope=row.attempt.scope
    )


async def _undecided(storage: Storage, key: str) -> LedgerRow:
    row, ledger = await find_attempt(storage, key), Ledger(storage)
    if row.state == "accepted" and not await LeaseMonitor(ledger, row.attempt).settled():
        # Somebody who names it wants to be rid of it: a job that nobody can fetch is as good as lost.
        await ledger.record(row.attempt, "lost", {"why": "It was given up by hand", "job_id": row.job_id})
        row = await find_attempt(storage, row.key)
    if row.state not in UNDECIDED:
        raise InvalidRequest(f"{row.key} is {row.state}: only what is unknown or lost needs a decision.")
    return row
