"""What the tasks around batches at Together do: one coroutine each, which runs on the background loop."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from contextlib import AsyncExitStack, closing
from datetime import datetime, timezone
from decimal import Decimal

from prefect_together.batch.manifest import new_key
from prefect_together.batch.provider_batch import ROWS, ProviderBatch, rows_of, submission
from prefect_together.batch.results import BatchResult, read_schema
from prefect_together.batch.table_schema import TableSchema
from prefect_together.engine.context import RunContext
from prefect_together.generations.results import GenerationTimeout
from prefect_together.tasks import _batch_requests
from prefect_together.tasks._batch import carried_out, earlier
from prefect_together.tasks._batch_arguments import BatchArguments
from prefect_together.tasks._suspension import or_suspended


async def submitted(arguments: BatchArguments) -> ProviderBatch:
    """Send requests in batches at Together and wait for nothing.

    Raises:
        TogetherError: Nothing could be sent of what was to be sent.
    """
    from prefect_together.batch import manifest  # import the HTTP client, which is slow
    from prefect_together.batch.provider_runner import ProviderBatchRun
    from prefect_together.batch.shard_lines import ShardLines
    from prefect_together.engine.batch_record import record_of

    arguments.check()
    context = await arguments.context()
    storage = context.storage
    async with AsyncExitStack() as stack:
        before = await earlier(storage, arguments.name, stack)
        work = ProviderBatchRun(context, arguments.options(), before.lines)
        stack.callback(work.close)
        entries = stack.enter_context(closing(ShardLines(storage)))
        await work.submit(_batch_requests.rows_of(arguments.requests), entries)
        if context.budget:
            await context.budget.close()
        columns = await asyncio.to_thread(_batch_requests.schema, arguments.requests, work.totals.names, work.totals.made)
        where = await manifest.write(storage, f"{ROWS}/{uuid.uuid4().hex}", entries, columns)
        counts = Counter(work.totals.counts)
        records = [record_of(storage, name) for name in work.records]
        known = [record.at_stake for record in records if record.at_stake is not None]
        batch = ProviderBatch(
            rows=where,
            library=storage.url,
            batches=tuple(str(record.batch_id) for record in records),
            records=tuple(work.records),
            submitted_at=datetime.now(timezone.utc),
            name=arguments.name,
            total=work.totals.done + work.waiting,
            waiting=work.waiting,
            reused=counts["reused"] + counts["invalid"],
            refused=counts["refused"],
            failed=counts["failed"] + counts["unknown"] + counts["skipped"],
            at_most=sum(known, Decimal(0)) if len(known) == len(records) else None,
        )
        work.log.info("%s", batch)
    return batch


async def taken(context: RunContext, batch: ProviderBatch, arguments: BatchArguments) -> None:
    """Suspend the run, where that is wanted, while anything runs at Together that was sent.

    Raises:
        Signal: It is suspended.
        GenerationTimeout: It has waited as long as it may.
    """
    from prefect_together.engine.batch_record import record_of  # import the HTTP client, which is slow
    from prefect_together.engine.batch_taking import BatchTaker, late_together

    async def ask(timeout: float) -> None:
        takers = [BatchTaker(context, record_of(context.storage, name)) for name in batch.records]
        found = await asyncio.gather(*(taker.take(timeout) for taker in takers), return_exceptions=True)
        # What else is wrong with a batch is wrong with its rows, which say so when they are looked up.
        late = [one for one in found if isinstance(one, GenerationTimeout)]
        if late:
            raise late_together(late)

    if arguments.wait == "suspend":
        await or_suspended(context, arguments.options().timeout or 0.0, "suspend", ask)


async def waited_for(batch: ProviderBatch, arguments: BatchArguments) -> BatchResult:
    """Wait for what was sent, and return what came of every row. Sends nothing.

    Args:
        batch: What was sent.
        arguments: How to wait.

    Raises:
        BatchFailed: It went as ``fail_on`` says that it must not.
    """
    from prefect_together.batch.provider_runner import ProviderBatchRun  # imports the HTTP client, which is slow

    arguments.check()
    context = await arguments.context()
    await taken(context, batch, arguments)
    async with AsyncExitStack() as stack:
        before = await earlier(context.storage, batch.name, stack)
        sent = await asyncio.to_thread(submission, batch)
        work = ProviderBatchRun(context, arguments.options(), resend=None, sent=sent)
        stack.callback(work.close)
        columns = await asyncio.to_thread(read_schema, batch.rows) or TableSchema(names=[])
        return await carried_out(
            work,
            lambda: work.run(rows_of(batch)),
            lambda: columns.model_copy(update={"made": {**columns.made, **work.totals.made}}),
            arguments,
            key=new_key(batch.name),
            total=batch.total,
            previous=before.manifest,
        )
