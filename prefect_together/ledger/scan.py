"""Goes through a ledger by the names of its entries, some of them at a time, however many there are. Reads no entries.

Of a million attempts, those that begin with the same two digits are held at once: a few thousand.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from dataclasses import dataclass

from prefect_together.ledger.ledger import OPEN, ROOT, Attempt, State, attempts, entry_named
from prefect_together.ledger.pack_format import Name
from prefect_together.ledger.packs import ROOT as PACKED
from prefect_together.ledger.packs import Packs
from prefect_together.storage.storage import Storage

_DIGITS = 2
_CLAIMED = "-claimed.json"
_AHEAD = 3  # beginnings that are listed while somebody works on one
_OURS = re.compile(r"\w{2}")  # `leases`, `durations` and `packed` are beside them


@dataclass(frozen=True)
class Sighting:
    """An attempt, as names tell of it."""

    attempt: Attempt
    at: str = ""
    """When it was claimed, where a pack says so."""
    by: float = float("inf")
    """Seconds since 1970 by which it was claimed, where that was asked for: when its claim was written or copied there."""


Progress = Callable[[float], None]
"""Takes what part of the ledger has been gone through: 0 to 1."""


async def scan(
    storage: Storage,
    prefix: str = "",
    *,
    states: Collection[State] | None = None,
    timed: bool = False,
    progress: Progress | None = None,
) -> AsyncGenerator[list[Sighting], None]:
    """Yield the attempts of a library, those of one beginning at a time, sorted within it.

    What is settled is packed, so of a packed library what is open is found without looking into any pack.

    Args:
        storage: The library.
        prefix: Only requests whose fingerprint begins with this.
        states: Only attempts in these states; None is all.
        timed: Whether it is wanted by when they were claimed.
        progress: Hears how far it is.

    Raises:
        LibraryError: It cannot be listed, or a pack not be read.
    """
    beginnings = [name for name in await prefixes(storage) if name.startswith(prefix[:_DIGITS])]
    ahead: deque[asyncio.Task[list[Sighting]]] = deque()
    try:
        for done in range(len(beginnings)):
            while len(ahead) < _AHEAD and done + len(ahead) < len(beginnings):
                ahead.append(asyncio.create_task(_seen(storage, beginnings[done + len(ahead)], prefix, states, timed=timed)))
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


async def _seen(
    storage: Storage, beginning: str, prefix: str, states: Collection[State] | None, *, timed: bool
) -> list[Sighting]:
    small = await storage.listing(
        f"{ROOT}/{beginning}", prefix, timed=_CLAIMED if timed else None
    )  # before the pack: see `packs`
    known = list(attempts(key for key, _ in small))
    # What is packed is settled. Where no small entry speaks of anything open, nothing is.
    if states is not None and OPEN.issuperset(states) and not any(one.state in OPEN for one in known):
        return []
    packed = {one.name: one for one in await Packs.of(storage).names(beginning) if one.name[0].startswith(prefix)}
    if packed:
        known = list(attempts((key for key, _ in small), {name: one.events for name, one in packed.items()}))
    claimed: dict[Name, float] = {}
    for key, written in small if timed else ():
        if key.endswith(_CLAIMED) and (found := entry_named(key)):
            claimed[found[0]] = written
    return [
        Sighting(attempt, packed[attempt.name].at if attempt.name in packed else "", claimed.get(attempt.name, float("inf")))
        for attempt in known
        if states is None or attempt.state in states
    ]
