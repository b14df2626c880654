"""Packs what is settled: many small entries become one object, in which all finds them as before. Changes no attempt.

For the requests of each first two digits, one after the other:

1. The small entries are listed, and those of settled attempts read.
2. They are written together with what was packed before as the next pack, created only if nobody else did.
3. The small entries that are in it are removed, and then the packs before it.

Whoever dies in between leaves entries that are in a pack as well. They say the same, and the next one removes them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from prefect_together.errors import LibraryError
from prefect_together.ledger.leases import one_at_a_time
from prefect_together.ledger.ledger import OPEN, ROOT, Attempt, Ledger, attempts, decode, entry_named
from prefect_together.ledger.pack_format import (
    Entries,
    Name,
    PackIndex,
    PackWriter,
    index_in,
    lines_of,
    merged,
    names_of,
    read_attempt,
    read_name,
)
from prefect_together.ledger.packs import ROOT as PACKED
from prefect_together.ledger.packs import SUFFIX, Packs
from prefect_together.ledger.scan import Progress, prefixes
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")
_AT_ONCE = 256
_NONE: frozenset[str] = frozenset()
_WORK = Attempt("packing", "packing", 1)
_NEVER_PACKED = frozenset({"lease"})  # it is overwritten, and means nothing once an attempt is settled
_LEAST = 64
_SHARE = 8
"""What is worth a new pack, where not all has to be packed: so many attempts, and one for so many that are packed."""


@dataclass
class Packing:
    """What was packed."""

    attempts: int = 0
    """Attempts that are in packs now and were not before."""
    removed: int = 0
    """Small objects that are gone."""
    busy: bool = False
    """Whether another process was packing already, and nothing was done."""


async def pack(storage: Storage, *, everything: bool = True, progress: Progress | None = None) -> Packing:
    """Pack what is settled.

    Args:
        storage: The library.
        everything: Otherwise what is not worth a new pack yet stays as it is.
        progress: Hears what part of the ledger has been gone through: 0 to 1.

    Raises:
        LibraryError: It cannot be read or written.
    """
    ledger, done = Ledger(storage), Packing()
    # Two at once would be right as well, and do the same work twice: of those who write the same pack, one wins.
    async with one_at_a_time(ledger, _WORK) as ours:
        done.busy = not ours
        beginnings = await prefixes(storage) if ours else []
        for number, beginning in enumerate(beginnings, 1):
            await PrefixPacker(ledger, beginning, done, everything=everything).pack()
            if progress:
                progress(number / len(beginnings))
    return done


class PrefixPacker:
    """The requests whose fingerprints begin with the same two digits."""

    def __init__(self, ledger: Ledger, beginning: str, done: Packing, *, everything: bool) -> None:
        self._ledger = ledger
        self._storage = ledger.storage
        self._beginning = beginning
        self._done = done
        self._everything = everything

    async def pack(self) -> None:
        """Pack them."""
        while True:
            small = [key for key, _ in await self._storage.listing(f"{ROOT}/{self._beginning}")]  # before the packs
            packs = await Packs.of(self._storage).all(self._beginning)
            try:
                older = await self._storage.read(packs[-1]) if packs and small else b""
            except FileNotFoundError:  # somebody else wrote the next one
                continue
            if await self._packed(small, packs, older):
                return

    async def _packed(self, small: list[str], packs: list[str], older: bytes) -> bool:
        """Pack what was seen; return False, with nothing removed, where others changed something meanwhile."""
        keys = _by_attempt(small)
        known = _known(packs[-1], older) if older else {}
        settled = [one for one in attempts(small, known) if one.state not in OPEN and one.name in keys]
        fresh = [one for one in settled if not known.get(one.name, _NONE).issuperset(keys[one.name].keys() - _NEVER_PACKED)]
        if fresh and (self._everything or len(fresh) >= max(_LEAST, len(known) // _SHARE)):
            entries = await self._entries(fresh, keys)
            if entries is None:
                return False
            if entries:  # of some nothing can be read
                packs = await self._write(packs, older, entries, known)
                if not packs:
                    return False
                self._done.attempts += len(entries)
        await self._remove(known, keys)
        await self._storage.remove(packs[:-1])
        self._done.removed += len(packs[:-1])
        return True

    async def _write(
        self, packs: list[str], older: bytes, entries: dict[Name, Entries], known: dict[Name, frozenset[str]]
    ) -> list[str]:
        """Write the next pack; return all packs, the one that counts last, or none where others were quicker."""
        writer = PackWriter()
        for name, packed in merged(_attempts_of(packs[-1], older) if packs else (), entries.items()):
            writer.add(name, packed)
            known[name] = frozenset(packed)
        number = int(packs[-1].rpartition("/")[2].removesuffix(SUFFIX)) + 1 if packs else 1
        key = f"{PACKED}/{self._beginning}/{number:08d}{SUFFIX}"
        if not await self._storage.create(key, writer.finish()):
            return []
        packs = await self._all()
        return packs if packs[-1:] == [key] else []  # it was slow: others have packed twice meanwhile, without what it has

    async def _all(self) -> list[str]:
        """Return the keys of all packs, the one that counts last.

        Twice, for a folder that changes while it is listed may show neither a pack nor the one that takes its place: what is
        removed must be in a pack that no later one has replaced without it.
        """
        packs = Packs.of(self._storage)
        return sorted({*await packs.all(self._beginning), *await packs.all(self._beginning)})

    async def _entries(self, fresh: list[Attempt], keys: _Keys) -> dict[Name, Entries] | None:
        """Return the small entries of attempts, sorted; None where one is gone. Those with one that is broken stay small."""
        found: dict[Name, Entries] = {}
        for begin in range(0, len(fresh), _AT_ONCE):
            some = fresh[begin : begin + _AT_ONCE]
            events = [
                (one, *pair) for one in some for pair in sorted(keys[one.name].items()) if pair[0] not in _NEVER_PACKED
            ]
            read = await self._storage.read_all([key for _, _, key in events])
            broken: set[Name] = set()
            for (one, event, key), data in zip(events, read, strict=True):
                if data is None:  # another one packed it meanwhile
                    return None
                try:
                    found.setdefault(one.name, {})[event] = decode(key, data)
                except LibraryError as error:
                    _log.warning("%s %s is not packed.", error.what, one.key)
                    broken.add(one.name)
            found = {name: entries for name, entries in found.items() if name not in broken} if broken else found
        return found

    async def _remove(self, known: dict[Name, frozenset[str]], keys: _Keys) -> None:
        """Remove the small entries that are packed, and the leases of their attempts."""
        gone: list[str] = []
        for name, events in keys.items():
            packed = known.get(name, _NONE)
            if packed and packed.issuperset(events.keys() - _NEVER_PACKED):
                gone += events.values()
        await self._storage.remove(gone)
        self._done.removed += len(gone)


_Keys = dict[Name, dict[str, str]]
"""The keys of small entries, by their attempts and events."""


def _by_attempt(small: list[str]) -> _Keys:
    found: _Keys = {}
    for key in small:
        if named := entry_named(key):
            found.setdefault(named[0], {})[named[1]] = key
    return found


def _known(key: str, pack: bytes) -> dict[Name, frozenset[str]]:
    """Return which entries of which attempts are in a pack."""
    lines = (line.split("\t") for line in names_of(key, index_in(key, pack)))
    return {read_name(name): frozenset(events.split(",")) for name, _, events in lines}


def _attempts_of(key: str, pack: bytes) -> Iterator[tuple[Name, Entries]]:
    """Yield the attempts of a pack, a block at a time."""
    for begin, length, _ in PackIndex(key, index_in(key, pack)).blocks:
        yield from map(read_attempt, lines_of(key, pack[begin : begin + length]))
