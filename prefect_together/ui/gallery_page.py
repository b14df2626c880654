"""Writes ``gallery.html`` into a library: reads what is new in the ledger, makes the small pictures that are missing."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from typing import Any

from prefect_together.errors import LibraryError, TogetherError
from prefect_together.generations.derived import DERIVED, DerivedMedia
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import specs
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.scan import scan
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage
from prefect_together.ui.gallery_items import Item, of_attempt, of_result, wanted
from prefect_together.ui.thumbnails import small_picture

PAGE = "gallery.html"
INDEX = "gallery/index.json"
VERSION = 3
TITLE = "Gallery"
_SIDE = 480
_LARGEST = 28 * 1024
_AT_ONCE = 16


async def write_page(storage: Storage, *, title: str | None = None) -> str:
    """Write the page and return its address. What an earlier call has read is not read again.

    Args:
        storage: The library.
        title: What the library is called from now on: the page's heading, whoever writes it next.

    Raises:
        LibraryError: The library cannot be read or written.
    """
    known_as, index = await _read_index(storage)
    title = title or known_as
    turns = asyncio.Semaphore(_AT_ONCE)
    ledger = Ledger(storage)

    async def attempt_items(attempt: Attempt) -> tuple[str, dict[str, Any]] | None:
        state = attempt.state
        known = index.get(attempt.key)
        if known and known["state"] == state:
            return attempt.key, known
        async with turns:
            try:
                claim = await ledger.entry(attempt, "claimed") or {}
                entry = await ledger.entry(attempt, state) if state != "claimed" else claim  # type: ignore[arg-type]
                found = of_attempt(attempt, claim, entry or {}, storage.key)
            except (TogetherError, ValueError, KeyError):
                return None  # one entry that nobody can read must not keep the others from being shown
        return attempt.key, {"state": state, "items": found}

    async def derived_items(key: str) -> tuple[str, dict[str, Any]] | None:
        if known := index.get(key):
            return key, known
        async with turns:
            try:
                entry = json.loads(await storage.read(key))
                return key, {
                    "state": "stored",
                    "items": [of_result(DerivedMedia.model_validate(to_addresses(entry["media"], storage)), storage.key)],
                }
            except (TogetherError, FileNotFoundError, ValueError, KeyError):
                return None

    shown = [one.attempt async for seen in scan(storage) for one in seen if wanted(one.attempt)]
    sidecars = [key for key in await storage.names(DERIVED) if key.endswith(".json")]
    read = await asyncio.gather(*map(attempt_items, shown), *map(derived_items, sidecars))
    index = dict(pair for pair in read if pair is not None)
    tiles = [item for known in index.values() for item in known["items"]]
    await asyncio.gather(*(_small(storage, item, turns) for item in tiles))
    tiles.sort(key=lambda item: str(item.get("when") or ""), reverse=True)
    index_now = {"version": VERSION, "root": storage.url, "title": title, "attempts": index}
    await storage.write(INDEX, json.dumps(index_now).encode())
    await storage.write(PAGE, page(title, tiles).encode())
    return storage.uri(PAGE)


def page(title: str, tiles: list[Item]) -> str:
    """Return the page."""
    template = files("prefect_together.ui").joinpath("gallery.html").read_text(encoding="utf-8")
    # Within a script element only "</" and "<!--" mean anything, and neither is left.
    plurals = {spec.noun: spec.plural for spec in specs()}
    data = json.dumps(
        {"title": title, "items": tiles, "plurals": plurals}, ensure_ascii=False, separators=(",", ":")
    ).replace("<", "\\u003c")
    return template.replace("{{data}}", data, 1)


async def _small(storage: Storage, item: Item, turns: asyncio.Semaphore) -> None:
    """Make the small picture of a tile, where it is missing and can be made."""
    if "thumb" in item or not item.get("href"):
        return
    async with turns:
        key = f"gallery/small/{item['sha'][:32]}.webp"
        try:
            if await storage.size(key) is None:
                picture = await asyncio.to_thread(small_picture, _file(storage, item), side=_SIDE, largest=_LARGEST)
                if picture is None:
                    return  # without Pillow the page shows the files themselves; the next call may be luckier
                await storage.write(key, picture)
            item["thumb"] = key
        except LibraryError:
            raise
        except Exception:  # a file that cannot be drawn is shown by its words
            item["thumb"] = ""


def _file(storage: Storage, item: Item) -> KeptFile:
    from urllib.parse import unquote

    href = str(item["href"])
    return KeptFile(
        uri=href if "://" in href else storage.uri(unquote(href)),
        sha256=item["sha"],
        size=item["bytes"],
        media_type=f"{item['kind']}/*",
        created_at=item["when"],
    )


async def _read_index(storage: Storage) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the library's title, and the tiles of what was read before."""
    try:
        index: Any = json.loads(await storage.read(INDEX))
        current = (index["version"], index.get("root", storage.url)) == (VERSION, storage.url)  # tiles show where files are
        return index.get("title") or TITLE, index["attempts"] if current else {}
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return TITLE, {}
