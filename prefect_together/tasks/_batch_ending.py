"""What every batch task does at its end, and while it runs: progress, summary, picture, verdict; chunks as task runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prefect import State, task
from prefect.states import Completed

from prefect_together.batch.results import BatchFailed, BatchResult, without_row
from prefect_together.batch.totals import Totals
from prefect_together.tasks._batch_arguments import BatchArguments
from prefect_together.tasks._batch_summary import Progress, show_batch
from prefect_together.ui.artifacts import kept_open
from prefect_together.ui.contact_sheet import SMALL, draw_contact_sheet

if TYPE_CHECKING:
    from prefect_together.batch.request_table import TableRow
    from prefect_together.batch.runner import Batch

REPORT_EVERY = 5.0
"""Seconds between reports of progress."""


@asynccontextmanager
async def progress_of(work: Batch, total: int | None) -> AsyncGenerator[Progress]:
    """Say now and then how a batch goes, for as long as the block lasts."""
    progress = Progress(total, work.log)

    async def report() -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await progress.say(work)

    async with kept_open():
        reporting = asyncio.create_task(report())
        try:
            yield progress
        finally:
            reporting.cancel()


async def told(result: BatchResult, work: Batch, progress: Progress, sheet: bytes | None) -> None:
    """Say and show what came of a batch."""
    work.log.info("%s", result)
    if work.context.budget:
        work.log.info("%s", work.context.budget)
    progress.end(work)
    await show_batch(result, sheet)


def sheet_of(totals: Totals) -> bytes | None:
    """Return a picture of some pictures, or None where there is none."""
    try:
        return draw_contact_sheet(totals.files(), SMALL)
    except (ImportError, ValueError):  # decoration: without Pillow, or without pictures, there is none
        return None


def judged(result: BatchResult, totals: Totals, arguments: BatchArguments) -> BatchResult:
    """Return a result that went as ``fail_on`` allows.

    Raises:
        BatchFailed: It did not.
    """
    bad = result.total - totals.good
    if (arguments.fail_on == "any" and bad) or (arguments.fail_on == "all" and bad and not totals.good):
        row, problem = totals.first_problem or (0, "")
        if result.total == 1:  # whoever asks for one thing wants to hear what is wrong with it
            raise BatchFailed(without_row(row, problem), retryable=totals.retryable > 0, result=result)
        again = "" if result.refused == bad else "Run it again: only what is not kept is done. "
        raise BatchFailed(
            f"The batch went as fail_on={arguments.fail_on!r} forbids: {result} The first problem, row {row}: {problem}",
            advice=f"{again}The manifest: {result.manifest}.",
            retryable=totals.retryable > 0,
            result=result,
        )
    return result


async def run_as_task(work: Batch, rows: Iterable[TableRow], numbers: range) -> None:
    """Run some rows in a task run of their own."""
    named = _chunk.with_options(task_run_name=f"rows {numbers[0]:,} to {numbers[-1]:,}")
    await named(_Chunk(work, rows))


class _Chunk:
    """Some rows of a batch. No collection, so that Prefect does not look into every request of it."""

    def __init__(self, work: Batch, rows: Iterable[TableRow]) -> None:
        self.work = work
        self.rows = rows


@task(tags=["together", "batch"], persist_result=False)
async def _chunk(chunk: _Chunk) -> State[None]:
    before = dict(chunk.work.totals.counts)
    await chunk.work.run(chunk.rows)
    counts = {outcome: count - before.get(outcome, 0) for outcome, count in chunk.work.totals.told()}
    return Completed(message=", ".join(f"{count:,} {outcome}" for outcome, count in counts.items() if count))
