"""How many paid requests of each model may be in flight at once, learnt from Together's answers. Sends nothing itself.

One governor serves an account in a process. Every model has a lane of its own: a 429 narrows it and a wait hint closes it
for so long, an answer widens it again, and a 503 makes it wait without narrowing it. Slots that come free are dealt to the
lanes in turn, and no lane may take the last of them, so that no model starves because another is slow.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass

from prefect_together._internal.retry import backoff

NARROWER = 0.7
"""What is left of a lane's width after a 429."""
RESERVED = 8
"""One slot of so many is kept for the other models."""
LONGEST = 60.0
"""Seconds of the longest pause that nobody asked for."""

_log = logging.getLogger("prefect.together.governor")


@dataclass(frozen=True)
class Patience:
    """How long a request that nobody has taken yet goes on being offered, in seconds."""

    busy: float = 300.0
    """In all, while Together answers 429 or 503."""
    refused: float = 30.0
    """In all, while no connection can be opened."""


class Governor:
    """Deals the slots of one account to the models.

    Args:
        slots: Paid requests in flight at once, all models together.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.share = max(1, slots - slots // RESERVED)
        self.active = 0
        self._lanes: dict[str, Lane] = {}
        self._turn: deque[Lane] = deque()

    def lane(self, model: str) -> Lane:
        """Return the lane of a model."""
        if model not in self._lanes:
            self._lanes[model] = Lane(self, model)
            self._turn.append(self._lanes[model])
        return self._lanes[model]

    def deal(self) -> None:
        """Give free slots to those who wait, one lane after the other."""
        idle = 0
        while self.active < self.slots and idle < len(self._turn):
            lane = self._turn[0]
            self._turn.rotate(-1)
            idle = 0 if lane.admit() else idle + 1


class Lane:
    """The requests of one model. Enter before sending, leave after the answer, and say what the answer was."""

    def __init__(self, governor: Governor, model: str) -> None:
        self.model = model
        self.width = float(governor.slots)
        """How many may be in flight."""
        self.active = 0
        self._governor = governor
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed_until = 0.0
        self._narrowed_at = 0.0
        self._refusals = 0

    async def enter(self) -> float:
        """Wait for a slot and return when it was given, which ``limited`` and ``taken`` want to know."""
        if not self._waiting and self._open():
            self._grant()
            return time.monotonic()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._governor.deal()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # the slot came together with the cancellation
            raise
        return time.monotonic()

    def leave(self) -> None:
        """Give the slot back."""
        self.active -= 1
        self._governor.active -= 1
        self._governor.deal()

    def admit(self) -> bool:
        """Let the next one in, if somebody waits and may come in."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()  # gave up waiting
        if not self._waiting or not self._open():
            return False
        self._waiting.popleft().set_result(None)
        self._grant()
        return True

    def taken(self, entered: float) -> None:
        """Note that a request was taken: one more may be in flight for every round of answers."""
        if entered >= self._narrowed_at:
            self._refusals = 0
        before, widest = self.width, float(self._governor.slots)
        self.width = min(widest, self.width + 1.0 / self.width)
        if before < widest == self.width:
            _log.info("%s is at its full speed again: up to %d requests at once.", self.model, self._governor.slots)

    def limited(self, entered: float, hint: float | None) -> float:
        """Note a 429, narrow the lane, and return the seconds to wait before offering again.

        Requests that were sent before the lane was narrowed last say nothing new.
        """
        news = entered >= self._narrowed_at
        if news:
            self._refusals += 1
            self.width = max(1.0, min(self.width, float(self.active + 1)) * NARROWER)
            self._narrowed_at = time.monotonic()
        pause = _pause(hint, self._refusals)
        self._close(pause)
        if news:
            what = "Together says that %s is asked too often: at most %d requests at once, going on in %.1f s."
            _log.info(what, self.model, int(self.width), pause)
        return pause

    def busy(self, tries: int, hint: float | None) -> float:
        """Note a 503 and return the seconds to wait before offering again; where Together says how long, all wait."""
        pause = _pause(hint, tries)
        if hint is not None:
            self._close(pause)
        return pause

    def _open(self) -> bool:
        governor = self._governor
        free = governor.active < governor.slots and self.active < min(governor.share, max(1, int(self.width)))
        return free and time.monotonic() >= self._closed_until

    def _grant(self) -> None:
        self.active += 1
        self._governor.active += 1

    def _close(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        if until > self._closed_until:
            self._closed_until = until
            asyncio.get_running_loop().call_later(seconds + 0.001, self._governor.deal)


class Slot:
    """One place in a lane, for a request that may be offered several times: taken by ``enter``, given back by ``leave``.

    Whoever claims a request takes its slot first: a claim that waits in a queue, and whose process is killed there, would
    look like a request that was sent and never answered.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.entered: float | None = None
        """When the slot was given, while it is held."""

    async def enter(self) -> float:
        """Take a slot, unless one is held already; return when it was given."""
        if self.entered is None:
            self.entered = await self.lane.enter()
        return self.entered

    def leave(self) -> None:
        """Give the slot back, if it is held."""
        if self.entered is not None:
            self.entered = None
            self.lane.leave()


def _pause(hint: float | None, tries: int) -> float:
    """Return never less than the server asked for; a little more, so that those who wait do not come back together."""
    if hint is None:
        return backoff(max(1, tries), first=1.0, longest=LONGEST)
    return hint + backoff(1, first=0.1, longest=0.1)
