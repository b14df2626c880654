"""A limit with thousands of reservations: an entry is as long as they are many, so few entries are written, and none is wrong."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from prefect_together._internal.json import read
from prefect_together._internal.process import this_process
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage

COUNT = 2000
KEYS = [f"{number:064x}/any/0001" for number in range(COUNT)]
LIMIT = SpendLimit(name="shared", usd=Decimal(30))
EACH, COST = Decimal("0.01"), Decimal("0.004")


def _purse(folder: Path) -> Budget:
    return Budget(worst_case=Decimal(5), limit=LIMIT, storage=Storage(str(folder)))


def _entries(folder: Path) -> list[Path]:
    return sorted((folder / "limits").rglob("*.json"))


async def test_many_are_reserved_and_settled_with_few_entries(tmp_path: Path) -> None:
    """All that are reserved at once are one entry, what each did cost goes down with others, and the sum is exact."""
    purse, other = _purse(tmp_path), _purse(tmp_path)
    await asyncio.gather(*(purse.reserve(key, EACH) for key in KEYS))
    assert len(_entries(tmp_path)) <= 2
    for key in KEYS:
        await purse.settle(key, COST)
    await purse.close()
    written = [path.stat().st_size for path in _entries(tmp_path)]
    assert len(written) < COUNT / 10
    assert sum(written) < 40 * max(written)
    last = read(_entries(tmp_path)[-1].read_bytes())
    assert (COUNT * COST, {}) == (Decimal(last["committed"]), last["holders"])
    await other.close()
    assert "$8.00 of $30.00" in str(other)


async def test_few_are_settled_at_once(tmp_path: Path) -> None:
    """Where an entry is short, what becomes free is written down before the settlement returns."""
    purse = _purse(tmp_path)
    await asyncio.gather(*(purse.reserve(key, EACH) for key in KEYS[:16]))
    for number, key in enumerate(KEYS[:16], 1):
        await purse.settle(key, COST)
        assert 16 * EACH - number * (EACH - COST) == Decimal(read(_entries(tmp_path)[-1].read_bytes())["committed"])


async def test_what_others_left_is_settled_with_few_entries(tmp_path: Path) -> None:
    """Whoever comes next writes all that the ledger knows the cost of at once."""
    left, ledger = _purse(tmp_path), Ledger(Storage(str(tmp_path)))
    some = KEYS[:200]
    await asyncio.gather(*(left.reserve(key, EACH) for key in some))
    for key in some:
        fingerprint, scope, number = key.split("/")
        attempt = Attempt(fingerprint, scope, int(number))
        await ledger.record(attempt, "claimed", {"owner": this_process().model_dump()})
        await ledger.record(attempt, "stored", {"media": [{"cost": str(COST)}]})
    before = len(_entries(tmp_path))
    nobody = _purse(tmp_path)
    await nobody.close()
    assert before + 1 == len(_entries(tmp_path))
    assert "$0.80 of $30.00" in str(nobody)


async def test_two_that_write_by_turns_keep_one_sum(tmp_path: Path) -> None:
    """What one has read or written itself is never taken for what the other wrote since."""
    first, second = _purse(tmp_path), _purse(tmp_path)
    for number in range(20):
        for purse, name in ((first, "a"), (second, "b")):
            key = f"{name}{number:063x}/any/0001"
            await purse.reserve(key, EACH)
            if number % 2:
                await purse.settle(key, COST)
    last = read(_entries(tmp_path)[-1].read_bytes())
    assert 20 * EACH + 20 * COST == Decimal(last["committed"])
    assert [10, 10] == [len(holder["reserved"]) for holder in last["holders"].values()]
