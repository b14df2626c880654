"""Finds allowances of a shared limit whose holders are gone, and what they were spent on. Writes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import datetime
from typing import Any

from prefect_together._internal.process import ProcessId
from prefect_together.errors import LibraryError
from prefect_together.ledger.allowance import Mark
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.limit_sums import Allowance, End, Holder, LimitSums, Reservation
from prefect_together.ledger.scan import Sighting, scan
from prefect_together.storage.storage import Storage

_SLACK = 600.0
"""Seconds by which a clock may have been set back since the allowance was drawn."""
_AT_ONCE = 64


class Abandoned:
    """Watches the allowances of other holders.

    Args:
        storage: The library.
        log: The limit.
        holder: Who watches.
    """

    def __init__(self, storage: Storage, log: AppendLog, holder: str) -> None:
        self._storage = storage
        self._log = log
        self._holder = holder
        self._seen: dict[tuple[str, int], float] = {}

    async def ends(self, sums: LimitSums) -> list[End]:
        """Return the ends of those that nobody spends from any more.

        Args:
            sums: What stands in the limit.
        """
        ends: list[End] = []
        for name, holder in sums.holders.items():
            allowance = holder.get("allowance")
            if allowance and name != self._holder and self._over(name, holder, allowance):
                with contextlib.suppress(LibraryError):  # what it was spent on cannot be told now: it stays as it is
                    found = await reserved_from(self._storage, self._log, name, allowance)
                    ends.append(End(name, allowance["number"], found))
        return ends

    def _over(self, name: str, holder: Holder, allowance: Allowance) -> bool:
        """Tell whether its process is gone, or whether it was seen unchanged for so long that nothing is spent of it."""
        since = self._seen.setdefault((name, allowance["number"]), time.monotonic())
        gone = ProcessId.model_validate(holder["owner"]).is_alive() is False
        return gone or time.monotonic() - since >= allowance["seconds"]


async def reserved_from(storage: Storage, log: AppendLog, holder: str, allowance: Allowance) -> dict[str, Reservation]:
    """Return what was reserved from an allowance, by the keys of attempts, once nothing more is claimed with it.

    Only claims are read that may be younger than the allowance. Their times are those of the library, as is the time of the
    entry that the allowance came with; where it is gone, all small claims are read. Those in packs say what their holder's
    clock said, as the allowance does.

    Args:
        storage: The library.
        log: The limit.
        holder: Whose allowance it is.
        allowance: The allowance.

    Raises:
        LibraryError: A claim cannot be read, so nobody knows.
    """
    ledger, at_once = Ledger(storage), asyncio.Semaphore(_AT_ONCE)
    found: dict[str, Reservation] = {}
    packed_since = datetime.fromisoformat(allowance["at"]).timestamp() - _SLACK
    # Whichever is earlier: a copy of a library has the times at which it was copied.
    small_since = min(packed_since, await _written(storage, log.key(allowance["entry"])) - _SLACK)

    def may_be(one: Sighting) -> bool:
        young = one.by >= small_since if one.at is None else one.at >= packed_since
        return young and "claimed" in one.attempt.events

    async def look(attempt: Attempt) -> None:
        async with at_once:
            claim: dict[str, Any] = await ledger.entry(attempt, "claimed") or {}
        mark: Mark | None = claim.get("allowance")
        if mark and (mark["holder"], mark["number"]) == (holder, allowance["number"]):
            found[attempt.key] = {"usd": str(mark["usd"]), "at": str(claim["at"])}

    async for some in scan(storage, least=lambda: packed_since):
        await asyncio.gather(*(look(one.attempt) for one in some if may_be(one)))
    return found


async def _written(storage: Storage, entry: str) -> float:
    """Return when an entry of a limit was written, by the library's clock; long ago where it is gone."""
    place, folder, name = entry.split("/")
    return dict(await storage.listing(place, folder, timed=name)).get(entry, float("-inf"))
