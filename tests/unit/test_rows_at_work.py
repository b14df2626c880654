"""Rows of a batch that wait for their jobs: few tasks ask for all of them, and nothing is held when a run ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from prefect_together._internal import event_loop
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.rows_at_work import ASKING, RowAtWork, RowsAtWork
from prefect_together.batch.runner import Batch
from tests.waiting import until

MANY = 2000


class Job:
    """A job that is over when it was asked for so often; plays both a waiting job and its watch."""

    def __init__(self, asks: int, pause: float = 0.0, attempt: str = "") -> None:
        self.watch = self
        self.attempt = attempt or id(self)
        self.over = False
        self.pause = pause
        self.left = asks
        self.asked = 0
        self.held = True
        self.ended: list[Any] = []

    async def ask(self) -> None:
        """Ask once."""
        await asyncio.sleep(0.001)
        self.asked += 1
        self.left -= 1
        self.over = self.left <= 0

    def forget(self) -> None:
        """Be held no more by this process."""
        self.held = False

    async def let_go(self, error: BaseException | None) -> None:
        """Note that nobody waits any more."""
        self.ended.append(error)


def at_work(finished: list[int], places: int = 0, ending: int = MANY) -> tuple[RowsAtWork, asyncio.Semaphore]:
    """Return the rows of a run, and how many places are free."""
    free = asyncio.Semaphore(places)

    async def finish(row: RowAtWork) -> None:
        finished.append(row.row.number)
        if ending < MANY:
            await asyncio.sleep(0.001)

    return RowsAtWork(finish, free, asyncio.Semaphore(ending)), free


def wait(rows: RowsAtWork, *jobs: Job, first: int = 0) -> list[RowAtWork]:
    """Have rows wait for jobs."""
    waiting = [RowAtWork(TableRow(first + number, None)) for number in range(len(jobs))]
    for row, job in zip(waiting, jobs, strict=True):
        rows.wait(row, job)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return waiting


def free_places(places: asyncio.Semaphore) -> int:
    """Return how many places are free."""
    return places._value


def waiting(finished: list[int], *jobs: Job) -> RowsAtWork:
    """Return rows that wait for jobs."""
    rows, _ = at_work(finished)
    wait(rows, *jobs)
    return rows


async def test_thousands_that_wait_have_few_tasks() -> None:
    """Each is asked for until its job is over and then finished, and no row that waits has a task of its own."""
    finished, most = list[int](), 0
    rows = waiting(finished, *(Job(2) for _ in range(MANY)))
    over = asyncio.create_task(rows.over())
    while not over.done():
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
    await over
    assert list(range(MANY)) == sorted(finished)
    assert most < 3 * ASKING


async def test_each_is_asked_when_its_time_has_come() -> None:
    """Who has the shortest pause is over first, whenever it came."""
    finished = list[int]()
    await waiting(finished, Job(1, 0.4), Job(1, 0.2), Job(1)).over()
    assert [2, 1, 0] == finished


async def test_equal_rows_have_their_job_asked_for_once() -> None:
    """One of them asks, and all go on; one that comes when it is over asks for itself."""
    finished, jobs = list[int](), [Job(3, attempt="same") for _ in range(50)]
    rows = waiting(finished, *jobs)
    await rows.over()
    assert list(range(50)) == sorted(finished)
    assert [3, *[0] * 49] == [job.asked for job in jobs]
    late = Job(1, attempt="same")
    wait(rows, late, first=50)
    await rows.over()
    assert 50 == finished[-1]
    assert 1 == late.asked


async def test_a_run_that_ends_lets_go_of_all_that_wait() -> None:
    """Cancelled or failed: every job is let go, as one that was cut off, and none is asked for any more."""
    finished, jobs = list[int](), [Job(9, 60.0) for _ in range(100)]
    rows, places = at_work(finished)
    wait(rows, *jobs)
    await asyncio.sleep(0.01)
    await rows.end()
    assert [[asyncio.CancelledError]] * len(jobs) == [[type(error) for error in job.ended] for job in jobs]
    assert len(jobs) == free_places(places)
    assert [] == finished


async def test_who_queues_to_be_finished_is_let_go_too() -> None:
    """Of jobs that are over few are finished at once; each row frees its place once, whether it was finished or not."""
    finished, jobs = list[int](), [Job(1) for _ in range(50)]
    rows, places = at_work(finished, ending=2)
    wait(rows, *jobs)
    while not finished:
        await asyncio.sleep(0)
    await rows.end()
    assert len(finished) < len(jobs)
    assert len(jobs) - len(finished) == sum(len(job.ended) for job in jobs)
    assert len(jobs) == free_places(places)


def test_a_run_that_is_cancelled_from_another_thread_lets_go_of_all() -> None:
    """As Ctrl-C does it: whatever it waits for next is cancelled again, and its end comes to its end all the same."""
    jobs = [Job(9, 60.0) for _ in range(20)]
    all_wait = threading.Event()

    class Few(Batch):
        def __init__(self) -> None:
            self._places, self._beginning, self._ending = (asyncio.Semaphore(100) for _ in range(3))

        async def _work(self, begun: RowAtWork, at_work: RowsAtWork) -> None:
            at_work.wait(begun, jobs[begun.row.number])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            if begun.row.number == len(jobs) - 1:
                all_wait.set()

    running = event_loop.runtime().start(lambda: Few().run(TableRow(number, None) for number in range(len(jobs))))
    assert all_wait.wait(30)
    running.cancel()
    until("this process holds none, or its next run would pay again", lambda: not any(job.held for job in jobs))
    until("all are let go", lambda: all(job.ended for job in jobs))
    assert [[asyncio.CancelledError]] * len(jobs) == [[type(error) for error in job.ended] for job in jobs]


async def test_what_goes_wrong_ends_the_run_before_another_row_begins() -> None:
    """What a task raises is raised where the run is waited for, though jobs are still waited for, and before its place is free."""

    async def fails() -> None:
        raise OSError("The disk is full.")

    rows, places = at_work([])
    wait(rows, Job(9, 60.0))
    rows.start(RowAtWork(TableRow(1, None)), fails())
    await places.acquire()
    with pytest.raises(OSError, match="full"):
        rows.check()
    with pytest.raises(OSError, match="full"):
        await rows.over()
    await rows.end()
    assert 1 == free_places(places)
