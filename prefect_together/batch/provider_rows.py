"""The rows of a run by way of provider batches: from a table to the outcome of each. Sends nothing into a batch.

Rows go to a temporary file as they come, and each is looked up as any request is, until the ledger says what became of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from prefect_together.batch.batch_rows import Line, Options
from prefect_together.batch.cells import row_as_json
from prefect_together.batch.provider_batch import Submission
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.results import GOOD
from prefect_together.batch.row_store import RowStore
from prefect_together.batch.runner import Batch
from prefect_together.batch.sent_before import SentBefore
from prefect_together.batch.shard_lines import ShardLines
from prefect_together.engine.attempt import BoundAttempt
from prefect_together.engine.batch_lines import LineSpool
from prefect_together.engine.batch_taking import NotAnswered, each, error_of
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.delivery import Delivery
from prefect_together.engine.lifecycle import generate
from prefect_together.engine.prior_attempts import PriorAttempts
from prefect_together.engine.tracing import span
from prefect_together.errors import InvalidRequest, TogetherError, UnknownOutcome
from prefect_together.generations.fingerprint import body_of, fingerprint_of
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated, GenerationTimeout
from prefect_together.generations.spec import Line as BatchLine
from prefect_together.ledger.leases import LocalHold
from prefect_together.ledger.ledger import Ledger

Resend = Literal["batch", "requests"]
"""How goes out again what a batch did not answer: in another batch, or request by request."""

HoldOn: TypeAlias = "Callable[[Callable[[float], Awaitable[None]]], Awaitable[None]]"
"""Has work done that is given the seconds that it may wait, and raises ``GenerationTimeout`` after them: it is done without
waiting, then the run is suspended, and does it anew when what it waits for is over."""

SENT_AT_MOST = 3
"""Batches that one row goes into in one run, its suspensions included."""


@dataclass(eq=False)
class Pending:
    """A row that is not over."""

    at: int
    """Where it is in the store of rows."""
    fingerprint: str
    scope: str
    """Who may share its result; of equal rows the same."""
    began: float
    watch: PriorAttempts | None = None
    """What is known of somebody else who is sending it."""
    times: int = 0
    """Batches of this run that it went into already."""
    over: bool = False


@dataclass
class Sent:
    """What this run sent for a request, whichever rows ask for it."""

    attempt: BoundAttempt
    times: int
    error: TogetherError | None = None
    """Why that did not come about, where it did not."""


@dataclass
class Round:
    """What one look at all rows finds."""

    lines: LineSpool
    free: dict[str, Pending] = field(default_factory=dict[str, Pending])
    """Rows to send, by their fingerprints."""
    left: list[Pending] = field(default_factory=list[Pending])
    """Rows that are to be looked at again."""
    records: dict[str, None] = field(default_factory=dict[str, None])
    """Batches that rows wait for: those that others sent, and what was sent to be waited for later."""
    busy: bool = False
    """Whether rows are being sent by somebody else, who may not come to it."""
    late: list[GenerationTimeout] = field(default_factory=list[GenerationTimeout])
    """What still runs, where the run is to be suspended meanwhile."""


class ProviderRows(Batch):
    """The rows of one run: taken in, looked up, and over when the ledger says what became of them. Sends no batch.

    Args:
        context: As for ``Batch``.
        options: As for ``Batch``; ``timeout`` is how long each batch is waited for, from its creation.
        before: As for ``Batch``.
        resend: How goes out again what a batch did not answer; None: not in this run, which sends nothing at all.
        sent: What was sent for this very batch before, where it was.
        hold_on: Has the run suspended while its batches run, instead of waiting here.
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
        super().__init__(replace(context, batched=True), options, before)
        self.records = dict.fromkeys(sent.records if sent else ())
        """The records of the batches that are this run's own: what they bring counts as paid for by it."""
        self._entries: ShardLines | None = None
        self._ledger = Ledger(context.storage)
        self._resend = resend
        self._hold_on = hold_on
        self._before_now = SentBefore(self._ledger, context.run.flow_run) if hold_on else None
        self._rows = RowStore()
        self._hold = LocalHold()
        self._known: Mapping[int, tuple[str, str]] = sent.known if sent else {}
        self._scopes: dict[str, str] = {}
        self._late: dict[str, TogetherError] = {}
        self._claimed: dict[str, Sent] = {}
        self._paid: set[str] = set()

    def close(self) -> None:
        """Forget the lines and rows that are on this machine, and hold nothing any more."""
        super().close()
        self._rows.close()
        self._hold.let_go()

    async def _enter(self, rows: Iterable[TableRow]) -> list[Pending]:
        """Take in rows, and return those that are not over at once."""
        pending = list[Pending]()

        async def one(row: TableRow) -> None:
            if row.request is None:
                self._over(row, None, "refused", error=InvalidRequest(row.error or "The row is no request."))
                self._write_down(row)
            elif found := await self._entered(row, row.request):
                pending.append(found)
            if row.number % 64 == 0:
                await asyncio.sleep(0)  # what never has to wait would keep everything else on the loop from running

        await each(rows, one)
        return sorted(pending, key=lambda one: one.at)

    async def _entered(self, row: TableRow, request: Request) -> Pending | None:
        began, fingerprint = time.monotonic(), None
        try:
            context = self.context.of(request)
            context.check()
            fingerprint, scope = await self._identity(row, context)
            self._write_down(row, fingerprint, scope)
            if self._before:
                self._seen.add(fingerprint)
            if (last := self._before.get(fingerprint)) and await self._as_before(row, last):
                return None
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._wrong(row, request, error, began, fingerprint)
            self._write_down(replace(row, request=None, error=str(error)))
            return None
        return Pending(self._rows.put(row), fingerprint, scope, began)

    async def _as_before(self, row: TableRow, last: Line) -> bool:
        # What a run kept before it was suspended is in the lines of its last pass, and not reused: the ledger tells it.
        return not (self._before_now and last["outcome"] in GOOD) and await super()._as_before(row, last)

    async def _identity(self, row: TableRow, context: GenerationContext) -> tuple[str, str]:
        """Return what the ledger knows a row by: its fingerprint and its scope."""
        if known := self._known.get(row.number):
            return known
        fingerprint = await fingerprint_of(context.request, environment=self.context.client.environment)
        return fingerprint, self._scopes.setdefault(fingerprint, context.scope())

    def _write_down(self, row: TableRow, *known: str) -> None:
        """Note a row so that another process can take it up, where one is to."""
        if self._entries is None:
            return
        line: dict[str, Any] = {"row": row.number, "columns": row_as_json(row.columns), "known": known, "error": row.error}
        if row.request is not None:
            line |= {"kind": row.request.kind, "request": row.request.model_dump(mode="json", exclude_unset=True)}
        self._entries.put(row.number, line)

    async def _look(self, found: Round, row: Pending) -> None:
        """Look one row up: it is over then, or it goes into the round."""
        table_row, request = self._read(row)
        try:
            if error := await self._failure(row):
                raise error
            context = self.context.of(request)
            prior = row.watch or self._prior(row, context)
            standing = await prior.look()
            if standing.what == "busy":
                row.watch, found.busy = prior, True
                found.left.append(row)
            elif standing.what == "free":
                await self._free(found, row, context, standing.attempt)
            elif standing.attempt.state == "stored":
                await self._kept(table_row, row, context, standing.attempt)
            else:
                await self._accepted(found, table_row, row, standing.attempt)
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._wrong(table_row, request, error, row.began, row.fingerprint)

    async def _failure(self, row: Pending) -> TogetherError | None:
        """Return why what this run sent has no answer; None where it has one, or may yet, or may be sent again."""
        sent = self._claimed.get(row.fingerprint)
        if sent is None:
            return None
        if sent.error:
            # Nobody knows whether the batch was made: looked up as ever, it is found after all, or on_unknown decides, once.
            return None if isinstance(sent.error, UnknownOutcome) and sent.times == 1 else sent.error
        attempt = await sent.attempt.refreshed()
        error = await error_of(attempt) if attempt.state in {"failed", "lost"} else None
        return None if isinstance(error, NotAnswered) else error

    async def _free(self, found: Round, row: Pending, context: GenerationContext, attempt: BoundAttempt) -> None:
        """Put a row that nobody has sent into the round's lines."""
        table_row, request = self._read(row)
        if self._resend is None or self.stopped:
            said = self.stopped or "It was not sent, or Together did not answer it: send it again."
            self._over(table_row, request, "skipped", said=said, fingerprint=row.fingerprint)
            return
        sent = self._claimed.get(row.fingerprint)
        row.times = sent.times if sent else await self._before_now.times(attempt) if self._before_now else 0
        if row.times and self._resend == "requests":
            await self._one(table_row, request)
            return
        if row.times >= SENT_AT_MOST:
            raise NotAnswered(f"{row.times} batches at Together did not answer it.", paid="nothing", retryable=True)
        client, protocol = self.context.client, context.batch_protocol()
        body = await body_of(request, row.fingerprint, environment=client.environment, is_there=client.files.has)
        for warning in body.warnings:
            self.context.run.log.warning("%s", warning)
        line = protocol.line(row.fingerprint, body.content)
        if found.lines.put(row.fingerprint, line, protocol.endpoint, request.model):
            found.free[row.fingerprint] = row
        else:
            found.left.append(row)  # an equal row is sent: this one gets the same

    async def _accepted(self, found: Round, table_row: TableRow, row: Pending, attempt: BoundAttempt) -> None:
        """Wait for what somebody sent before, with the round."""
        payload, request = (await attempt.acceptance()).payload, table_row.request
        if isinstance(payload, BatchLine):
            if late := self._late.get(payload.record):
                raise late
            found.records[payload.record] = None
            found.left.append(row)
        elif request is not None:
            await self._one(table_row, request)

    async def _kept(self, table_row: TableRow, row: Pending, context: GenerationContext, attempt: BoundAttempt) -> None:
        """Note the results of a row; where they are not what was asked for, a better one is asked for as ever."""
        kept = await Delivery(context, row.fingerprint).stored(attempt)
        paid = attempt.key not in self._paid and (row.fingerprint in self._claimed or await self._is_ours(attempt))
        self._paid.add(attempt.key)
        results: list[Generated] = [result.model_copy(update={"reused": not paid}) for result in kept]
        better = context.spec.follow_up
        if self._resend is not None and better and better(context.request, results[-1]):
            results += (await self._generated(context.request, row.fingerprint))[len(kept) :]
        self._made(table_row, context.request, results, row.began, row.fingerprint)

    async def _is_ours(self, attempt: BoundAttempt) -> bool:
        """Tell whether an attempt went out with a batch that was sent for this one."""
        if self._before_now is not None:
            return await self._before_now.holds(attempt)
        return bool(self.records) and (await attempt.entry("accepted") or {}).get("provider_batch") in self.records

    def _context_of(self, request: Request) -> GenerationContext:
        return replace(super()._context_of(request), batched=False)

    async def _generated(self, request: Request, fingerprint: str) -> list[Generated]:
        """Return what is kept of a request, and what follows from that; it goes out by itself."""
        context = self._context_of(request)
        context.check()
        with span(request, prompt=self.options.trace_prompts) as note:
            note.results = await generate(context, timeout=self.options.timeout, fingerprint=fingerprint)
        return list(note.results)

    def _prior(self, row: Pending, context: GenerationContext) -> PriorAttempts:
        return PriorAttempts(context, self._ledger, row.fingerprint, row.scope, self._hold)

    def _read(self, row: Pending) -> tuple[TableRow, Request]:
        """Return a row and its request."""
        table_row = self._rows.get(row.at)
        if table_row.request is None:
            raise TypeError("a row without a request is over when it comes")
        return table_row, table_row.request
