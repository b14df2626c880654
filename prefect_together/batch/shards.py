"""The shards of a run that several processes share: claimed, done, taken over from the dead. Runs no request.

A shard only saves work: that nothing is paid twice rests on the ledger's entry of each row. Whoever wins the claim runs the
rows; a claim whose process is gone is followed by another one, which takes what the first one left::

    batches/<name>/<run>/000012-0001-claimed.json    who works on shard 12
                         000012-0001-000003.jsonl    the third part of its lines, while it does
                         000012-0001.jsonl           all its lines, in order
                         000012-done.json            whose lines count, and what they add up to

The shard behind the last one has no rows: whoever claims it makes one manifest of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from prefect_together._internal.json import compact, read
from prefect_together.batch.conclusion import Conclusion, conclusion
from prefect_together.batch.manifest import write
from prefect_together.batch.results import GOOD
from prefect_together.batch.run_log import Members, Run
from prefect_together.batch.shard_lines import ShardLines
from prefect_together.batch.totals import Totals
from prefect_together.errors import LibraryError
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage

LOOK_AGAIN = 0.5
"""Seconds between looks at shards that others work on."""


@dataclass(frozen=True)
class Shard:
    """A shard that this process has claimed."""

    number: int
    """From 0."""
    claim: int
    """From 1: how many have claimed it, with this one."""
    numbers: range
    """The numbers of its rows; empty for the one behind the last."""


@dataclass
class _Seen:
    """What stands in the library of one shard."""

    claims: list[int] = field(default_factory=list[int])
    parts: list[str] = field(default_factory=list[str])
    done: bool = False


class Shards:
    """The shards of one run.

    Args:
        storage: The library.
        run: The run.
        members: Those who take part.
    """

    def __init__(self, storage: Storage, run: Run, members: Members) -> None:
        self.run = run
        self._storage = storage
        self._members = members
        self._owners: dict[tuple[int, int], str] = {}
        self._mine: set[int] = set()
        self._done: set[int] = set()
        self._finished: set[int] = set()

    @property
    def count(self) -> int:
        """How many shards there are."""
        return -(-self.run.rows // self.run.size)

    def done_elsewhere(self) -> int:
        """Return how many rows others have done, as far as this process has seen."""
        return min(len(self._done - self._finished) * self.run.size, self.run.rows)

    def prefix(self, shard: Shard) -> str:
        """Return what the keys of a shard's lines begin with."""
        return f"{self.run.key}/{shard.number:06d}-{shard.claim:04d}"

    async def claim(self) -> Shard | None:
        """Claim a shard; return None where the run has come to its end.

        Waits while others work on all that is left.

        Raises:
            LibraryError: The library cannot be read or written.
        """
        while await conclusion(self._storage, self.run.key) is None:
            if shard := await self._claimed(await self._look()):
                if await conclusion(self._storage, self.run.key) is None:
                    return shard
                # Others have ended the run meanwhile, and removed what it consisted of: so the claim was to be had.
                await self._storage.remove([f"{self.prefix(shard)}-claimed.json"])
                return None
            await asyncio.sleep(LOOK_AGAIN)
        return None

    async def _claimed(self, seen: dict[int, _Seen]) -> Shard | None:
        """Claim one of the shards that are free, or whose process is dead."""
        open_shards = [number for number in range(self.count) if not seen[number].done] or [self.count]
        for number in open_shards:
            if not seen[number].claims and (shard := await self._try(number, 1)):
                return shard
        for number in open_shards:
            if shard := await self._taken_over(number, seen[number]):
                return shard
        return None

    async def left(self, shard: Shard) -> dict[int, dict[str, Any]]:
        """Return the lines that the dead left of a shard, by row: of those that have what was asked for."""
        found: dict[int, dict[str, Any]] = {}
        if shard.claim == 1:
            return found
        for key in (await self._look())[shard.number].parts:
            with suppress(FileNotFoundError):  # who was taken for dead has ended it: its rows are in the ledger
                for line in (await self._storage.read(key)).splitlines():
                    known = to_addresses(read(line), self._storage)
                    if known["outcome"] in GOOD:
                        found[known["row"]] = known
        return found

    async def finish(self, shard: Shard, lines: ShardLines) -> None:
        """Write down what came of a shard; where somebody else has done so before, that counts.

        Raises:
            LibraryError: It cannot be written.
        """
        await write(self._storage, self.prefix(shard), lines, None)
        done = compact({"claim": shard.claim, "totals": lines.totals.model_dump(mode="json")})
        await self._storage.create(f"{self.run.key}/{shard.number:06d}-done.json", done)
        await lines.forget_parts()
        self._mine.discard(shard.number)
        self._finished.add(shard.number)

    async def conclude(self, shard: Shard, end: Callable[[Totals, Lines], Awaitable[Conclusion]]) -> bool:
        """Make one manifest of all shards; return False where others have made it meanwhile, and removed the shards.

        Args:
            shard: The one behind the last.
            end: Is given what all add up to and their lines; writes the manifest, and returns how the run ended.

        Raises:
            LibraryError: The library cannot be read or written.
        """
        totals, sources = Totals(), list[str]()
        try:
            for number in range(self.count):
                done = read(await self._storage.read(f"{self.run.key}/{number:06d}-done.json"))
                totals.add(Totals.model_validate(done["totals"]))
                sources.append(f"{self.run.key}/{number:06d}-{done['claim']:04d}.jsonl")
            ended = await end(totals, Lines(self._storage, sources))
        except FileNotFoundError as error:
            if await conclusion(self._storage, self.run.key) is None:
                what = f"What came of a shard is gone from {self.run.key}."
                raise LibraryError(what, advice="Run it again: what is kept is reused.") from error
            return False
        await ended.write(self._storage, self.run.key)
        self._mine.discard(shard.number)
        return True

    async def _try(self, number: int, claim: int) -> Shard | None:
        key = f"{self.run.key}/{number:06d}-{claim:04d}-claimed.json"
        won = await self._storage.create(key, compact({"member": self._members.me}))
        # An object store that repeats its own write may report our own entry as somebody else's.
        if not won and await self._owner(number, claim) != self._members.me:
            return None
        self._mine.add(number)
        first = number * self.run.size + 1
        return Shard(number, claim, range(first, min(first + self.run.size, self.run.rows + 1)))

    async def _taken_over(self, number: int, seen: _Seen) -> Shard | None:
        """Claim a shard whose last claim is that of a dead process."""
        if number in self._mine or not seen.claims:
            return None
        last = max(seen.claims)
        owner = await self._owner(number, last)
        if owner is None or not await self._members.gone(owner):
            return None
        return await self._try(number, last + 1)

    async def _owner(self, number: int, claim: int) -> str | None:
        """Return who made a claim; None where it is gone, as all of a run is that has ended."""
        known = self._owners.get((number, claim))
        if known is None:
            try:
                entry = read(await self._storage.read(f"{self.run.key}/{number:06d}-{claim:04d}-claimed.json"))
            except FileNotFoundError:
                return None
            known = self._owners[number, claim] = str(entry["member"])
        return known

    async def _look(self) -> dict[int, _Seen]:
        seen = {number: _Seen() for number in range(self.count + 1)}
        names = await self._storage.names(self.run.key)
        for name in names:
            number, _, rest = name.rpartition("/")[2].partition("-")
            one = seen.get(int(number)) if number.isdecimal() else None
            if one is None:
                continue
            if rest == "done.json":
                one.done = True
            elif rest.endswith("-claimed.json"):
                one.claims.append(int(rest[:4]))
            elif rest.endswith(".jsonl"):
                one.parts.append(name)
        self._done = {number for number, one in seen.items() if one.done}
        return seen


class Lines:
    """The lines of a whole run, as they stand in the manifests of its shards."""

    def __init__(self, storage: Storage, keys: list[str]) -> None:
        self._storage = storage
        self._keys = keys

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield them as they are, some at a time."""
        for key in self._keys:
            yield await self._storage.read(key)

    async def each(self) -> AsyncIterator[dict[str, Any]]:
        """Yield them one by one."""
        async for chunk in self.chunks():
            for line in chunk.splitlines():
                yield read(line)
