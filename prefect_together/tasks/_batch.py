"""What a batch task does around the batch: chunks, the manifest, progress and artifacts. Runs on the background loop."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.concurrency.asyncio import concurrency as global_limit
from prefect.context import TaskRunContext

from prefect_together._internal.logs import Log
from prefect_together.batch.manifest import new_key
from prefect_together.batch.plan import Plan
from prefect_together.batch.results import BatchResult
from prefect_together.batch.table_schema import TableSchema
from prefect_together.blocks.library import AnyLibrary, storage_of
from prefect_together.errors import LibraryError
from prefect_together.storage.storage import Storage
from prefect_together.tasks._batch_arguments import BatchArguments
from prefect_together.tasks._batch_ending import judged, progress_of, run_as_task, sheet_of, told
from prefect_together.tasks._batch_requests import filled, rows_of, schema
from prefect_together.tasks._batch_sharing import carried_out_together, shared_run
from prefect_together.tasks._batch_summary import emit_batch
from prefect_together.tasks._checks import text

if TYPE_CHECKING:
    from prefect_together.batch.runner import Batch
    from prefect_together.batch.shard_lines import ShardLines


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
        if isinstance(arguments.concurrency, str):
            await stack.enter_async_context(global_limit(arguments.concurrency, strict=True))
        total = await arguments.total()
        shared = await shared_run(context, arguments, total, stack)
        key = shared.key if shared else new_key(arguments.name)
        before = await earlier(context.storage, arguments.name, stack, but=key)
        if arguments.via == "batch":
            work: Batch = ProviderBatchRun(
                context, arguments.options(), before.lines, resend=arguments.resend, hold_on=arguments.hold_on(context)
            )
        else:
            work = Batch(context, arguments.options(), before.lines)
        stack.callback(work.close)
        if shared:
            return await carried_out_together(shared, work, arguments, lines=before.lines, previous=before.manifest)
        columns = lambda: schema(arguments.requests, work.totals.names, work.totals.made)  # noqa: E731 - read when all rows are
        return await carried_out(
            work, lambda: _chunks(work, arguments), columns, arguments, key=key, total=total, previous=before.manifest
        )


@dataclass(frozen=True)
class Earlier:
    """What the last run under the same name came to."""

    manifest: str | None = None
    lines: Mapping[str, dict[str, Any]] | None = None
    """Its lines by fingerprint, and those of later ones that did not come to their end."""


async def earlier(storage: Storage, name: str | None, stack: AsyncExitStack, *, but: str | None = None) -> Earlier:
    """Return what the last run under a name came to, for as long as the stack is open.

    Args:
        storage: The library.
        name: What the batch is called, if it has a name.
        stack: What is read is forgotten when it is closed.
        but: The key of a run that is not meant.
    """
    from prefect_together.batch import manifest

    previous, later = await manifest.earlier(storage, name, but=but) if name else (None, [])
    if previous is None and not later:
        return Earlier()
    lines = await asyncio.to_thread(manifest.Index, *([previous] if previous else []), *later)
    stack.callback(lines.close)
    return Earlier(previous, lines)


async def carried_out(
    work: Batch,
    run: Callable[[], Awaitable[None]],
    columns: Callable[[], TableSchema],
    arguments: BatchArguments,
    *,
    key: str,
    total: int | None,
    previous: str | None,
) -> BatchResult:
    """Run a batch that no other process shares, write down what came of it, show it and return it.

    Args:
        work: The batch.
        run: Runs its rows.
        columns: Returns the columns of its table, once it has run.
        arguments: What the task was called with.
        key: Where its manifest goes, without ending.
        total: How many rows there are, where that is known.
        previous: The manifest of the last run under its name, if there was one.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not.
    """
    from prefect_together.batch.shard_lines import ShardLines

    context, storage, log = work.context, work.context.storage, work.log
    async with progress_of(work, total) as progress, ShardLines(storage, f"{key}/000000-0001").growing() as lines:
        with work.writing(lines, range(1, sys.maxsize)):
            await run()
        if context.budget:
            await context.budget.close()
        where = await _written(storage, key, lines, await asyncio.to_thread(columns), log)
        result = work.totals.result(
            manifest=where,
            block=storage.block,
            name=arguments.name,
            removed=work.removed,
            seconds=round(time.monotonic() - work.began, 3),
            previous=previous,
        )
        sheet = await asyncio.to_thread(sheet_of, work.totals)
        if sheet is not None and storage.key(where):
            with suppress(LibraryError):  # decoration
                await storage.write(f"{key}.webp", sheet)
                result = result.model_copy(update={"contact_sheet": storage.uri(f"{key}.webp")})
        await lines.forget_parts()
        emit_batch(result)
        await told(result, work, progress, sheet)
    return judged(result, work.totals, arguments)


async def _written(storage: Storage, key: str, lines: ShardLines, columns: TableSchema, log: Log) -> str:
    """Write the manifest and return where it is: what was made is worth more than the place of its list."""
    from prefect_together.batch import manifest

    try:
        return await manifest.write(storage, key, lines, columns)
    except (LibraryError, OSError) as error:
        where = await asyncio.to_thread(manifest.write_here, storage, lines, columns)
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
        await run_as_task(work, chunk, range(first, first + len(chunk)))
        first += len(chunk)


async def batch_so_far(name: str, library: AnyLibrary | None) -> BatchResult | None:
    """Return what came of the last run of a named batch so far, or None where there was none.

    Raises:
        LibraryError: The library cannot be read.
    """
    from prefect_together.batch.reading import counted, ended, last_run

    text("name", name)
    storage = await storage_of(library)
    found = await last_run(storage, name)
    if found is None:
        return None
    key, whole = found
    if whole and (result := await ended(storage, key, name)):
        return result
    return await asyncio.to_thread(counted, storage, key, name, running=not whole)
