"""A day's spending is one sum for all processes; a limit is passed once a day, and what nobody knows is in no sum."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import pytest

from prefect_together.engine import daily_spend as spending
from prefect_together.engine.daily_spend import DailySpend, SpendTotals
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.errors import GenerationFailed, LibraryError
from prefect_together.storage.storage import Storage

from .making import generated_image, generated_video, image, processes, video

UNPRICED = "nobody/knows-this-model"
SPENDER = """
import asyncio, sys
from decimal import Decimal
from prefect_together.engine import daily_spend as spending
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.generations.image import ImageRequest
from prefect_together.storage.storage import Storage

class Noon(spending.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 22, 12, tzinfo=tz)

async def spend():
    spending.datetime = Noon
    spending.BUNDLE = 0.05
    told = []
    day = spending.DailySpend(Storage(sys.argv[1]), "together", Decimal("1.00"), lambda day, spent: told.append(spent))
    for _ in range(20):
        day.hear(LifecycleEvent("accepted", ImageRequest(prompt="a fox", model="black-forest-labs/FLUX.2-pro")))
        await asyncio.sleep(0.02)
    await day.flush()
    print(len(told))

asyncio.run(spend())
"""


class Noon(dt.datetime):
    """It is noon, so that no test runs into the next day; the test says on which day."""

    on: ClassVar[int] = 22

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Noon:
        return cls(2026, 11, cls.on, 12, tzinfo=tz)


@pytest.fixture(autouse=True)
def _at_once_and_at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "BUNDLE", 0.0)
    monkeypatch.setattr(spending, "datetime", Noon)


class Told(list[tuple[str, SpendTotals]]):
    """What was told."""

    def __call__(self, day: str, spent: SpendTotals) -> None:
        self.append((day, spent))


async def _written(day: DailySpend) -> SpendTotals:
    """Wait for what is pending, and return the sum."""
    await day.flush()
    return day.totals


async def test_a_limit_is_passed_once(storage: Storage) -> None:
    """At the limit nobody is told; above it once, with the sum of that moment; another limit is another matter."""
    told, more = Told(), Told()
    day = DailySpend(storage, "together", Decimal("0.06"), told)
    for spent, times in (("0.03", 0), ("0.06", 0), ("0.09", 1), ("0.12", 1)):
        day.hear(LifecycleEvent("accepted", image()))
        assert Decimal(spent) == (await _written(day)).usd
        assert times == len(told)
    assert [("2026-11-22", SpendTotals(estimated=Decimal("0.09")))] == told
    other = DailySpend(storage, "together", Decimal("0.13"), more)
    other.hear(LifecycleEvent("accepted", image()))
    assert Decimal("0.15") == (await _written(other)).usd
    assert (1, 1) == (len(told), len(more))


async def test_reported_estimated_and_unknown_stay_apart(storage: Storage) -> None:
    """A clip counts by list price, then by what is reported; a price that nobody knows is counted, and in no sum."""
    day, told = DailySpend(storage, "together", Decimal(100), Told()), Told()
    day.hear(LifecycleEvent("accepted", video(), "job-1"))
    first = await _written(day)
    assert (Decimal(0), 0) == (first.reported, first.unknown)
    assert first.estimated > 0
    day.hear(LifecycleEvent("waiting", video(), "job-1"))
    day.hear(LifecycleEvent("kept", video(), "job-1", result=generated_video(cost=Decimal("0.50"), job_id="job-1")))
    assert SpendTotals(reported=Decimal("0.50")) == await _written(day)
    for what in ("accepted", "accepted"):
        day.hear(LifecycleEvent(what, video(model=UNPRICED), "job-2"))
    assert SpendTotals(reported=Decimal("0.50"), unknown=2) == await _written(day)
    day.hear(
        LifecycleEvent("kept", video(model=UNPRICED), "job-2", result=generated_video(cost=Decimal("0.20"), job_id="job-2"))
    )
    assert SpendTotals(reported=Decimal("0.70"), unknown=1) == await _written(day)
    assert [] == told


async def test_what_was_paid_before_counts_for_nothing(storage: Storage) -> None:
    """What is reused, refused, or reported by somebody else's job is no spending; a job that failed keeps its list price."""
    day = DailySpend(storage, "together", Decimal(100), Told())
    day.hear(LifecycleEvent("reused", image(), result=generated_image(cost=Decimal(9))))
    day.hear(LifecycleEvent("kept", video(), "not-ours", result=generated_video(cost=Decimal(9), job_id="not-ours")))
    day.hear(
        LifecycleEvent("failed", image(), error=GenerationFailed("no", paid="nothing", job_id="not-ours", status="failed"))
    )
    assert SpendTotals() == await _written(day)
    assert [] == await storage.names(spending.ROOT)
    day.hear(LifecycleEvent("accepted", video(), "job-1"))
    failed = GenerationFailed("no", paid="maybe", job_id="job-1", status="failed")
    day.hear(LifecycleEvent("failed", video(), "job-1", error=failed))
    assert (await _written(day)).estimated > 0


async def test_each_environment_and_each_day_begins_at_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials on a sandbox alarm nobody about money, and the next day may be told again."""
    told = Told()
    trial, real = (DailySpend(storage, environment, Decimal("0.01"), told) for environment in ("loopback", "together"))
    trial.hear(LifecycleEvent("accepted", image()))
    await _written(trial)
    real.hear(LifecycleEvent("accepted", image()))
    assert Decimal("0.03") == (await _written(real)).usd
    assert 2 == len(told)
    monkeypatch.setattr(Noon, "on", 23)
    real.hear(LifecycleEvent("accepted", image()))
    assert Decimal("0.03") == (await _written(real)).usd
    assert ["2026-11-22", "2026-11-22", "2026-11-23"] == [day for day, _ in told]


@pytest.mark.slow
def test_processes_add_up(tmp_path: Path) -> None:
    """Four processes spend 80 times $0.03 at once: nothing is lost, and one of them is told that $1.00 is passed."""
    command = [sys.executable, "-c", SPENDER, str(tmp_path)]
    with processes([command] * 4, subprocess.PIPE) as running:
        assert 1 == sum(int(process.communicate(timeout=100)[0]) for process in running)
    day = DailySpend(Storage(str(tmp_path)), "together", Decimal(100), Told())

    async def total() -> SpendTotals:
        day.hear(LifecycleEvent("accepted", image(model=UNPRICED)))
        return await _written(day)

    assert SpendTotals(estimated=Decimal("2.40"), unknown=1) == asyncio.run(total())


async def test_a_library_that_fails_harms_nobody(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be written is a line in the log, and the next request is counted again."""
    day = DailySpend(storage, "together", Decimal("0.01"), told := Told())
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING, "prefect.together"):
        broken.setattr("prefect_together.ledger.append_log.AppendLog.add", _broken)
        day.hear(LifecycleEvent("accepted", image()))
        await day.flush()
    assert "$0.03 is missing" in caplog.text
    day.hear(LifecycleEvent("accepted", image()))
    await day.flush()
    assert 1 == len(told)


async def _broken(*_: object) -> bool:
    raise LibraryError("The disk is full.")


async def test_what_a_job_did_cost_counts_on_its_day(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that is accepted before midnight and kept after it corrects the sum of the day on which it was paid for."""
    day = DailySpend(storage, "together", Decimal(100), Told())
    day.hear(LifecycleEvent("accepted", video(model=UNPRICED), "job-1"))
    await day.flush()
    monkeypatch.setattr(Noon, "on", 23)
    day.hear(LifecycleEvent("accepted", image()))
    day.hear(LifecycleEvent("kept", video(), "job-1", result=generated_video(cost=Decimal("0.40"), job_id="job-1")))
    assert SpendTotals(estimated=Decimal("0.03")) == await _written(day)
    monkeypatch.setattr(Noon, "on", 22)
    again = DailySpend(storage, "together", Decimal(100), Told())
    again.hear(LifecycleEvent("accepted", image()))
    assert SpendTotals(reported=Decimal("0.40"), estimated=Decimal("0.03")) == await _written(again)
