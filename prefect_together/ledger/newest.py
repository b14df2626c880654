"""Puts attempts into the order of their claims, newest first, however many there are: all but some are held on the disk.

Names of small entries say nothing of when. Their claims do, and a claim is never newer than its file; so where only the
newest few are wanted, or those since some day, most claims need not be read.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from typing_extensions import Self

from prefect_together._internal.sorted_lines import SortedLines
from prefect_together.errors import LibraryError
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.pack_format import read_name, stamp_of
from prefect_together.ledger.scan import Sighting
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")
_AT_ONCE = 64
_CLOCKS = 120.0  # seconds by which the clocks of machines and stores may differ
_HEAD = 200  # bytes of a claim, which begins with its version and time
_AT = re.compile(rb'"at": ?"([^"]+)"')

_Held = tuple[float, bytes]
"""When it was claimed; and the line that sorts by that, with its key, its entries, and those of them that are packed."""


class NewestFirst:
    """Takes attempts in any order and hands them out by the time of their claims; to be used in a ``with`` block.

    Args:
        storage: The library.
        since: Only those that were claimed then or later; None is all.
        limit: Only the newest so many; None is all.
    """

    def __init__(self, storage: Storage, since: datetime | None, limit: int | None) -> None:
        self._storage = storage
        self._ledger = Ledger(storage)
        self._since = stamp_of(since.isoformat()) if since else float("-inf")
        self._limit = limit
        self._held: list[_Held] = []  # where so many are wanted
        self._all = SortedLines(reverse=True)  # where all are

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._all.__exit__()

    async def take(self, seen: Iterable[Sighting]) -> None:
        """Take some attempts.

        Raises:
            LibraryError: The library cannot be read.
        """
        known = sorted(((_latest(one), one) for one in seen), key=lambda pair: pair[0], reverse=True)
        for begin in range(0, len(known), _AT_ONCE):
            some = [one for latest, one in known[begin : begin + _AT_ONCE] if latest >= self.least()]
            if not some:
                return  # the newest of the rest is too old, and so are all others
            for one, at in zip(some, await self._times(some), strict=True):
                if at is not None and at >= self.least():
                    self._hold(at, _written(at, one.attempt))

    def hand_out(self) -> Iterator[Attempt]:
        """Yield what was taken, the newest first."""
        return map(_read, self._all if self._limit is None else (line for _, line in sorted(self._held, reverse=True)))

    def least(self) -> float:
        """Return how new an attempt has to be at least."""
        full = self._limit is not None and len(self._held) >= self._limit
        return max(self._since, self._held[0][0]) if full else self._since

    def _hold(self, at: float, line: bytes) -> None:
        if self._limit is None:
            self._all.add(line)
        elif len(self._held) < self._limit:
            heapq.heappush(self._held, (at, line))
        else:
            heapq.heappushpop(self._held, (at, line))

    async def _times(self, seen: list[Sighting]) -> list[float | None]:
        """Return when each was claimed; None where that cannot be read."""
        if self._storage.folder:  # a disk answers at once, and tasks would cost more than it does
            return [await self._time(one) for one in seen]
        return await asyncio.gather(*map(self._time, seen))

    async def _time(self, one: Sighting) -> float | None:
        if one.at is not None:
            return one.at
        try:
            head = await self._storage.read_range(f"{one.attempt.prefix}-claimed.json", 0, _HEAD)
            if found := _AT.search(head):
                return stamp_of(found[1].decode())
        except FileNotFoundError:
            pass  # it was packed meanwhile, where the ledger finds it, or is gone
        try:
            claim = await self._ledger.entry(one.attempt, "claimed") or {}
            return stamp_of(str(claim["at"]))
        except (LibraryError, KeyError, ValueError) as error:  # one broken entry must not hide all the others
            _log.warning("%s is left out: %s", one.attempt.key, getattr(error, "what", "its claim does not say when"))
            return None


def _latest(one: Sighting) -> float:
    """Return when an attempt was claimed at the latest."""
    return one.by + _CLOCKS if one.at is None else one.at


def _written(at: float, attempt: Attempt) -> bytes:
    events, packed = ",".join(sorted(attempt.events)), ",".join(sorted(attempt.packed))
    return f"{at:020.6f}\t{attempt.key}\t{events}\t{packed}\n".encode()


def _read(line: bytes) -> Attempt:
    _, key, events, packed = line.decode().rstrip("\n").split("\t")
    return Attempt(*read_name(key), frozenset(events.split(",")), frozenset(filter(None, packed.split(","))))
