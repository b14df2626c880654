"""Many changes at once are few entries: each is written once, in order, and whoever waits hears what came of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from prefect_together.errors import LibraryError
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.group_commit import GroupCommitLog
from prefect_together.storage.storage import Storage

MOST = 100
Sums = GroupCommitLog[int, int | None]


def _apply(last: dict[str, Any], changes: list[int]) -> tuple[dict[str, Any] | None, list[int | None]]:
    """Add numbers up to a limit; what came of each is the sum after it, or None where it was too much."""
    total, sums = last.get("sum", 0), list[int | None]()
    for change in changes:
        fits = total + change <= MOST
        total += change if fits else 0
        sums.append(total if fits else None)
    return (None if sums.count(None) == len(sums) else {"sum": total}), sums


def _sums(storage: Storage) -> Sums:
    return Sums(AppendLog(storage, "sums", advice="Look at it."), _apply)


async def _entries(storage: Storage) -> int:
    return len(await storage.names("sums"))


class Slow:
    """Has entries written only when it is told to, or has them fail."""

    def __init__(self, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writing, self.may_write, self.fails = asyncio.Event(), asyncio.Event(), False
        real = storage.create

        async def create(key: str, data: bytes) -> bool:
            self.writing.set()
            await self.may_write.wait()
            if self.fails:
                raise LibraryError("The disk is full.")
            return await real(key, data)

        monkeypatch.setattr(storage, "create", create)


@pytest.fixture
def slow(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Give a library that writes when it is told to."""
    return Slow(storage, monkeypatch)


async def test_what_comes_while_one_entry_is_written_goes_into_the_next(storage: Storage, slow: Slow) -> None:
    """Fifty-one changes are two entries, and each is told its own result."""
    sums = _sums(storage)
    first = sums.submit(1)
    await slow.writing.wait()
    others = [sums.submit(1) for _ in range(50)]
    slow.may_write.set()
    assert [1, *range(2, 52)] == await asyncio.gather(first, *others)
    assert 2 == await _entries(storage)
    assert 51 == sums.last["sum"]


async def test_several_that_write_at_once_lose_nothing(storage: Storage) -> None:
    """Four write twenty times at once, and every sum comes up once: each change was made knowing of all before it."""
    logs = [_sums(storage) for _ in range(4)]
    results = await asyncio.gather(*(log.submit(1) for _ in range(20) for log in logs))
    assert list(range(1, 81)) == sorted(result or 0 for result in results)


async def test_what_changes_nothing_is_no_entry_and_is_judged_by_what_others_wrote(storage: Storage) -> None:
    """A change that does not fit is tried again where somebody else has made room meanwhile."""
    sums, other = _sums(storage), _sums(storage)
    assert MOST == await sums.submit(MOST)
    assert (None, 1) == (await sums.submit(1), await _entries(storage))
    assert 10 == await other.submit(-90)
    assert 11 == await sums.submit(1)


async def test_what_is_deferred_waits_for_the_next(storage: Storage) -> None:
    """It is no entry of its own, keeps its place, and is not forgotten in the end."""
    sums = _sums(storage)
    sums.defer(5)
    await asyncio.sleep(0.05)
    assert 0 == await _entries(storage)
    assert 6 == await sums.submit(1)
    assert 1 == await _entries(storage)
    later = sums.defer(1)
    await sums.flush()
    assert (True, 7) == (later.done(), sums.last["sum"])
    await sums.flush()
    assert 2 == await _entries(storage)


async def test_an_error_is_everybodys_and_the_next_change_is_tried(storage: Storage, slow: Slow) -> None:
    """All that were in an entry that cannot be written hear of it; afterwards all is as if they had not been."""
    sums = _sums(storage)
    slow.fails = True
    slow.may_write.set()
    for result in await asyncio.gather(sums.submit(1), sums.submit(2), return_exceptions=True):
        assert isinstance(result, LibraryError)
    sums.defer(3)  # nobody waits for it, and nobody hears
    await sums.flush()
    slow.fails = False
    assert 4 == await sums.submit(4)


async def test_who_is_cancelled_takes_nobody_elses_change_along(storage: Storage, slow: Slow) -> None:
    """Neither by giving up on its own change, nor by giving up on all of them."""
    sums = _sums(storage)

    async def one() -> int | None:
        return await asyncio.shield(sums.submit(1))

    given_up = [asyncio.create_task(one()), asyncio.create_task(sums.flush())]
    await slow.writing.wait()
    waiting = asyncio.create_task(one())
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    assert [True, True] == [
        isinstance(r, asyncio.CancelledError) for r in await asyncio.gather(*given_up, return_exceptions=True)
    ]
    slow.may_write.set()
    assert 2 == await asyncio.wait_for(waiting, 10)


async def test_changes_are_gathered_for_a_while(storage: Storage) -> None:
    """With a time to gather, what comes one by one is one entry too."""
    sums = Sums(AppendLog(storage, "sums", advice="Look at it."), _apply, gather=0.5)
    results: list[asyncio.Future[int | None]] = []
    for _ in range(5):
        results.append(sums.submit(1))
        await asyncio.sleep(0.001)
    assert [1, 2, 3, 4, 5] == await asyncio.gather(*results)
    assert 1 == await _entries(storage)


async def test_who_waits_no_more_spoils_nothing_for_others(storage: Storage, slow: Slow) -> None:
    """A result that nobody takes any more keeps none of its group from theirs."""
    sums = _sums(storage)
    sums.submit(1)
    await slow.writing.wait()
    gone, waited = sums.submit(2), sums.submit(3)
    gone.cancel()
    slow.may_write.set()
    assert 6 == await waited
    await sums.flush()
