"""Goes through a ledger by the names of its entries, some of them at a time, however many there are. Reads no entries.

Of a million attempts, those that begin with the same two digits are held at once: a few thousand.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from dataclasses import dataclass, replace

from prefect_together.ledger.ledger import OPEN, ROOT, Attempt, State, attempts, entry_named
from prefect_together.ledger.pack_format import read_name, written_name
from prefect_together.ledger.packs import ROOT as PACKED
from prefect_together.ledger.packs import Packs
from prefect_together.storage.storage import Storage

_DIGITS = 2
_CLAIMED = "-claimed.json"
_ANY_TIME = float("inf")
_AHEAD = 3  # beginnings that are listed while somebody works on one
_OURS = re.compile(r"\w{2}")  # `leases`, `durations` and `packed` are beside them


@dataclass(frozen=True)
class Sighting:
    """An attempt, as names tell of it."""

    attempt: Attempt
    at: float | None = None
    """When it was claimed (seconds since 1970), where a pack says so."""
    by: float = _ANY_TIME
    """Seconds since 1970 by which it was claimed, where that was asked for: when its claim was written or copied there."""


@dataclass(frozen=True)
class _Wanted:
    prefix: str
    states: Collection[State] | None
    least: Callable[[], float] | None


Progress = Callable[[float], None]
"""Takes what part of the ledger has been gone through: 0 to 1."""


async def scan(
    storage: Storage,
    prefix: str = "",
    *,
    states: Collection[State] | None = None,
    least: Callable[[], float] | None = None,
    progress: Progress | None = None,
) -> AsyncGenerator[list[Sighting], None]:
    """Yield the attempts of a library, those of one beginning at a time, sorted within it.

    What is settled is packed, so of a packed library what is open is found without looking into any pack.

    Args:
        storage: The library.
        prefix: Only requests whose fingerprint begins with this.
        states: Only attempts in these states; None is all.
        least: Where it is wanted when they were claimed: returns how new one has to be at least (seconds since 1970), as far
            as is known by then; some that are older may come all the same.
        progress: Hears how far it is.

    Raises:
        LibraryError: It cannot be listed, or a pack not be read.
    """
    beginnings = [name for name in await prefixes(storage) if name.startswith(prefix[:_DIGITS])]
    wanted = _Wanted(prefix, states, least)
    ahead: deque[asyncio.Task[list[Sighting]]] = deque()
    try:
        for done in range(len(beginnings)):
            while len(ahead) < _AHEAD and done + len(ahead) < len(beginnings):
                ahead.append(asyncio.create_task(_seen(storage, beginnings[done + len(ahead)], wanted)))
            yield await ahead.popleft()
            if progress:
                progress((done + 1) / len(beginnings))
    finally:
        for task in ahead:
            task.cancel()


async def prefixes(storage: Storage) -> list[str]:
    """Return the first two digits of all requests that there are, sorted."""
    small, _ = await storage.children(ROOT)
    packed, _ = await storage.children(PACKED)
    return sorted({name for name in (*small, *packed) if _OURS.fullmatch(name)})


async def _seen(storage: Storage, beginning: str, wanted: _Wanted) -> list[Sighting]:
    # Small entries before the pack: see `packs`.
    small = await storage.listing(f"{ROOT}/{beginning}", wanted.prefix, timed=_CLAIMED if wanted.least else None)
    known = {written_name(one.name): one for one in attempts(key for key, _ in small)}
    # What is packed is settled. Where no small entry speaks of anything open, nothing is.
    if wanted.states and OPEN.issuperset(wanted.states) and not any(one.state in OPEN for one in known.values()):
        return []
    lines = await Packs.of(storage).names(beginning)
    timed = small if wanted.least else ()
    claimed = {found[0]: at for key, at in timed if key.endswith(_CLAIMED) and (found := entry_named(key))}
    both = {name: (at, events) for name, at, events in map(_split, lines) if name in known}
    found = [Sighting(one, by=claimed.get(one.name, _ANY_TIME)) for name, one in known.items() if name not in both]
    for name, (at, events) in both.items():
        packed = frozenset(events.split(","))
        one = replace(known[name], events=known[name].events | packed, packed=packed)
        found.append(Sighting(one, float(at)))
    found = [one for one in found if wanted.states is None or one.attempt.state in wanted.states]
    return found + list(_packed(lines, known, wanted))


def _packed(lines: list[str], known: Collection[str], wanted: _Wanted) -> Iterator[Sighting]:
    """Yield what is packed and has no small entries; of what is not wanted, nothing is made but a comparison."""
    least = wanted.least() if wanted.least else -_ANY_TIME
    states: dict[str, tuple[frozenset[str], bool]] = {}  # there are few combinations
    for name, at, events in map(_split, lines):
        if events not in states:
            packed = frozenset(events.split(","))
            state = Attempt("", "", 0, packed).state
            states[events] = packed, wanted.states is None or state in wanted.states
        packed, good = states[events]
        if good and float(at) >= least and name not in known and name.startswith(wanted.prefix):
            yield Sighting(Attempt(*read_name(name), packed, packed), float(at))


def _split(line: str) -> list[str]:
    return line.split("\t")
