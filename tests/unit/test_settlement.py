"""What is reserved is settled by what the ledger says, whoever reserved it and whether or not they live."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prefect_together._internal.process import ProcessId, this_process
from prefect_together.errors import BudgetExceeded
from prefect_together.ledger import spend_limit
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.ledger import Attempt, Event, Ledger
from prefect_together.ledger.settlement import STUCK, settled_cost
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage

from .making import SPENDER, processes

ATTEMPT = Attempt("ab" * 32, "any", 1)
NONE: dict[str, Any] = {}
ELSEWHERE = ProcessId(host="far", machine="away", pid=1, started="1")
GONE = this_process().model_copy(update={"started": "long ago"})

KILLED = """
import asyncio, os, signal, sys
from decimal import Decimal
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.storage.storage import Storage

async def spend():
    budget = Budget(worst_case=Decimal(5), limit=SpendLimit(name="shared", usd=Decimal("1.00")), storage=Storage(sys.argv[1]))
    await asyncio.gather(*(budget.reserve(f"{sys.argv[2]}{n:063x}/any/0001", Decimal("0.05")) for n in range(20)))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(spend())
"""


def _purse(storage: Storage, usd: str = "1.00") -> Budget:
    return Budget(worst_case=Decimal(5), limit=SpendLimit(name="shared", usd=Decimal(usd)), storage=storage)


async def _recorded(storage: Storage, *events: tuple[Event, dict[str, Any]], owner: ProcessId | None = None) -> Ledger:
    ledger = Ledger(storage)
    await ledger.record(ATTEMPT, "claimed", {"owner": (owner or this_process()).model_dump()})
    for event, entry in events:
        await ledger.record(ATTEMPT, event, entry)
    return ledger


@pytest.mark.parametrize(
    ("events", "cost"),
    [
        pytest.param([], None, id="claimed"),
        pytest.param([("refused", NONE)], "0", id="refused"),
        pytest.param([("accepted", {"job_id": "a"})], None, id="accepted"),
        pytest.param(
            [("accepted", NONE), ("stored", {"media": [{"cost": "0.20"}, {"cost": "0.11"}]})], "0.31", id="reported"
        ),
        pytest.param([("stored", {"media": [{"cost": "0.20"}, {"estimated_cost": "0.11"}]})], "5", id="not-all-reported"),
        pytest.param([("stored", {"media": [NONE]})], "5", id="not-reported"),
        pytest.param([("failed", {"cost": "0.07"})], "0.07", id="failed-and-charged"),
        pytest.param([("failed", {"cost": None})], "5", id="failed"),
        pytest.param([("unknown", NONE)], None, id="unknown"),
        pytest.param([("unknown", NONE), ("resolved", {"how": "forgotten"})], "0", id="found-not-charged"),
        pytest.param([("unknown", NONE), ("resolved", {"how": "resubmitted"})], "5", id="sent-again"),
        pytest.param([("lost", NONE), ("resolved", {"how": "forgotten"})], "5", id="lost-and-forgotten"),
    ],
)
async def test_what_became_of_an_attempt_is_what_it_costs(
    events: list[tuple[Event, dict[str, Any]]], cost: str | None, tmp_path: Path
) -> None:
    """Nothing where it was refused, what was reported, else what was reserved; open while nobody knows."""
    ledger = await _recorded(Storage(str(tmp_path)), *events)
    found = await settled_cost(ledger, ATTEMPT.key, Decimal(5), this_process(), "2026-01-01T00:00:00+00:00")
    assert found == (None if cost is None else Decimal(cost))


async def test_who_lost_the_race_to_send_it_has_spent_nothing(tmp_path: Path) -> None:
    """Two reserved for the same attempt and one sent it: the other one's money is free."""
    ledger = await _recorded(Storage(str(tmp_path)), ("stored", {"media": [{"cost": "0.20"}]}), owner=ELSEWHERE)
    at = "2026-01-01T00:00:00+00:00"
    assert Decimal(0) == await settled_cost(ledger, ATTEMPT.key, Decimal(5), GONE, at)
    assert Decimal("0.20") == await settled_cost(ledger, ATTEMPT.key, Decimal(5), ELSEWHERE, at)


async def test_a_job_that_was_taken_over_costs_what_its_new_owner_hears(tmp_path: Path) -> None:
    """The reservation of the one who died follows the job to the attempt that took it over."""
    ledger = await _recorded(
        Storage(str(tmp_path)), ("accepted", {}), ("adopted", {"by": f"{ATTEMPT.fingerprint}/run-b/0001"})
    )
    asked = ledger, ATTEMPT.key, Decimal(5), this_process(), "2026-01-01T00:00:00+00:00"
    successor = Attempt(ATTEMPT.fingerprint, "run-b", 1)
    await ledger.record(successor, "claimed", {"owner": ELSEWHERE.model_dump()})
    await ledger.record(successor, "accepted", {})
    assert await settled_cost(*asked) is None
    await ledger.record(successor, "stored", {"media": [{"cost": "0.42"}]})
    assert Decimal("0.42") == await settled_cost(*asked)


async def test_what_was_never_claimed_is_given_back(tmp_path: Path) -> None:
    """At once where its process is gone; on another machine after a while, and then it cannot be claimed any more."""
    ledger, now = Ledger(Storage(str(tmp_path))), datetime.now(timezone.utc)
    fresh, old = now.isoformat(), (now - timedelta(seconds=STUCK + 1)).isoformat()
    assert await settled_cost(ledger, ATTEMPT.key, Decimal(1), this_process(), old) is None
    assert Decimal(0) == await settled_cost(ledger, ATTEMPT.key, Decimal(1), GONE, fresh)
    assert await settled_cost(ledger, ATTEMPT.key, Decimal(1), ELSEWHERE, fresh) is None
    assert Decimal(0) == await settled_cost(ledger, ATTEMPT.key, Decimal(1), ELSEWHERE, old)
    assert not await ledger.record(ATTEMPT, "claimed", {"owner": ELSEWHERE.model_dump()})
    assert "refused" == (await ledger.history(ATTEMPT.fingerprint)).attempts[0].state


async def test_who_claims_and_dies_while_we_look_has_not_spent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim came after the ledger was read and before the process was found gone: its money stays reserved."""
    ledger, lives = Ledger(Storage(str(tmp_path))), True
    real = Ledger.history

    def runs(_: ProcessId) -> bool:
        return lives

    async def claims_and_dies(self: Ledger, fingerprint: str) -> Any:
        nonlocal lives
        history = await real(self, fingerprint)
        await ledger.record(ATTEMPT, "claimed", {"owner": GONE.model_dump()})
        lives = False
        return history

    monkeypatch.setattr(ProcessId, "is_alive", runs)
    monkeypatch.setattr(Ledger, "history", claims_and_dies)
    assert await settled_cost(ledger, ATTEMPT.key, Decimal(1), GONE, datetime.now(timezone.utc).isoformat()) is None


@pytest.mark.slow
async def test_a_killed_process_does_not_block_a_limit(tmp_path: Path) -> None:
    """A process reserves the whole limit and is killed before it sends anything: the next one has it all."""
    process = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", KILLED, str(tmp_path), "a"], check=False)
    assert -9 == process.returncode
    budget = _purse(Storage(str(tmp_path)))
    await budget.reserve("b" * 64 + "/any/0001", Decimal("1.00"))
    assert "$1.00 of $1.00" in str(budget)


@pytest.mark.slow
def test_killed_among_eight_they_neither_block_nor_exceed_it(tmp_path: Path) -> None:
    """Eight spend from $1.00 and five of them are killed anywhere: 33 at $0.03 are sent in the end, and never more."""
    command = [sys.executable, "-c", SPENDER, str(tmp_path)]
    doomed = ["dies"] * 5 + ["lives"] * 3
    with processes([[*command, f"{n:x}", how] for n, how in enumerate(doomed)]) as running:
        assert [-9] * 5 + [0] * 3 == [process.wait(timeout=100) for process in running]
    assert 33 >= len(list(tmp_path.rglob("*-claimed.json")))
    for who in "ef":
        subprocess.run([*command, who, "lives"], check=True, timeout=100)
    assert 33 == len(list(tmp_path.rglob("*-claimed.json")))


async def test_a_cost_that_another_process_hears_takes_the_estimates_place(storage: Storage) -> None:
    """Whoever closes a batch settles what others left open; what is unknown stays until it is decided."""
    first, second = _purse(storage), _purse(storage)
    await first.reserve(ATTEMPT.key, Decimal("0.90"))
    ledger = await _recorded(storage, ("accepted", {"job_id": "a"}))
    await second.close()
    assert "$0.90 of $1.00" in str(second)
    await ledger.record(ATTEMPT, "stored", {"media": [{"cost": "0.25"}]})
    await second.close()
    assert "$0.25 of $1.00" in str(second)
    await first.settle(ATTEMPT.key, Decimal("0.25"))
    await first.close()
    assert "$0.25 of $1.00" in str(first)


async def test_a_refusal_looks_once_for_money_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that does not fit finds what became free meanwhile; a hundred of them do not look a hundred times."""
    now = [1000.0]
    monkeypatch.setattr(spend_limit, "time", SimpleNamespace(monotonic=lambda: now[0]))
    storage = Storage(str(tmp_path))
    first, second = _purse(storage), _purse(storage)
    await first.reserve(ATTEMPT.key, Decimal("0.90"))
    with pytest.raises(BudgetExceeded):
        await second.reserve("b" * 64 + "/any/0001", Decimal("0.50"))
    await _recorded(storage, ("stored", {"media": [{"cost": "0.25"}]}))
    now[0] += spend_limit.SWEEP_PAUSE
    looks, real = 0, Ledger.history

    async def counted(self: Ledger, fingerprint: str) -> Any:
        nonlocal looks
        looks += 1
        return await real(self, fingerprint)

    monkeypatch.setattr(Ledger, "history", counted)
    wanted = [second.reserve(f"{n:064x}/any/0001", Decimal("0.50")) for n in range(100)]
    outcomes = await asyncio.gather(*wanted, return_exceptions=True)
    assert 1 == outcomes.count(None)
    assert 1 == looks


async def test_who_is_cancelled_while_reserving_leaves_nothing_behind(tmp_path: Path) -> None:
    """The entry may be written after its asker is gone: it is given back with the next one."""
    storage = Storage(str(tmp_path))
    budget = _purse(storage)
    await budget.reserve("b" * 64 + "/any/0001", Decimal("0.10"))
    asking = asyncio.create_task(budget.reserve(ATTEMPT.key, Decimal("0.80")))
    await asyncio.sleep(0)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    until = time.monotonic() + 60
    while "$0.10 of $1.00" not in str(budget) and time.monotonic() < until:
        await asyncio.sleep(0.05)
        await budget.close()
    assert "$0.10 of $1.00" in str(budget)


async def test_a_reservation_that_is_written_twice_counts_once(tmp_path: Path) -> None:
    """A write whose answer was lost is repeated: the same attempt takes its money once, and gives it back whole."""
    first, second = _purse(Storage(str(tmp_path))), _purse(Storage(str(tmp_path)))
    shared = first._shared  # pyright: ignore[reportPrivateUsage] - what repeats it is the budget itself
    assert shared is not None
    assert await shared.reserve(ATTEMPT.key, Decimal("0.60"))
    assert await shared.reserve(ATTEMPT.key, Decimal("0.70"))
    assert "$0.70 of $1.00" in str(first)
    await shared.settle(ATTEMPT.key, Decimal(0), wait=True)
    await second.reserve("b" * 64 + "/any/0001", Decimal("1.00"))
