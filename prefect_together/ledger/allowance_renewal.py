"""Draws the allowances of one holder of a shared limit, and hands back what is not used of them or what others need more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from prefect_together.errors import LibraryError
from prefect_together.ledger.allowance import Purse
from prefect_together.ledger.group_commit import GroupCommitLog
from prefect_together.ledger.limit_sums import Change, LimitSums, Renew

_LOOKS = 32
"""How often, while it lasts, its holder looks at least whether others need what is left of it."""
_LOOK_AGAIN = 2.0
"""Seconds between these looks at most: others wait for what is handed back, however long the allowance lasts."""
_OTHERS = 4
"""They may where the limit has less left than so many times what is left of it."""


class Renewal:
    """Keeps the allowance of one holder.

    Args:
        purse: The allowance.
        log: The limit.
        left: Returns what was left of the limit when it was looked at last, in USD.
    """

    def __init__(self, purse: Purse, log: GroupCommitLog[Change, LimitSums | None], left: Callable[[], Decimal]) -> None:
        self._purse = purse
        self._log = log
        self._left = left
        self._writing: asyncio.Future[LimitSums | None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Wait until the one that is being drawn is there, or is not to be had."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def renew(self, least: Decimal | None) -> None:
        """Start writing down what was spent, and drawing the next one; it goes into one entry with what is submitted next.

        Args:
            least: USD of the request that does not fit into this one; None where no other one is drawn.
        """
        if self._writing is None and (renew := self._purse.renewal(least)):
            self._writing = self._log.submit(renew)
            self._writing.add_done_callback(partial(self._renewed, renew))

    async def close(self) -> None:
        """Hand back what is left, and write down all that waits to be written."""
        await self._log.flush()  # what is just being drawn
        self.renew(None)
        await self._log.flush()
        if self._watching:
            self._watching.cancel()

    def _renewed(self, renew: Renew, written: asyncio.Future[LimitSums | None]) -> None:
        self._writing = None
        if written.exception():
            self._purse.failed(renew)
        else:
            self._purse.renewed(renew, written.result())
        if self._purse.held and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Hand it back when it is not used, or when so little is left of the limit that others may need it."""
        pause = min(_LOOK_AGAIN, self._purse.lasts / _LOOKS)
        while self._purse.held and self._purse.age < self._purse.lasts:  # others end it then
            await asyncio.sleep(pause)
            with contextlib.suppress(LibraryError):  # it is looked again
                await self._log.read()
                if self._purse.left * _OTHERS > self._left() or self._purse.age > self._purse.term + pause:
                    self.renew(None)
                    await self.wait()
