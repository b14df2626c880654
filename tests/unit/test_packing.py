"""Packing: what is settled is found in packs as it was in small entries, whatever happens while it is packed."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from prefect_together.errors import LibraryError
from prefect_together.ledger import packing
from prefect_together.ledger.ledger import Event, Ledger, encode
from prefect_together.ledger.pack_format import PackWriter
from prefect_together.ledger.packing import pack
from prefect_together.ledger.packs import ROOT as PACKED
from prefect_together.ledger.packs import Packs
from prefect_together.ledger.queries import find_attempt, list_attempts
from prefect_together.storage.storage import Storage

from .attempts import ENDS, OPEN, attempt, fill


async def seen(storage: Storage) -> list[Any]:
    """Return all that the ledger says."""
    return [(row.key, row.state, row.attempt.events, row.claim, row.outcome) for row in await list_attempts(storage)]


def packs(folder: Path) -> list[str]:
    """Return the packs."""
    return sorted(path.relative_to(folder / PACKED).as_posix() for path in folder.glob(f"{PACKED}/*/*"))


def small(folder: Path) -> list[str]:
    """Return the names of small entries."""
    return sorted(path.name for path in folder.glob("ledger/??/*/*.json") if path.parent.name != "packing")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Give an empty library."""
    return Storage(str(tmp_path))


async def test_a_packed_ledger_says_the_same(storage: Storage, tmp_path: Path) -> None:
    """Every attempt and every entry is found as before, and what is settled has no small entry left."""
    await fill(storage, range(60))
    before = await seen(storage)
    done = await pack(storage)
    assert (60, False) == (done.attempts, done.busy)
    assert [] == small(tmp_path)
    assert before == await seen(storage)
    fresh = Storage(str(tmp_path))  # of a process that has looked into no pack yet
    assert before == await seen(fresh)
    for number in range(60):
        (known,) = (await Ledger(fresh).history(attempt(number).fingerprint)).attempts
        assert known.events == set(ENDS[number % len(ENDS)])
        assert known.key == (await find_attempt(fresh, known.key)).key


async def test_what_is_open_stays_small(storage: Storage, tmp_path: Path) -> None:
    """What somebody works on, or has to decide about, is not packed; it is when it is settled."""
    await fill(storage, range(8), OPEN)
    before = small(tmp_path)
    assert 0 == (await pack(storage)).attempts
    assert before == small(tmp_path)
    await Ledger(storage).record(attempt(2), "resolved", {"how": "forgotten"})
    assert 1 == (await pack(storage)).attempts
    assert "resolved" == (await find_attempt(storage, attempt(2).key)).state


async def test_packs_grow_and_are_few(storage: Storage, tmp_path: Path) -> None:
    """What is settled later is packed with what was packed before; for each beginning one pack is left."""
    await fill(storage, range(20))
    await pack(storage)
    await fill(storage, range(20, 40))
    await fill(storage, range(10), scope="run-x")
    before = await seen(storage)
    assert 30 == (await pack(storage)).attempts
    assert before == await seen(storage)
    assert ["0a/00000002.gz", "0b/00000002.gz", "7a/00000002.gz", "7b/00000002.gz"] == packs(tmp_path)


async def test_a_pack_is_for_people_too(storage: Storage, tmp_path: Path) -> None:
    """What ``zcat`` shows of a pack are lines of JSON, and then which attempts are in it."""
    await fill(storage, range(4))
    await pack(storage)
    for name in packs(tmp_path):
        entries, index, said, *_ = gzip.decompress(await storage.read(f"{PACKED}/{name}")).decode().splitlines()
        assert json.loads(entries)["attempt"] == said.split("\t")[0]
        assert 1 == json.loads(index)["version"]


async def test_what_is_not_worth_it_stays(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing by the way leaves few entries as they are: the pack would be written anew for each of them."""
    await fill(storage, range(20))
    before = small(tmp_path)
    assert 0 == (await pack(storage, everything=False)).attempts
    assert before == small(tmp_path)
    monkeypatch.setattr(packing, "_LEAST", 5)
    assert 20 == (await pack(storage, everything=False)).attempts


async def test_an_entry_that_nobody_can_read_stays(storage: Storage, tmp_path: Path) -> None:
    """A broken entry, or one of a newer release, keeps its attempt from being packed, and no other."""
    await fill(storage, range(6))
    (tmp_path / f"{attempt(0).prefix}-stored.json").write_text("{")
    (tmp_path / f"{attempt(1).prefix}-stored.json").write_bytes(encode({"version": 99}))
    assert 4 == (await pack(storage)).attempts
    assert {"any-0001-claimed.json", "any-0001-accepted.json", "any-0001-stored.json"} == set(small(tmp_path))
    written = packs(tmp_path)
    await pack(storage)
    assert written == packs(tmp_path)  # not anew, for what cannot be in them


@pytest.mark.parametrize("event", ["claimed", "stored"])
async def test_what_was_packed_meanwhile_was_there_first(event: Event, storage: Storage, tmp_path: Path) -> None:
    """Who looked before an attempt was made, and writes after it was packed, comes second as if it had not been packed."""
    slow, quick = Ledger(Storage(str(tmp_path))), Ledger(storage)
    request = attempt(0)
    free = (await slow.history(request.fingerprint)).next("any")
    await quick.record(request, "claimed", {"by": "quick"})
    await quick.record(request, "stored", {"media": [], "by": "quick"})
    await pack(storage)
    assert [] == small(tmp_path)
    assert not await slow.record(free, event, {"by": "slow"})
    assert [] == small(tmp_path)
    assert "quick" == (await slow.entry(free, event) or {})["by"]


async def test_our_own_entry_that_was_packed_is_ours(storage: Storage) -> None:
    """A store that repeats a write reports our entry as there already; packed or not, it is known by its token."""
    ledger = Ledger(storage)
    entry: dict[str, Any] = {"token": "ours", "media": []}
    await ledger.record(attempt(0), "claimed", {})
    assert await ledger.record(attempt(0), "stored", entry)
    await pack(storage)
    assert await ledger.record(attempt(0), "stored", entry)


async def test_an_answer_that_comes_late_counts(storage: Storage) -> None:
    """An attempt that was decided upon and packed is kept after all when its answer comes."""
    await fill(storage, range(4, 5))  # unknown, resolved
    await pack(storage)
    (late,) = (await Ledger(storage).history(attempt(4).fingerprint)).attempts
    assert "resolved" == late.state
    assert await Ledger(storage).record(late, "stored", {"media": []})
    for _ in range(2):
        assert "stored" == (await find_attempt(storage, late.key)).state
        await pack(storage)


@pytest.mark.parametrize(
    ("owner", "name", "done"),
    [
        pytest.param(Storage, "create", False, id="before-the-pack"),
        pytest.param(Storage, "create", True, id="after-the-pack"),
        pytest.param(Storage, "remove", False, id="before-removing"),
        pytest.param(Storage, "remove", True, id="after-removing"),
    ],
)
async def test_packing_that_ends_early(
    owner: type, name: str, done: bool, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stops, everything is found as before, and the next one does the rest."""
    await fill(storage, range(20))
    await pack(storage)
    await fill(storage, range(20, 40))
    before = await seen(storage)
    real = getattr(owner, name)

    async def stops(self: Storage, *given: Any) -> Any:
        if done:
            await real(self, *(_half(one) for one in given))
        raise LibraryError("The power is gone.")

    monkeypatch.setattr(owner, name, stops)
    with pytest.raises(LibraryError):
        await pack(storage)
    assert before == await seen(Storage(str(tmp_path)))
    monkeypatch.undo()
    await pack(storage)
    assert [] == small(tmp_path)
    assert before == await seen(storage)
    assert 4 == len(packs(tmp_path))


def _half(value: Any) -> Any:
    return cast("list[Any]", value)[: len(cast("list[Any]", value)) // 2] if isinstance(value, list) else value


async def test_a_reader_whose_pack_is_replaced_looks_again(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between listing a pack and reading it, others may have written the next one and removed it."""
    await fill(storage, range(0, 20, 4))
    await pack(storage)
    reader, real = Ledger(Storage(str(storage.folder))), Packs.last
    once = iter([True])

    async def last(self: Packs, prefix: str) -> str | None:
        found = await real(self, prefix)
        if next(once, False):
            await fill(storage, range(20, 40, 4))
            await pack(storage)
        return found

    monkeypatch.setattr(Packs, "last", last)
    (known,) = (await reader.history(attempt(0).fingerprint)).attempts
    assert "stored" == known.state


async def test_a_slow_packer_removes_nothing(storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose pack's name has become free again, since others packed twice meanwhile, gives way to theirs."""
    await fill(storage, range(0, 8, 4))
    finish = PackWriter.finish
    once = iter([True])

    def slowly(self: PackWriter) -> bytes:
        mine = finish(self)
        if next(once, False):
            for numbers in (range(8, 12, 4), range(12, 16, 4)):
                asyncio.run(_elsewhere(numbers))
        return mine

    async def _elsewhere(numbers: range) -> None:
        other = Storage(str(tmp_path))
        await fill(other, numbers)
        done = packing.Packing()
        await packing.PrefixPacker(Ledger(other), "0a", done, everything=True).pack()

    def finishing(self: PackWriter) -> bytes:
        return _in_a_thread(lambda: slowly(self))

    monkeypatch.setattr(PackWriter, "finish", finishing)
    await pack(storage)
    assert [attempt(number).key for number in (12, 8, 4, 0)] == [row.key for row in await list_attempts(storage)]
    assert [] == small(tmp_path)


@pytest.mark.parametrize("number", range(1, 7))
async def test_a_folder_that_changes_while_it_is_listed(
    number: int, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may show none of the packs for once; nothing is lost by that, and none is left beside the one that counts."""
    for numbers in (range(0, 8, 4), range(8, 16, 4)):
        await fill(storage, numbers)
        await pack(storage)
    await fill(storage, range(16, 24, 4))
    real, looks = Packs.all, iter(range(1, 100))

    async def listed(self: Packs, prefix: str) -> list[str]:
        found = await real(self, prefix)
        return [] if next(looks) == number else found

    monkeypatch.setattr(Packs, "all", listed)
    await pack(storage)
    monkeypatch.undo()
    assert [attempt(one).key for one in (20, 16, 12, 8, 4, 0)] == [row.key for row in await list_attempts(storage)]
    await pack(storage)
    assert ([], 1) == (small(tmp_path), len(packs(tmp_path)))


async def test_a_later_pack_that_a_listing_misses(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow packer, whose first look shows its own pack alone while a later one is replaced, looks once more."""
    await fill(storage, range(0, 8, 4))
    real, stale = Storage.create, "0a/00000001.gz"

    async def create(self: Storage, key: str, data: bytes) -> bool:
        won = await real(self, key, data)
        if key.endswith(stale):  # others have packed twice meanwhile, and what they had is elsewhere
            await real(self, key.replace("0001.gz", "0003.gz"), PackWriter().finish())
        return won

    looked, once = Packs.all, iter([True])

    async def listed(self: Packs, prefix: str) -> list[str]:
        found = await looked(self, prefix)
        return found[:1] if len(found) > 1 and next(once, False) else found

    monkeypatch.setattr(Storage, "create", create)
    monkeypatch.setattr(Packs, "all", listed)
    await pack(storage)
    assert [attempt(number).key for number in (4, 0)] == [row.key for row in await list_attempts(storage)]


def _in_a_thread(work: Callable[[], bytes]) -> bytes:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


async def test_only_one_packs(storage: Storage) -> None:
    """A second one that comes while the first is at work leaves it alone."""
    await fill(storage, range(20))
    first, second = await asyncio.gather(pack(storage), pack(storage))
    assert {False, True} == {first.busy, second.busy}
    assert 20 == first.attempts + second.attempts
