"""A killed process is one accident, however many requests it had in flight."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prefect_together.sandbox import Sandbox
from tests.waiting import until

from .asking import IMAGES, PICTURE, job
from .running import Workshop

pytestmark = pytest.mark.slow


def test_what_a_killed_process_had_in_flight_is_bounded_together(
    together: Sandbox, workers: Workshop, library: Path
) -> None:
    """Of eight pictures in flight two are sent again by those who ask for them, whoever comes first; six wait."""
    for _ in range(8):
        together.fault(IMAGES, "accept_then_delay", seconds=60)
    asked = job(together, library, *({**PICTURE, "seed": seed} for seed in range(8)), all_at_once=True, per_process="0.07")
    first = workers.start(asked)
    until("all are charged", lambda: len(together.charges()) == 8)
    first.kill()
    ended: list[dict[str, Any]] = [worker.ends() for worker in [workers.start(asked) for _ in range(3)]]
    assert 10 == len(together.charges())
    for said in ended:
        assert {"made": 2, "UnknownOutcome": 6} == Counter(said["outcomes"])
        assert "no more than $0.07 is sent again without asking" in said["message"]
    assert {"made": 8} == Counter(workers.start({**asked, "on_unknown": "resubmit"}).ends()["outcomes"])
    assert 16 == len(together.charges())
