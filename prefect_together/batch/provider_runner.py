"""Runs many requests through Together's own batches: looked up, claimed, sent as files, waited for, taken. Knows no Prefect.

Rows go to a temporary file as they come. In rounds, each row is looked up as any request is; what is free goes into a batch,
what somebody else has sent is waited for with ours, and a row is over when the ledger says what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from prefect_together.batch.batch_rows import Line, Options
from prefect_together.batch.provider_batch import Submission
from prefect_together.batch.provider_rows import HoldOn, Pending, ProviderRows, Resend, Round, Sent
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.shard_lines import ShardLines
from prefect_together.engine.attempt import BoundAttempt
from prefect_together.engine.batch_lines import LineSpool, Part
from prefect_together.engine.batch_record import BatchRecord, record_of
from prefect_together.engine.batch_sending import BatchSender, Note
from prefect_together.engine.batch_taking import BatchTaker, each, late_together
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.prior_attempts import PriorAttempts, claim
from prefect_together.errors import TogetherError
from prefect_together.generations.request import Request
from prefect_together.generations.results import GenerationTimeout
from prefect_together.ledger.leases import Lease, begin_lease, release, shared_lease

LOOK_AGAIN = 1.0
"""Seconds between looks at rows that somebody else is sending."""


@dataclass(eq=False)
class _Claiming:
    """A request that is free, on its way into a batch."""

    row: Pending
    table_row: TableRow
    context: GenerationContext
    prior: PriorAttempts
    attempt: BoundAttempt
    reserved: bool = False
    claimed: bool = False


class ProviderBatchRun(ProviderRows):
    """One run of many requests by way of provider batches.

    Args:
        context: As for ``ProviderRows``.
        options: As for ``ProviderRows``.
        before: As for ``ProviderRows``.
        resend: As for ``ProviderRows``.
        sent: As for ``ProviderRows``.
        hold_on: As for ``ProviderRows``.
    """

    def __init__(
        self,
        context: RunContext,
        options: Options,
        before: Mapping[str, Line] | None = None,
        *,
        resend: Resend | None = "batch",
        sent: Submission | None = None,
        hold_on: HoldOn | None = None,
    ) -> None:
        super().__init__(context, options, before, resend=resend, sent=sent, hold_on=hold_on)
        self._progress: dict[str, tuple[str, float]] = {}
        self._turn = asyncio.Lock()
        self.waiting = 0
        """How many rows are to be waited for, once they are submitted."""

    @property
    def done(self) -> int:
        """How many requests are over, those included that Together says it has answered."""
        return super().done + int(sum(share for _, share in self._progress.values()))

    def __str__(self) -> str:
        at_work = ", ".join(said for said, _ in self._progress.values())
        return f"{super().__str__()}{f' At Together: {at_work}.' if at_work else ''}"

    async def run(self, rows: Iterable[TableRow], begun: asyncio.Event | None = None) -> None:
        """Run the requests of some rows; returns when all of them are over. May run several times at once.

        Args:
            rows: The rows.
            begun: Is set when what is free of them was sent.
        """
        pending: list[Pending] | None = None

        async def rounds(timeout: float) -> None:
            nonlocal pending
            pending = await self._enter(rows) if pending is None else pending
            while pending:
                await self._round(pending, begun, timeout)

        if self._hold_on is None:
            await rounds(self.options.timeout)
        else:
            await self._held(rounds, self._hold_on)
        if begun:
            begun.set()

    async def _held(self, rounds: Callable[[float], Awaitable[None]], hold_on: HoldOn) -> None:
        """Have the run suspended until its rows are over; those of a batch that takes too long say so, and no others."""
        while True:
            try:
                return await hold_on(rounds)
            except GenerationTimeout as error:  # noqa: PERF203 - a round takes minutes
                self._late |= {name.rpartition("/")[2]: error for name in error.waits_for}

    async def submit(self, rows: Iterable[TableRow], entries: ShardLines) -> None:
        """Send what is free of some rows, and wait for nothing.

        Args:
            rows: The rows.
            entries: Takes them in as another process can take them up.

        Raises:
            TogetherError: Nothing could be sent of what was to be sent.
        """
        with closing(LineSpool()) as lines:
            found, self._entries = Round(lines), entries
            await each(await self._enter(rows), partial(self._look, found))
            for part in lines.parts():
                await self._through(part, found)
            self.waiting = len(found.left)
        errors = [sent.error for sent in self._claimed.values() if sent.error]
        if errors and not self.records:
            raise errors[0]

    # A round: all rows are looked up, what is free is sent, what is sent is waited for.

    async def _round(self, pending: list[Pending], begun: asyncio.Event | None, timeout: float) -> None:
        """Do one round, and leave in the list the rows that are not over afterwards.

        Raises:
            GenerationTimeout: What all of them wait for still runs, and the run is to be suspended.
        """
        with closing(LineSpool()) as lines:
            found = Round(lines)
            await each(pending, partial(self._look, found))
            parts, sent = list(lines.parts()), list[asyncio.Event]()
            if self._hold_on is not None:
                for part in parts:
                    await self._through(part, found)
                parts = []
            works = [self._waited(record_of(self.context.storage, name), found, timeout) for name in found.records]
            for part in parts:
                sent.append(asyncio.Event())
                works.append(self._through(part, found, sent[-1]))
            await _all_of([*works, _when_all(sent, begun)] if begun else works)
        pending[:] = found.left
        if found.late and not found.busy:
            raise late_together(found.late)
        if found.left and (found.busy or not works):
            await asyncio.sleep(LOOK_AGAIN)

    # Sending and waiting.

    async def _through(self, part: Part, found: Round, gone: asyncio.Event | None = None) -> None:
        """Send one batch, and wait for it where somebody wants to hear that it was sent."""
        record = BatchRecord.begin(self.context.storage)
        lease = shared_lease(record.id)
        await begin_lease(self._ledger, lease)
        async with Lease(self._ledger, lease):
            async with self._turn:  # one after the other: no claim is held longer than it has to be
                sent = await self._sent(record, part, found)
            if gone:
                gone.set()
            if sent and gone:
                await self._waited(record, found, self.options.timeout)
        if sent and not gone:
            found.records[record.id] = None
            await release(self._ledger, lease, handed_out=True)

    async def _sent(self, record: BatchRecord, part: Part, found: Round) -> bool:
        rows = [found.free[name] for name in part.names]
        sender = BatchSender(self.context, record, partial(self._claim, found))
        try:
            sent = await sender.send(found.lines, part)
        except TogetherError as error:
            for row in rows:
                if row.fingerprint in sender.attempts:
                    self._claimed[row.fingerprint].error = error
            sent = False
        left = [row for row in rows if not row.over]
        found.left += left
        found.busy |= any(row.fingerprint not in sender.attempts for row in left)
        if sent:
            self.records[record.id] = None
        return sent

    async def _claim(self, found: Round, names: Sequence[str], record: BatchRecord, note: Note) -> None:
        """Claim the requests of rows for a batch, once it is set aside what they cost at most.

        That is done for all of them at once: a limit that others spend from too writes down every reservation each time.
        """
        free = [one for one in await each(names, partial(self._unsent, found)) if one]
        try:
            await asyncio.gather(*(self._reserve(one) for one in free))
            await each(free, partial(self._claim_one, record, note))
        finally:
            for one in free:
                if self.context.budget and one.reserved and not one.claimed:
                    await self.context.budget.settle(one.attempt.key, Decimal(0))

    async def _unsent(self, found: Round, name: str) -> _Claiming | None:
        """Return the request of a row, unless somebody has sent it meanwhile."""
        row = found.free[name]
        table_row, request = self._read(row)
        context = self.context.of(request)
        prior = self._prior(row, context)
        try:
            standing = await prior.look()
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._not_claimed(row, table_row, request, error)
            return None
        return _Claiming(row, table_row, context, prior, standing.attempt) if standing.what == "free" else None

    async def _reserve(self, one: _Claiming) -> None:
        """Set aside what a request costs at most; where that is not to be had, its row is over."""
        if self.context.budget is None:
            return
        try:
            await self.context.budget.reserve(one.attempt.key, one.context.at_most)
            one.reserved = True
        except Exception as error:  # as above
            self._not_claimed(one.row, one.table_row, one.context.request, error)

    async def _claim_one(self, record: BatchRecord, note: Note, one: _Claiming) -> None:
        name = one.row.fingerprint
        if one.row.over:
            return
        try:
            one.claimed = await claim(one.context, one.attempt, provider_batch=record.id)
            if not one.claimed:
                return
            await one.prior.unknown.record()
        except Exception as error:  # as above
            self._not_claimed(one.row, one.table_row, one.context.request, error)
            return
        self._claimed[name] = Sent(one.attempt, one.row.times + 1)
        note(name, one.attempt, one.context.at_most)

    def _not_claimed(self, row: Pending, table_row: TableRow, request: Request, error: Exception) -> None:
        self._wrong(table_row, request, error, row.began, row.fingerprint)
        row.over = True

    async def _waited(self, record: BatchRecord, found: Round, timeout: float) -> None:
        """Wait until what a batch made is kept; where that takes too long, its rows say so, or the run is suspended."""
        lines = int((await record.read(), record.facts)[1].get("lines", 0))

        def look(_: BatchRecord, status: str, progress: float) -> None:
            share = max(min(progress, 100.0) / 100 * lines, self._progress.get(record.id, ("", 0.0))[1])
            self._progress[record.id] = (f"{record} is {status}, {progress:.0f} % of {lines:,}", share)

        try:
            await BatchTaker(self.context, record).take(timeout, look)
        except TogetherError as error:
            if self._hold_on is not None and isinstance(error, GenerationTimeout):
                found.late.append(error)
            else:
                self._late[record.id] = error
        finally:
            self._progress.pop(record.id, None)


async def _all_of(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do some works at once; what one raises ends the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _when_all(events: Sequence[asyncio.Event], then: asyncio.Event) -> None:
    """Set an event when all others are set."""
    for event in events:
        await event.wait()
    then.set()
