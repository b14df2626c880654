"""The same on an object store: create-only puts are the lock there as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import DEAR, IMAGES, PICTURE, TINY, job
from .running import Workshop, at_once

pytestmark = pytest.mark.slow


def test_a_picture_becomes_a_clip_and_both_are_reused(together: Sandbox, workers: Workshop, bucket: dict[str, Any]) -> None:
    """Kept in the bucket, found there by the next process; two charges in all."""
    told = job(together, bucket["library"], {**PICTURE, "seed": 7}, {**TINY, "seed": 7}, options=bucket["options"])
    first, second = workers.start(told).stored(), workers.start(told).stored()
    assert [file["uri"] for file in first] == [file["uri"] for file in second]
    assert [False, False, True, True] == [file["reused"] for file in first + second]
    assert all(file["uri"].startswith(bucket["library"]) for file in first)
    assert 2 == len(together.charges())


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_ask_for_the_same_pay_once(
    processes: int, together: Sandbox, workers: Workshop, bucket: dict[str, Any], tmp_path: Path
) -> None:
    """One claim wins in the bucket."""
    told = job(together, bucket["library"], {**PICTURE, "seed": 7}, options=bucket["options"])
    running = at_once(workers, [told] * processes, tmp_path / "gate")
    assert 1 == len({worker.stored()[0]["uri"] for worker in running})
    assert 1 == len(together.charges())


@pytest.mark.parametrize("seed", [7, None], ids=["seeded", "unseeded"])
@pytest.mark.parametrize("point", ["after-accepted", "polling", "downloading", "after-file"])
def test_killed_and_started_again(
    point: str, seed: int | None, together: Sandbox, workers: Workshop, bucket: dict[str, Any]
) -> None:
    """From the record of the answer on, nothing is paid again, seeded or in a new run without a seed."""
    told = job(together, bucket["library"], {**DEAR, "seed": seed}, options=bucket["options"])
    assert point == workers.start({**told, "flow_run": "first", "kill": point}).ends()["at"]
    workers.start({**told, "flow_run": "second"}).stored()
    assert 1 == len(together.charges())


def test_killed_during_the_post(together: Sandbox, workers: Workshop, bucket: dict[str, Any]) -> None:
    """The claim in the bucket tells that it may have been charged."""
    together.fault(IMAGES, "accept_then_delay", seconds=30)
    told = job(together, bucket["library"], {**PICTURE, "seed": 7}, options=bucket["options"], on_unknown="fail")
    worker = workers.start(told)
    until("it is charged", together.charges)
    worker.kill()
    for _ in range(2):
        assert "UnknownOutcome" == workers.start(told).ends()["outcome"]
    assert 1 == len(together.charges())
