"""Writes many small changes of one state with few entries of an append log. Knows nothing of what is changed.

The changes that come while one entry is written go into the next one together. Writing an entry takes as long as the library
does, so a thousand changes at once would stand in line for a minute and take two entries this way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from prefect_together.ledger.append_log import AppendLog

_Change = TypeVar("_Change")
_Result = TypeVar("_Result")


class GroupCommitLog(Generic[_Change, _Result]):
    """One process's way into an append log that others add to as well. Use it on one event loop.

    Args:
        log: Whose last entry holds the state.
        apply: Returns the next entry, and what came of each change, from the last entry and the changes in the order in
            which they came; None for the entry where they change nothing. It is asked again where somebody else's entry
            came first, so it keeps nothing to itself.
        gather: Seconds for which changes are gathered before an entry is written.
    """

    def __init__(
        self,
        log: AppendLog,
        apply: Callable[[dict[str, Any], list[_Change]], tuple[dict[str, Any] | None, list[_Result]]],
        *,
        gather: float = 0.0,
    ) -> None:
        self._log = log
        self._apply = apply
        self._gather = gather
        self._pending: list[tuple[_Change, asyncio.Future[_Result]]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def last(self) -> dict[str, Any]:
        """The last entry that was read or written; empty where there is none."""
        return self._log.last

    @property
    def waiting(self) -> int:
        """How many changes wait to be written."""
        return len(self._pending)

    async def read(self) -> None:
        """Read what others wrote.

        Raises:
            LibraryError: An entry cannot be read.
        """
        await self._log.read()

    def submit(self, change: _Change) -> asyncio.Future[_Result]:
        """Start writing a change, and return where its result comes, or the error that kept it from being written.

        Await it in ``asyncio.shield``: a change goes on being written when nobody waits for it any more.
        """
        result = self.defer(change)
        self._start()
        return result

    def defer(self, change: _Change) -> asyncio.Future[_Result]:
        """Have a change written together with the next one that is submitted, or by ``flush``."""
        result: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._pending.append((change, result))
        return result

    async def flush(self) -> None:
        """Wait until all that was submitted and deferred is written, or could not be."""
        if self._pending:
            self._start()
        if self._writer:
            await asyncio.shield(self._writer)

    def _start(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._pending:
            if self._gather:
                await asyncio.sleep(self._gather)
            group, self._pending = self._pending, []
            try:
                results = await self._commit([change for change, _ in group])
            except Exception as error:  # whoever waits for a change has to hear of it, whatever it is
                for _, result in group:
                    if not result.done():  # whoever waited for it may have been cancelled
                        result.set_exception(error)
                        result.exception()  # where nobody waits, it is no news
            else:
                for (_, result), came in zip(group, results, strict=True):
                    if not result.done():
                        result.set_result(came)

    async def _commit(self, changes: list[_Change]) -> list[_Result]:
        """Add an entry with these changes. Of all who try at the same time one succeeds, so this comes to an end."""
        while True:
            entry, results = self._apply(self.last, changes)
            if entry is not None and await self._log.add(entry):
                return results
            others_wrote = await self._log.read()
            if entry is None and not others_wrote:
                return results
