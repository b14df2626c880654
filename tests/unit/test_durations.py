"""How long jobs take is learnt, and then they are asked for seldom and heard of soon."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from prefect_together.engine import poll_schedule as durations
from prefect_together.engine.poll_schedule import learn, looks, names, plan, usual
from prefect_together.generations.image import ImageRequest
from prefect_together.generations.video import VideoRequest
from prefect_together.storage.storage import Storage

CLIP = VideoRequest(prompt="a fox", model="a/model", seconds=6)
ANOTHER = VideoRequest(prompt="a fox", model="another/model")


async def test_what_is_learnt_is_known_to_the_next_process(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After enough jobs the durations are known, sorted, and others read them from the library; a few are no habit."""
    for seconds in (90.0, 70.0, 80.0, 100.0):
        await learn(storage, CLIP, seconds)
    assert () == await usual(storage, *names(CLIP))
    monkeypatch.setattr(durations, "WRITE_EVERY", 0.0)
    await learn(storage, CLIP, 60.0)
    assert (60.0, 70.0, 80.0, 90.0, 100.0) == await usual(storage, *names(CLIP))
    monkeypatch.setattr(durations, "_habits", {})
    assert (60.0, 70.0, 80.0, 90.0, 100.0) == await usual(storage, *names(CLIP))
    assert () == await usual(storage, *names(ANOTHER))


async def test_a_spoilt_file_is_forgotten(tmp_path: Path) -> None:
    """A habit is no record: one that cannot be read is learnt anew."""
    storage = Storage(str(tmp_path))
    await storage.write("ledger/durations/a-model.json", b"?")
    assert () == await usual(storage, *names(CLIP))
    await learn(storage, CLIP, 1.0)


async def test_clips_of_one_length_have_a_habit_of_their_own(storage: Storage) -> None:
    """Twice as long takes twice as long; where too few are alike, the model as a whole is better than nothing."""
    for seconds in (60.0, 61.0, 62.0, 63.0, 64.0):
        await learn(storage, CLIP, seconds)
    longer = CLIP.model_copy(update={"seconds": 12})
    assert 60.0 == (await usual(storage, *names(longer)))[0]
    for seconds in (120.0, 121.0, 122.0, 123.0, 124.0):
        await learn(storage, longer, seconds)
    assert (60.0, 61.0, 62.0, 63.0, 64.0) == await usual(storage, *names(CLIP))
    assert (120.0, 121.0, 122.0, 123.0, 124.0) == await usual(storage, *names(longer))
    assert 10 == len(await usual(storage, *names(CLIP.model_copy(update={"resolution": "720p"}))))
    assert names(CLIP) != names(longer)
    assert "a/model" == names(ImageRequest(prompt="a fox", model="a/model"))[-1]


def followed(known: tuple[float, ...], over: float) -> tuple[int, float]:
    """Return how often a job is looked at, and how late its end is seen."""
    age = 0.0
    for count, pause in enumerate(looks(known, 0.0), 1):
        age += pause
        if age >= over:
            return count, age - over
    raise AssertionError


@pytest.mark.parametrize(
    ("spread", "looked", "late"),
    [pytest.param(0.1, 10.0, 1.7, id="usual"), pytest.param(0.15, 12.0, 2.0, id="uncertain")],
)
def test_few_looks_and_heard_of_soon(spread: float, looked: float, late: float) -> None:
    """Jobs of two minutes, give or take: at most twelve looks and two seconds, where every 5 s takes 25 and 2.5."""
    random.seed(3)

    def draw() -> float:
        return min(180.0, max(60.0, 120 * random.lognormvariate(0.0, spread)))

    found = [
        followed(known, draw())
        for known in (tuple(sorted(draw() for _ in range(100))) for _ in range(20))
        for _ in range(40)
    ]
    assert statistics.mean(count for count, _ in found) <= looked
    assert statistics.mean(seconds for _, seconds in found) <= late


@pytest.mark.parametrize(
    "known",
    [
        pytest.param((80.0,) * 5, id="equal"),
        pytest.param((1.0, 1.0, 1.0, 1.0, 600.0), id="far-apart"),
        pytest.param((0.01,) * 9, id="quick"),
    ],
)
def test_a_plan_goes_forward(known: tuple[float, ...]) -> None:
    """Whatever the durations are, looks come one after the other, not all at once, and go on behind the longest."""
    times = plan(known)
    assert sorted(set(times)) == list(times)
    assert times[-1] > known[-1]
    pauses = looks(known, 0.0)
    taken = [next(pauses) for _ in range(300)]
    assert 0.04 < min(taken)
    assert max(taken) < 62
    assert sum(taken) > known[-1]


def test_a_job_that_takes_longer_than_all_before_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the longest duration the pauses grow, up to a quarter of a minute."""

    def without_jitter(low: float, high: float) -> float:
        return (low + high) / 2

    monkeypatch.setattr("prefect_together.engine.poll_schedule.random.uniform", without_jitter)
    pauses = looks((60.0,) * 10, 100.0)
    taken = [next(pauses) for _ in range(40)]
    assert taken[0] < 1.0
    assert 14 < taken[-1] < 16
