"""A spend limit is never exceeded: not by many at once, not by several processes, and not by an unknown price."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from prefect_together.errors import BudgetExceeded
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage

from .making import SPENDER, processes


def _purse(storage: Storage, usd: str = "1.00") -> Budget:
    return Budget(worst_case=Decimal(5), limit=SpendLimit(name="shared", usd=Decimal(usd)), storage=storage)


def _key(name: str) -> str:
    return f"{name:0>64}/any/0001"


@pytest.mark.slow
def test_eight_processes_never_exceed_it(tmp_path: Path) -> None:
    """Eight processes want 160 times $0.03 of $1.00 at once: 33 get it, and that is all there is."""
    command = [sys.executable, "-c", SPENDER, str(tmp_path)]
    with processes([[*command, str(n), "lives"] for n in range(8)]) as running:
        assert [0] * 8 == [process.wait(timeout=100) for process in running]
    assert 33 == len(list(tmp_path.rglob("*-claimed.json")))


async def test_several_purses_on_any_storage(storage: Storage) -> None:
    """On a folder and on S3, several that spend at once get the limit and no more."""
    purses = [_purse(storage, "0.30") for _ in range(4)]
    wanted = [purse.reserve(_key(f"{n}{m}"), Decimal("0.03")) for n, purse in enumerate(purses) for m in range(5)]
    outcomes = await asyncio.gather(*wanted, return_exceptions=True)
    assert 10 == sum(outcome is None for outcome in outcomes)
    assert {BudgetExceeded} == {type(outcome) for outcome in outcomes if outcome is not None}


async def test_what_is_settled_below_its_estimate_can_be_spent(storage: Storage) -> None:
    """A refusal gives all back, a reported cost the difference; one above the estimate counts in full."""
    purse, other = _purse(storage, "0.10"), _purse(storage, "0.10")
    await purse.reserve(_key("a"), Decimal("0.10"))
    with pytest.raises(BudgetExceeded):
        await other.reserve(_key("b"), Decimal("0.05"))
    await purse.settle(_key("a"), Decimal("0.04"))
    await other.reserve(_key("b"), Decimal("0.05"))
    await other.settle(_key("b"), Decimal("0.20"))
    with pytest.raises(BudgetExceeded):
        await purse.reserve(_key("c"), Decimal("0.01"))
    assert Decimal("0.04") == purse.committed


async def test_an_unknown_price_is_the_worst_case() -> None:
    """Never nothing."""
    purse = Budget(worst_case=Decimal(5), max_cost=Decimal(9))
    await purse.reserve(_key("a"), None)
    with pytest.raises(BudgetExceeded, match="counts as"):
        await purse.reserve(_key("b"), None)


async def test_a_limit_that_cannot_be_reached_refuses_nothing_it_has_not_got(storage: Storage) -> None:
    """A request dearer than the whole limit is refused and leaves the limit as it was."""
    purse = _purse(storage, "0.10")
    with pytest.raises(BudgetExceeded):
        await purse.reserve(_key("a"), Decimal(1))
    await purse.reserve(_key("b"), Decimal("0.10"))
    assert Decimal("0.10") == purse.committed


async def test_what_a_sandbox_spends_takes_nothing_from_the_limit(tmp_path: Path) -> None:
    """A flow that was tried on a sandbox has all of its limit left for Together; the sandbox's own is spent once, too."""
    storage, limit = Storage(str(tmp_path)), SpendLimit(name="shared", usd=Decimal(1))

    def budget(environment: str) -> Budget:
        return Budget(worst_case=Decimal(5), limit=limit, storage=storage, environment=environment)

    await budget("loopback").reserve("f/any/1", Decimal("0.90"))
    await budget("together").reserve("f/any/1", Decimal("0.90"))
    for environment in ("loopback", "together"):
        with pytest.raises(BudgetExceeded):
            await budget(environment).reserve("g/any/1", Decimal("0.90"))
