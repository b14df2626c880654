"""A limit that any number of processes and machines spend from together. Knows no requests, only attempts and amounts.

It is kept in the library. Its entries are numbered, and each is one create-only object that carries the sum after it and
what of that is only reserved, by whom: whoever writes a number has seen all before it, so the sum never exceeds the limit::

    limits/autumn-campaign-1f0c/00000001.json     {"committed": "0.30", "changes": …, "holders": …}
                                00000002.json     {"committed": "0.57", "changes": …, "holders": …}

What a process had reserved when it died is settled by whoever comes next, from what the ledger says became of the attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from prefect_together._internal.process import ProcessId, this_process, unique_token
from prefect_together.errors import LibraryError
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.ledger import Ledger
from prefect_together.ledger.settlement import settled_cost
from prefect_together.storage.storage import Storage

ROOT = "limits"
SWEEP_PAUSE = 5.0
"""Seconds between looks at what others have reserved: a thousand requests that are refused do not look a thousand times."""
_AT_ONCE = 16


class SpendLimit(BaseModel):
    """What all runs together may spend that name the same limit in the same library.

    What a killed process had reserved is given back where it was never sent, and settled at its cost where that is known.
    It stays reserved where nobody knows whether it was charged, until that is decided: see ``reconcile``.
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


class _Reserved(BaseModel):
    """What is set aside for one attempt, and since when."""

    usd: Decimal
    at: str


class _Holder(BaseModel):
    """One who spends, and what it has reserved for which attempts."""

    owner: ProcessId
    reserved: dict[str, _Reserved] = {}


@dataclass
class _Sums:
    """What stands in an entry."""

    committed: Decimal = Decimal(0)
    holders: dict[str, _Holder] = field(default_factory=dict[str, _Holder])

    def copy(self) -> _Sums:
        holders = {
            name: _Holder.model_construct(owner=h.owner, reserved=dict(h.reserved)) for name, h in self.holders.items()
        }
        return _Sums(self.committed, holders)


@dataclass(eq=False)
class _Change:
    holder: str
    key: str
    usd: Decimal
    reserves: bool
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def apply(self, sums: _Sums, limit: Decimal) -> bool:
        """Change the sums, and return whether that changed anything: not where it would exceed the limit."""
        if self.reserves:
            if self.usd > 0 and sums.committed + self.usd > limit:
                return False
            holder = sums.holders.setdefault(self.holder, _Holder(owner=this_process()))
            holder.reserved[self.key] = _Reserved(usd=self.usd, at=_now())
            sums.committed += self.usd
            return True
        holder = sums.holders.get(self.holder)
        reserved = holder.reserved.pop(self.key, None) if holder else None
        if holder is None or reserved is None:
            return False  # somebody else has settled it
        if not holder.reserved:
            del sums.holders[self.holder]
        sums.committed += self.usd - reserved.usd
        return True


class SharedBudget:
    """One batch's view of a limit. Changes that come while one entry is written go into the next one together."""

    def __init__(self, limit: SpendLimit, storage: Storage) -> None:
        self.limit = limit
        self._name = unique_token()
        self._storage = storage
        self._sums = _Sums()
        advice = "Look at it; restore it or choose another name for the limit."
        self._entries = AppendLog(storage, limit.folder, advice=advice)
        self._waiting: list[_Change] = []
        self._writing: asyncio.Task[None] | None = None
        self._sweeping = asyncio.Lock()
        self._swept: float | None = None
        self._freed = False

    @property
    def committed(self) -> Decimal:
        """USD that are reserved or spent by all together, when we last looked."""
        return self._sums.committed

    async def reserve(self, key: str, usd: Decimal) -> bool:
        """Set money aside and return True; return False, and change nothing, where that would exceed the limit."""
        if self._swept is None:
            await self.sweep()
        change = _Change(self._name, key, usd, reserves=True)
        taken = await self._changed(change)
        if not taken and await self.sweep():
            taken = await self._changed(_Change(self._name, key, usd, reserves=True))
        return taken

    async def settle(self, key: str, usd: Decimal, *, wait: bool = True) -> None:
        """Put what was spent in place of what was reserved; without waiting, that is written with what comes next."""
        change = _Change(self._name, key, usd, reserves=False)
        if wait:
            await self._changed(change)
        else:
            self._later(change)

    async def flush(self) -> None:
        """Write what waits to be written."""
        if self._waiting:
            self._write_soon()
        if self._writing:
            await self._writing

    async def sweep(self, *, now: bool = False) -> bool:
        """Settle reservations that the ledger knows the cost of; return whether the last look found any."""
        async with self._sweeping:
            if not now and self._swept is not None and time.monotonic() - self._swept < SWEEP_PAUSE:
                return self._freed
            await self._look()
            ledger, slots = Ledger(self._storage), asyncio.Semaphore(_AT_ONCE)

            async def look(name: str, owner: ProcessId, key: str, reserved: _Reserved) -> bool:
                async with slots:
                    with contextlib.suppress(LibraryError):  # an entry that cannot be read leaves its money reserved
                        cost = await settled_cost(ledger, key, reserved.usd, owner, reserved.at)
                        return cost is not None and await self._changed(_Change(name, key, cost, reserves=False))
                    return False

            held = [
                (name, holder.owner, *one) for name, holder in self._sums.holders.items() for one in holder.reserved.items()
            ]
            self._freed = any(await asyncio.gather(*(look(*one) for one in held)))
            self._swept = time.monotonic()
            return self._freed

    async def _changed(self, change: _Change) -> bool:
        """Return whether a change was made."""
        self._waiting.append(change)
        self._write_soon()
        try:
            return await asyncio.shield(change.done)
        except asyncio.CancelledError:
            change.done.add_done_callback(lambda _: self._abandoned(change))
            raise

    def _abandoned(self, change: _Change) -> None:
        """Give back what was reserved for somebody who is gone."""
        if not change.done.cancelled() and change.done.exception() is None and change.done.result() and change.reserves:
            self._later(_Change(self._name, change.key, Decimal(0), reserves=False))

    def _later(self, change: _Change) -> None:
        self._waiting.append(change)

    def _write_soon(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            changes, self._waiting = self._waiting, []
            try:
                taken = await self._commit(changes)
            except Exception as error:  # whoever asked has to hear of it, whatever it is
                for change in changes:
                    change.done.set_exception(error)
                    change.done.exception()  # those that nobody waits for are no news
                continue
            for change in changes:
                change.done.set_result(change in taken)

    async def _commit(self, changes: list[_Change]) -> list[_Change]:
        while True:
            sums = self._sums.copy()
            taken = [change for change in changes if change.apply(sums, self.limit.usd)]
            if taken:
                if await self._entries.add(self._says(sums, taken)):
                    self._sums = sums
                    return taken
                await self._look()
            elif not await self._look():
                return taken  # else somebody else wrote meanwhile, and may have given money back

    def _says(self, sums: _Sums, taken: list[_Change]) -> dict[str, Any]:
        return {
            "committed": str(sums.committed),
            "limit": str(self.limit.usd),
            "changes": [
                {"key": change.key, "reserved" if change.reserves else "spent": str(change.usd)} for change in taken
            ],
            "holders": {name: holder.model_dump(mode="json") for name, holder in sums.holders.items()},
        }

    async def _look(self) -> bool:
        """Read the entries that others wrote since, and return whether there were any."""
        if not await self._entries.read():
            return False
        last = self._entries.last
        holders = {name: _Holder.model_validate(holder) for name, holder in last.get("holders", {}).items()}
        self._sums = _Sums(Decimal(last.get("committed", 0)), holders)
        return True


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
