"""Looks into the packs of a ledger, in which settled attempts are kept together. Writes none: see ``packing``.

Of all requests whose fingerprints begin with the same two digits there is one pack that counts, the last one::

    ledger/packed/7f/00000001.gz     removed when all that it had is in the next one
                     00000002.gz     … with what was settled since

A pack is written before the small entries that are in it are removed. So whoever looks for small entries *first* and into
the pack *then* misses none, whenever others pack; the other way round would miss what was packed in between.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict

from prefect_together.ledger.pack_format import (
    END,
    Entries,
    Name,
    PackIndex,
    attempts_at,
    index_at,
    lines_of,
    names_of,
)
from prefect_together.storage.storage import Storage

ROOT = "ledger/packed"
SUFFIX = ".gz"
_BLOCKS = 64  # that are held: whoever asks for a request asks for its entries next

_here: weakref.WeakKeyDictionary[Storage, Packs] = weakref.WeakKeyDictionary()


class Packs:
    """The packs of one library, as far as this process has looked into them."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._indexes: dict[str, PackIndex] = {}
        self._blocks: OrderedDict[tuple[str, int], list[bytes]] = OrderedDict()

    @classmethod
    def of(cls, storage: Storage) -> Packs:
        """Return the packs of a library: the same object for everybody in this process."""
        return _here.setdefault(storage, cls(storage))

    async def last(self, prefix: str) -> str | None:
        """Return the key of the pack that counts for some first two digits, as it is now; None where there is none."""
        # Most libraries have none, and are asked for every entry. A folder that there is never becomes empty again.
        if not await self._storage.may_hold(f"{ROOT}/{prefix}"):
            return None
        # A folder that changes while it is listed may show neither the old one nor the new one; twice it does not.
        found = await self.all(prefix) or await self.all(prefix)
        return found[-1] if found else None

    async def all(self, prefix: str) -> list[str]:
        """Return the keys of all packs that there are for some first two digits, the one that counts last."""
        folder = f"{ROOT}/{prefix}"
        return [f"{folder}/{name}" for name in (await self._storage.children(folder))[1] if name.endswith(SUFFIX)]

    async def at(self, fingerprint: str) -> list[tuple[Name, Entries]]:
        """Return the attempts at a request that are packed. Look for its small entries before.

        Raises:
            LibraryError: A pack cannot be read.
        """
        while (key := await self.last(fingerprint[:2])) is not None:
            try:
                return await self._in(key, fingerprint)
            except FileNotFoundError:  # noqa: PERF203 - another one has taken its place meanwhile
                continue
        return []

    async def names(self, prefix: str) -> list[str]:
        """Return what is packed for some first two digits, as ``names_of`` does; raises and is called as ``at``."""
        while (key := await self.last(prefix)) is not None:
            try:
                return names_of(key, await self._index_bytes(key))
            except FileNotFoundError:  # noqa: PERF203 - as above
                continue
        return []

    async def _in(self, key: str, fingerprint: str) -> list[tuple[Name, Entries]]:
        index = self._indexes.get(key)
        if index is None:
            index = PackIndex(key, await self._index_bytes(key))
            for older in [known for known in self._indexes if known.startswith(key.rpartition("/")[0])]:
                self._indexes.pop(older, None)
            self._indexes[key] = index
        place = index.block_of(fingerprint)
        if place is None:
            return []
        lines = self._blocks.get((key, place[0]))
        if lines is None:
            lines = self._blocks[key, place[0]] = lines_of(key, await self._storage.read_range(key, *place))
            while len(self._blocks) > _BLOCKS:
                self._blocks.popitem(last=False)
        return attempts_at(lines, fingerprint)

    async def _index_bytes(self, key: str) -> bytes:
        size = await self._storage.size(key)
        if size is None:
            raise FileNotFoundError(key)
        begin = index_at(key, await self._storage.read_range(key, max(0, size - END), END))
        return await self._storage.read_range(key, begin, size - END - begin)
