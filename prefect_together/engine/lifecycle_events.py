"""What happens to a generation, told to whoever listens: progress, events and spans hang on it. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from prefect_together.errors import TogetherError
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated

What = Literal["accepted", "waiting", "kept", "reused", "failed", "unknown"]


@dataclass(frozen=True)
class LifecycleEvent:
    """One thing that happened to one request."""

    what: What
    request: Request
    job_id: str | None = None
    status: str = ""
    """What Together calls the state of the job."""
    seconds: float | None = None
    """Since Together accepted it."""
    usual: float | None = None
    """Seconds that this model usually takes, where the library has seen it before."""
    result: Generated | None = None
    error: TogetherError | None = None


Listener = Callable[[LifecycleEvent], None]
"""Takes what happened. It returns at once and never raises."""


def ignore(event: LifecycleEvent) -> None:
    """Listen to nothing."""
