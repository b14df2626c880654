"""A batch at Together whose process is killed at any step and started again: one batch, and every row paid once."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox

from .asking import job
from .running import Workshop, until

CREATE = "POST /v1/batches"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
ROWS = 8
QUESTIONS = [
    {"kind": "chat", "model": LLAMA, "prompt": f"Name fox {number}.", "max_tokens": 60, "seed": 7} for number in range(ROWS)
]

POINTS = (
    "some-claimed",
    "before-step:intent",
    "after-step:intent",
    "uploaded",
    "before-step:uploaded",
    "after-step:uploaded",
    "after-answer",
    "before-step:created",
    "after-step:created",
    "after-accepted",
    "polling",
    "some-stored",
    "before-step:taken",
    "after-step:taken",
)
"""Where a process is killed, in the order of a batch's life; ``step`` speaks of the entries of its record."""


def _job(together: Sandbox, library: Path, **more: Any) -> dict[str, Any]:
    return job(together, library, *QUESTIONS, batch=True, **more)


def _paid_once(together: Sandbox, said: dict[str, Any]) -> None:
    """See one batch, one charge for each row, and an answer for each."""
    assert (0, "ran") == (said["code"], said["outcome"]), said
    assert ROWS == sum(said["counts"].get(outcome, 0) for outcome in ("kept", "reused")), said
    assert 1 == len(together.batches())
    charged = Counter(charge.custom_id for charge in together.charges())
    assert (ROWS, {1}) == (len(charged), set(charged.values()))


@pytest.mark.parametrize("flow_run", ["the-same-run", None], ids=["retry", "new-run"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_and_started_again(
    point: str, flow_run: str | None, together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Killed at this point and started again, in the same run or a new one: one batch, every row charged once and answered."""
    killed = workers.start(_job(together, library, kill=point, flow_run=flow_run)).ends()
    assert (-signal.SIGKILL, point) == (killed["code"], killed.get("at")), killed
    _paid_once(together, workers.start(_job(together, library, flow_run=flow_run)).ends())
    again = workers.start(_job(together, library, flow_run=flow_run)).ends()
    assert {"reused": ROWS} == again["counts"]
    _paid_once(together, again)


def test_killed_while_the_batch_is_created(together: Sandbox, workers: Workshop, library: Path) -> None:
    """Killed after Together made the batch and before it answered: the next run finds it in the list, by its file."""
    together.fault(CREATE, "accept_then_delay", seconds=30)
    worker = workers.start(_job(together, library))
    until("the batch is made", lambda: together.batches())
    worker.kill()
    _paid_once(together, workers.start(_job(together, library)).ends())


def test_killed_twice(together: Sandbox, workers: Workshop, library: Path) -> None:
    """A second run that dies while it finds out what the first one did loses nothing either."""
    for point in ("after-answer", "before-step:created", "after-accepted", "some-stored"):
        killed = workers.start(_job(together, library, kill=point)).ends()
        assert (-signal.SIGKILL, point) == (killed["code"], killed.get("at")), (point, killed)
    _paid_once(together, workers.start(_job(together, library)).ends())
