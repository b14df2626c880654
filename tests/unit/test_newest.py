"""The newest attempts: in order of time, whatever they are held in, and without opening what is older."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_together.ledger.packing import pack
from prefect_together.ledger.queries import newest_attempts
from prefect_together.storage.storage import Storage

from .attempts import BEGAN, ENDS, attempt, fill


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Give an empty library."""
    return Storage(str(tmp_path))


@pytest.mark.parametrize("packed", [False, True], ids=["small", "packed"])
@pytest.mark.parametrize("limit", [None, 1, 7, 100])
async def test_the_newest_come_first(limit: int | None, packed: bool, storage: Storage) -> None:
    """Whatever they are held in, attempts come by the time of their claims, and those that are not wanted do not."""
    await fill(storage, range(40))
    if packed:
        await pack(storage)
    await fill(storage, range(40, 44))
    expected = [attempt(number).key for number in reversed(range(44))]
    assert expected[:limit] == [row.key async for row in newest_attempts(storage, limit=limit)]
    late = BEGAN + timedelta(hours=30)
    assert expected[:14][:limit] == [row.key async for row in newest_attempts(storage, limit=limit, since=late)]
    failed = [attempt(number).key for number in reversed(range(44)) if ENDS[number % 6][-1] == "failed"]
    assert failed[:limit] == [row.key async for row in newest_attempts(storage, limit=limit, states={"failed"})]


async def test_of_the_newest_few_most_claims_are_not_read(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim is never newer than its file: when the newest are found, older files are not opened."""
    await fill(storage, range(200))
    for number in range(200):
        at = (BEGAN + timedelta(hours=number)).timestamp()
        os.utime(f"{storage.folder}/{attempt(number).prefix}-claimed.json", (at, at))
    read: list[str] = []
    real = Storage.read_range

    async def reading(self: Storage, key: str, start: int, length: int) -> bytes:
        read.append(key)
        return await real(self, key, start, length)

    monkeypatch.setattr(Storage, "read_range", reading)
    found = [row.key async for row in newest_attempts(storage, limit=2)]
    assert [attempt(199).key, attempt(198).key] == found
    # Of four beginnings with fifty each, some sixty-four are read at once.
    assert len(read) < 200
    read.clear()
    assert 10 == len([row async for row in newest_attempts(storage, since=BEGAN + timedelta(hours=190))])
    assert len(read) == 10


async def test_many_are_sorted_on_the_disk(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into memory is put into order all the same."""
    monkeypatch.setattr("prefect_together._internal.sorted_lines._HELD", 700)
    await fill(storage, range(40))
    expected = [attempt(number).key for number in reversed(range(40))]
    assert expected == [row.key async for row in newest_attempts(storage)]
