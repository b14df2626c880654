"""How long jobs take is learnt, and then they are asked for seldom and heard of soon."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from prefect_together.engine import poll_schedule
from prefect_together.engine.poll_schedule import duration_keys, poll_pauses, record_duration, typical_durations
from prefect_together.generations.image import ImageRequest
from prefect_together.generations.video import VideoRequest
from prefect_together.storage.storage import Storage

CLIP = VideoRequest(prompt="a fox", model="a/model", seconds=6)
ANOTHER = VideoRequest(prompt="a fox", model="another/model")


async def test_what_is_learnt_is_known_to_the_next_process(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After enough jobs the durations are known, sorted, and others read them from the library; a few are not enough."""
    for seconds in (90.0, 70.0, 80.0, 100.0):
        await record_duration(storage, CLIP, seconds)
    assert () == await typical_durations(storage, *duration_keys(CLIP))
    monkeypatch.setattr(poll_schedule, "WRITE_EVERY", 0.0)
    await record_duration(storage, CLIP, 60.0)
    assert (60.0, 70.0, 80.0, 90.0, 100.0) == await typical_durations(storage, *duration_keys(CLIP))
    monkeypatch.setattr(poll_schedule, "_histories", {})
    assert (60.0, 70.0, 80.0, 90.0, 100.0) == await typical_durations(storage, *duration_keys(CLIP))
    assert () == await typical_durations(storage, *duration_keys(ANOTHER))


async def test_a_spoilt_file_is_forgotten(tmp_path: Path) -> None:
    """Durations are statistics and no record: those that cannot be read are learnt anew."""
    storage = Storage(str(tmp_path))
    await storage.write("ledger/durations/a-model.json", b"?")
    assert () == await typical_durations(storage, *duration_keys(CLIP))
    await record_duration(storage, CLIP, 1.0)


async def test_clips_of_one_length_have_durations_of_their_own(storage: Storage) -> None:
    """Twice as long takes twice as long; where too few are alike, the model as a whole is better than nothing."""
    for seconds in (60.0, 61.0, 62.0, 63.0, 64.0):
        await record_duration(storage, CLIP, seconds)
    longer = CLIP.model_copy(update={"seconds": 12})
    assert 60.0 == (await typical_durations(storage, *duration_keys(longer)))[0]
    for seconds in (120.0, 121.0, 122.0, 123.0, 124.0):
        await record_duration(storage, longer, seconds)
    assert (60.0, 61.0, 62.0, 63.0, 64.0) == await typical_durations(storage, *duration_keys(CLIP))
    assert (120.0, 121.0, 122.0, 123.0, 124.0) == await typical_durations(storage, *duration_keys(longer))
    assert 10 == len(await typical_durations(storage, *duration_keys(CLIP.model_copy(update={"resolution": "720p"}))))
    assert duration_keys(CLIP) != duration_keys(longer)
    assert "a/model" == duration_keys(ImageRequest(prompt="a fox", model="a/model"))[-1]


def followed(known: tuple[float, ...], over: float) -> list[float]:
    """Return the ages at which a job is polled, up to the one that sees its end."""
    ages = [0.0]
    for pause in poll_pauses(known, 0.0):
        ages.append(ages[-1] + pause)
        if ages[-1] >= over:
            return ages[1:]
    raise AssertionError


@pytest.mark.parametrize(
    ("spread", "polls", "late"),
    [pytest.param(0.1, 8.5, 2.4, id="usual"), pytest.param(0.15, 11.0, 2.4, id="uncertain")],
)
def test_few_polls_and_heard_of_soon(spread: float, polls: float, late: float) -> None:
    """Jobs of two minutes, give or take: at most eleven polls and 2.4 s, where every 5 s takes 25 and 2.5."""
    random.seed(3)

    def draw() -> float:
        return min(180.0, max(60.0, 120 * random.lognormvariate(0.0, spread)))

    found: list[tuple[int, float]] = []
    for _ in range(20):
        known = tuple(sorted(draw() for _ in range(100)))
        for over in [draw() for _ in range(40)]:
            ages = followed(known, over)
            found.append((len(ages), ages[-1] - over))
    assert statistics.mean(count for count, _ in found) <= polls
    assert statistics.mean(seconds for _, seconds in found) <= late


@pytest.mark.parametrize("usual", [40.0, 120.0])
def test_what_is_learnt_stays_true(usual: float) -> None:
    """Durations that were learnt by polling as the ones before them say are as long as the jobs, not ever longer."""
    random.seed(3)
    known = [usual] * 5
    for _ in range(3000):
        over = usual * random.lognormvariate(0.0, 0.15)
        ages = followed(tuple(sorted(known)), over)
        if len(ages) > 1:  # else nobody saw it run, and its duration is not learnt
            known = [*known, (ages[-2] + ages[-1]) / 2][-poll_schedule.KEPT :]
    assert usual * 0.95 < statistics.median(known) < usual * 1.05
    assert min(known) < usual * 0.8


def test_jobs_of_two_minutes_are_not_polled_often() -> None:
    """At most every second and a half, however long they take; and once a minute at least, for a job that fails early."""
    for known in ((120.0,) * 5, (100.0, 110.0, 120.0, 130.0, 140.0), (60.0, 119.0, 120.0, 121.0, 180.0)):
        pauses = poll_pauses(known, 0.0)
        taken = [next(pauses) for _ in range(100)]
        assert min(taken) > 1.5
        assert max(taken) < 62


@pytest.mark.parametrize(
    "known",
    [
        pytest.param((80.0,) * 5, id="equal"),
        pytest.param((1.0, 1.0, 1.0, 1.0, 600.0), id="far-apart"),
        pytest.param((0.01,) * 9, id="quick"),
        pytest.param((3600.0,) * 9, id="an-hour"),
    ],
)
@pytest.mark.parametrize("age", [0.0, 79.99, 1e5])
def test_polls_come_one_after_the_other(known: tuple[float, ...], age: float) -> None:
    """Whatever the durations are, polls come one after the other, not all at once, and go on behind the longest."""
    pauses = poll_pauses(known, age)
    taken = [next(pauses) for _ in range(400)]
    assert 0.04 < min(taken)
    assert max(taken) < 62
    assert age + sum(taken) > known[-1]


def test_a_job_that_takes_longer_than_all_before_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the longest duration the pauses grow by a third, up to a quarter of a minute."""

    def without_jitter(low: float, high: float) -> float:
        return (low + high) / 2

    monkeypatch.setattr("prefect_together.engine.poll_schedule.random.uniform", without_jitter)
    pauses = poll_pauses((60.0,) * 10, 100.0)
    taken = [next(pauses) for _ in range(40)]
    assert taken[0] < 3.0
    assert sorted(taken) == taken
    assert 14 < taken[-1] < 16
