"""A process that spends much of a shared limit takes money for many requests with one entry, and the limit holds all the same."""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import BudgetExceeded, LibraryError
from prefect_together.ledger import allowance
from prefect_together.ledger.allowance_renewal import Renewal
from prefect_together.ledger.append_log import AppendLog
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.packing import pack
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage

from .conftest import Place

PRICE = Decimal("0.03")

KILLED = """
import asyncio, json, os, signal, sys
from decimal import Decimal
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.heartbeats import owned
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage

async def spend():
    ledger = Ledger(Storage(sys.argv[1], json.loads(sys.argv[4])))
    budget = Budget(worst_case=Decimal(5), limit=SpendLimit(name="shared", usd=Decimal(sys.argv[2])), storage=ledger.storage)
    for n in range(int(sys.argv[3])):
        attempt = Attempt(f"{n:064x}", "any", 1)
        await budget.reserve(attempt.key, Decimal("0.03"))
        if n % 10 == 9:  # refused before anything is sent
            await budget.settle(attempt.key, Decimal(0))
            continue
        mark = budget.mark(attempt.key)
        await ledger.record(attempt, "claimed", {**owned(), **({"allowance": mark} if mark else {})})
        if n % 10 == 8:  # in flight
            continue
        await ledger.record(attempt, "stored", {"media": [{"cost": "0.02"}]})
        await budget.settle(attempt.key, Decimal("0.02"))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(spend())
"""


def _limit(usd: Decimal) -> SpendLimit:
    return SpendLimit(name="shared", usd=usd)


def _budget(storage: Storage, usd: Decimal) -> Budget:
    return Budget(worst_case=Decimal(5), limit=_limit(usd), storage=storage)


def _key(name: str, number: int) -> str:
    return f"{name}{number:063x}/any/0001"


async def _spend(budget: Budget, name: str, count: int, *, at_once: int = 8) -> int:
    """Reserve for so many requests, some of them at once, and settle each; return how many there was money for."""
    numbers, done = iter(range(count)), 0

    async def work() -> None:
        nonlocal done
        for number in numbers:
            try:
                await budget.reserve(_key(name, number), PRICE)
            except BudgetExceeded:
                continue
            done += 1
            await asyncio.sleep(0.001)
            await budget.settle(_key(name, number))

    await asyncio.gather(*(work() for _ in range(at_once)))
    return done


async def _draws(budget: Budget, name: str, usd: Decimal = PRICE) -> list[str]:
    """Reserve until there is money in the allowance; return the keys, the last of which is paid from it."""
    keys: list[str] = []
    while not keys or not budget.mark(keys[-1]):
        keys.append(_key(name, len(keys)))
        await budget.reserve(keys[-1], usd)
    return keys


async def _reserved(budget: Budget, key: str) -> bool:
    try:
        await budget.reserve(key, PRICE)
    except LibraryError:
        return False
    return True


async def _nothing(_: Renewal) -> None:
    """Look after nothing, as one that hangs."""


async def _last(storage: Storage) -> tuple[int, dict[str, Any]]:
    log = AppendLog(storage, _limit(PRICE).folder, advice="")
    await log.read()
    return log.number, log.last


async def test_many_requests_take_few_entries_and_all_of_the_limit(storage: Storage) -> None:
    """Of what four want, what the limit is enough for goes, to the last cent; of 600 requests, a fifth is written down."""
    each = 50 if storage.folder is None else 200
    fits = 3 * each
    budgets = [_budget(storage, fits * PRICE) for _ in range(4)]
    done = await asyncio.gather(*(_spend(budget, f"{n}", each) for n, budget in enumerate(budgets)))
    await asyncio.gather(*(budget.close() for budget in budgets))
    number, last = await _last(storage)
    assert (fits, fits * PRICE, {}) == (sum(done), Decimal(last["committed"]), last["holders"])
    assert number < 120 + 4 * 8  # at its end, where they are reserved one by one, it may be eight at once of each


async def test_a_short_batch_says_of_each_request_what_it_takes(storage: Storage) -> None:
    """Nothing is set aside that nobody asked for."""
    budget = _budget(storage, 1000 * PRICE)
    for number in range(allowance.SINGLY):
        await budget.reserve(_key("a", number), PRICE)
    _, last = await _last(storage)
    assert allowance.SINGLY * PRICE == Decimal(last["committed"])


@pytest.mark.parametrize("packed", [False, True], ids=["small", "packed"])
async def test_what_a_killed_process_did_not_spend_is_free_again(place: Place, packed: bool) -> None:
    """What its allowance was spent on is found by its claims, packed or not: settled, in flight, refused."""
    storage, told = place.opened(), [place.url, str(1000 * PRICE), "100", json.dumps(place.options)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, *told)
    assert -9 == await asyncio.wait_for(process.wait(), 100)
    _, before = await _last(storage)
    assert any("allowance" in holder for holder in before["holders"].values())
    if packed:
        assert (await pack(storage)).attempts
    await _budget(storage, 1000 * PRICE).close()
    _, last = await _last(storage)
    (holder,) = last["holders"].values()
    assert ({f"{n:064x}/any/0001" for n in range(8, 100, 10)}, False) == (set(holder["reserved"]), "allowance" in holder)
    assert 80 * Decimal("0.02") + 10 * PRICE == Decimal(last["committed"])


@pytest.mark.slow
async def test_what_nobody_uses_is_handed_back_to_who_needs_it(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last request that fits waits for a moment where the money for it is in somebody's allowance, and goes."""
    monkeypatch.setattr(allowance, "patience", lambda: 3.2)
    first, second = _budget(storage, 100 * PRICE), _budget(storage, 100 * PRICE)
    spent = len(await _draws(first, "a"))
    await second.reserve(_key("b", 0), (100 - spent) * PRICE)
    with pytest.raises(BudgetExceeded):
        await second.reserve(_key("b", 1), PRICE)
    with pytest.raises(BudgetExceeded):
        await first.reserve(_key("a", spent), PRICE)
    _, last = await _last(storage)
    assert 100 * PRICE == Decimal(last["committed"])


async def test_who_hangs_loses_what_it_did_not_claim(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others spend what is in the allowance of one that says nothing any more; what it claims then, it must not send."""
    monkeypatch.setattr(allowance, "patience", lambda: 0.8)
    monkeypatch.setattr("prefect_together.ledger.spend_limit.SWEEP_PAUSE", 0.1)
    monkeypatch.setattr(Renewal, "_watch", _nothing)
    hangs, other = _budget(storage, 100 * PRICE), _budget(storage, 100 * PRICE)
    keys = await _draws(hangs, "a")
    assert hangs.covers(keys[-1])
    named = len([key for key in keys if not hangs.mark(key)])
    await other.reserve(_key("b", 0), (100 - named) * PRICE)
    assert [True] * named + [False] * (len(keys) - named) == [hangs.covers(key) for key in keys]
    await hangs.settle(keys[-1], Decimal(0))
    with pytest.raises(BudgetExceeded):
        await hangs.reserve(_key("a", len(keys)), PRICE)
    await hangs.close()
    _, last = await _last(storage)
    assert 100 * PRICE == Decimal(last["committed"])


@pytest.mark.parametrize("written", [False, True], ids=["not-written", "written-all-the-same"])
async def test_a_library_that_fails_while_it_is_renewed_changes_no_sum(
    written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not the entry is there that failed, what was spent counts once and what was not comes back."""
    storage = Storage(str(tmp_path))
    budget = _budget(storage, 1000 * PRICE)
    keys = await _draws(budget, "a")
    real, fails = AppendLog.add, True

    async def add(self: AppendLog, says: dict[str, Any]) -> bool:
        if not fails:
            return await real(self, says)
        if written:
            await real(self, says)
        raise LibraryError("The library is away for a moment.")

    monkeypatch.setattr(AppendLog, "add", add)
    meanwhile = keys.pop()
    unlucky: list[str] = []
    for key in (_key("a", number) for number in range(len(keys) + 1, 100)):
        if await _reserved(budget, key):
            keys.append(key)
            continue
        unlucky.append(key)
        await budget.settle(meanwhile, Decimal("0.01"))
        fails = False
    for key in keys:
        await budget.settle(key, Decimal("0.02"))
    await budget.close()
    _, last = await _last(storage)
    (holder,) = last["holders"].values()
    # What fails stays reserved where it was written, and so does what was to be settled before it was known to be reserved.
    assert (unlucky if written else [meanwhile]) == list(holder["reserved"])
    assert len(keys) * Decimal("0.02") + PRICE + (Decimal("0.01") if written else 0) == Decimal(last["committed"])
    assert "allowance" not in holder


async def test_what_costs_more_than_was_thought_counts_in_full(storage: Storage) -> None:
    """Also where it is more than the allowance: nobody spends of the limit what is not there any more."""
    budget, other = _budget(storage, 100 * PRICE), _budget(storage, 100 * PRICE)
    keys = await _draws(budget, "a")
    await budget.settle(keys[-1], 50 * PRICE)
    await budget.close()
    taken = (len(keys) - 1 + 50) * PRICE
    _, last = await _last(storage)
    assert taken == Decimal(last["committed"])
    with pytest.raises(BudgetExceeded):
        await other.reserve(_key("b", 0), 100 * PRICE - taken + PRICE)
    await other.reserve(_key("b", 0), 100 * PRICE - taken)
