"""What a gallery shows of a library, however much that is: reads what is new, makes small pictures, lays out nothing.

Tiles are lines that sort by their time, the oldest first: when, the name of what they are of, their place, its state, JSON.
What was read is kept, so that the next call need not read it again: of a small library in the index, else by groups::

    gallery/index.json        the title, and the tiles of few; of many, a digest of each group
            tiles/7f.gz       the tiles of all attempts whose fingerprints begin with 7f
                  derived-7f.gz   … and of files that were made on this machine
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import zlib
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import unquote

from typing_extensions import Self

from prefect_together._internal.json import compact
from prefect_together._internal.sorted_lines import SortedLines
from prefect_together.errors import LibraryError, TogetherError
from prefect_together.generations.derived import DERIVED, DerivedMedia
from prefect_together.generations.formats import is_seen
from prefect_together.generations.kept_file import KeptFile
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.scan import Progress, scan
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage
from prefect_together.ui.gallery_items import Item, of_attempt, of_result, wanted
from prefect_together.ui.thumbnails import small_picture

INDEX = "gallery/index.json"
TILES = "gallery/tiles"
VERSION = 4
TITLE = "Gallery"
FEW = 200
"""Tiles that are one page."""
_LARGEST_INDEX = 4 * 1024 * 1024  # bytes: that of a release that kept all tiles in it is not held
_SIDE = 480
_LARGEST = 28 * 1024
_AT_ONCE = 16
_PLACES = 9999

_Known = dict[str, list[bytes]]
"""Lines by the name of what they are of."""


@dataclass(frozen=True)
class _Source:
    """What tiles are of: an attempt, or a file that was made on this machine."""

    key: str
    state: str
    attempt: Attempt | None = None


@dataclass
class Index:
    """What an earlier call has left."""

    title: str = TITLE
    few: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """The tiles of a small library: states and items by the names of what they are of."""
    groups: dict[str, str] = field(default_factory=dict[str, str])
    """Of a large one, what was there of each group."""


async def read_index(storage: Storage) -> Index:
    """Return what an earlier call has left; nothing but the title where it left that of another place or release."""
    try:
        if (await storage.size(INDEX) or 0) > _LARGEST_INDEX:
            return Index()
        index: Any = json.loads(await storage.read(INDEX))
        title = str(index.get("title") or TITLE)
        if (index["version"], index["root"]) != (VERSION, storage.url):  # tiles show where files are
            return Index(title)
        return Index(title, index["attempts"], index["groups"])
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return Index()


async def write_index(storage: Storage, index: Index) -> None:
    """Leave what was read to the next call."""
    known = {"version": VERSION, "root": storage.url, "title": index.title, "attempts": index.few, "groups": index.groups}
    await storage.write(INDEX, compact(known))


async def unchanged(storage: Storage, index: Index) -> bool:
    """Tell whether there is nothing but what was there when the groups of an index were read. Reads names only."""
    found = {name: _digest(sources) async for name, sources in _grouped(storage, None)}
    return found == index.groups


def item_of(line: bytes) -> bytes:
    """Return what a line shows, as JSON."""
    return line.split(b"\t", 4)[4][:-1]


class Tiles:
    """The tiles of a library, sorted; to be used in a ``with`` block.

    Args:
        storage: The library.
        index: What an earlier call has left.
    """

    def __init__(self, storage: Storage, index: Index) -> None:
        self.lines = SortedLines()
        """All of them, the oldest first."""
        self.count = 0
        self.groups: dict[str, str] = {}
        self._storage = storage
        self._ledger = Ledger(storage)
        self._index = index
        self._held: dict[str, list[bytes]] | None = {}  # None, once there are more than a few
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.__exit__()

    @property
    def few(self) -> bool:
        """Whether they are one page."""
        return self._held is not None

    async def take(self, progress: Progress | None) -> None:
        """Read all that there is.

        Raises:
            LibraryError: The library cannot be read or written.
        """
        async for name, sources in _grouped(self._storage, progress):
            known = await self._known(name)
            lines = [line for source in sources for line in known.get(source.key, []) if _is_of(line, source)]
            there = {line.split(b"\t", 2)[1].decode() for line in lines}
            fresh = [source for source in sources if source.key not in there]
            lines += [line for some in _slices(fresh) for found in await self._read_all(some) for line in found]
            self.groups[name] = _digest(sources) if all(map(_complete, lines)) else ""
            await self._keep(name, lines, changed=bool(fresh) or len(there) != len(known))

    def index(self) -> Index:
        """Return what to leave to the next call."""
        if self._held is None:
            return Index(self._index.title, groups=self.groups)
        few: dict[str, dict[str, Any]] = {}
        for line in sorted(line for lines in self._held.values() for line in lines):
            _, key, _, state, item = line.split(b"\t", 4)
            few.setdefault(key.decode(), {"state": state.decode(), "items": []})["items"].insert(0, json.loads(item))
        return Index(self._index.title, few=few)

    async def _keep(self, name: str, lines: list[bytes], *, changed: bool) -> None:
        for line in lines:
            self.lines.add(line)
        self.count += len(lines)
        if self._held is not None:
            self._held[name] = lines
            if self.count > FEW:
                held, self._held = self._held, None
                for one, some in held.items():
                    await self._write(one, some)
        elif changed or name not in self._index.groups:
            await self._write(name, lines)

    async def _write(self, name: str, lines: list[bytes]) -> None:
        data = await asyncio.to_thread(gzip.compress, b"".join(lines), 1)
        await self._storage.write(f"{TILES}/{name}.gz", data)

    async def _known(self, name: str) -> _Known:
        """Return what an earlier call has read of a group."""
        if name not in self._index.groups:
            few = self._index.few.items()
            return {key: list(lines_of(key, one["state"], one["items"])) for key, one in few if _group(key) == name}
        found: _Known = {}
        try:
            data = await asyncio.to_thread(gzip.decompress, await self._storage.read(f"{TILES}/{name}.gz"))
            for line in data.splitlines(keepends=True):
                found.setdefault(line.split(b"\t", 2)[1].decode(), []).append(line)
        except (FileNotFoundError, OSError, EOFError, zlib.error, IndexError, ValueError):
            return {}
        return found

    async def _read_all(self, sources: Iterable[_Source]) -> list[list[bytes]]:
        return await asyncio.gather(*map(self._read, sources))

    async def _read(self, source: _Source) -> list[bytes]:
        """Return the tiles of one source; none where it cannot be read, which must not keep others from being shown."""
        async with self._turns:
            try:
                items = await (self._of_attempt(source.attempt) if source.attempt else self._of_derived(source.key))
            except (TogetherError, FileNotFoundError, ValueError, KeyError):
                return []
            for item in items:
                await self._small(item)
        return list(lines_of(source.key, source.state, items))

    async def _of_attempt(self, attempt: Attempt) -> list[Item]:
        claim = await self._ledger.entry(attempt, "claimed") or {}
        entry = claim if attempt.state == "claimed" else await self._ledger.entry(attempt, attempt.state)
        return of_attempt(attempt, claim, entry or {}, self._storage.key)

    async def _of_derived(self, key: str) -> list[Item]:
        entry = json.loads(await self._storage.read(key))
        media = DerivedMedia.model_validate(to_addresses(entry["media"], self._storage))
        return [of_result(media, self._storage.key)]

    async def _small(self, item: Item) -> None:
        """Make the small picture of a tile, where it can be made."""
        if not item.get("href"):
            return
        key, file = f"gallery/small/{item['sha'][:32]}.webp", _file(self._storage, item)
        try:
            if not is_seen(file.media_type):
                item["thumb"] = ""
                return
            if await self._storage.size(key) is None:
                picture = await asyncio.to_thread(small_picture, file, side=_SIDE, largest=_LARGEST)
                if picture is None:
                    return  # without Pillow the page shows the files themselves; the next call may be luckier
                await self._storage.write(key, picture)
            item["thumb"] = key
        except LibraryError:
            raise
        except Exception:  # a file that cannot be drawn is shown by its words
            item["thumb"] = ""


async def _grouped(storage: Storage, progress: Progress | None) -> AsyncGenerator[tuple[str, list[_Source]], None]:
    """Yield what tiles are of, group by group."""
    async for seen in scan(storage, progress=progress):
        shown = [_Source(one.attempt.key, one.attempt.state, one.attempt) for one in seen if wanted(one.attempt)]
        if shown:
            yield _group(shown[0].key), shown
    made = (key for key in await storage.names(DERIVED) if key.endswith(".json"))
    for name, keys in groupby(made, _group):
        yield name, [_Source(key, "stored") for key in keys]


def _group(key: str) -> str:
    """Return the group of what has this name."""
    return f"derived-{key[len(DERIVED) + 1 :][:2]}" if key.startswith(f"{DERIVED}/") else key[:2]


def _digest(sources: Iterable[_Source]) -> str:
    return hashlib.sha256("\n".join(sorted(f"{one.key} {one.state}" for one in sources)).encode()).hexdigest()[:16]


def lines_of(key: str, state: str, items: list[Item]) -> Iterator[bytes]:
    """Yield tiles as lines; of those of the same time, the first is shown first, as the newest one."""
    for place, item in enumerate(items):
        when = "".join(str(item.get("when") or "").split())
        yield f"{when}\t{key}\t{_PLACES - place:04d}\t{state}\t".encode() + compact(item) + b"\n"


def _is_of(line: bytes, source: _Source) -> bool:
    return line.split(b"\t", 4)[3].decode() == source.state and _complete(line)


def _complete(line: bytes) -> bool:
    """Tell whether a tile has its small picture, or can have none."""
    return b'"href":' not in line or b'"thumb":' in line


def _slices(sources: list[_Source]) -> Iterator[list[_Source]]:
    for begin in range(0, len(sources), 4 * _AT_ONCE):
        yield sources[begin : begin + 4 * _AT_ONCE]


def _file(storage: Storage, item: Item) -> KeptFile:
    href = str(item["href"])
    return KeptFile(
        uri=href if "://" in href else storage.uri(unquote(href)),
        sha256=item["sha"],
        size=item["bytes"],
        media_type=f"{item['kind']}/*",
        created_at=item["when"],
    )
