"""What a batch task does around the batch: chunks, the manifest, progress and artifacts. Runs on the background loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect import State, task
from prefect.concurrency.asyncio import concurrency as global_limit
from prefect.context import TaskRunContext
from prefect.states import Completed

from prefect_together._internal.logs import Log
from prefect_together.batch.plan import Plan
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.results import BatchFailed, BatchResult, without_row
from prefect_together.batch.table_schema import TableSchema
from prefect_together.errors import LibraryError
from prefect_together.storage.storage import Storage
from prefect_together.tasks._batch_arguments import BatchArguments
from prefect_together.tasks._batch_requests import filled, rows_of, schema
from prefect_together.tasks._batch_summary import Progress, emit_batch, show_batch
from prefect_together.ui.artifacts import kept_open
from prefect_together.ui.contact_sheet import SMALL, draw_contact_sheet

if TYPE_CHECKING:
    from prefect_together.batch.runner import Batch


async def batch(arguments: BatchArguments) -> BatchResult:
    """Run a batch and return what came of it.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not.
    """
    from prefect_together.batch.provider_runner import ProviderBatchRun  # import the HTTP client, which is slow
    from prefect_together.batch.runner import Batch

    arguments.check()
    context = await arguments.context()
    for sentence in Plan(**filled(arguments.requests)).used():
        context.run.log.info("%s", sentence)
    async with AsyncExitStack() as stack:
        before = await earlier(context.storage, arguments.name, stack)
        if arguments.via == "batch":
            work: Batch = ProviderBatchRun(context, arguments.options(), before.lines, resend=arguments.resend)
        else:
            work = Batch(context, arguments.options(), before.lines)
        if isinstance(arguments.concurrency, str):
            await stack.enter_async_context(global_limit(arguments.concurrency, strict=True))
        columns = lambda: schema(arguments.requests, work.names, work.made)  # noqa: E731 - read when all rows are
        return await carried_out(
            work,
            lambda: _chunks(work, arguments),
            columns,
            arguments,
            total=await arguments.total(),
            previous=before.manifest,
        )


@dataclass(frozen=True)
class Earlier:
    """What the last run under the same name came to."""

    manifest: str | None = None
    lines: Mapping[str, dict[str, Any]] | None = None
    """Its lines by fingerprint."""


async def earlier(storage: Storage, name: str | None, stack: AsyncExitStack) -> Earlier:
    """Return what the last run under a name came to, for as long as the stack is open."""
    from prefect_together.batch import manifest

    previous = await manifest.latest(storage, name) if name else None
    if previous is None:
        return Earlier()
    lines = await asyncio.to_thread(manifest.Index, previous)
    stack.callback(lines.close)
    return Earlier(previous, lines)


async def carried_out(
    work: Batch,
    run: Callable[[], Awaitable[None]],
    columns: Callable[[], TableSchema],
    arguments: BatchArguments,
    *,
    total: int | None,
    previous: str | None,
) -> BatchResult:
    """Run a batch, write down what came of it, show it and return it.

    Args:
        work: The batch.
        run: Runs its rows.
        columns: Returns the columns of its table, once it has run.
        arguments: What the task was called with.
        total: How many rows there are, where that is known.
        previous: The manifest of the last run under its name, if there was one.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not.
    """
    from prefect_together.batch.manifest import new_key

    context, key = work.context, new_key(arguments.name)
    storage, log = context.storage, work.log
    progress = Progress(total, log)
    async with AsyncExitStack() as stack:
        stack.callback(work.spool.close)
        await stack.enter_async_context(kept_open())
        reporting = asyncio.create_task(work.report(progress.say))
        stack.callback(reporting.cancel)
        await run()
        if context.budget:
            await context.budget.close()
        where = await _written(storage, key, work, await asyncio.to_thread(columns), log)
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
        if result.total == 1:  # whoever asks for one thing wants to hear what is wrong with it
            raise BatchFailed(without_row(row, problem), retryable=work.retryable > 0, result=result)
        bad = result.total - result.kept - result.reused
        again = "" if result.refused == bad else "Run it again: only what is not kept is done. "
        raise BatchFailed(
            f"The batch went as fail_on={arguments.fail_on!r} forbids: {result} The first problem, row {row}: {problem}",
            advice=f"{again}The manifest: {result.manifest}.",
            retryable=work.retryable > 0,
            result=result,
        )
    return result
