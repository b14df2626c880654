"""How a batch task shares a run with other processes that were given the same: joined, worked on, ended by one of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.context import TaskRunContext

from prefect_together.batch.request_table import TableRow
from prefect_together.batch.results import BatchResult
from prefect_together.batch.row_reader import RowReader
from prefect_together.batch.table_schema import ENDING
from prefect_together.engine.context import RunContext
from prefect_together.errors import LibraryError
from prefect_together.tasks._batch_arguments import BatchArguments
from prefect_together.tasks._batch_ending import judged, progress_of, run_as_task, sheet_of, told
from prefect_together.tasks._batch_requests import digest, reader_of, schema
from prefect_together.tasks._batch_summary import emit_batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prefect_together.batch.conclusion import Conclusion
    from prefect_together.batch.run_log import RunLog
    from prefect_together.batch.runner import Batch
    from prefect_together.batch.shards import Lines, Shards
    from prefect_together.batch.totals import Totals


@dataclass(frozen=True)
class Shared:
    """A run in which this call takes part."""

    log: RunLog
    shards: Shards
    reader: RowReader[Any, TableRow]

    @property
    def key(self) -> str:
        """Where its manifest will be, without ending."""
        return self.shards.run.key


async def shared_run(
    context: RunContext, arguments: BatchArguments, total: int | None, stack: AsyncExitStack
) -> Shared | None:
    """Take part in the run of a named batch, or begin one; None, where the work cannot be shared.

    That is so without a name, where ``reuse="never"`` means what is made anew by each call, where the requests can be read
    once only, and where the library takes no notes of it.

    Args:
        context: What all requests have in common.
        arguments: What the task was called with.
        total: How many rows there are.
        stack: It takes part for as long as this is open.
    """
    from prefect_together.batch.run_log import Members, RunLog
    from prefect_together.batch.shards import Shards
    from prefect_together.ledger.ledger import Ledger

    reader = reader_of(arguments.requests)
    if arguments.name is None or arguments.reuse == "never" or reader is None or not total:
        return None
    rules = context.client.account, context.client.environment, *arguments.rules()
    plan = await asyncio.to_thread(digest, arguments.requests, rules)
    members = Members(Ledger(context.storage))
    log = RunLog(context.storage, arguments.name, members)
    try:
        await members.enter(stack)
        run = await log.enter(plan, rows=total, size=arguments.shard_size(total))
    except LibraryError as error:
        context.run.log.warning("No other process can share the work on this batch: %s", error.without_money())
        return None
    if len(run.members) > 1:
        context.run.log.info("%d processes have begun to work on this batch, with this one.", len(run.members))
    return Shared(log, Shards(context.storage, run, members), reader)


async def carried_out_together(
    shared: Shared, work: Batch, arguments: BatchArguments, *, lines: Mapping[str, Any] | None, previous: str | None
) -> BatchResult:
    """Do this call's part of a run, and return what came of the whole of it.

    Args:
        shared: The run.
        work: Runs rows.
        arguments: What the task was called with.
        lines: Those of the last run under the name, by fingerprint.
        previous: Its manifest.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not.
        LibraryError: The library cannot be read or written.
    """
    from prefect_together.batch.conclusion import Conclusion, conclusion
    from prefect_together.batch.sharing import SharedRun

    storage, key = work.context.storage, shared.key
    work.elsewhere = shared.shards.done_elsewhere
    in_tasks = arguments.chunk_size is not None and arguments.via == "requests" and TaskRunContext.get() is not None

    async def run_rows(rows: Iterable[TableRow], numbers: range, begun: asyncio.Event) -> None:
        if in_tasks:
            await run_as_task(work, rows, numbers)
        else:
            await work.run(rows, begun)

    async def end(totals: Totals, every: Lines) -> Conclusion:
        known = {line.get("fingerprint") async for line in every.each()} if lines else set[Any]()
        columns = await asyncio.to_thread(schema, arguments.requests, totals.names, totals.made)
        await storage.write(f"{key}{ENDING}", columns.model_dump_json(exclude_none=True).encode())
        await storage.write_stream(f"{key}.jsonl", every.chunks())
        sheet = await asyncio.to_thread(sheet_of, totals)
        if sheet:
            await storage.write(f"{key}.webp", sheet)
        return Conclusion(
            totals=totals,
            removed=len((lines or {}).keys() - known),
            seconds=round(time.monotonic() - work.began, 3),
            previous=storage.key(previous) if previous else None,
            sheet=bool(sheet),
        )

    async with progress_of(work, shared.shards.run.rows) as progress:
        ours = await SharedRun(shared.shards, work, shared.reader).carry_out(run_rows, end)
        if work.context.budget:
            await work.context.budget.close()
        ended = await conclusion(storage, key)
        if ended is None:
            raise LibraryError(f"What came of the batch is gone: {key}.", advice="Run it again: what is kept is reused.")
        result = ended.result(storage, key, arguments.name)
        if ours:
            with suppress(LibraryError):  # what is left over takes some room
                await shared.log.close(key)
            emit_batch(result)
        sheet = await storage.read(f"{key}.webp") if ended.sheet else None
        await told(result, work, progress, sheet)
    return judged(result, ended.totals, arguments)
