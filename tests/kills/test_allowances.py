"""Processes that spend from one limit die and are stopped while they have money of it in hand: never more is paid, nor less."""

from __future__ import annotations

import asyncio
import os
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together import BatchResult, SpendLimit
from prefect_together.ledger.append_log import AppendLog
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage
from tests.waiting import until

from .asking import IMAGES, PICTURE, job
from .running import Running, Workshop

pytestmark = pytest.mark.slow

PRICE = Decimal("0.03")
AT_ONCE = 4
FITS = 100
ASKED = 50
LIMIT = SpendLimit(name="season", usd=FITS * PRICE)


class Season:
    """A limit in a library, and processes that spend from it."""

    def __init__(self, together: Sandbox, workers: Workshop, library: str, options: dict[str, Any]) -> None:
        together.fault(IMAGES, "accept_then_delay", seconds=0.05, times=4 * FITS)
        self._together = together
        self._workers = workers
        self._where = {"library": library, "options": options}
        self._storage = Storage(library, options)

    def start(self, name: str, count: int, machine: str | None = None) -> Running:
        """Start a process that asks for so many pictures that nobody else asks for."""
        asked = [{**PICTURE, "prompt": f"{name} {number}", "width": 64, "height": 64} for number in range(count)]
        named = {"name": name, "concurrency": AT_ONCE, "limit": [LIMIT.name, str(LIMIT.usd)]}
        told = job(self._together, self._where["library"], *asked, named=named, machine=machine, on_unknown="fail")
        hurried = {"overdue": 1.6} if machine else {}  # only others on other machines wait for that
        return self._workers.start({**told, **hurried, "options": self._where["options"]})

    def last(self) -> dict[str, Any]:
        """Return the last entry."""
        log = AppendLog(self._storage, f"{LIMIT.folder}-loopback", advice="")
        asyncio.run(log.read())
        return log.last

    def has_allowance(self, worker: Running) -> bool:
        """Tell whether a process has money in hand."""
        holders = self.last().get("holders", {}).values()
        return any("allowance" in holder and holder["owner"]["pid"] == worker.pid for holder in holders)

    def spends_the_rest(self, machine: str | None = None) -> None:
        """See that what nobody has spent can be spent, to the last cent, and no more."""
        said = self.start("the rest", FITS, machine).ends()
        assert "ran" == said.get("outcome"), said
        assert BatchResult.model_validate(said["result"]).refused > 0
        last = self.last()
        assert not any("allowance" in holder for holder in last["holders"].values())
        assert LIMIT.usd == Decimal(last["committed"])


@pytest.mark.parametrize("where", ["folder", "other-machines", "bucket"])
def test_killed_with_money_in_hand(
    where: str, together: Sandbox, workers: Workshop, library: Path, request: pytest.FixtureRequest
) -> None:
    """What was sent counts, what nobody knows stays reserved, and the rest is spent by others, on a folder as on S3."""
    place: dict[str, Any] = (
        request.getfixturevalue("bucket") if where == "bucket" else {"library": str(library), "options": {}}
    )
    season = Season(together, workers, place["library"], place["options"])
    machines = ["one", "two", "three"] if where == "other-machines" else [None] * 3
    first, second = season.start("first", ASKED, machines[0]), season.start("second", ASKED, machines[1])
    for victim in (first, second):
        until("it has money in hand", lambda victim=victim: season.has_allowance(victim))
        victim.kill()
    season.spends_the_rest(machines[2])
    assert FITS - 2 * AT_ONCE <= len(together.charges()) <= FITS


def test_stopped_with_money_in_hand(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Others take it for dead and spend what it had; when it wakes, it sends nothing that it has no money for."""
    season = Season(together, workers, str(library), {})
    stopped = season.start("stopped", ASKED, "one")
    until("it has money in hand", lambda: season.has_allowance(stopped))
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        season.spends_the_rest("two")
    finally:
        os.kill(stopped.pid, signal.SIGCONT)
    said = stopped.ends()
    assert BatchResult.model_validate(said["result"]).refused > 0
    assert FITS - AT_ONCE <= len(together.charges()) <= FITS
    assert LIMIT.usd == Decimal(season.last()["committed"])
