"""A large gallery as pages, the oldest first, and what says which page holds what. Reads no library, and writes none.

A page is a script that hands its tiles to ``gallery.html``, since what was opened as a file may load scripts, no data. Its
name has a hash of it, so a page that stays as it is keeps its name, and an older ``gallery.html`` never gets a newer page::

    gallery/pages/000/000012-1a2b3c4d5e6f.js    the thirteenth page
                  words/000-1a2b3c4d5e6f.js     which words there are on the pages 0 to 31
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from prefect_together._internal.json import compact
from prefect_together.ui.gallery_relations import related
from prefect_together.ui.gallery_tiles import item_of

PAGES = "gallery/pages"
_TILES = 500  # of a page
_BYTES = 1024 * 1024  # of a page
_AT_ONCE = 100  # tiles that are shown before any page is loaded; where the last page has fewer, that before it is there too
_WORDS = 32  # pages whose words are in one file
_RUNS = 1000  # flow runs that can be chosen
_SORT = ("made", "noun", "kind", "model", "state", "how", "sandbox")
"""What tiles are counted and chosen by."""

File = tuple[str, bytes]
"""The key of an object, and what is in it."""


class Pages:
    """Lays out tiles as pages.

    Args:
        lines: The tiles as sorted lines, which are gone through more than once.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._sorts: dict[str, int] = {}
        self._pages: list[list[Any]] = []
        self._words: list[str] = []
        self._word_keys: list[str] = []
        self._runs: OrderedDict[str, list[str]] = OrderedDict()
        self._more_runs = self._said = False
        self._newest: list[list[bytes]] = []

    def files(self) -> Iterator[File]:
        """Yield the pages and what goes with them."""
        relations = related(self._cut)
        for number, oldest_first in enumerate(self._cut()):
            words, sorts = set[str](), dict[int, list[float]]()
            for tile in oldest_first:
                self._count(json.loads(tile), words, sorts)
            tiles = [_with_near(tile, relations.near(number, place)) for place, tile in enumerate(oldest_first)]
            yield self._page(number, tiles[::-1])
            counts = [[sort, count, round(cost, 10)] for sort, (count, cost) in sorts.items()]
            self._pages[-1] += [counts, relations.about(number)]
            self._words.append(" ".join(sorted(words)))
            if len(self._words) == _WORDS:
                yield self._close_words()
        if self._words:
            yield self._close_words()

    def newest(self) -> list[bytes]:
        """Return the tiles that are shown at once, the newest first: those of the last page, or of the last two."""
        return [tile for tiles in self._newest for tile in tiles]

    def told(self) -> dict[str, Any]:
        """Return what the page has to know of all that are not in it, once all files were yielded."""
        return {
            "here": len(self._newest),
            "pages": self._pages,
            "words": self._word_keys,
            "sorts": [json.loads(sort) for sort in self._sorts],
            "runs": [[run, *told] for run, told in list(reversed(self._runs.items()))[:_RUNS]],
            "olderRuns": self._more_runs,
            "said": self._said,
        }

    def _cut(self) -> Iterator[list[bytes]]:
        """Yield the tiles of each page, as JSON. Where a page ends depends on those before it only."""
        tiles, size = list[bytes](), 0
        for line in self._lines:
            tile = item_of(line)
            if len(tiles) == _TILES or (tiles and size + len(tile) > _BYTES):
                yield tiles
                tiles, size = [], 0
            tiles.append(tile)
            size += len(tile)
        if tiles:
            yield tiles

    def _page(self, number: int, tiles: list[bytes]) -> File:
        data = b"galleryPage(%d,[%s]);\n" % (number, b",".join(tiles))
        key = _named(f"{PAGES}/{number // 100:03d}/{number:06d}", data)
        self._pages.append([key, len(tiles)])
        self._newest = [tiles, *([] if len(tiles) >= _AT_ONCE else self._newest[:1])]
        return key, data

    def _close_words(self) -> File:
        number, data = len(self._word_keys), compact(self._words)
        key = _named(f"{PAGES}/words/{number:03d}", data)
        self._word_keys.append(key)
        self._words = []
        return key, b"galleryWords(%d,%s);\n" % (number, data)

    def _count(self, item: dict[str, Any], words: set[str], sorts: dict[int, list[float]]) -> None:
        """Count one tile."""
        sort = compact({name: item[name] for name in _SORT if item.get(name)}).decode()
        sums = sorts.setdefault(self._sorts.setdefault(sort, len(self._sorts)), [0, 0.0])
        sums[0] += 1
        sums[1] += item.get("cost") or 0
        words.update(words_of(item))
        self._said = self._said or "said" in item
        if run := item.get("run"):
            self._runs.setdefault(run, [item.get("runName") or "", item.get("when") or ""])
            self._runs.move_to_end(run)
            if len(self._runs) > 2 * _RUNS:
                self._runs.popitem(last=False)
                self._more_runs = True


def words_of(item: dict[str, Any]) -> Iterator[str]:
    """Yield the words that a tile is found by, but for those of its sort: the page looks for parts of them."""
    said: dict[str, Any] = item.get("said") or {}
    pairs = [*said.get("values", []), *said.get("calls", [])]
    texts = [item.get("title"), item.get("seed"), item.get("runName"), item.get("run"), *said.get("texts", [])]
    texts += [part for line in said.get("lines", []) for part in line[1:]] + [part for pair in pairs for part in pair]
    for text in texts:
        if text is not None:
            yield from str(text).lower().split()


def _with_near(tile: bytes, near: list[int]) -> bytes:
    return tile[:-1] + b',"near":' + compact(near) + b"}" if near else tile


def _named(begin: str, data: bytes) -> str:
    return f"{begin}-{hashlib.sha256(data).hexdigest()[:12]}.js"
