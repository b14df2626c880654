"""A batch at Together whose process is killed at any step and started again: one batch, and every row paid once."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import job
from .batching import POINTS, QUESTIONS, ROWS, batch_job, paid_once
from .running import Workshop, at_once

pytestmark = pytest.mark.slow

CREATE = "POST /v1/batches"


@pytest.mark.parametrize("flow_run", ["the-same-run", None], ids=["retry", "new-run"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_started_again(
    point: str, flow_run: str | None, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Killed at this point and started again, in the same run or a new one: one batch, every row charged once and answered."""
    killed = workers.start(batch_job(together, library, kill=point, flow_run=flow_run)).ends()
    assert (-signal.SIGKILL, point) == (killed["code"], killed.get("at")), killed
    paid_once(together, workers.start(batch_job(together, library, flow_run=flow_run)).ends())
    again = workers.start(batch_job(together, library, flow_run=flow_run)).ends()
    assert {"reused": ROWS} == again["counts"]
    paid_once(together, again)


def test_killed_while_the_batch_is_created(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Killed after Together made the batch and before it answered: the next run finds it in the list, by its file."""
    together.fault(CREATE, "accept_then_delay", seconds=30)
    worker = workers.start(batch_job(together, library))
    until("the batch is made", together.batches)
    assert "outcome" not in worker.kill()
    paid_once(together, workers.start(batch_job(together, library)).ends())


def test_killed_twice(together: Sandbox, workers: Workshop, library: Path) -> None:
    """A second run that dies while it finds out what the first one did loses nothing either."""
    for point in ("after-answer", "before-step:created", "after-accepted", "some-stored"):
        killed = workers.start(batch_job(together, library, kill=point)).ends()
        assert (-signal.SIGKILL, point) == (killed["code"], killed.get("at")), (point, killed)
    paid_once(together, workers.start(batch_job(together, library)).ends())


def test_a_process_that_dies_before_the_batch_is_made_leaves_a_decision(
    together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Killed when its file is there and the batch may have been made: Together lists none, so `on_unknown` decides about all."""
    killed = workers.start(batch_job(together, library, kill="after-step:uploaded")).ends()
    assert "after-step:uploaded" == killed["at"]
    said = workers.start(batch_job(together, library, on_unknown="fail")).ends()
    assert ({"unknown": ROWS}, 0, []) == (said["counts"], len(together.batches()), together.charges())
    assert {True} == {"whether Together made it is not known" in error for error in said["errors"]}
    paid_once(together, workers.start(batch_job(together, library, on_unknown="resubmit")).ends())


def test_nothing_is_at_stake_before_the_file_is_there(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Killed before the record says that the file was uploaded: nothing can have been made, and no decision is asked for."""
    for point in ("some-claimed", "after-step:intent", "uploaded"):
        killed = workers.start(batch_job(together, library, kill=point)).ends()
        assert (-signal.SIGKILL, point) == (killed["code"], killed.get("at")), (point, killed)
    assert (0, []) == (len(together.batches()), together.charges())
    paid_once(together, workers.start(batch_job(together, library, on_unknown="fail")).ends())


def test_processes_that_batch_the_same_pay_once(together: Sandbox, workers: Workshop, library: Path, tmp_path: Path) -> None:
    """Four processes that batch the same rows at the same moment: every row is charged once, and all have all answers."""
    running = at_once(workers, [batch_job(together, library) for _ in range(4)], tmp_path / "gate")
    said = [worker.ends() for worker in running]
    assert [ROWS] * 4 == [sum(one["counts"].get(outcome, 0) for outcome in ("kept", "reused")) for one in said], said
    assert ROWS == sum(one["counts"].get("kept", 0) for one in said)
    charged = Counter(charge.custom_id for charge in together.charges())
    assert (ROWS, {1}) == (len(charged), set(charged.values()))


def test_a_single_question_of_a_killed_batch(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Whoever asks for one of its rows by itself gets what the batch answered, and pays nothing."""
    workers.start(batch_job(together, library, kill="after-answer")).ends()
    said = workers.start(job(together, library, QUESTIONS[3])).ends()
    assert (0, "stored") == (said["code"], said["outcome"]), said
    assert (1, ROWS, 0) == (len(together.batches()), len(together.charges()), together.count("/v1/chat/completions"))


def test_reconcile_takes_what_a_killed_batch_left(together: Sandbox, workers: Workshop, library: Path) -> None:
    """From the library alone: the batch is found in Together's list, its answers are kept, and a run finds them."""
    workers.start(batch_job(together, library, kill="before-step:created")).ends()
    until("the batch is over", lambda: "COMPLETED" == together.batches()[0]["status"])
    workers.start(job(together, library, reconcile=True)).ends()
    again = workers.start(batch_job(together, library)).ends()
    assert {"reused": ROWS} == again["counts"]
    paid_once(together, again)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_cut_off_while_waiting(by: signal.Signals, together: Sandbox, workers: Workshop, library: Path) -> None:
    """A signal while the batch runs ends the process and not the batch: the next run takes what it made."""
    together.fault(CREATE, "stuck_validating", seconds=2)
    worker = workers.start(batch_job(together, library))
    until("the batch is waited for", lambda: together.count("/v1/batches/", "GET"))
    assert "outcome" not in worker.kill(by)
    paid_once(together, workers.start(batch_job(together, library)).ends())
