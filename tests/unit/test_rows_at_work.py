"""Rows of a batch that wait for their jobs: few tasks ask for all of them, and nothing is held when a run ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from prefect_together.batch.request_table import TableRow
from prefect_together.batch.rows_at_work import ASKING, RowAtWork, RowsAtWork

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
        self.ended: list[Any] = []

    async def ask(self) -> None:
        """Ask once."""
        await asyncio.sleep(0.001)
        self.asked += 1
        self.left -= 1
        self.over = self.left <= 0

    async def let_go(self, error: BaseException | None) -> None:
        """Note that nobody waits any more."""
        self.ended.append(error)


def waiting(finished: list[int], *jobs: Job) -> RowsAtWork:
    """Return rows that wait for jobs."""

    async def finish(row: RowAtWork) -> None:
        finished.append(row.row.number)

    rows = RowsAtWork(finish)
    for number, job in enumerate(jobs):
        rows.wait(RowAtWork(TableRow(number, None)), job)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
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
    assert 0 == await rows.end()


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
    rows.wait(RowAtWork(TableRow(50, None)), late)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await rows.over()
    assert 50 == finished[-1]
    assert 1 == late.asked


async def test_a_run_that_ends_lets_go_of_all_that_wait() -> None:
    """Cancelled or failed: every job is let go, as one that was cut off, and none is asked for any more."""
    finished, jobs = list[int](), [Job(9, 60.0) for _ in range(100)]
    rows = waiting(finished, *jobs)
    await asyncio.sleep(0.01)
    assert len(jobs) == await rows.end()
    assert [[asyncio.CancelledError]] * len(jobs) == [[type(error) for error in job.ended] for job in jobs]
    assert [] == finished


async def test_what_goes_wrong_ends_the_run() -> None:
    """What a task raises is raised where the run is waited for, though jobs are still waited for."""

    async def fails() -> None:
        raise OSError("The disk is full.")

    rows = waiting([], Job(9, 60.0))
    rows.start(fails())
    with pytest.raises(OSError, match="full"):
        await rows.over()
    assert 1 == await rows.end()
