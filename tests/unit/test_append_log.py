"""A log of numbered entries: every number is written once, by somebody who has read all before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from prefect_together.errors import LibraryError
from prefect_together.ledger import append_log
from prefect_together.ledger.append_log import AppendLog
from prefect_together.storage.storage import Storage


def _log(storage: Storage) -> AppendLog:
    return AppendLog(storage, "limits/x", advice="Look at it.")


async def _numbers(storage: Storage) -> list[str]:
    return sorted(name[-13:] for name in await storage.names("limits/x"))


def _held(work: Callable[..., Awaitable[Any]], gate: asyncio.Event) -> Callable[..., Awaitable[Any]]:
    """Return what does the work at once and tells of it when it may."""

    async def working(*arguments: Any) -> Any:
        try:
            return await work(*arguments)
        finally:
            await gate.wait()

    return working


async def test_who_has_not_read_everything_writes_nothing(storage: Storage) -> None:
    """Of two that want a number one gets it; the other one reads what was written, and gets the next."""
    first, second = _log(storage), _log(storage)
    assert not await first.add({"n": 1})
    assert (True, True) == (await first.read(), await second.read())
    assert (True, False) == (await first.add({"n": 1}), await second.add({"n": 2}))
    assert (True, False) == (await second.read(), await second.read())
    assert 1 == second.last["n"]
    assert await second.add({"n": 2})
    assert ["00000001.json", "00000002.json"] == await _numbers(storage)


async def test_who_reads_while_another_task_writes_skips_no_number(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number left out would hide what comes after it from all who read in order."""
    log, may_add, may_read = _log(storage), asyncio.Event(), asyncio.Event()
    await log.read()
    with monkeypatch.context() as patched:
        patched.setattr(storage, "create", _held(storage.create, may_add))
        adding = asyncio.create_task(log.add({"n": 1}))
        while not await _numbers(storage):
            await asyncio.sleep(0.01)
        patched.setattr(storage, "read", _held(storage.read, may_read))
        reading = asyncio.create_task(log.read())
        await asyncio.sleep(0.05)  # it has read the entry, and does not know yet
        may_add.set()
        assert await adding
        may_read.set()
        assert await reading
    assert 1 == log.last["n"]
    assert await log.add({"n": 2})
    assert ["00000001.json", "00000002.json"] == await _numbers(storage)


async def test_who_hears_late_of_what_it_wrote_forgets_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another task has read meanwhile is the last entry, not one's own."""
    log, other, may_add = _log(storage), _log(storage), asyncio.Event()
    await log.read()
    with monkeypatch.context() as patched:
        patched.setattr(storage, "create", _held(storage.create, may_add))
        adding = asyncio.create_task(log.add({"n": 1}))
        while not await _numbers(storage):
            await asyncio.sleep(0.01)
    await other.read()
    assert await other.add({"n": 2})
    assert await log.read()
    may_add.set()
    assert await adding
    assert 2 == log.last["n"]
    assert await log.add({"n": 3})


async def test_an_entry_that_cannot_be_read_is_named(storage: Storage) -> None:
    """Nobody goes on from where it is not known."""
    await storage.create("limits/x/00000001.json", b"{")
    with pytest.raises(LibraryError, match=r"00000001\.json"):
        await _log(storage).read()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep fewer entries than else."""
    monkeypatch.setattr(append_log, "KEPT", 8)
    monkeypatch.setattr(append_log, "_REMOVED", 4)


@pytest.mark.usefixtures("few")
async def test_the_last_entry_is_a_checkpoint(storage: Storage) -> None:
    """However many are written, few are kept; who was away for long finds the last one, and loses none by what it adds."""
    away, too, log = _log(storage), _log(storage), _log(storage)
    await log.read()
    await log.add({"n": 1})
    assert (True, True) == (await away.read(), await too.read())
    for number in range(2, 31):
        assert await log.add({"n": number})
    assert len(await _numbers(storage)) <= 12
    assert [False, False] == await asyncio.gather(away.add({"n": "late"}), too.add({"n": "late"}))
    assert (True, True) == (await away.read(), await too.read())
    assert (30, 30) == (away.last["n"], too.last["n"])
    assert (True, False) == (await away.add({"n": 31}), await too.add({"n": 31}))
    assert await log.read()
    assert 31 == log.last["n"]
    fresh = _log(storage)
    await fresh.read()
    assert 31 == fresh.last["n"]
    assert "00000031.json" == (await _numbers(storage))[-1]


@pytest.mark.usefixtures("few")
async def test_an_entry_on_top_of_one_that_does_not_count_counts_no_more(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that were away, one may see the other's before it is taken back: what it adds to that does not count either."""
    away, log = _log(storage), _log(storage)
    await log.read()
    await log.add({"n": 1})
    await away.read()
    for number in range(2, 31):
        assert await log.add({"n": number})
    await storage.create("limits/x/00000002.json", b'{"n": "of another one that was away"}')
    monkeypatch.setattr(away, "_number", 2)
    assert not await away.add({"n": "late"})
    assert await away.read()
    assert 30 == away.last["n"]
