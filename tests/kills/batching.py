"""Questions that go out in one batch at Together, where its process is killed, and what has to come of it all the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

from prefect_together.sandbox import Sandbox

from .asking import job

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
    "waiting",
    "fetching",
    "some-stored",
    "before-step:taken",
    "after-step:taken",
)
"""Where a process is killed, in the order of a batch's life; ``step`` speaks of the entries of its record."""


def batch_job(together: Sandbox, library: object, **more: Any) -> dict[str, Any]:
    """Return a worker's job: all questions in one batch at Together."""
    return job(together, library, *QUESTIONS, batch=True, **more)


def paid_once(together: Sandbox, said: dict[str, Any]) -> None:
    """See one batch, one charge for each row, and an answer for each."""
    assert (0, "ran") == (said["code"], said["outcome"]), said
    assert ROWS == sum(said["counts"].get(outcome, 0) for outcome in ("kept", "reused")), said
    assert 1 == len(together.batches())
    charged = Counter(charge.custom_id for charge in together.charges())
    assert (ROWS, {1}) == (len(charged), set(charged.values()))
