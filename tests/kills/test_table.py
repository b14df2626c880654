"""Every row of the table: a process is killed, started again, and the charges are counted at the server."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import IMAGES, REQUESTS, VIDEOS, job
from .running import Workshop
from .table import KINDS, POINTS, RESTARTS, ROWS, Row


def _marks(row: Row) -> list[pytest.MarkDecorator]:
    """Keep a row of each point and kind among the quick tests."""
    return [] if (row.restart, row.on_unknown, row.then) == ("seeded", "auto", None) else [pytest.mark.slow]


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id, marks=_marks(row)) for row in ROWS])
def test_killed_and_started_again(row: Row, together: Sandbox, workers: Workshop, library: Path) -> None:
    """What the row promises: so many charges in the end, and this outcome, then and at every further run."""
    points = [row.point, *([row.then] if row.then else [])]
    for number, point in enumerate(points):
        _killed(point, _job(row, number, together, library), together, workers)
    last = len(points)
    said = workers.start(_job(row, last, together, library)).ends()
    assert (0, row.outcome) == (said["code"], said["outcome"]), said
    assert row.charges == len(together.charges())
    if row.restart == "reconcile":
        assert (row.outcome == "stored") == bool(said.get("files"))
    # Whoever asks again gets the same; a new run without a seed would ask for a fresh one, and reconcile has nothing to do.
    elif row.restart != "unseeded" or row.outcome == "UnknownOutcome":
        again = workers.start(_job(row, last + 1, together, library)).ends()
        assert (row.outcome, _hashes(said)) == (again["outcome"], _hashes(again))
        assert row.charges == len(together.charges())
    if row.outcome == "UnknownOutcome":
        assert ("maybe", False) == (said["paid"], said["retryable"])
        assert 'on_unknown="resubmit"' in said["message"]


def _job(row: Row, number: int, together: Sandbox, library: Path) -> dict[str, Any]:
    request = {**REQUESTS[row.kind], **({"seed": 7} if row.restart == "seeded" else {})}
    flow_run = "the-same-run" if row.restart == "retry" else f"run-{number}"
    reconcile = row.restart == "reconcile" and number > bool(row.then)
    return job(together, library, request, on_unknown=row.on_unknown, flow_run=flow_run, reconcile=reconcile)


def _killed(point: str, told: dict[str, Any], together: Sandbox, workers: Workshop) -> None:
    """Run a worker and see it killed at a point, and nowhere else."""
    if point == "during-post":
        charged = len(together.charges())
        together.fault(VIDEOS if told["requests"][0]["kind"] == "video" else IMAGES, "accept_then_delay", seconds=30)
        worker = workers.start(told)
        until("it is charged", lambda: len(together.charges()) > charged)
        said = worker.kill()
    else:
        said = workers.start({**told, "kill": point}).ends()
        assert point == said.get("at"), said
    assert -signal.SIGKILL == said["code"]
    assert "outcome" not in said


def test_the_table_says_what_it_means() -> None:
    """Ids are unique, and every row speaks of points, kinds and restarts that are explained."""
    assert len(ROWS) == len({row.id for row in ROWS})
    for row in ROWS:
        assert {row.point, row.then or row.point} <= set(POINTS)
        assert row.kind in KINDS
        assert row.restart in RESTARTS
        assert row.promise.endswith(".")


def _hashes(said: dict[str, Any]) -> list[str]:
    return [file["sha256"] for file in said.get("files", [])]
