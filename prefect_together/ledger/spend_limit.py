"""A limit that any number of processes and machines spend from together. Knows no requests, only attempts and amounts.

It is kept in the library. Its entries are numbered, and each is one create-only object that carries the sum after it and
what of that is only reserved, by whom: whoever writes a number has seen all before it, so the sum never exceeds the limit::

    limits/autumn-campaign-1f0c/00000001.json     {"committed": "0.30", "changes": …, "holders": …}
                                00000002.json     {"committed": "0.57", "changes": …, "holders": …}

What a process had reserved when it died is settled by whoever comes next, from what the ledger says became of the attempt.

Who reserves for many requests draws an allowance with one entry, and spends from it without another: see ``allowance``. What
is left of it comes back when it is not used, when little else is left of the limit, and when its holder is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from prefect_together._internal.described import Described
from prefect_together._internal.process import ProcessId
from prefect_together._internal.tokens import unique_token
from prefect_together.errors import LibraryError
from prefect_together.ledger.allowance import Mark, Purse
from prefect_together.ledger.allowance_claims import Abandoned
from prefect_together.ledger.allowance_renewal import Renewal
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.group_commit import GroupCommitLog
from prefect_together.ledger.ledger import Ledger
from prefect_together.ledger.limit_sums import Change, LimitSums, Reservation, Reserve, Settle
from prefect_together.ledger.settlement import settled_cost
from prefect_together.storage.storage import Storage

ROOT = "limits"
TOGETHER = "together"
"""The environment in which money is paid."""
SWEEP_PAUSE = 5.0
"""Seconds between looks at what others have reserved: a thousand requests that are refused do not look a thousand times."""
_LOOK_AGAIN = 0.5
"""Seconds until the next look for money that others may hand back."""
_AT_ONCE = 16
_LOOKED_UP = 1024
"""Reservations whose costs are looked up before what was found of them is written down."""
_SHARE = 32
"""Of so many reservations, one has to be settled before that is written down: an entry is as long as they are many."""


class SpendLimit(Described, BaseModel):
    """What all runs together may spend that name the same limit in the same library.

    What a killed process had reserved is given back where it was never sent, and settled at its cost where that is known.
    It stays reserved where nobody knows whether it was charged, until that is decided: see ``reconcile``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    """Who names the same limit spends from it."""
    usd: Annotated[Decimal, Field(ge=0)]
    """The most that may be spent, in USD."""

    @property
    def folder(self) -> str:
        """Where its entries are in a library."""
        plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.name.lower())
        return f"{ROOT}/{plain[:40].strip('-')}-{hashlib.sha256(self.name.encode()).hexdigest()[:6]}"


class SharedBudget:
    """One batch's part in a limit that others spend from too.

    Args:
        limit: What all together may spend.
        storage: The library that the limit is kept in.
        environment: Whether Together is paid or a sandbox: what is spent there takes nothing from what may be spent here.
    """

    def __init__(self, limit: SpendLimit, storage: Storage, environment: str = TOGETHER) -> None:
        self.limit = limit
        self._holder = unique_token()
        self._ledger = Ledger(storage)
        folder = limit.folder if environment == TOGETHER else f"{limit.folder}-{environment}"
        self._entries = AppendLog(storage, folder, advice="Look at it; restore it or choose another name for the limit.")
        self._log = GroupCommitLog[Change, LimitSums | None](self._entries, self._apply)
        self._purse = Purse(self._holder)
        self._renewal = Renewal(self._purse, self._log, lambda: self.limit.usd - self.committed)
        self._abandoned = Abandoned(storage, self._entries, self._holder)
        self._read: tuple[Any, LimitSums] = (None, LimitSums.read({}))
        self._made = LimitSums.read({})
        self._sweeping = asyncio.Lock()
        self._swept_at: float | None = None
        self._short_since: float | None = None
        self._freed = False

    @property
    def committed(self) -> Decimal:
        """USD that are reserved or spent by all together, when we last looked."""
        return Decimal(self._log.last.get("committed", 0))

    async def reserve(self, key: str, usd: Decimal) -> bool:
        """Set money aside and return True; return False, and change nothing, where that would exceed the limit.

        What others have in allowances is waited for: they use it soon, or hand it back.

        Args:
            key: Of the attempt.
            usd: USD, at least what the attempt may cost.

        Raises:
            LibraryError: It cannot be written down.
        """
        if self._swept_at is None:
            await self.sweep()
        reserved = await self._reserve(key, usd)
        if not reserved and await self.sweep():  # there may be room now
            reserved = await self._reserve(key, usd)
        while not reserved and self._may_come(usd):
            await asyncio.sleep(_LOOK_AGAIN)
            await self.sweep()
            reserved = await self._reserve(key, usd)
        if reserved:
            self._short_since = None
        return reserved

    async def settle(self, key: str, usd: Decimal, *, wait: bool = True) -> None:
        """Put what was spent in place of what was reserved.

        Args:
            key: Of the attempt.
            usd: What it did cost; 0 gives back all that was reserved.
            wait: Until that is written down. Otherwise, where there are many reservations of which few are settled, or an
                allowance, it is written with what comes next; who dies before has settled it all the same, by what the
                ledger says.

        Raises:
            LibraryError: It cannot be written down.
        """
        if self._purse.settle(key, usd):
            if self._purse.left < 0:  # it did cost more than was thought
                self._renewal.renew(None)
            return
        change, few = Settle(self._holder, key, usd), (self._log.waiting + 1) * _SHARE
        if wait and not self._purse.held and few >= self._state(self._log.last).outstanding:
            await asyncio.shield(self._log.submit(change))
        else:
            self._log.defer(change)

    def mark(self, key: str) -> Mark | None:
        """Return what the claim of an attempt has to bear, by which others find what its money was taken from."""
        return self._purse.mark(key)

    def covers(self, key: str) -> bool:
        """Tell of an attempt that was claimed just now whether its money can still not have been given to others."""
        return self._purse.covers(key)

    async def close(self) -> None:
        """Write what waits to be written, hand back what is left of the allowance, and settle what the ledger knows."""
        await self._renewal.close()
        await self.sweep(now=True)

    async def sweep(self, *, now: bool = False) -> bool:
        """Settle reservations that the ledger knows the cost of, whoever made them and whether or not they live.

        Allowances of those that are gone end.

        Args:
            now: Look again, also where the last look was a moment ago.

        Returns:
            Whether the last look found any.
        """
        async with self._sweeping:
            if now or self._swept_at is None or time.monotonic() - self._swept_at >= SWEEP_PAUSE:
                await self._log.read()
                sums = self._state(self._log.last)
                ends = await self._abandoned.ends(sums)
                found = {end.holder: end.found for end in ends}
                held = [
                    (name, ProcessId.model_validate(holder["owner"]), key, reserved)
                    for name, holder in sums.holders.items()
                    if now or name != self._holder  # of which this one hears by itself
                    for key, reserved in {**holder["reserved"], **found.get(name, {})}.items()
                ]
                self._freed = await self._written(ends) if ends and not held else False
                for start in range(0, len(held), _LOOKED_UP):
                    settled = await self._settled(held[start : start + _LOOKED_UP])
                    self._freed |= await self._written([*ends, *settled])
                    ends = []
                self._swept_at = time.monotonic()
            return self._freed

    async def _settled(self, held: list[tuple[str, ProcessId, str, Reservation]]) -> list[Settle]:
        """Return the settlements of those of some reservations that the ledger knows the cost of."""
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def known(name: str, owner: ProcessId, key: str, reserved: Reservation) -> Settle | None:
            async with at_once:
                with contextlib.suppress(LibraryError):  # an entry that cannot be read leaves its money reserved
                    cost = await settled_cost(self._ledger, key, Decimal(reserved["usd"]), owner, reserved["at"])
                    return None if cost is None else Settle(name, key, cost)
                return None

        found = await asyncio.gather(*(known(*one) for one in held))
        return [change for change in found if change]

    async def _written(self, changes: Sequence[Change]) -> bool:
        """Write changes in one entry; return whether any of them was made."""
        written = [self._log.submit(change) for change in changes]
        made = await asyncio.shield(asyncio.gather(*written, return_exceptions=True))
        return any(isinstance(one, LimitSums) for one in made)

    async def _reserve(self, key: str, usd: Decimal) -> bool:
        await self._renewal.wait()
        if self._purse.take(key, usd):
            return True
        self._renewal.renew(usd)
        written = self._log.submit(Reserve(self._holder, key, usd))
        try:
            reserved = await asyncio.shield(written) is not None
        except asyncio.CancelledError:
            written.add_done_callback(lambda done: self._give_back(key, done))
            raise
        if reserved:
            self._purse.note(usd)
        return reserved

    def _give_back(self, key: str, written: asyncio.Future[LimitSums | None]) -> None:
        """Give back what was reserved for somebody who is gone."""
        if written.exception() is None and written.result():
            self._log.defer(Settle(self._holder, key, Decimal(0)))

    def _may_come(self, usd: Decimal) -> bool:
        """Tell whether there would be room without the allowances of others, which end soon if they are not used."""
        now, holders = time.monotonic(), self._state(self._log.last).holders
        theirs = [one["allowance"] for name, one in holders.items() if name != self._holder and "allowance" in one]
        if self.committed + usd - sum(Decimal(one["usd"]) for one in theirs) > self.limit.usd:
            return False
        self._short_since = now if self._short_since is None else self._short_since
        return now - self._short_since < max((one["seconds"] for one in theirs), default=0.0) + 2 * SWEEP_PAUSE

    def _state(self, entry: dict[str, Any]) -> LimitSums:
        """Return the sums that an entry holds; one that was made here is not read again, for it may be long."""
        holders = entry.get("holders")
        if holders is self._made.holders:
            self._read = (holders, self._made)
        elif holders is not self._read[0]:
            self._read = (holders, LimitSums.read(entry))
        return self._read[1]

    def _apply(self, last: dict[str, Any], changes: list[Change]) -> tuple[dict[str, Any] | None, list[LimitSums | None]]:
        """Return the next entry, and which of the changes are in it."""
        sums, made = self._state(last).after(changes, self.limit.usd, self._entries.number + 1)
        if not any(made):
            return None, [None] * len(changes)
        self._made = sums
        entry = {
            "committed": str(sums.committed),
            "limit": str(self.limit.usd),
            "changes": [change.entry() for change, done in zip(changes, made, strict=True) if done],
            "holders": sums.holders,
        }
        return entry, [sums if done else None for done in made]
