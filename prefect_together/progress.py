"""One progress artifact for each thing that is waited for, updated now and then. Never fails or delays what it shows."""

from __future__ import annotations

import asyncio
import math
import time
from uuid import UUID

from prefect.artifacts import ProgressArtifact, aupdate_progress_artifact
from prefect.logging.loggers import get_logger

from prefect_together.artifacts import PATIENCE, publish, wanted
from prefect_together.runtime import later

EVERY = 5.0
"""Seconds between updates."""
_TYPICAL = 90.0
"""Seconds after which a bar is two thirds full when nobody knows how long it takes."""


class Progress:
    """A bar in the Prefect UI. Use it on the background loop.

    Args:
        key: The artifact's key: lower-case letters, digits and dashes.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._id: UUID | None = None
        self._said = -EVERY
        self._lock = asyncio.Lock()
        self._wanted = wanted()

    def at(self, percent: float, text: str, *, now: bool = False) -> None:
        """Show how far it is, unless that was done a moment ago.

        Args:
            percent: 0 to 100.
            text: One line for the person who watches.
            now: Show it in any case: it is the last word.
        """
        if self._wanted and (now or time.monotonic() - self._said >= EVERY):
            self._said = time.monotonic()
            later(self._show(max(0.0, min(100.0, percent)), text))

    @property
    def begun(self) -> bool:
        """Whether anything was shown."""
        return self._said >= 0

    async def _show(self, percent: float, text: str) -> None:
        async with self._lock:  # one after the other, or an older state would win
            if self._id is None:
                artifact = ProgressArtifact(key=self._key, description=text, progress=percent)
                self._id = await publish(artifact)
                return
            try:
                updating = aupdate_progress_artifact(self._id, progress=percent, description=text)
                await asyncio.wait_for(updating, PATIENCE)
            except Exception as error:  # a bar is decoration
                get_logger("together").debug("No progress for %s: %s: %s", self._key, type(error).__name__, error)


def share(seconds: float, usual: float | None) -> float:
    """Return how far a job is in percent, as far as anybody can tell: it is never done before it is done."""
    if usual:
        return min(95.0, 100.0 * seconds / usual)
    return 95.0 * (1 - math.exp(-seconds / _TYPICAL))
