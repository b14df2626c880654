"""Which other pages of a gallery hold what a tile was made of, and what was made of it. Reads and writes nothing.

Tiles are numbered, the oldest first. Of a million of them a few dozen bytes are held of each that is related to another one.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

_MOST = 8  # relatives of a tile that it leads to: a picture may be the style of thousands
_PAGES = 32  # pages with what is said of the files of one that it leads to
_NUMBER = 26  # bits of a tile's number, and of a page's
_HASH = 37  # bits of a name's: two names with the same one load a page for nothing

Cut = Callable[[], Iterable[list[bytes]]]
"""Goes through the tiles of all pages, as JSON."""


class Relations:
    """The other pages that tiles need.

    Args:
        first: The number of each page's first tile.
        near: Tiles and pages that they need, as one number each, sorted.
        about: Pages, and those with what is said of their files.
    """

    def __init__(self, first: array[int], near: array[int], about: dict[int, set[int]]) -> None:
        self._first = first
        self._near = near
        self._about = about

    def near(self, page: int, place: int) -> list[int]:
        """Return the other pages that a tile needs, the tile being one of a page, the oldest being 0."""
        number = self._first[page] + place
        begin = bisect_left(self._near, number << _NUMBER)
        found = self._near[begin : bisect_left(self._near, (number + 1) << _NUMBER)]
        return sorted({one & ((1 << _NUMBER) - 1) for one in found})

    def about(self, page: int) -> list[int]:
        """Return the other pages with what is said of a page's files."""
        return sorted(self._about.get(page, ()))[-_PAGES:]


def related(cut: Cut) -> Relations:
    """Return which pages are related; goes through all tiles twice, or once where none is made of another one.

    Args:
        cut: Goes through the tiles of all pages.
    """
    first, asked, number = array("q"), array("Q"), 0
    for tiles in cut():
        first.append(number)
        for tile in tiles:
            if b'"from":[]' not in tile:  # the others need not be made sense of
                asked.extend(_asked(json.loads(tile), number))
            number += 1
    if not asked or number >= 1 << (_NUMBER - 1):
        return Relations(first, array("q"), {})
    asked = array("Q", sorted(asked))
    held = array("Q", sorted(_held(cut, asked)))
    near, about = array("q"), dict[int, set[int]]()

    def page(tile: int) -> int:
        return bisect_right(first, tile) - 1

    for made_of, made, said, leads in _pairs(asked, held):
        older, newer = page(made_of), page(made)
        if older != newer:
            near.append(made << _NUMBER | older)
            if leads:
                near.append(made_of << _NUMBER | newer)
            if said:
                about.setdefault(older, set()).add(newer)
    return Relations(first, array("q", sorted(near)), about)


def _asked(item: dict[str, Any], number: int) -> Iterator[int]:
    """Yield by which names a tile calls what it was made of; with its number, and whether it is what is said of that."""
    said = "said" in item and not item.get("href")
    names: list[str] = item.get("from") or []
    for name in names:
        yield _hash(name) << _NUMBER | number << 1 | said


def _held(cut: Cut, asked: array[int]) -> Iterator[int]:
    """Yield the names of tiles that others call them by, with their numbers."""
    number = 0
    for tiles in cut():
        for tile in tiles:
            item: dict[str, Any] = json.loads(tile)
            names: set[str] = {item.get("sha") or "", *(item.get("names") or [])}
            for name in names:
                begin = _hash(name) << _NUMBER
                place = bisect_left(asked, begin)
                if place < len(asked) and asked[place] >> _NUMBER == begin >> _NUMBER:
                    yield begin | number << 1
            number += 1


def _pairs(asked: array[int], held: array[int]) -> Iterator[tuple[int, int, bool, bool]]:
    """Yield what was made of what, the tiles by number; whether it is what is said of it; and whether that leads to it."""
    holders = dict[int, list[int]]()
    for name, tiles in groupby(held, lambda one: one >> _NUMBER):
        numbers = [(one & ((1 << _NUMBER) - 1)) >> 1 for one in tiles]
        holders[name] = numbers[-_MOST:]
    for name, tiles in groupby(asked, lambda one: one >> _NUMBER):
        callers = [one & ((1 << _NUMBER) - 1) for one in tiles]
        for place, tile in enumerate(reversed(holders.get(name, []))):
            last = len(callers) - _MOST
            for at, one in enumerate(callers):
                if place == 0 or at >= last:  # the newest tile of a name is what all are made of
                    yield tile, one >> 1, bool(one & 1), at >= last


def _hash(name: str) -> int:
    return hash(name) & ((1 << _HASH) - 1)
