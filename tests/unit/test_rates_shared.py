"""Several processes of one account: each takes its share of what all see, so that they are refused little more than one."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prefect_together.http import rate_limit
from prefect_together.http.permit import Permit
from prefect_together.http.rate_limit import ROUND, AdaptiveLimiter, Width
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


async def _asked(loop: _Loop, *begins: float, told: bool = True, seconds: float = 100) -> tuple[int, int]:
    """Ask as fast as it goes for a while, a process from each of some moments on; return how many were refused, and taken."""
    chance, in_flight, refused, taken = random.Random(1), 0, 0, 0
    limiters = [AdaptiveLimiter(64) for _ in begins]
    said = dict[int, dict[str, Width]]()

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

    async def beat(number: int, begin: float) -> None:
        await asyncio.sleep(begin + rate_limit.MOMENT * heartbeats.MUCH / rate_limit.OPENING)
        for pause in chain(heartbeats.SOON, repeat(heartbeats.BEAT)):
            await asyncio.sleep(pause)
            said[number] = limiters[number].seen()
            limiters[number].heed([of for other, of in said.items() if other != number])

    beating = [asyncio.create_task(beat(number, begin)) for number, begin in enumerate(begins) if told]
    await asyncio.gather(
        *(caller(limiter, begin) for begin, limiter in zip(begins, limiters, strict=True) for _ in range(32))
    )
    for one in beating:
        one.cancel()
    return refused, taken


@pytest.mark.slow
def test_four_processes_are_refused_little_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most half as often again for as many requests, at no less speed; without hearing of each other, much more."""
    (one, alone), (four, together), (apart, _) = (
        _timed(monkeypatch, _asked(loop, *range(processes), told=told, seconds=3600 * HOURS), loop)
        for loop, processes, told in ((_Loop(), 1, False), (_Loop(), 4, True), (_Loop(), 4, False))
    )
    assert together >= alone
    assert four / together <= 1.5 * one / alone
    assert apart > 3 * four


@pytest.mark.parametrize(
    "begins", [(0, 1, 2, 3), (0, 0.5, 0.6, 3), (0, 5, 10, 15), (0, 20, 20.5, 21), (0, 20), (0, 0)], ids=str
)
def test_processes_that_begin_are_refused_few_requests(begins: tuple[float, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that begin together, or where others use all there is, hear of each other before they send much."""
    one, alone = _timed(monkeypatch, _asked(loop := _Loop(), 0), loop)
    several, together = _timed(monkeypatch, _asked(loop := _Loop(), *begins), loop)
    apart, _ = _timed(monkeypatch, _asked(loop := _Loop(), *begins, told=False), loop)
    assert several <= 1.5 * one + len(begins)
    assert several < apart
    assert together >= 0.85 * alone


def test_who_begins_waits_until_all_have_heard_of_it() -> None:
    """Another process hears of it within one renewal of its own."""
    assert heartbeats.BEAT < ROUND <= 1.5 * heartbeats.BEAT


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
            owner = {"host": "a", "machine": "elsewhere", "pid": 1, "started": None}
            pulse = {"owner": owner, "token": token, "holds": list[str](), "told": {"rate": {"m": 5}, "other": 1}}
            await storage.write("ledger/leases/other.json", encode(pulse))
            await asyncio.wait_for(until([{"m": 5}]), 20)
        await asyncio.wait_for(until([]), 20)
    finally:
        heartbeat.remove(attempt)


async def test_who_has_much_under_way_tells_it_soon(tmp_path: Path) -> None:
    """Within its first requests, long before a lease is renewed; with less under way, nothing is written; at the end it goes."""
    storage, heard = Storage(str(tmp_path)), list[list[Any]]()
    heartbeat = heartbeats.Heartbeat(storage)
    heartbeat.topics["rate"] = heartbeats.Topic(lambda: {"m": 3}, heard.append)
    for _ in range(heartbeats.MUCH - 1):
        heartbeat.begin()
    await asyncio.sleep(0.3)
    assert [] == await storage.names("ledger/leases")
    heartbeat.begin()
    await asyncio.wait_for(_until(lambda: len(heard) == 1), 20)
    (key,) = await storage.names("ledger/leases")
    pulse = json.loads(await storage.read(key))
    assert ({"rate": {"m": 3}}, []) == (pulse["told"], pulse["holds"])
    heartbeat.end()
    await asyncio.wait_for(_until(lambda: len(heard) == 2), 20)  # while one is under way, it goes on
    for _ in range(heartbeats.MUCH - 1):
        heartbeat.end()
    while await storage.names("ledger/leases"):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("gone", ["its process has ended", "it told so an hour ago"])
async def test_nobody_waits_for_what_a_dead_process_told(gone: str, tmp_path: Path) -> None:
    """What it left says that it used all there is: who starts after a kill does not give way to it."""
    storage, heard = Storage(str(tmp_path)), list[list[Any]]()
    heartbeat = heartbeats.Heartbeat(storage)
    heartbeat.topics["rate"] = heartbeats.Topic(dict, heard.append)
    pulse: dict[str, Any] = {**heartbeats.owned(), "holds": [], "told": {"rate": {"m": 5}}}
    if gone == "its process has ended":
        pulse["owner"]["started"] = "before this one, whose pid is the same"
    else:
        pulse["owner"]["machine"] = "elsewhere"
        pulse["at"] = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    await storage.write("ledger/leases/dead.json", encode(pulse))
    for _ in range(heartbeats.MUCH):
        heartbeat.begin()
    await asyncio.wait_for(_until(lambda: bool(heard)), 20)
    assert [[]] == heard
    for _ in range(heartbeats.MUCH):
        heartbeat.end()


async def _until(happens: Callable[[], bool]) -> None:
    while not happens():
        await asyncio.sleep(0.01)
