"""What a batch task does around the batch: its arguments, chunks, progress and artifacts. Runs on the background loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from prefect import State, task
from prefect.concurrency.asyncio import concurrency as global_limit
from prefect.context import TaskRunContext
from prefect.states import Completed

from prefect_together._internal.logs import Log
from prefect_together.batch.plan import Plan
from prefect_together.batch.request_table import RequestTable, TableRow
from prefect_together.batch.results import BatchFailed, BatchResult, Retry
from prefect_together.batch.table_schema import TableSchema
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.context import RunContext
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage
from prefect_together.tasks._batch_requests import Requests, check, filled, rows_of, schema
from prefect_together.tasks._batch_summary import Progress, emit_batch, show_batch
from prefect_together.tasks._checks import Money, one_of, seconds, spend_limit, text, usd, whole
from prefect_together.tasks._context import run_context
from prefect_together.ui.contact_sheet import SMALL, draw_contact_sheet

if TYPE_CHECKING:
    from prefect_together.batch.runner import Batch

FailOn = Literal["any", "all", "never"]
"""Whether the task fails when any request failed, when all did, or never."""

Via = Literal["requests", "batch"]
"""How requests go out: one by one, or as files in batches that Together works at by itself."""
Resend = Literal["batch", "requests"]
"""How goes out again what such a batch did not answer."""

CONCURRENCY = 32
TIMEOUT = 1800.0
"""Seconds that a job is waited for, counted from its submission."""
BATCH_TIMEOUT = 3 * 24 * 3600.0
"""Seconds that a provider's batch is waited for, counted from its creation: Together may take three days."""


@dataclass(frozen=True)
class BatchArguments:
    """What a batch task was called with."""

    requests: Requests
    credentials: TogetherCredentials | None = None
    library: AnyLibrary | None = None
    reuse: Reuse = "auto"
    on_unknown: OnUnknown = "auto"
    timeout: float | None = None
    concurrency: int | str = CONCURRENCY
    stop_after_failures: int | None = None
    fail_on: FailOn = "all"
    max_cost: Money | None = None
    limit: SpendLimit | None = None
    chunk_size: int | None = None
    name: str | None = None
    retry: Retry = "failed"
    via: Via = "requests"
    resend: Resend = "batch"

    def check(self) -> None:
        """Refuse options that make no sense.

        Raises:
            InvalidRequest: One of them does not.
        """
        one_of("fail_on", self.fail_on, FailOn)
        one_of("retry", self.retry, Retry)
        one_of("via", self.via, Via)
        one_of("resend", self.resend, Resend)
        if self.timeout is not None:
            seconds("timeout", self.timeout)
        if self.via == "batch" and self.chunk_size is not None:
            raise InvalidRequest('chunk_size splits what goes out one by one: leave it out with via="batch".')
        (text if isinstance(self.concurrency, str) else whole)("concurrency", self.concurrency)
        if self.stop_after_failures is not None:
            whole("stop_after_failures", self.stop_after_failures)
        if self.chunk_size is not None:
            whole("chunk_size", self.chunk_size)
        if self.name is not None:
            text("name", self.name)
        spend_limit(self.limit)
        if self.max_cost is not None:
            usd("max_cost", self.max_cost)
        check(self.requests)

    async def total(self) -> int | None:
        """Return how many rows there are, where that can be told before they are read."""
        if isinstance(self.requests, RequestTable):
            return await asyncio.to_thread(len, self.requests)
        return len(cast("Sequence[Any]", self.requests)) if hasattr(self.requests, "__len__") else None

    async def context(self, *, sends: bool = True) -> RunContext:
        """Return what all requests have in common; without a key, where they are only looked at."""
        from prefect_together.batch.manifest import short

        common = await run_context(
            credentials=self.credentials,
            library=self.library,
            reuse=self.reuse,
            on_unknown=self.on_unknown,
            sends=sends,
            alone=False,
        )
        budget = None
        if self.max_cost is not None or self.limit is not None:
            budget = Budget(
                worst_case=current_settings().worst_case,
                max_cost=None if self.max_cost is None else usd("max_cost", self.max_cost),
                limit=self.limit,
                storage=common.storage,
            )
        return replace(common, budget=budget, share=short(self.name) if self.name else None)


async def batch(arguments: BatchArguments) -> BatchResult:
    """Run a batch and return what came of it.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not.
    """
    from prefect_together.batch import manifest  # import the HTTP client, which is slow
    from prefect_together.batch import runner as running
    from prefect_together.batch.provider_runner import ProviderBatchRun

    arguments.check()
    context = await arguments.context()
    storage, log, name = context.storage, context.run.log, arguments.name
    previous = await manifest.latest(storage, name) if name else None
    before = await asyncio.to_thread(manifest.Index, previous) if previous else None
    width = arguments.concurrency if isinstance(arguments.concurrency, int) else CONCURRENCY
    usual = TIMEOUT if arguments.via == "requests" else BATCH_TIMEOUT
    timeout = usual if arguments.timeout is None else arguments.timeout
    how = running.Options(width, timeout, arguments.stop_after_failures, arguments.retry, current_settings().trace_prompts)
    if arguments.via == "batch":
        work: Batch = ProviderBatchRun(context, how, before, resend=arguments.resend)
    else:
        work = running.Batch(context, how, before)
    key = manifest.new_key(name)
    for sentence in Plan(**filled(arguments.requests)).used():
        log.info("%s", sentence)
    progress = Progress(await arguments.total(), log)
    async with AsyncExitStack() as stack:
        if isinstance(arguments.concurrency, str):
            await stack.enter_async_context(global_limit(arguments.concurrency, strict=True))
        stack.callback(work.spool.close)
        if before is not None:
            stack.callback(before.close)
        reporting = asyncio.create_task(work.report(progress.say))
        stack.callback(reporting.cancel)
        await _chunks(work, arguments)
        if context.budget:
            await context.budget.close()
        columns = await asyncio.to_thread(schema, arguments.requests, work.names, work.made)
        where = await _written(storage, key, work, columns, log)
        result = _result(work, where, previous, arguments)
        sheet = await asyncio.to_thread(_sheet, work)
        if sheet is not None and storage.key(where):
            with suppress(LibraryError):  # decoration
                await storage.write(f"{key}.webp", sheet)
                result = result.model_copy(update={"contact_sheet": storage.uri(f"{key}.webp")})
        reporting.cancel()
        log.info("%s", result)
        emit_batch(result)
        if context.budget:
            log.info("%s", context.budget)
        progress.end(work)
        await show_batch(result, sheet)
    return _judged(result, work, arguments)


async def _written(storage: Storage, key: str, work: Batch, columns: TableSchema, log: Log) -> str:
    """Write the manifest and return where it is: what was made is worth more than the place of its list."""
    from prefect_together.batch import manifest

    try:
        return await manifest.write(storage, key, work.spool, columns)
    except (LibraryError, OSError) as error:
        where = await asyncio.to_thread(manifest.write_here, storage, work.spool, columns)
        why = error.without_money() if isinstance(error, LibraryError) else f"{error}."
        log.warning("The manifest is not in the library but in %s, which this machine clears some day: %s", where, why)
        return where


async def _chunks(work: Batch, arguments: BatchArguments) -> None:
    rows = rows_of(arguments.requests)
    if arguments.chunk_size is None or TaskRunContext.get() is None:
        await work.run(rows)
        return
    first = 1
    while chunk := list(itertools.islice(rows, arguments.chunk_size)):
        named = _chunk.with_options(task_run_name=f"rows {first:,} to {first + len(chunk) - 1:,}")
        await named(_Chunk(work, chunk))
        first += len(chunk)


class _Chunk:
    """Some rows of a batch. No collection, so that Prefect does not look into every request of it."""

    def __init__(self, work: Batch, rows: list[TableRow]) -> None:
        self.work = work
        self.rows = rows


@task(tags=["together", "batch"], persist_result=False)
async def _chunk(chunk: _Chunk) -> State[None]:
    before = chunk.work.counts.copy()
    await chunk.work.run(chunk.rows)
    counts = chunk.work.counts - before
    return Completed(message=", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()))


def _sheet(work: Batch) -> bytes | None:
    try:
        return draw_contact_sheet(work.shown(), SMALL)
    except (ImportError, ValueError):  # decoration: without Pillow, or without pictures, there is none
        return None


def _result(work: Batch, where: str, previous: str | None, arguments: BatchArguments) -> BatchResult:
    return BatchResult(
        manifest=where,
        name=arguments.name,
        **{str(outcome): count for outcome, count in work.counts.items()},  # type: ignore[arg-type]
        removed=work.removed,
        cost=work.tally.reported,
        estimated_cost=work.tally.estimated,
        unknown_costs=work.tally.unknown,
        maybe_paid=work.maybe_paid,
        seconds=round(time.monotonic() - work.began, 3),
        previous=previous,
    )


def _judged(result: BatchResult, work: Batch, arguments: BatchArguments) -> BatchResult:
    nothing = not result.kept and not result.reused and result.total > 0
    if (arguments.fail_on == "any" and not work.succeeded()) or (arguments.fail_on == "all" and nothing):
        row, problem = work.first_problem or (0, "")
        raise BatchFailed(
            f"The batch went as fail_on={arguments.fail_on!r} forbids: {result} The first problem, row {row}: {problem}",
            advice=f"Run it again: only what has no file is done. The manifest: {result.manifest}.",
            retryable=work.retryable > 0,
            result=result,
        )
    return result
