"""Puts attempts into the order of their claims, newest first, however many there are: all but some are held on the disk.

Names of small entries say nothing of when. Their claims do, and a claim is never newer than its file; so where only the
newest few are wanted, or those since some day, most claims need not be read.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import IO

from typing_extensions import Self

from prefect_together.errors import LibraryError
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.pack_format import read_name, stamp_of
from prefect_together.ledger.scan import Sighting
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")
_RUN = 20_000  # attempts that are sorted in memory
_AT_ONCE = 64
_CLOCKS = 120.0  # seconds by which the clocks of machines and stores may differ
_HEAD = 200  # bytes of a claim, which begins with its version and time
_AT = re.compile(rb'"at": ?"([^"]+)"')

_Line = tuple[float, str, str, str]
"""When it was claimed, its key, its entries, and those of them that are packed."""


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
        self._held: list[_Line] = []
        self._runs: list[IO[str]] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

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
                    attempt = one.attempt
                    self._hold((at, attempt.key, ",".join(sorted(attempt.events)), ",".join(sorted(attempt.packed))))

    def hand_out(self) -> Iterator[Attempt]:
        """Yield what was taken, the newest first."""
        self._held.sort(reverse=True)
        runs = [map(_read, run) for run in self._runs]
        for _, key, events, packed in heapq.merge(*runs, self._held, reverse=True):
            yield Attempt(*read_name(key), frozenset(events.split(",")), frozenset(filter(None, packed.split(","))))

    def least(self) -> float:
        """Return how new an attempt has to be at least."""
        full = self._limit is not None and len(self._held) >= self._limit
        return max(self._since, self._held[0][0]) if full else self._since

    def _hold(self, line: _Line) -> None:
        if self._limit is not None:
            if len(self._held) < self._limit:
                heapq.heappush(self._held, line)
            else:
                heapq.heappushpop(self._held, line)
            return
        self._held.append(line)
        if len(self._held) >= _RUN:
            file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - the next line does
            run = self._open.enter_context(file)
            run.writelines(_written(held) for held in sorted(self._held, reverse=True))
            run.seek(0)
            self._runs.append(run)
            self._held = []

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
        except FileNotFoundError:  # it was packed meanwhile, or is gone
            pass
        try:
            claim = await self._ledger.entry(one.attempt, "claimed") or {}
            return stamp_of(str(claim["at"]))
        except (LibraryError, KeyError, ValueError) as error:  # one broken entry must not hide all the others
            _log.warning("%s is left out: %s", one.attempt.key, getattr(error, "what", "its claim does not say when"))
            return None


def _latest(one: Sighting) -> float:
    """Return when an attempt was claimed at the latest."""
    return one.by + _CLOCKS if one.at is None else one.at


def _written(line: _Line) -> str:
    return "\t".join([repr(line[0]), *line[1:]]) + "\n"


def _read(line: str) -> _Line:
    at, key, events, packed = line.rstrip("\n").split("\t")
    return float(at), key, events, packed
