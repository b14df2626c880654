"""The rows of a run that are begun and not over: a task for each that is worked at, and a small record for one that waits.

The jobs of all rows that wait are asked for by a few tasks, each when its time has come.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from prefect_together.batch.request_table import TableRow
from prefect_together.engine.batch_taking import each
from prefect_together.engine.tracing import Span
from prefect_together.engine.waiting_jobs import WaitingJob
from prefect_together.generations.results import Generated
from prefect_together.ledger.pack_format import Name

ASKING = 64
"""Jobs that are asked for at the same time."""
TICK = 0.05
"""Seconds between looks at whose time has come: a timer for each job would cost more than it is early."""


class RowAtWork:
    """A row that is begun.

    Args:
        row: The row.
    """

    __slots__ = ("at", "fingerprint", "job", "row", "span")

    def __init__(self, row: TableRow) -> None:
        self.row = row
        self.at = time.monotonic()
        """When it was begun, on the monotonic clock."""
        self.fingerprint: str | None = None
        """What the ledger knows its request by, once that is known."""
        self.span: Span | None = None
        """The span around its generation, once that is begun."""
        self.job: WaitingJob | None = None
        """The job that it waits for."""

    def end_span(self, error: BaseException | None = None, *, results: Sequence[Generated] = ()) -> None:
        """End its span, with what went wrong where something did, or with the results."""
        if self.span is not None:
            self.span.results = results
            self.span.end(error)


class RowsAtWork:
    """The rows of one run that are begun and not over. Each has a place, which is free again when it is over.

    Args:
        finish: Is called with a row whose job is over.
        places: Of rows that are begun, those of other runs too.
        ending: Rows that are being finished at once at most, those of other runs too.
    """

    def __init__(
        self,
        finish: Callable[[RowAtWork], Coroutine[Any, Any, None]],
        places: asyncio.Semaphore,
        ending: asyncio.Semaphore,
    ) -> None:
        self._finish = finish
        self._places = places
        self._ending = ending
        self._tasks = set[asyncio.Task[None]]()
        self._news = asyncio.Event()
        self._error: BaseException | None = None
        self._waiting = set[RowAtWork]()
        self._first: dict[Name, WaitingJob] = {}
        self._equal: dict[Name, list[RowAtWork]] = {}
        self._coming: list[tuple[float, int, RowAtWork, WaitingJob]] = []
        self._due = deque[tuple[RowAtWork, WaitingJob]]()
        self._asking = 0
        self._looking = False
        self._numbers = itertools.count()
        self._ended = False

    def start(self, row: RowAtWork, work: Coroutine[Any, Any, None], turn: asyncio.Semaphore | None = None) -> None:
        """Work at a row that has a place; what it raises ends the run.

        Args:
            row: The row.
            work: Is over when the row is, or waits.
            turn: What is released then.
        """
        self._spawn(work, partial(self._left, row, turn))

    def wait(self, row: RowAtWork, job: WaitingJob) -> None:
        """Have a row wait for a job. Of rows that wait for the same job, one has it asked for."""
        row.job = job
        self._waiting.add(row)
        first = self._first.setdefault(job.attempt, job)
        if first is not job:
            job.watch = first.watch
            self._equal.setdefault(job.attempt, []).append(row)
            return
        self._ask_later(row, job)
        if not (self._looking or self._ended):
            self._looking = True
            self._spawn(self._look())

    def check(self) -> None:
        """Raise what was raised first, if anything was."""
        if self._error is not None:
            raise self._error

    async def over(self) -> None:
        """Wait until all rows are over; raises what was raised first."""
        while self._tasks and self._error is None:
            self._news.clear()
            await self._news.wait()
        self.check()

    def cut_off(self) -> None:
        """Have this process hold none of the jobs that are waited for, at once, before ``end`` tells others."""
        for row in self._waiting:
            if row.job is not None:
                row.job.forget()

    async def end(self) -> None:
        """End what is left: the jobs of rows that wait go on, and others need not wait for this process.

        It has to come to its end: in a task of its own, where whoever asks for it may be cancelled.
        """
        self._ended = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in self._waiting:
            self._places.release()
        await each(self._waiting, _let_go)

    def _spawn(self, work: Coroutine[Any, Any, None], then: Callable[[], None] | None = None) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, then))

    def _done(self, then: Callable[[], None] | None, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None and not self._ended:
            self._error = self._error or error
        if self._error is not None or not self._tasks:
            self._news.set()
        if then is not None:  # after the error: who gets the place that is free now hears of it first
            then()

    def _left(self, row: RowAtWork, turn: asyncio.Semaphore | None = None) -> None:
        """Free the place of a row that is not worked at any more, unless it waits: `end` sees to those."""
        if turn is not None:
            turn.release()
        if row not in self._waiting:
            self._places.release()

    # The jobs of rows that wait.

    def _ask_later(self, row: RowAtWork, job: WaitingJob) -> None:
        heapq.heappush(self._coming, (time.monotonic() + job.watch.pause, next(self._numbers), row, job))

    async def _look(self) -> None:
        """Have those asked for whose time has come, until none waits any more."""
        while self._waiting:
            now = time.monotonic()
            while self._coming and self._coming[0][0] <= now:
                self._due.append(heapq.heappop(self._coming)[2:])
            for _ in range(min(len(self._due), ASKING - self._asking)):
                self._asking += 1
                self._spawn(self._ask())
            await asyncio.sleep(TICK)
        self._looking = False

    async def _ask(self) -> None:
        """Ask for one job after the other, as long as there are any whose time has come."""
        try:
            while self._due:
                row, job = self._due.popleft()
                await job.watch.ask()
                if job.watch.over:
                    del self._first[job.attempt]
                    for one in (row, *self._equal.pop(job.attempt, ())):
                        self._spawn(self._go_on(one), partial(self._left, one))
                else:
                    self._ask_later(row, job)
        finally:
            self._asking -= 1

    async def _go_on(self, row: RowAtWork) -> None:
        async with self._ending:
            self._waiting.discard(row)  # not before: who is cancelled in the queue still waits, and is let go by `end`
            await self._finish(row)


async def _let_go(row: RowAtWork) -> None:
    cancelled = asyncio.CancelledError()
    row.end_span(cancelled)
    if row.job is not None:
        with suppress(
            Exception
        ):  # what is wrong with one keeps nobody from letting go of the others; its lease will be overdue
            await row.job.let_go(cancelled)
