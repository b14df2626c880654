"""The gallery of a large library: pages that are there once and stay, and a page that names them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from prefect_together.errors import LibraryError
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.packing import pack
from prefect_together.storage.storage import Storage
from prefect_together.ui import gallery_pages, gallery_tiles
from prefect_together.ui.gallery_page import write_page
from prefect_together.ui.gallery_pages import PAGES, Pages
from prefect_together.ui.gallery_tiles import lines_of

BEGAN = datetime(2026, 1, 1, tzinfo=timezone.utc)
PAGE = 4
FEW = 6


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make galleries large, and pages full, that have hardly anything in them."""
    monkeypatch.setattr(gallery_tiles, "FEW", FEW)
    monkeypatch.setattr(gallery_pages, "_TILES", PAGE)
    monkeypatch.setattr(gallery_pages, "_AT_ONCE", 2)
    monkeypatch.setattr("prefect_together._internal.sorted_lines._HELD", 3000)


async def fill(storage: Storage, numbers: range, *, environment: str = "together") -> None:
    """Write attempts that failed, a second between them."""
    ledger = Ledger(storage)
    for number in numbers:
        attempt = Attempt(f"{number * 37 % 256:02x}{number:038x}", "any", 1)
        at = (BEGAN + timedelta(seconds=number)).isoformat()
        claim = {
            "kind": "chat",
            "model": f"m/{number % 2}",
            "title": f"question {number}",
            "realm": environment,
            "estimated_cost": "0.5",
        }
        await ledger.record(attempt, "claimed", {"at": at, **claim})
        await ledger.record(attempt, "failed", {"at": at, "why": "it was made up"})


async def told(storage: Storage) -> dict[str, Any]:
    """Return what the page has in it."""
    found = (await storage.read("gallery.html")).decode()
    return json.loads(found.partition('id="data">')[2].partition("</script>")[0])


async def names(storage: Storage) -> list[str]:
    """Return the keys of all pages that there are."""
    return sorted(key for key, _ in await storage.listing(PAGES) if "/words/" not in key)


async def shown(storage: Storage) -> list[str]:
    """Return the titles of all that a browser would show, as it would: from the pages that are named, the newest first."""
    titles = list[str]()
    for key, *_ in reversed((await told(storage))["paged"]["pages"]):
        script = (await storage.read(key)).decode()
        call = re.fullmatch(r"galleryPage\((\d+),(\[.*\])\);\n", script)
        assert call, script
        titles += [item["title"] for item in json.loads(call[2])]
    return titles


async def test_few_are_one_file(storage: Storage) -> None:
    """What can be one page is in one file, which can be sent to somebody; one more, and it has pages beside it."""
    await fill(storage, range(FEW))
    await write_page(storage)
    assert [FEW, None] == [len((await told(storage))["items"]), (await told(storage))["paged"]]
    assert [] == await names(storage)
    await fill(storage, range(FEW, FEW + 1))
    await write_page(storage)
    assert [f"question {number}" for number in reversed(range(FEW + 1))] == await shown(storage)


async def test_pages_hold_everything_once(storage: Storage) -> None:
    """Small or packed, all are shown, the newest first and the newest at once; the sums are of all."""
    await fill(storage, range(19))
    await pack(storage)
    await fill(storage, range(19, 21), environment="loopback")
    await write_page(storage)
    assert [f"question {number}" for number in reversed(range(21))] == await shown(storage)
    data = await told(storage)
    assert [f"question {number}" for number in (20, 19, 18, 17, 16)] == [item["title"] for item in data["items"]]
    assert 2 == data["paged"]["here"]
    sums = dict[Any, list[float]]()
    for _, _, sorts, _ in data["paged"]["pages"]:
        for sort, count, cost in sorts:
            told_of = data["paged"]["sorts"][sort]
            of = sums.setdefault((told_of["model"], told_of.get("sandbox", False)), [0, 0])
            of[0] += count
            of[1] += cost
    assert {("m/0", False): [10, 5.0], ("m/1", False): [9, 4.5], ("m/0", True): [1, 0.5], ("m/1", True): [1, 0.5]} == sums


async def test_a_page_that_is_full_stays(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is newer goes into the last page and new ones; the others are not written again, and no entry is read again."""
    await fill(storage, range(18))
    await write_page(storage)
    before = await names(storage)
    written, read = list[str](), list[str]()
    writes, reads = storage.write, storage.read

    async def writing(key: str, data: bytes) -> None:
        written.append(key)
        await writes(key, data)

    async def reading(key: str) -> bytes:
        read.append(key)
        return await reads(key)

    monkeypatch.setattr(storage, "write", writing)
    monkeypatch.setattr(storage, "read", reading)
    await write_page(storage)
    assert [] == written, "nothing is new"
    await storage.remove([key for key, _ in await storage.listing(PAGES)])
    await write_page(storage)
    assert before == await names(storage), "what somebody has removed is there again"
    written.clear()
    await fill(storage, range(18, 21))
    read.clear()
    await write_page(storage)
    assert ["000004", "000005"] == sorted(key.rpartition("/")[2][:6] for key in written if key.startswith(f"{PAGES}/000"))
    assert before[:4] == (await names(storage))[:4]
    assert 2 * 3 == len([key for key in read if key.startswith("ledger/")])
    assert [f"question {number}" for number in reversed(range(21))] == await shown(storage)


async def test_nothing_of_a_larger_gallery_is_left(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are not named any more are not shown, and go once nobody can be about to name them."""
    await fill(storage, range(20))
    await write_page(storage)
    await storage.remove([key for key in await storage.names("ledger") if "-claimed" in key or "-failed" in key])
    await fill(storage, range(3))
    await write_page(storage)
    assert {"question 0", "question 1", "question 2"} == {item["title"] for item in (await told(storage))["items"]}
    assert [] == (await storage.children("gallery/tiles"))[1]
    assert 5 == len(await names(storage)), "a minute old, they may be another process's"
    monkeypatch.setattr("prefect_together.ui.gallery_page._GRACE", -60.0)
    await write_page(storage)
    assert [] == await storage.listing(PAGES)


async def test_a_page_that_breaks_off_breaks_none(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the page cannot be written, the last one and all that it names are still there, and the next call makes it whole."""
    await fill(storage, range(18))
    await write_page(storage)
    writes = storage.write

    async def failing(key: str, data: bytes) -> None:
        if key == "gallery.html":
            raise LibraryError("The disk is full.")
        await writes(key, data)

    await fill(storage, range(18, 40))
    monkeypatch.setattr(storage, "write", failing)
    with pytest.raises(LibraryError):
        await write_page(storage)
    assert [f"question {number}" for number in reversed(range(18))] == await shown(storage)
    monkeypatch.setattr(storage, "write", writes)
    await write_page(storage)
    assert [f"question {number}" for number in reversed(range(40))] == await shown(storage)


def _lines() -> Iterator[bytes]:
    """Yield a picture, many other things, what is said of it, a clip of it, and something of no importance."""
    for number in range(12):
        item: dict[str, Any] = {
            "id": str(number),
            "title": f"n {number}",
            "when": f"2026-01-01T00:00:{number:02d}",
            "from": [],
        }
        if number == 1:
            item |= {"sha": "fox", "href": "fox.webp", "run": "r-1", "runName": "film"}
        if number == 10:
            item |= {"said": {"texts": ["A RED fox"], "values": [["score", "seven"]]}, "from": ["fox"]}
        if number == 6:
            item |= {"href": "fox.mp4", "sha": "clip", "from": ["fox"]}
        yield from lines_of(f"{number:02d}", "stored", [item])


def test_relatives_are_found_on_other_pages() -> None:
    """A tile names the pages with what it was made of and what was made of it; a page, those with what is said of its files."""
    pages = Pages(list(_lines()))
    files = dict(pages.files())
    (first, second, third), (words,) = (
        [json.loads(data.partition(b",")[2][:-3]) for key, data in files.items() if ("/words/" in key) == which]
        for which in (False, True)
    )
    near = {item["id"]: item["near"] for page in (first, second, third) for item in page if "near" in item}
    assert {"1": [1, 2], "6": [0], "10": [0]} == near
    assert [[2], [], []] == [about for _, _, _, about in pages.told()["pages"]]
    assert {"a", "red", "fox", "score", "seven", "n", "8", "9", "10", "11"} == set(words[2].split())
    assert {"r-1", "film"} <= set(words[0].split())
    assert [["r-1", "film", "2026-01-01T00:00:01"]] == pages.told()["runs"]


def test_runs_that_can_be_chosen_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs there were, the page holds the newest of them, and says that there are others."""
    monkeypatch.setattr(gallery_pages, "_RUNS", 3)
    items: list[dict[str, Any]] = [
        {"id": str(n), "title": "", "when": f"2026-01-01T00:00:{n:02d}", "run": f"r{n % 9}", "from": []} for n in range(30)
    ]
    pages = Pages([line for n, item in enumerate(items) for line in lines_of(f"{n:02d}", "stored", [item])])
    list(pages.files())
    assert ["r2", "r1", "r0"] == [run for run, *_ in pages.told()["runs"]]
    assert pages.told()["olderRuns"]
