"""How long jobs take is learnt, and then they are asked for seldom and heard of soon."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from prefect_together import durations
from prefect_together.durations import learn, looks, usual
from prefect_together.storage import Storage


async def test_what_is_learnt_is_known_to_the_next_process(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """After enough jobs the durations are known, sorted, and others read them from the library; a few are no habit."""
    for seconds in (90.0, 70.0, 80.0, 100.0):
        await learn(storage, "a/model", seconds)
    assert () == await usual(storage, "a/model")
    monkeypatch.setattr(durations, "WRITE_EVERY", 0.0)
    await learn(storage, "a/model", 60.0)
    assert (60.0, 70.0, 80.0, 90.0, 100.0) == await usual(storage, "a/model")
    monkeypatch.setattr(durations, "_habits", {})
    assert (60.0, 70.0, 80.0, 90.0, 100.0) == await usual(storage, "a/model")
    assert () == await usual(storage, "another/model")


async def test_a_spoilt_file_is_forgotten(tmp_path: Path) -> None:
    """A habit is no record: one that cannot be read is learnt anew."""
    storage = Storage(str(tmp_path))
    await storage.write("ledger/durations/m.json", b"?")
    assert () == await usual(storage, "m")
    await learn(storage, "m", 1.0)


def test_few_looks_and_heard_of_soon() -> None:
    """Jobs of two minutes, give or take: at most twelve looks and two seconds, where every 5 s takes 25 and 2.5."""
    random.seed(3)

    def draw() -> float:
        return min(180.0, max(60.0, 120 * random.lognormvariate(0.0, 0.15)))

    known = tuple(sorted(draw() for _ in range(100)))
    counts: list[int] = []
    late: list[float] = []
    for over in (draw() for _ in range(500)):
        age = 0.0
        for count, pause in enumerate(looks(known, 0.0), 1):
            age += pause
            if age >= over:
                counts.append(count)
                late.append(age - over)
                break
    assert statistics.mean(counts) <= 12
    assert statistics.mean(late) <= 2


def test_a_job_that_takes_longer_than_all_before_is_not_forgotten() -> None:
    """Behind the longest duration the pauses grow, up to a quarter of a minute."""
    pauses = looks((60.0,) * 10, 100.0)
    taken = [next(pauses) for _ in range(40)]
    assert taken[0] < 1.0
    assert 14 < taken[-1] < 16
