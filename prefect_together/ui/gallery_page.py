"""Writes ``gallery.html`` into a library: all of a small one; of a large one the newest, and pages for the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from importlib.resources import files
from itertools import islice
from typing import Any

from prefect_together._internal.json import compact
from prefect_together.generations.registry import specs
from prefect_together.ledger.scan import Progress
from prefect_together.storage.storage import Storage
from prefect_together.ui.gallery_items import Item
from prefect_together.ui.gallery_pages import PAGES, File, Pages
from prefect_together.ui.gallery_tiles import TILES, Tiles, item_of, read_index, unchanged, write_index

PAGE = "gallery.html"
_AT_ONCE = 8
_GRACE = 3600.0  # seconds for which a page stays that no gallery has: another process may be about to name it


async def write_page(storage: Storage, *, title: str | None = None, progress: Progress | None = None) -> str:
    """Write the page and return its address. What an earlier call has read is not read again, and pages stay as they are.

    It takes no more memory for a larger library. ``gallery.html`` is written last, and names all that belongs to it.

    Args:
        storage: The library.
        title: What the library is called from now on: the page's heading, whoever writes it next.
        progress: Hears what part of the ledger has been gone through: 0 to 1.

    Raises:
        LibraryError: The library cannot be read or written.
    """
    index = await read_index(storage)
    known_as, index.title = index.title, title or index.title
    same = bool(index.groups) and index.title == known_as
    if same and await storage.exists(PAGE) and await storage.holds(PAGES) and await unchanged(storage, index):
        return storage.uri(PAGE)
    with Tiles(storage, index) as tiles:
        await tiles.take(progress)
        keys: set[str] = set()
        if tiles.few:
            shown, told = [item_of(line) for line in tiles.lines][::-1], None
        else:
            pages = Pages(tiles.lines)
            keys = await _write(storage, pages.files())
            shown, told = pages.newest(), pages.told()
        await storage.write(PAGE, laid_out(index.title, shown, told))
        await write_index(storage, tiles.index())
        await _remove(storage, keys, tiles.groups if not tiles.few else ())
    return storage.uri(PAGE)


def page(title: str, tiles: list[Item]) -> str:
    """Return the page of few tiles."""
    return laid_out(title, map(compact, tiles), None).decode()


def laid_out(title: str, tiles: Iterable[bytes], told: dict[str, Any] | None) -> bytes:
    """Return the page.

    Args:
        title: Its heading.
        tiles: What it shows at once, the newest first, as JSON.
        told: What it has to know of the rest, where it is not all.
    """
    template = files("prefect_together.ui").joinpath("gallery.html").read_bytes()
    head = {"title": title, "plurals": {spec.noun: spec.plural for spec in specs()}, "paged": told}
    data = b'%s,"items":[%s]}' % (compact(head)[:-1], b",".join(tiles))
    # Within a script element only "</" and "<!--" mean anything, and neither is left.
    return template.replace(b"{{data}}", data.replace(b"<", b"\\u003c"), 1)


async def _write(storage: Storage, made: Iterable[File]) -> set[str]:
    """Write files that are not there yet; return the keys of all. A few of them are held at a time."""
    there = {key for key, _ in await storage.listing(PAGES)}
    keys, rest = set[str](), iter(made)
    while some := await asyncio.to_thread(lambda: list(islice(rest, _AT_ONCE))):
        await asyncio.gather(*(storage.write(key, data) for key, data in some if key not in there))
        keys |= {key for key, _ in some}
    return keys


async def _remove(storage: Storage, keys: set[str], groups: Iterable[str]) -> None:
    """Remove the pages and kept tiles of a former gallery, which nothing names any more."""
    kept = {f"{name}.gz" for name in groups}
    tiles = [f"{TILES}/{name}" for name in (await storage.children(TILES))[1] if name not in kept]
    old = time.time() - _GRACE
    pages = [key for key, at in await storage.listing(PAGES, timed=".js") if key not in keys and at < old]
    await storage.remove([*tiles, *pages])
