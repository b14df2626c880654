"""Works on a run that several processes share, one shard after the other, until all are done. Knows no Prefect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from prefect_together.batch.batch_rows import Line
from prefect_together.batch.conclusion import Conclusion
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.row_reader import RowReader
from prefect_together.batch.runner import Batch
from prefect_together.batch.shard_lines import ShardLines
from prefect_together.batch.shards import Lines, Shard, Shards
from prefect_together.batch.totals import Totals

_T = TypeVar("_T")


class RunRows(Protocol):
    """Runs the rows of a shard."""

    def __call__(self, rows: Iterable[TableRow], numbers: range, begun: asyncio.Event) -> Coroutine[Any, Any, None]:
        """Run them, and set the event when all were begun, and those of another shard may be begun too."""
        ...


class SharedRun:
    """The part of one process in a run.

    Args:
        shards: The shards.
        work: Runs their rows.
        reader: Reads them.
    """

    def __init__(self, shards: Shards, work: Batch, reader: RowReader[Any, TableRow]) -> None:
        self._shards = shards
        self._work = work
        self._reader = reader
        self._running = set[asyncio.Task[None]]()

    async def carry_out(self, run_rows: RunRows, end: Callable[[Totals, Lines], Awaitable[Conclusion]]) -> bool:
        """Work until the run has come to its end; return whether it was this process that made the manifest of it.

        Args:
            run_rows: Runs the rows of a shard.
            end: Makes the manifest of all: for ``Shards.conclude``.

        Raises:
            LibraryError: The library cannot be read or written.
        """
        ended = False
        try:
            while shard := await self._while_all_is_well(self._shards.claim()):
                if not shard.numbers:
                    ended = await self._shards.conclude(shard, end)
                    continue
                begun = asyncio.Event()
                task = asyncio.create_task(self._shard(shard, run_rows, begun))
                task.add_done_callback(lambda _, begun=begun: begun.set())
                self._running.add(task)
                await self._while_all_is_well(begun.wait())
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        return ended

    async def _shard(self, shard: Shard, run_rows: RunRows, begun: asyncio.Event) -> None:
        async with ShardLines(self._work.context.storage, self._shards.prefix(shard)).growing() as lines:
            left = await self._shards.left(shard)
            await asyncio.to_thread(self._reader.go_to, shard.numbers[0])
            with self._work.writing(lines, shard.numbers):
                await run_rows(self._rows(shard, left), shard.numbers, begun)
            await self._shards.finish(shard, lines)

    def _rows(self, shard: Shard, left: dict[int, Line]) -> Iterator[TableRow]:
        """Yield the rows of a shard that are still to be run."""
        for row in self._reader.rows(shard.numbers):
            if line := left.pop(row.number, None):
                self._work.as_it_was(row, line)
            else:
                yield row

    async def _while_all_is_well(self, what: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something, unless a shard that is run meanwhile fails.

        Raises:
            LibraryError: One of them did.
        """
        waiting = asyncio.create_task(what)
        try:
            while not waiting.done():
                done, _ = await asyncio.wait({waiting, *self._running}, return_when=asyncio.FIRST_COMPLETED)
                for task in self._running & done:
                    self._running.discard(task)
                    task.result()
            return waiting.result()
        finally:
            waiting.cancel()
