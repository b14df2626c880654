"""What a library's requests cost in a day, added up by all processes together; tells once a day that a limit is passed.

A request counts by its list price when Together accepts it, and by what Together reports when that comes; one without
either is counted and not guessed. Days are UTC. It is written in the background and in bundles, and a library that fails
meanwhile loses some of the sum and nothing else. Pays nothing and stops nothing: that is what a ``SpendLimit`` is for::

    spending/together/2026-11-22/00000001.json    {"reported": "0.49", "estimated": "0.06", "unknown": 1, "passed": ["20"]}
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from prefect_together import catalog
from prefect_together._internal.event_loop import later
from prefect_together.catalog.money import dollars
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.group_commit import GroupCommitLog
from prefect_together.storage.storage import Storage

ROOT = "spending"
BUNDLE = 1.0
"""Seconds for which changes are gathered before an entry is written."""
_log = logging.getLogger("prefect.together")


@dataclass(frozen=True)
class SpendTotals:
    """Money, kept apart by what is known of it."""

    reported: Decimal = Decimal(0)
    """USD as Together reported them."""
    estimated: Decimal = Decimal(0)
    """USD by list price, of requests without a reported cost."""
    unknown: int = 0
    """Requests with neither; they may have cost anything, and are in no sum."""

    def __add__(self, other: SpendTotals) -> SpendTotals:
        return SpendTotals(self.reported + other.reported, self.estimated + other.estimated, self.unknown + other.unknown)

    def __sub__(self, other: SpendTotals) -> SpendTotals:
        return SpendTotals(self.reported - other.reported, self.estimated - other.estimated, self.unknown - other.unknown)

    @property
    def usd(self) -> Decimal:
        """What is known and estimated together."""
        return self.reported + self.estimated

    def entry(self) -> dict[str, Any]:
        """Return what an entry says of it."""
        return {"reported": str(self.reported), "estimated": str(self.estimated), "unknown": self.unknown}

    @classmethod
    def read(cls, entry: dict[str, Any]) -> SpendTotals:
        """Read it from an entry."""
        reported, estimated = Decimal(entry.get("reported", 0)), Decimal(entry.get("estimated", 0))
        return cls(reported, estimated, int(entry.get("unknown", 0)))


Passed = Callable[[str, SpendTotals], None]
"""Takes the day, and what has been spent in it, when that is more than the limit for the first time."""


class DailySpend:
    """Counts what is spent in one library from day to day. Use it on the background loop.

    Args:
        storage: The library.
        environment: Whose money it is: Together's, or that of a sandbox.
        limit: USD above which somebody is told.
        passed: Is told, once a day among all processes.
    """

    def __init__(self, storage: Storage, environment: str, limit: Decimal, passed: Passed) -> None:
        self._storage = storage
        self._environment = environment
        self._limit = limit
        self._passed = passed
        self._days: dict[str, GroupCommitLog[SpendTotals, SpendTotals | None]] = {}
        self._accepted: dict[str, tuple[str, SpendTotals]] = {}
        self._counting: set[asyncio.Task[None]] = set()

    @property
    def totals(self) -> SpendTotals:
        """What is spent today, as far as it is known here."""
        return SpendTotals.read(self._days[max(self._days)].last if self._days else {})

    def hear(self, event: LifecycleEvent) -> None:
        """Take what happened to a request into account; return at once."""
        job, result = event.job_id, event.result
        if event.what == "accepted":
            day, spent = _today(), _guessed(event)
            if job:
                self._accepted[job] = (day, spent)
            self._add(day, spent)
        elif event.what != "waiting" and job:
            known = self._accepted.pop(job, None)
            # A job that failed may have been charged: its list price stays.
            if known and result is not None and result.cost is not None:
                day, guessed = known  # the day on which it was accepted, and paid for
                self._add(day, SpendTotals(reported=result.cost) - guessed)
        elif event.what == "kept" and result is not None and result.cost is not None:  # it came with the answer
            self._add(_today(), SpendTotals(reported=result.cost) - _guessed(event))

    async def flush(self) -> None:
        """Wait until all that was heard is written, or could not be."""
        if self._counting:
            await asyncio.wait(self._counting)

    def _add(self, day: str, spent: SpendTotals) -> None:
        task = later(self._count(day, spent))
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    async def _count(self, day: str, spent: SpendTotals) -> None:
        """Write down one amount. Never raises: nobody waits for it."""
        try:
            passed = await asyncio.shield(self._entries_of(day).submit(spent))
            if passed:
                self._passed(day, passed)
        except Exception as error:  # whatever a library does: the sum decorates, and what is paid for goes on
            _log.warning("%s is missing in what was spent on %s: %s", dollars(spent.usd), day, error)

    def _entries_of(self, day: str) -> GroupCommitLog[SpendTotals, SpendTotals | None]:
        if day not in self._days:
            advice = "Look at it, or delete it: it is counted anew from there."
            log = AppendLog(self._storage, f"{ROOT}/{self._environment}/{day}", advice=advice)
            self._days[day] = GroupCommitLog(log, self._apply, gather=BUNDLE)
        return self._days[day]

    def _apply(
        self, last: dict[str, Any], changes: list[SpendTotals]
    ) -> tuple[dict[str, Any] | None, list[SpendTotals | None]]:
        """Return the next entry, and for the change that passes the limit the totals after it."""
        totals, limit = SpendTotals.read(last), f"{self._limit.normalize():f}"
        told: list[str] = list(last.get("passed", []))
        passed: list[SpendTotals | None] = []
        for change in changes:
            totals += change
            passes = totals.usd > self._limit and limit not in told
            if passes:
                told.append(limit)
            passed.append(totals if passes else None)
        return {**totals.entry(), "passed": told}, passed


def _guessed(event: LifecycleEvent) -> SpendTotals:
    """Return what a request counts as until something is reported: its list price."""
    price = catalog.estimate(event.request.model, event.request.given())
    return SpendTotals(unknown=1) if price is None else SpendTotals(estimated=price)


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()


_Days = dict[tuple[str, str, Decimal], DailySpend]
_days: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Days] = weakref.WeakKeyDictionary()


def spending(storage: Storage, environment: str, limit: Decimal, passed: Passed) -> DailySpend:
    """Return what counts a library's spending, the same for everybody in this process. Call it on the background loop."""
    days = _days.setdefault(asyncio.get_running_loop(), {})
    return days.setdefault((storage.url, environment, limit), DailySpend(storage, environment, limit, passed))
