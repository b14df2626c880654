"""What happens to a generation, told to whoever listens: progress, events and spans hang on it. It decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from prefect_together.errors import TogetherError
    from prefect_together.generations import Request
    from prefect_together.generations.results import GeneratedMedia

What = Literal["accepted", "waiting", "kept", "reused", "failed", "unknown"]


@dataclass(frozen=True)
class Happening:
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
    media: GeneratedMedia | None = None
    error: TogetherError | None = None


Tell = Callable[[Happening], None]
"""Takes what happened. It returns at once and never raises."""


def nobody(happening: Happening) -> None:
    """Tell nobody."""
