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
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from prefect_together._internal.process import ProcessId, this_process, unique_token
from prefect_together.errors import LibraryError
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.group_commit import GroupCommitLog
from prefect_together.ledger.ledger import Ledger
from prefect_together.ledger.settlement import settled_cost
from prefect_together.storage.storage import Storage

ROOT = "limits"
TOGETHER = "together"
"""The environment in which money is paid."""
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


class _Reservation(BaseModel):
    """What is set aside for one attempt, and since when."""

    usd: Decimal
    at: str


class _Holder(BaseModel):
    """A batch that spends, its process, and what it has reserved for which attempts."""

    owner: ProcessId
    reserved: dict[str, _Reservation] = {}


class _Sums(BaseModel):
    """The state that an entry holds: what is reserved or spent by all together, and who reserved what."""

    committed: Decimal = Decimal(0)
    holders: dict[str, _Holder] = {}


@dataclass(frozen=True)
class _Reserve:
    """Sets money aside for an attempt."""

    holder: str
    key: str
    usd: Decimal

    def apply(self, sums: _Sums, limit: Decimal) -> bool:
        """Change the sums and return True, unless that would exceed the limit.

        What is reserved for the attempt already, by a write whose answer was lost, is reserved once.
        """
        known = sums.holders.get(self.holder)
        before = known.reserved.get(self.key) if known else None
        more = self.usd - (before.usd if before else Decimal(0))
        if more > 0 and sums.committed + more > limit:
            return False
        holder = sums.holders.setdefault(self.holder, _Holder(owner=this_process()))
        holder.reserved[self.key] = _Reservation(usd=self.usd, at=_now())
        sums.committed += more
        return True

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"key": self.key, "reserved": str(self.usd)}


@dataclass(frozen=True)
class _Settle:
    """Puts what an attempt did cost in place of what was reserved for it."""

    holder: str
    key: str
    usd: Decimal

    def apply(self, sums: _Sums, limit: Decimal) -> bool:  # noqa: ARG002 - what is spent is spent, whatever the limit
        """Change the sums and return True, unless somebody else has settled it."""
        holder = sums.holders.get(self.holder)
        reserved = holder.reserved.pop(self.key, None) if holder else None
        if holder is None or reserved is None:
            return False
        if not holder.reserved:
            del sums.holders[self.holder]
        sums.committed += self.usd - reserved.usd
        return True

    def entry(self) -> dict[str, str]:
        """Return what an entry says of it."""
        return {"key": self.key, "spent": str(self.usd)}


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
        log = AppendLog(storage, folder, advice="Look at it; restore it or choose another name for the limit.")
        self._log = GroupCommitLog[_Reserve | _Settle, bool](log, self._apply)
        self._sweeping = asyncio.Lock()
        self._swept_at: float | None = None
        self._freed = False

    @property
    def committed(self) -> Decimal:
        """USD that are reserved or spent by all together, when we last looked."""
        return Decimal(self._log.last.get("committed", 0))

    async def reserve(self, key: str, usd: Decimal) -> bool:
        """Set money aside and return True; return False, and change nothing, where that would exceed the limit.

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
        return reserved

    async def settle(self, key: str, usd: Decimal, *, wait: bool = True) -> None:
        """Put what was spent in place of what was reserved.

        Args:
            key: Of the attempt.
            usd: What it did cost; 0 gives back all that was reserved.
            wait: Until that is written down; otherwise it is written with what comes next.

        Raises:
            LibraryError: It cannot be written down.
        """
        change = _Settle(self._holder, key, usd)
        if wait:
            await asyncio.shield(self._log.submit(change))
        else:
            self._log.defer(change)

    async def flush(self) -> None:
        """Write what waits to be written."""
        await self._log.flush()

    async def sweep(self, *, now: bool = False) -> bool:
        """Settle reservations that the ledger knows the cost of, whoever made them and whether or not they live.

        Args:
            now: Look again, also where the last look was a moment ago.

        Returns:
            Whether the last look found any.
        """
        async with self._sweeping:
            if now or self._swept_at is None or time.monotonic() - self._swept_at >= SWEEP_PAUSE:
                await self._log.read()
                at_once = asyncio.Semaphore(_AT_ONCE)
                self._freed = any(
                    await asyncio.gather(
                        *(
                            self._settle_known(name, holder.owner, key, reserved, at_once)
                            for name, holder in _Sums.model_validate(self._log.last).holders.items()
                            for key, reserved in holder.reserved.items()
                        )
                    )
                )
                self._swept_at = time.monotonic()
            return self._freed

    async def _settle_known(
        self, name: str, owner: ProcessId, key: str, reserved: _Reservation, at_once: asyncio.Semaphore
    ) -> bool:
        async with at_once:
            with contextlib.suppress(LibraryError):  # an entry that cannot be read leaves its money reserved
                cost = await settled_cost(self._ledger, key, reserved.usd, owner, reserved.at)
                return cost is not None and await asyncio.shield(self._log.submit(_Settle(name, key, cost)))
            return False

    async def _reserve(self, key: str, usd: Decimal) -> bool:
        written = self._log.submit(_Reserve(self._holder, key, usd))
        try:
            return await asyncio.shield(written)
        except asyncio.CancelledError:
            written.add_done_callback(lambda done: self._give_back(key, done))
            raise

    def _give_back(self, key: str, written: asyncio.Future[bool]) -> None:
        """Give back what was reserved for somebody who is gone."""
        if written.exception() is None and written.result():
            self._log.defer(_Settle(self._holder, key, Decimal(0)))

    def _apply(self, last: dict[str, Any], changes: list[_Reserve | _Settle]) -> tuple[dict[str, Any] | None, list[bool]]:
        """Return the next entry, and which of the changes are in it."""
        sums = _Sums.model_validate(last)
        made = [change.apply(sums, self.limit.usd) for change in changes]
        if not any(made):
            return None, made
        entry = {
            "committed": str(sums.committed),
            "limit": str(self.limit.usd),
            "changes": [change.entry() for change, done in zip(changes, made, strict=True) if done],
            "holders": {name: holder.model_dump(mode="json") for name, holder in sums.holders.items()},
        }
        return entry, made


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
