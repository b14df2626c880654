"""Runs many requests through Together's own batches: looked up, claimed, sent as files, waited for, taken. Knows no Prefect.

Rows go to a temporary file as they come. In rounds, each row is looked up as any request is; what is free goes into a batch,
what somebody else has sent is waited for with ours, and a row is over when the ledger says what became of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Literal

from prefect_together.batch.request_table import TableRow
from prefect_together.batch.row_store import RowStore
from prefect_together.batch.runner import Batch, Line, Options
from prefect_together.engine.attempt import BoundAttempt
from prefect_together.engine.batch_lines import LineSpool, Part
from prefect_together.engine.batch_record import BatchRecord, record_of
from prefect_together.engine.batch_sending import BatchSender
from prefect_together.engine.batch_taking import BatchTaker, NotAnswered, each, error_of
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.delivery import Delivery
from prefect_together.engine.prior_attempts import PriorAttempts, claim
from prefect_together.errors import InvalidRequest, TogetherError
from prefect_together.generations.fingerprint import body_of, fingerprint_of
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated
from prefect_together.generations.spec import Line as BatchLine
from prefect_together.ledger.leases import Lease, LocalHold, begin_lease, release, shared_lease
from prefect_together.ledger.ledger import Ledger

Resend = Literal["batch", "requests"]
"""How goes out again what a batch did not answer: in another batch, or request by request."""

SENT_AT_MOST = 3
"""Batches that one row goes into in one run."""
LOOK_AGAIN = 1.0
"""Seconds between looks at rows that somebody else is sending."""


@dataclass(eq=False)
class _Pending:
    """A row that is not over."""

    at: int
    """Where it is in the store of rows."""
    fingerprint: str
    began: float
    attempt: BoundAttempt | None = None
    """What this run claimed for it, last."""
    sent: int = 0
    """How often this run did."""
    watch: PriorAttempts | None = None
    """What is known of somebody else who is sending it."""
    over: bool = False


@dataclass
class _Round:
    """What one look at all rows finds."""

    lines: LineSpool
    free: dict[str, _Pending] = field(default_factory=dict[str, _Pending])
    """Rows to send, by their fingerprints."""
    left: list[_Pending] = field(default_factory=list[_Pending])
    """Rows that are to be looked at again."""
    records: dict[str, None] = field(default_factory=dict[str, None])
    """Batches that others sent and rows wait for."""


class ProviderBatchRun(Batch):
    """One run of many requests by way of provider batches.

    Args:
        context: As for ``Batch``.
        options: As for ``Batch``; ``timeout`` is how long each batch is waited for, from its creation.
        before: As for ``Batch``.
        resend: How goes out again what a batch did not answer; None: not in this run, which sends nothing at all.
        records: Records of batches that were sent for this very batch before: what they bring counts as paid for by it.
    """

    def __init__(
        self,
        context: RunContext,
        options: Options,
        before: Mapping[str, Line] | None = None,
        *,
        resend: Resend | None = "batch",
        records: Sequence[str] = (),
    ) -> None:
        super().__init__(replace(context, batched=True), options, before)
        self.records = dict.fromkeys(records)
        """The records of the batches that are this run's own."""
        self._ledger = Ledger(context.storage)
        self._resend = resend
        self._rows = RowStore()
        self._hold = LocalHold()
        self._progress: dict[str, tuple[str, float]] = {}
        self._late: dict[str, TogetherError] = {}
        self._paid: set[str] = set()
        self._turn = asyncio.Lock()

    @property
    def done(self) -> int:
        """How many requests are over, those included that Together says it has answered."""
        return super().done + int(sum(share for _, share in self._progress.values()))

    def __str__(self) -> str:
        at_work = ", ".join(said for said, _ in self._progress.values())
        return f"{super().__str__()}{f' At Together: {at_work}.' if at_work else ''}"

    async def run(self, rows: Iterable[TableRow]) -> None:
        """Run the requests of some rows; returns when all of them are over."""
        with closing(self._rows), self._hold:
            pending = await self._enter(rows)
            while pending:
                pending = await self._round(pending)

    async def submit(self, rows: Iterable[TableRow]) -> None:
        """Send what is free of some rows, and wait for nothing."""
        with closing(self._rows), self._hold, closing(LineSpool()) as lines:
            found = _Round(lines)
            await each(await self._enter(rows), partial(self._look, found))
            for part in lines.parts():
                await self._through(part, found, wait=False)

    async def _enter(self, rows: Iterable[TableRow]) -> list[_Pending]:
        """Take in rows, and return those that are not over at once."""
        pending = list[_Pending]()

        async def one(row: TableRow) -> None:
            if row.request is None:
                self._over(row, None, "refused", error=InvalidRequest(row.error or "The row is no request."))
            elif found := await self._entered(row, row.request):
                pending.append(found)
            if row.number % 64 == 0:
                await asyncio.sleep(0)  # what never has to wait would keep everything else on the loop from running

        await each(rows, one)
        return sorted(pending, key=lambda one: one.at)

    async def _entered(self, row: TableRow, request: Request) -> _Pending | None:
        began, fingerprint = time.monotonic(), None
        try:
            context = self.context.of(request)
            _refuse_without_batch(context)
            context.check()
            fingerprint = await fingerprint_of(request, environment=self.context.client.environment)
            if self._before:
                self._seen.add(fingerprint)
            if (last := self._before.get(fingerprint)) and await self._as_before(row, request, last):
                return None
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._wrong(row, request, error, began, fingerprint)
            return None
        return _Pending(self._rows.put(row), fingerprint, began)

    # A round: all rows are looked up, what is free is sent, what is sent is waited for.

    async def _round(self, pending: list[_Pending]) -> list[_Pending]:
        """Return the rows that are not over afterwards."""
        with closing(LineSpool()) as lines:
            found = _Round(lines)
            await each(pending, partial(self._look, found))
            works = [self._waited(record_of(self.context.storage, name)) for name in found.records]
            works += [self._through(part, found, wait=True) for part in lines.parts()]
            tasks = [asyncio.create_task(work) for work in works]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if found.left and not tasks:
            await asyncio.sleep(LOOK_AGAIN)
        return found.left

    async def _look(self, found: _Round, row: _Pending) -> None:
        """Look one row up: it is over then, or it goes into the round."""
        table_row, request = self._read(row)
        try:
            if row.attempt and (error := await _failure(await row.attempt.refreshed())):
                raise error
            context = self.context.of(request)
            prior = row.watch or self._prior(row, context)
            standing = await prior.look()
            if standing.what == "busy":
                row.watch = prior
                found.left.append(row)
            elif standing.what == "free":
                await self._free(found, row, context)
            elif standing.attempt.state == "stored":
                await self._kept(table_row, row, context, standing.attempt)
            else:
                await self._accepted(found, table_row, row, standing.attempt)
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._wrong(table_row, request, error, row.began, row.fingerprint)

    async def _free(self, found: _Round, row: _Pending, context: GenerationContext) -> None:
        """Put a row that nobody has sent into the round's lines."""
        table_row, request = self._read(row)
        if self._resend is None or self.stopped:
            said = self.stopped or "It was not sent, or Together did not answer it: send it again."
            self._over(table_row, request, "skipped", said=said, fingerprint=row.fingerprint)
            return
        if row.sent and self._resend == "requests":
            await self._one(table_row, request)
            return
        if row.sent >= SENT_AT_MOST:
            raise NotAnswered(f"{row.sent} batches at Together did not answer it.", paid="nothing", retryable=True)
        client, protocol = self.context.client, context.spec.batch
        body = await body_of(request, row.fingerprint, environment=client.environment, is_there=client.files.has)
        for warning in body.warnings:
            self.context.run.log.warning("%s", warning)
        line = protocol.line(row.fingerprint, body.content)
        if found.lines.put(row.fingerprint, line, protocol.endpoint, request.model):
            found.free[row.fingerprint] = row
        else:
            found.left.append(row)  # an equal row is sent: this one gets the same

    async def _accepted(self, found: _Round, table_row: TableRow, row: _Pending, attempt: BoundAttempt) -> None:
        """Wait for what somebody sent before, with the round."""
        payload, request = (await attempt.acceptance()).payload, table_row.request
        if isinstance(payload, BatchLine):
            if late := self._late.get(payload.record):
                raise late
            found.records[payload.record] = None
            found.left.append(row)
        elif request is not None:
            await self._one(table_row, request)

    async def _kept(self, table_row: TableRow, row: _Pending, context: GenerationContext, attempt: BoundAttempt) -> None:
        """Note the results of a row; where they are not what was asked for, a better one is asked for as ever."""
        kept = await Delivery(context, row.fingerprint).stored(attempt)
        paid = attempt.key not in self._paid and (row.attempt is not None or await self._is_ours(attempt))
        self._paid.add(attempt.key)
        results: list[Generated] = [result.model_copy(update={"reused": not paid}) for result in kept]
        better = context.spec.follow_up
        if self._resend is not None and better and better(context.request, results[-1]):
            results += (await self._generated(context, row.fingerprint))[len(kept) :]
        self._made(table_row, context.request, results, row.began, row.fingerprint)

    async def _is_ours(self, attempt: BoundAttempt) -> bool:
        """Tell whether an attempt went out with a batch that was sent for this one."""
        return bool(self.records) and (await attempt.entry("accepted") or {}).get("provider_batch") in self.records

    async def _generated(self, context: GenerationContext, fingerprint: str) -> list[Generated]:
        return await super()._generated(replace(context, batched=False), fingerprint)

    # Sending and waiting.

    async def _through(self, part: Part, found: _Round, *, wait: bool) -> None:
        """Send one batch, and wait for it where that is wanted."""
        record = BatchRecord.begin(self.context.storage)
        lease = shared_lease(record.id)
        async with self._turn:  # one after the other: no claim is held longer than it has to be
            await begin_lease(self._ledger, lease)
            async with Lease(self._ledger, lease):
                sent = await self._sent(record, part, found)
                if sent and not wait:
                    await release(self._ledger, lease, handed_out=True)
        if sent and wait:
            async with Lease(self._ledger, lease):
                await self._waited(record)

    async def _sent(self, record: BatchRecord, part: Part, found: _Round) -> bool:
        rows = [found.free[name] for name in part.names]
        sender = BatchSender(self.context, record, partial(self._claim, found))
        try:
            sent = await sender.send(found.lines, part)
        except TogetherError as error:
            for row in rows:
                if row.fingerprint in sender.attempts and not row.over:
                    self._wrong(*self._read(row), error, row.began, row.fingerprint)
                    row.over = True
            sent = False
        found.left += [row for row in rows if not row.over]
        if sent:
            self.records[record.id] = None
        return sent

    async def _claim(self, found: _Round, name: str, record: BatchRecord) -> tuple[BoundAttempt, Decimal | None] | None:
        """Claim the request of a row for a batch, and set aside what it costs at most."""
        row, budget = found.free[name], self.context.budget
        table_row, request = self._read(row)
        context = self.context.of(request)
        try:
            standing = await (prior := self._prior(row, context)).look()
            if standing.what != "free":
                return None
            attempt, claimed = standing.attempt, False
            if budget:
                await budget.reserve(attempt.key, context.at_most)
            try:
                claimed = await claim(context, attempt, provider_batch=record.id)
            finally:
                if budget and not claimed:
                    await budget.settle(attempt.key, Decimal(0))
            if not claimed:
                return None
            await prior.unknown.record()
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._wrong(table_row, request, error, row.began, row.fingerprint)
            row.over = True
            return None
        row.attempt, row.sent = attempt, row.sent + 1
        return attempt, context.at_most

    async def _waited(self, record: BatchRecord) -> None:
        """Wait until what a batch made is kept; where that takes too long, its rows say so."""
        lines = int((await record.read(), record.facts)[1].get("lines", 0))

        def look(_: BatchRecord, status: str, progress: float) -> None:
            share = max(min(progress, 100.0) / 100 * lines, self._progress.get(record.id, ("", 0.0))[1])
            self._progress[record.id] = (f"{record} is {status}, {progress:.0f} % of {lines:,}", share)

        try:
            await BatchTaker(self.context, record).take(self.options.timeout, look)
        except TogetherError as error:
            self._late[record.id] = error
        finally:
            self._progress.pop(record.id, None)

    def _prior(self, row: _Pending, context: GenerationContext) -> PriorAttempts:
        return PriorAttempts(context, self._ledger, row.fingerprint, context.scope(), self._hold)

    def _read(self, row: _Pending) -> tuple[TableRow, Request]:
        """Return a row and its request."""
        table_row = self._rows.get(row.at)
        if table_row.request is None:
            raise TypeError("a row without a request is over when it comes")
        return table_row, table_row.request


async def _failure(attempt: BoundAttempt) -> TogetherError | None:
    """Return why what a run claimed has no answer; None where it has one, where it is not over, and where it may go again."""
    error = await error_of(attempt) if attempt.state in {"failed", "lost"} else None
    return None if isinstance(error, NotAnswered) else error


def _refuse_without_batch(context: GenerationContext) -> None:
    """Refuse a request of a type that Together takes one by one only."""
    if context.spec.batch is None:
        what = f"{type(context.request).__name__} cannot go into Together's batches"
        raise InvalidRequest(f'{what}: send it with via="requests".')
