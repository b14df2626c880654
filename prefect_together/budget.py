"""Money that may be spent: reserved before a request is sent, settled when its cost is known. Sends and pays nothing.

A ``SpendLimit`` is kept in the library, so that any number of processes and machines spend from it together. Each of its
entries carries the sum after it: whoever writes one has seen all before it, so the sum never exceeds the limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from prefect_together.entries import Entries
from prefect_together.errors import BudgetExceeded, LibraryError
from prefect_together.storage import Storage

ROOT = "limits"


class SpendLimit(BaseModel):
    """What all runs together may spend that name the same limit in the same library.

    What is reserved when a process dies stays reserved: it may have been paid. Raise ``usd`` to go on.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    """Who names the same limit spends from it."""
    usd: Annotated[Decimal, Field(ge=0)]
    """The most that may be spent, in USD."""

    @property
    def folder(self) -> str:
        """Where its entries are in a library."""
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.name.lower())
        return f"{ROOT}/{plain[:40].strip('-')}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"


class Purse:
    """What one batch may spend, by itself and from a shared limit.

    Args:
        worst_case: USD that a request of unknown price counts as.
        max_cost: USD that this batch may spend, if that is limited.
        limit: The shared limit, if there is one.
        storage: The library that the shared limit is kept in.
    """

    def __init__(
        self,
        *,
        worst_case: Decimal,
        max_cost: Decimal | None = None,
        limit: SpendLimit | None = None,
        storage: Storage | None = None,
    ) -> None:
        self.worst_case = worst_case
        self.max_cost = max_cost
        self.committed = Decimal(0)
        """USD that this batch has reserved or spent."""
        self._reserved: dict[str, Decimal] = {}
        self._shared = _Shared(limit, storage) if limit and storage else None

    async def reserve(self, key: str, estimate: Decimal | None) -> None:
        """Set money aside for one attempt.

        Raises:
            BudgetExceeded: There is not enough left.
        """
        amount = self.worst_case if estimate is None else estimate
        about = f"about ${amount}" if estimate is not None else f"of unknown price, which counts as ${amount}"
        if self.max_cost is not None and self.committed + amount > self.max_cost:
            raise _exceeded(about, f"max_cost is ${self.max_cost} and ${self.committed} of it is spent or reserved")
        self.committed += amount  # before anything is awaited: others reserve meanwhile
        try:
            if self._shared and not await self._shared.change(key, amount):
                limit = self._shared.limit
                raise _exceeded(about, f"the limit {limit.name!r} is ${limit.usd} and ${self._shared.committed} is taken")
        except BaseException:  # cancelled as well: what was not reserved must not stay taken
            self.committed -= amount
            raise
        self._reserved[key] = amount

    async def settle(self, key: str, cost: Decimal) -> None:
        """Put what an attempt did cost in place of what was reserved for it: nothing, where it was refused.

        A library that fails meanwhile leaves the reservation as it is, which errs on the safe side.
        """
        reserved = self._reserved.pop(key, None)
        if reserved is None or reserved == cost:
            return
        self.committed += cost - reserved
        if self._shared:
            with contextlib.suppress(LibraryError):
                await self._shared.change(key, cost - reserved, known=True)

    def __str__(self) -> str:
        of = f" of ${self.max_cost}" if self.max_cost is not None else ""
        own = f"${self.committed}{of} spent or reserved by this batch"
        if self._shared is None:
            return f"Budget: {own}."
        return f"Budget: {own}; ${self._shared.committed} of ${self._shared.limit.usd} of {self._shared.limit.name!r}."


@dataclass
class _Change:
    key: str
    usd: Decimal
    known: bool
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Shared:
    """The entries of one limit. Changes that come while one entry is written go into the next one together."""

    def __init__(self, limit: SpendLimit, storage: Storage) -> None:
        self.limit = limit
        advice = "Look at it; restore it or choose another name for the limit."
        self._entries = Entries(storage, limit.folder, advice=advice)
        self._waiting: list[_Change] = []
        self._writing: asyncio.Task[None] | None = None

    @property
    def committed(self) -> Decimal:
        """USD that all together have reserved or spent, as far as is known here."""
        return Decimal(self._entries.last.get("committed", 0))

    async def change(self, key: str, usd: Decimal, *, known: bool = False) -> bool:
        """Add to the sum and return True; return False, and change nothing, where that would exceed the limit.

        Args:
            key: For whom.
            usd: By how much.
            known: Whether it is spent already, so that it has to be added whatever the limit is.
        """
        change = _Change(key, usd, known)
        self._waiting.append(change)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        try:
            return await asyncio.shield(change.done)
        except asyncio.CancelledError:
            change.done.add_done_callback(lambda _: None if change.done.cancelled() else change.done.exception())
            raise

    async def _write(self) -> None:
        while self._waiting:
            changes, self._waiting = self._waiting, []
            try:
                taken = await self._commit(changes)
            except Exception as error:  # whoever asked has to hear of it, whatever it is
                for change in changes:
                    change.done.set_exception(error)
                continue
            for change in changes:
                change.done.set_result(change in taken)

    async def _commit(self, changes: list[_Change]) -> list[_Change]:
        while True:
            total, taken = self.committed, list[_Change]()
            for change in changes:
                if change.known or change.usd <= 0 or total + change.usd <= self.limit.usd:
                    total += change.usd
                    taken.append(change)
            if taken:
                amounts = {change.key: str(change.usd) for change in taken}
                if await self._entries.add({"committed": str(total), "limit": str(self.limit.usd), "changes": amounts}):
                    return taken
                await self._entries.read()
            elif not await self._entries.read():
                return taken  # else somebody else wrote meanwhile, and may have given money back


def _exceeded(about: str, why: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"Not sent ({about}): {why}.", advice="Raise it and run it again: what is kept is not paid for again."
    )
