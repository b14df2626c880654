"""Batches at Together from a library in an object store: submitted, killed, taken up by the next process, and paid for once."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import job
from .batching import POINTS, QUESTIONS, ROWS, batch_job, paid_once
from .running import Workshop, at_once

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_started_again(point: str, together: Sandbox, workers: Workshop, bucket: dict[str, Any]) -> None:
    """Killed at this point and started by another run, which has only the bucket: one batch, every row charged and answered."""
    told = batch_job(together, **bucket)
    killed = workers.start({**told, "kill": point}).ends()
    assert (-signal.SIGKILL, point) == (killed["code"], killed.get("at")), killed
    paid_once(together, workers.start(told).ends())
    again = workers.start(told).ends()
    assert {"reused": ROWS} == again["counts"]
    paid_once(together, again)


def test_killed_while_the_batch_is_created(together: Sandbox, workers: Workshop, bucket: dict[str, Any]) -> None:
    """Killed after Together made the batch and before it answered: its record in the bucket names the file to find it by."""
    together.fault("POST /v1/batches", "accept_then_delay", seconds=30)
    worker = workers.start(batch_job(together, **bucket))
    until("the batch is made", together.batches)
    assert "outcome" not in worker.kill()
    paid_once(together, workers.start(batch_job(together, **bucket)).ends())


def test_processes_that_batch_the_same_pay_once(
    together: Sandbox, workers: Workshop, bucket: dict[str, Any], tmp_path: Path
) -> None:
    """Create-only puts are the lock there too: three processes at the same moment, every row charged once, all have all."""
    running = at_once(workers, [batch_job(together, **bucket) for _ in range(3)], tmp_path / "gate")
    said = [worker.ends() for worker in running]
    assert [ROWS] * 3 == [sum(one["counts"].get(outcome, 0) for outcome in ("kept", "reused")) for one in said], said
    charged = Counter(charge.custom_id for charge in together.charges())
    assert (ROWS, {1}) == (len(charged), set(charged.values()))


def test_reconcile_takes_what_a_killed_batch_left(together: Sandbox, workers: Workshop, bucket: dict[str, Any]) -> None:
    """From the bucket alone; a single question then finds its answer there."""
    workers.start(batch_job(together, **bucket, kill="before-step:created")).ends()
    until("the batch is over", lambda: "COMPLETED" == together.batches()[0]["status"])
    workers.start(job(together, bucket["library"], options=bucket["options"], reconcile=True)).ends()
    said = workers.start(job(together, bucket["library"], QUESTIONS[3], options=bucket["options"])).ends()
    assert (0, "stored") == (said["code"], said["outcome"]), said
    paid_once(together, workers.start(batch_job(together, **bucket)).ends())
    assert 0 == together.count("/v1/chat/completions")
