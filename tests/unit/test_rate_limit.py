"""The rate limiter: slower after a 429, as fast as before after answers, waiting where it is told to, and fair."""

from __future__ import annotations

import asyncio
import time

from prefect_together.http.rate_limit import AdaptiveLimiter, ModelLimiter


async def _send(lane: ModelLimiter, seconds: float = 0.0) -> None:
    entered = await lane.acquire()
    await asyncio.sleep(seconds)
    lane.on_accepted(entered)
    lane.release()


async def test_a_429_narrows_the_lane_once_for_all_that_were_in_flight() -> None:
    """Ten refusals of one burst count as one; answers widen it again, up to all slots."""
    limiter = AdaptiveLimiter(64)
    lane = limiter.for_model("m")
    entered = [await lane.acquire() for _ in range(10)]
    for at in entered:
        lane.release()
        lane.on_rate_limited(at, 0.0)
    assert 6.0 < lane.width < 7.1
    for _ in range(3000):
        lane.on_accepted(time.monotonic())
    assert 64.0 == lane.width


async def test_a_hint_closes_the_lane_and_no_other() -> None:
    """Nobody of the model goes on before its time; another model does not wait."""
    limiter = AdaptiveLimiter(8)
    entered = await limiter.for_model("slow").acquire()
    limiter.for_model("slow").release()
    assert limiter.for_model("slow").on_rate_limited(entered, 0.3) >= 0.3
    began = time.monotonic()
    await _send(limiter.for_model("other"))
    assert time.monotonic() - began < 0.1
    await _send(limiter.for_model("slow"))
    assert time.monotonic() - began >= 0.3


async def test_a_503_does_not_narrow() -> None:
    """Busy is not too fast: with a hint all wait, without one only the request itself, and the width stays."""
    lane = AdaptiveLimiter(8).for_model("m")
    lane.on_busy(1, None)
    began = time.monotonic()
    await _send(lane)
    assert time.monotonic() - began < 0.1
    lane.on_busy(1, 0.2)
    await _send(lane)
    assert time.monotonic() - began >= 0.2
    assert 8.0 == lane.width


async def test_a_slow_model_does_not_starve_another() -> None:
    """With a hundred slow requests queued and in flight, a request of another model is sent at once."""
    limiter = AdaptiveLimiter(16)
    slow = [asyncio.create_task(_send(limiter.for_model("slow"), 0.3)) for _ in range(100)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await asyncio.gather(*(_send(limiter.for_model("quick")) for _ in range(20)))
    assert time.monotonic() - began < 0.2
    assert 14 == limiter.for_model("slow").active
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


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
