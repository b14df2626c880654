"""A progress artifact for what is waited for, updated now and then. Never fails or delays what it shows."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from uuid import UUID

from prefect.artifacts import ProgressArtifact
from prefect.client.schemas.actions import ArtifactUpdate

from prefect_together._internal.event_loop import later
from prefect_together.ui.artifacts import publish, update, wanted

EVERY = 5.0
"""Seconds between updates."""
BARS = 16
"""Bars that move at the same time: a thousand would keep the server busy, and nobody looks at them."""
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
        if now or self.due:
            (_moving.discard if now else _moving.add)(self)
            self._said = time.monotonic()
            later(self._show(max(0.0, min(100.0, percent)), text))

    @property
    def due(self) -> bool:
        """Whether it is time to show something."""
        room = self in _moving or len(_moving) < BARS
        return self._wanted and room and time.monotonic() - self._said >= EVERY

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
            await update(self._id, ArtifactUpdate(data=percent, description=text))


_moving: weakref.WeakSet[Progress] = weakref.WeakSet()


def share(seconds: float, usual: float | None) -> float:
    """Return how far a job is in percent, as far as anybody can tell: it is never done before it is done."""
    if usual:
        return min(95.0, 100.0 * seconds / usual)
    return 95.0 * (1 - math.exp(-seconds / _TYPICAL))
