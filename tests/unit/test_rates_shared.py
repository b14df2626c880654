"""Several processes of one account: each takes its share of what all see, so that they are refused little more than one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prefect_together.http import rate_limit
from prefect_together.http.rate_limit import AdaptiveLimiter, Permit
from prefect_together.ledger import heartbeats
from prefect_together.ledger.ledger import Attempt, encode
from prefect_together.storage.storage import Storage

AT_ONCE = 24
"""How many requests Together takes at once."""
SECONDS = 2.0
"""How long each takes."""
HOURS = 0.25


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to what comes next: hours pass in a moment, and busy machines change nothing."""

    now = 0.0
    _ready: Any
    _scheduled: Any

    def time(self) -> float:
        """Return its own time."""
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def _timed(monkeypatch: pytest.MonkeyPatch, work: Coroutine[Any, Any, tuple[int, int]], loop: _Loop) -> tuple[int, int]:
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=loop.time))
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


async def _asked(loop: _Loop, processes: int, *, told: bool, seconds: float = 3600 * HOURS) -> tuple[int, int]:
    """Ask as fast as it goes for a while, each from a second after the one before; return how many were refused, and taken."""
    chance, in_flight, refused, taken = random.Random(1), 0, 0, 0
    limiters = [AdaptiveLimiter(64) for _ in range(processes)]

    async def caller(limiter: AdaptiveLimiter, begin: float) -> None:
        nonlocal in_flight, refused, taken
        lane = limiter.for_model("m")
        await asyncio.sleep(begin)
        while loop.time() < seconds:
            permit = Permit(lane)
            entered = await permit.acquire()
            await asyncio.sleep(0.02 * chance.random())
            if in_flight >= AT_ONCE:
                refused += 1
                pause = lane.on_rate_limited(entered, SECONDS)
                permit.release()
                await asyncio.sleep(pause)
                continue
            in_flight += 1
            await asyncio.sleep(SECONDS * (0.8 + 0.4 * chance.random()))
            in_flight, taken = in_flight - 1, taken + 1
            lane.on_accepted(entered)
            permit.release()

    async def beat() -> None:
        while told:
            await asyncio.sleep(heartbeats.BEAT)
            seen = [limiter.seen() for limiter in limiters]
            for number, limiter in enumerate(limiters):
                limiter.heed(seen[:number] + seen[number + 1 :])

    beating = asyncio.create_task(beat())
    await asyncio.gather(*(caller(limiter, begin) for begin, limiter in enumerate(limiters) for _ in range(32)))
    beating.cancel()
    return refused, taken


@pytest.mark.slow
def test_four_processes_are_refused_little_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most half as often again for as many requests, at no less speed; without hearing of each other, much more."""
    (one, alone), (four, together), (apart, _) = (
        _timed(monkeypatch, _asked(loop, processes, told=told), loop)
        for loop, processes, told in ((_Loop(), 1, False), (_Loop(), 4, True), (_Loop(), 4, False))
    )
    assert together >= alone
    assert four / together <= 1.5 * one / alone
    assert apart > 3 * four


def test_processes_that_begin_are_refused_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three more that begin where one fills what there is: not all that they want to send is refused, only a few requests."""
    (one, alone), (four, together) = (
        _timed(monkeypatch, _asked(loop, processes, told=True, seconds=100), loop)
        for loop, processes in ((_Loop(), 1), (_Loop(), 4))
    )
    assert four - one <= 3 * 12 < 3 * 32
    assert together >= 0.7 * alone


async def test_processes_hear_of_each_other_with_their_leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever renews its leases is heard; one that does so no more, such as a dead one, is forgotten."""
    monkeypatch.setattr(heartbeats, "BEAT", 0.02)
    storage, heard = Storage(str(tmp_path)), list[list[Any]]()
    heartbeat, attempt = heartbeats.Heartbeat(storage), Attempt("ab" * 20, "any", 1)
    heartbeat.topics["rate"] = heartbeats.Topic(lambda: {"m": 3}, heard.append)

    async def until(expected: list[Any]) -> None:
        while heard[-1:] != [expected]:
            await asyncio.sleep(0.01)

    heartbeat.add(attempt)
    try:
        await asyncio.wait_for(until([]), 20)
        for token in ("one", "two"):
            heard.clear()
            pulse = {"token": token, "holds": list[str](), "told": {"rate": {"m": 5}, "other": 1}}
            await storage.write("ledger/leases/other.json", encode(pulse))
            await asyncio.wait_for(until([{"m": 5}]), 20)
        await asyncio.wait_for(until([]), 20)
    finally:
        heartbeat.remove(attempt)
