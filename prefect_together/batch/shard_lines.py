"""The lines of one shard of a batch: on this machine's disk, and in parts in the library while it grows. Decides nothing.

A shard is so many rows of a batch that one process works on; a batch that nobody shares is one shard. Its parts are what a
process that is killed leaves of its manifest::

    batches/<name>/<run>/000012-0001-000003.jsonl    the third part of shard 12, by whoever claimed it first
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from prefect_together._internal.background import spawn
from prefect_together._internal.json import compact
from prefect_together.batch.spool import Spool
from prefect_together.batch.totals import Totals
from prefect_together.errors import LibraryError
from prefect_together.storage.references import written
from prefect_together.storage.storage import Storage

SAVE_EVERY = 5.0
"""Seconds between parts: what a killed process did since its last one is looked up in the ledger, row by row."""

_MOST_UNSAVED = 20_000
"""Lines that wait to be written at most."""


class ShardLines:
    """What came of the rows of one shard.

    Args:
        storage: The library.
        prefix: What the keys of its parts begin with; None: none are written.
    """

    def __init__(self, storage: Storage, prefix: str | None = None) -> None:
        self.totals = Totals()
        self.parts = 0
        """How many parts there are in the library."""
        self._spool = Spool()
        self._storage = storage
        self._prefix = prefix
        self._unsaved = list[bytes]()
        self._saving = asyncio.Lock()

    def put(self, number: int, line: dict[str, Any]) -> None:
        """Add the line of a row, counted from 1 in the whole batch."""
        data = written(line, self._storage, compact) + b"\n"
        self._spool.put(number, data)
        if self._prefix is not None:
            self._unsaved.append(data)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._spool)

    async def save(self) -> None:
        """Write what came since the last part as the next one; where that cannot be done, it is tried again later."""
        async with self._saving:
            taken = len(self._unsaved)
            if not taken:
                return
            with contextlib.suppress(LibraryError, OSError):
                await self._storage.write(f"{self._prefix}-{self.parts + 1:06d}.jsonl", b"".join(self._unsaved[:taken]))
                self.parts += 1
                del self._unsaved[:taken]
            if len(self._unsaved) > _MOST_UNSAVED:  # a library that takes none: the ledger knows what is paid for
                self._unsaved.clear()

    async def forget_parts(self) -> None:
        """Remove its parts from the library: their lines stand somewhere else."""
        async with self._saving:
            self._unsaved.clear()
            for number in range(1, self.parts + 1):
                with contextlib.suppress(LibraryError, OSError):
                    await self._storage.delete(f"{self._prefix}-{number:06d}.jsonl")
            self.parts = 0

    @asynccontextmanager
    async def growing(self) -> AsyncGenerator[ShardLines]:
        """Write parts now and then while the block lasts, and a last one where it ends badly; then forget the lines."""
        saving = asyncio.create_task(self._keep_saving())
        try:
            yield self
        except BaseException:  # cancelled as well: whoever goes on with it should not have to look up every row
            await asyncio.shield(spawn(self.save()))
            raise
        finally:
            saving.cancel()
            self.close()

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await self.save()

    def close(self) -> None:
        """Forget the lines that are on this machine."""
        self._spool.close()
