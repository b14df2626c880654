"""The governor: slower after a 429, as fast as before after answers, waiting where it is told to, and fair."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from prefect_together.http import rate_limit
from prefect_together.http.rate_limit import Governor, Lane

from .virtual_time import now, virtual_time


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the governor read the clock of the test's loop, which waits for nothing."""
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=now))


async def _send(lane: Lane, seconds: float = 0.0) -> None:
    entered = await lane.enter()
    await asyncio.sleep(seconds)
    lane.taken(entered)
    lane.leave()


@virtual_time
async def test_a_429_narrows_the_lane_once_for_all_that_were_in_flight() -> None:
    """Ten refusals of one burst count as one; answers widen it again, up to all slots."""
    governor = Governor(64)
    lane = governor.lane("m")
    entered = [await lane.enter() for _ in range(10)]
    await asyncio.sleep(0.1)  # the answers come
    for at in entered:
        lane.leave()
        lane.limited(at, 0.0)
    assert 6.0 < lane.width < 7.1
    for _ in range(3000):
        lane.taken(now())
    assert 64.0 == lane.width


@virtual_time
async def test_a_hint_closes_the_lane_and_no_other() -> None:
    """Nobody of the model goes on before its time; another model does not wait."""
    governor = Governor(8)
    entered = await governor.lane("slow").enter()
    governor.lane("slow").leave()
    assert governor.lane("slow").limited(entered, 0.3) >= 0.3
    began = now()
    await _send(governor.lane("other"))
    assert 0.0 == now() - began
    await _send(governor.lane("slow"))
    assert 0.3 <= now() - began < 0.5


@virtual_time
async def test_a_503_does_not_narrow() -> None:
    """Busy is not too fast: with a hint all wait, without one only the request itself, and the width stays."""
    lane = Governor(8).lane("m")
    lane.busy(1, None)
    began = now()
    await _send(lane)
    assert 0.0 == now() - began
    lane.busy(1, 0.2)
    await _send(lane)
    assert 0.2 <= now() - began < 0.4
    assert 8.0 == lane.width


@virtual_time
async def test_a_slow_model_does_not_starve_another() -> None:
    """With a hundred slow requests queued and in flight, a request of another model is sent at once."""
    governor = Governor(16)
    slow = [asyncio.create_task(_send(governor.lane("slow"), 0.3)) for _ in range(100)]
    await asyncio.sleep(0.05)
    began = now()
    await asyncio.gather(*(_send(governor.lane("quick")) for _ in range(20)))
    assert 0.0 == now() - began
    assert 14 == governor.lane("slow").active
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@virtual_time
async def test_freed_slots_go_round() -> None:
    """Three models that all wait get the same number of turns."""
    governor = Governor(1)
    order: list[str] = []

    async def one(model: str) -> None:
        lane = governor.lane(model)
        await lane.enter()
        order.append(model)
        await asyncio.sleep(0)
        lane.leave()

    holding = await governor.lane("a").enter()
    waiting = [asyncio.create_task(one(model)) for model in "aaabbbccc"]
    await asyncio.sleep(0)
    governor.lane("a").leave()
    await asyncio.gather(*waiting)
    assert holding
    assert [set("abc")] * 3 == [set(order[n : n + 3]) for n in (0, 3, 6)]


@virtual_time
async def test_who_gives_up_waiting_takes_no_slot() -> None:
    """Cancelled waiters leave nothing behind."""
    governor = Governor(1)
    lane = governor.lane("m")
    await lane.enter()
    waiting = [asyncio.create_task(_send(lane)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting[:4]:
        task.cancel()
    lane.leave()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (0, 0) == (governor.active, lane.active)
