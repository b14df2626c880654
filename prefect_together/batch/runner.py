"""Runs many requests, a bounded number at a time, each for itself: what fails is written down and stops no other.

Every request has a ledger entry of its own, so a batch that is killed anywhere is simply run again. One that waits for a job
has no task meanwhile, see ``rows_at_work``. Knows nothing of Prefect: who shows progress is told now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from prefect_together._internal.background import spawn
from prefect_together.batch.batch_rows import BatchRows, Line, Options
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.rows_at_work import RowAtWork, RowsAtWork
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.tracing import Span
from prefect_together.engine.waiting_jobs import WaitingJob, begin, waits
from prefect_together.errors import InvalidRequest
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import Request


class Batch(BatchRows):
    """One run of many requests.

    Args:
        context: As for ``BatchRows``.
        options: As for ``BatchRows``.
        before: As for ``BatchRows``.
    """

    def __init__(self, context: RunContext, options: Options, before: Mapping[str, Line] | None = None) -> None:
        super().__init__(context, options, before)
        self._places = asyncio.Semaphore(options.concurrency)
        # Of requests that wait for jobs as many are in flight as the options say; more at work would only stand in queues.
        # Those that end have their own: they never wait for some that cannot begin.
        self._beginning = asyncio.Semaphore(2 * context.client.max_connections)
        self._ending = asyncio.Semaphore(2 * context.client.max_connections)

    async def run(self, rows: Iterable[TableRow], begun: asyncio.Event | None = None) -> None:
        """Run the requests of some rows; returns when all of them are over.

        May run several times at once: all together have as many requests in flight as the options say.

        Args:
            rows: The rows.
            begun: Is set when all of them were begun, and other rows may be begun too.
        """
        coming, at_work = iter(rows), RowsAtWork(self._finish, self._places, self._ending)
        try:
            while await self._begin_next(coming, at_work):
                pass  # each waits for its place
            if begun:
                begun.set()
            await at_work.over()
        except BaseException:  # cancelled as well: the next run of this process may be about to begin
            at_work.cut_off()
            raise
        finally:
            # In a task of its own: a run that is cancelled is cancelled again at whatever it waits for next.
            await asyncio.shield(spawn(at_work.end()))

    async def _begin_next(self, coming: Iterator[TableRow], at_work: RowsAtWork) -> bool:
        """Begin the next row once there is a place for it; return False where there is no row left."""
        await self._places.acquire()
        row = None
        try:
            at_work.check()
            if (row := next(coming, None)) is not None:
                turn = self._beginning if row.request is not None and waits(spec_of(row.request)) else None
                if turn is not None:
                    await turn.acquire()
                begun = RowAtWork(row)
                at_work.start(begun, self._work(begun, at_work), turn)
        except BaseException:  # cancelled as well: nobody else knows of the place
            self._places.release()
            raise
        if row is None:
            self._places.release()
        return row is not None

    async def _work(self, begun: RowAtWork, at_work: RowsAtWork) -> None:
        """Do what is to be done about a row until it is over, or waits for a job: it keeps its place then."""
        if (job := await self._row(begun)) is not None:
            at_work.wait(begun, job)

    async def _row(self, begun: RowAtWork) -> WaitingJob | None:
        row = begun.row
        if row.request is None:
            self._over(row, None, "refused", error=InvalidRequest(row.error or "The row is no request."))
        elif self.stopped:
            self._over(row, row.request, "skipped", said=self.stopped)
        else:
            return await self._begin(begun, row.request)
        return None

    async def _one(self, row: TableRow, request: Request) -> None:
        """Run one row from its beginning to its end."""
        begun = RowAtWork(row)
        if (job := await self._begin(begun, request)) is not None:
            await self._keep(begun, request, job)

    async def _begin(self, begun: RowAtWork, request: Request) -> WaitingJob | None:
        """Run one row until it is over, or has to wait for the job that is returned."""
        try:
            begun.fingerprint = await fingerprint_of(request, environment=self.context.client.environment)
            if self._before:
                self._seen.add(begun.fingerprint)
            if (last := self._before.get(begun.fingerprint)) and await self._as_before(begun.row, last):
                return None
            context = self._context_of(request)
            context.check()
            begun.span = Span(request, prompt=self.options.trace_prompts)
            found = await begin(context, timeout=self.options.timeout, fingerprint=begun.fingerprint)
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            begun.end_span(error)
            self._wrong(begun.row, request, error, begun.at, begun.fingerprint)
            return None
        except BaseException as error:
            begun.end_span(error)
            raise
        if isinstance(found, WaitingJob):
            return found
        begun.end_span(results=found)
        self._made(begun.row, request, found, begun.at, begun.fingerprint)
        return None

    def _context_of(self, request: Request) -> GenerationContext:
        """Return what a request is made with that goes out by itself."""
        return self.context.of(request)

    async def _finish(self, begun: RowAtWork) -> None:
        """Bring a row whose job is over to its end."""
        request, job = begun.row.request, begun.job
        if request is None or job is None:
            raise TypeError(f"row {begun.row.number} waits for no job")
        await self._keep(begun, request, job)

    async def _keep(self, begun: RowAtWork, request: Request, job: WaitingJob) -> None:
        try:
            results = await job.keep(self._context_of(request))
        except Exception as error:  # as above
            begun.end_span(error)
            self._wrong(begun.row, request, error, begun.at, begun.fingerprint)
            return
        except BaseException as error:
            begun.end_span(error)
            raise
        begun.end_span(results=results)
        self._made(begun.row, request, results, begun.at, begun.fingerprint)
