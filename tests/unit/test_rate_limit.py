"""The rate limiter: slower after a 429, as fast as before after answers, waiting where it is told to, and fair."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from prefect_together.http import rate_limit
from prefect_together.http.rate_limit import AdaptiveLimiter, ModelLimiter

from .virtual_time import now, virtual_time


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the limiter read the clock of the test's loop, which waits for nothing."""
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=now))


async def _send(lane: ModelLimiter, seconds: float = 0.0) -> None:
    entered = await lane.acquire()
    await asyncio.sleep(seconds)
    lane.on_accepted(entered)
    lane.release()


@virtual_time
async def test_a_429_narrows_the_lane_once_for_all_that_were_in_flight() -> None:
    """Ten refusals of one burst count as one, and as many answers say so; more of them widen it up to all slots."""
    limiter = AdaptiveLimiter(64)
    lane = limiter.for_model("m")
    entered = [await lane.acquire() for _ in range(10)]
    await asyncio.sleep(0.1)  # the answers come
    for at in entered:
        lane.release()
        lane.on_rate_limited(at, 0.0)
    assert 1.0 == lane.width
    for _ in range(10):
        lane.on_accepted(now())
    assert 10.0 < lane.width < 12.0
    for _ in range(3000):
        lane.on_accepted(now())
    assert 64.0 == lane.width


@virtual_time
@pytest.mark.parametrize(("sent", "taken"), [(32, 24), (32, 5), (32, 0), (2, 1)])
async def test_after_a_burst_no_more_are_sent_than_were_taken(sent: int, taken: int) -> None:
    """Whoever is refused everything goes on with one request, and not with most of those that were refused."""
    lane = AdaptiveLimiter(64).for_model("m")
    entered = [await lane.acquire() for _ in range(sent)]
    for at in entered[taken:]:
        await asyncio.sleep(0.001)
        lane.on_rate_limited(at, 0.0)
        lane.release()
    assert max(1, taken - 3) <= lane.width <= max(1, taken)


@virtual_time
async def test_a_model_is_opened_by_and_by() -> None:
    """One request goes at once, all slots are open within two seconds though nothing was answered, and a 429 ends that."""
    lane = AdaptiveLimiter(64).for_model("m")
    waiting = [asyncio.create_task(lane.acquire()) for _ in range(64)]
    await asyncio.sleep(0)
    assert 1 == lane.active
    await asyncio.sleep(2)
    assert 56 == lane.active
    for task in waiting:
        task.cancel()
    other = AdaptiveLimiter(64).for_model("m")
    waiting = [asyncio.create_task(other.acquire()) for _ in range(64)]
    await asyncio.sleep(0.2)
    sent = other.active
    other.on_rate_limited(now(), 1.0)
    await asyncio.sleep(0.9)
    assert sent == other.active
    for task in waiting:
        task.cancel()


@virtual_time
async def test_a_first_request_that_is_refused_costs_a_few_rounds() -> None:
    """Where that was a moment's, twice as many are in flight after each round of answers, up to ten, and then one more."""
    lane = AdaptiveLimiter(64).for_model("m")
    lane.on_rate_limited(await lane.acquire(), 0.0)
    lane.release()
    sending = [asyncio.create_task(_send(lane, 1.0)) for _ in range(200)]
    await asyncio.sleep(7.5)
    assert 13 <= lane.active <= 15
    for task in sending:
        task.cancel()


@virtual_time
async def test_a_hint_closes_the_lane_and_no_other() -> None:
    """Nobody of the model goes on before its time; another model does not wait."""
    limiter = AdaptiveLimiter(8)
    entered = await limiter.for_model("slow").acquire()
    limiter.for_model("slow").release()
    assert limiter.for_model("slow").on_rate_limited(entered, 0.3) >= 0.3
    began = now()
    await _send(limiter.for_model("other"))
    assert 0.0 == now() - began
    await _send(limiter.for_model("slow"))
    assert 0.3 <= now() - began < 0.5


@virtual_time
async def test_a_503_does_not_narrow() -> None:
    """Busy is not too fast: with a hint all wait, without one only the request itself, and the width stays."""
    lane = AdaptiveLimiter(8).for_model("m")
    lane.on_busy(1, None)
    began = now()
    await _send(lane)
    assert 0.0 == now() - began
    lane.on_busy(1, 0.2)
    await _send(lane)
    assert 0.2 <= now() - began < 0.4
    assert 8.0 == lane.width


@virtual_time
async def test_a_slow_model_does_not_starve_another() -> None:
    """With a hundred slow requests queued and in flight, a request of another model is sent at once."""
    limiter = AdaptiveLimiter(16)
    slow = [asyncio.create_task(_send(limiter.for_model("slow"), 0.3)) for _ in range(100)]
    await asyncio.sleep(0.5)
    began = now()
    await asyncio.gather(*(_send(limiter.for_model("quick")) for _ in range(20)))
    assert 0.0 == now() - began
    assert 14 == limiter.for_model("slow").active
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


@virtual_time
async def test_freed_slots_go_round() -> None:
    """Three models that all wait get the same number of turns."""
    limiter = AdaptiveLimiter(1)
    order: list[str] = []

    async def one(model: str) -> None:
        lane = limiter.for_model(model)
        await lane.acquire()
        order.append(model)
        await asyncio.sleep(0)
        lane.release()

    holding = await limiter.for_model("a").acquire()
    waiting = [asyncio.create_task(one(model)) for model in "aaabbbccc"]
    await asyncio.sleep(0)
    limiter.for_model("a").release()
    await asyncio.gather(*waiting)
    assert holding
    assert [set("abc")] * 3 == [set(order[n : n + 3]) for n in (0, 3, 6)]


@virtual_time
async def test_who_gives_up_waiting_takes_no_slot() -> None:
    """Cancelled waiters leave nothing behind."""
    limiter = AdaptiveLimiter(1)
    lane = limiter.for_model("m")
    await lane.acquire()
    waiting = [asyncio.create_task(_send(lane)) for _ in range(5)]
    await asyncio.sleep(0)
    for task in waiting[:4]:
        task.cancel()
    lane.release()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (0, 0) == (limiter.active, lane.active)
