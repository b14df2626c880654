"""How many paid requests of each model may be in flight at once, learnt from Together's answers. Sends nothing itself.

One limiter serves an account in a process. Every model has a limiter of its own: a 429 narrows it and a wait hint closes it
for so long, an answer widens it again, and a 503 makes it wait without narrowing it. It begins with one request and opens
within a second or two, so that whoever begins where Together is busy is refused a few requests and not all. Permits that
come free are dealt to the models in turn, and no model may take the last of them, so that none starves because another is
slow.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from prefect_together._internal.retry import backoff

NARROWER = 0.7
"""What is left of a model's width after a 429."""
RESERVED = 8
"""One permit of so many is kept for the other models."""
LONGEST = 60.0
"""Seconds of the longest pause that nobody asked for."""
GUESS = 16
"""How many may at least have been too many, where a model's very first requests are refused."""
OPENING, MOMENT = 2, 0.05
"""How many more may be in flight after each moment (seconds) of a model's first ones, while nothing is refused."""

ROUND = 12.0
"""Seconds after which all processes of an account have heard of a new one, and a limit that was met is more than a guess."""

ALL = 0.9
"""Of a limit that several processes share: who comes then waits for the others to give way."""
_log = logging.getLogger("prefect.together.rate_limit")


@dataclass(frozen=True)
class RetryBudget:
    """How long a request that nobody has taken yet goes on being offered, in seconds."""

    busy: float = 300.0
    """In all, while Together answers 429 or 503."""
    refused: float = 30.0
    """In all, while no connection can be opened."""


class Width(TypedDict):
    """What one process sees of a model: how many may be in flight, how many are or wait, how many processes it knows of."""

    width: float
    wanted: int
    among: int


class AdaptiveLimiter:
    """Deals the permits of one account to the models.

    Processes that share an account and a library tell each other what they see, now and then (``seen``, ``heed``): each
    takes its share of what all see, and tries for more in turn with the others. That is advice: a 429 costs nothing, and a
    process that hears of no other does as if it were alone.

    Args:
        permits: Paid requests in flight at once, all models together.
    """

    def __init__(self, permits: int) -> None:
        self.permits = permits
        self.share = max(1, permits - permits // RESERVED)
        self.active = 0
        self._models: dict[str, ModelLimiter] = {}
        self._turn: deque[ModelLimiter] = deque()

    def for_model(self, model: str) -> ModelLimiter:
        """Return the limiter of a model."""
        if model not in self._models:
            self._models[model] = ModelLimiter(self, model)
            self._turn.append(self._models[model])
        return self._models[model]

    def seen(self) -> dict[str, Width]:
        """Return what this process sees of the models that it asks."""
        return {name: lane.seen() for name, lane in self._models.items() if lane.wanted}

    def heed(self, others: Iterable[Mapping[str, Width]]) -> None:
        """Take into account what the other living processes of this account see."""
        heard = list(others)
        for name, lane in self._models.items():
            lane.heed([seen[name] for seen in heard if name in seen])

    def distribute(self) -> None:
        """Give free permits to those who wait, one model after the other."""
        idle = 0
        while self.active < self.permits and idle < len(self._turn):
            lane = self._turn[0]
            self._turn.rotate(-1)
            idle = 0 if lane.admit() else idle + 1


class ModelLimiter:
    """The requests of one model. Acquire before sending, release after the answer, and say what the answer was."""

    def __init__(self, limiter: AdaptiveLimiter, model: str) -> None:
        self.model = model
        self.width = float(limiter.permits)
        """How many may be in flight."""
        self.active = 0
        self._limiter = limiter
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed_until = 0.0
        self._narrowed_at = 0.0
        self._taken = 0
        self._known = self.width
        self._refusals = 0
        self._others = 0
        self._enters_at = 0.0
        self._guessed = False
        self._began = 0.0
        self._opened = 1
        self._opening: asyncio.TimerHandle | None = None

    @property
    def wanted(self) -> int:
        """How many requests are in flight or wait to be."""
        return self.active + len(self._waiting)

    def seen(self) -> Width:
        """Return what this process sees."""
        # What a newcomer was told is no width that is in use.
        width = self.width if time.monotonic() >= self._enters_at else float(self._limiter.permits)
        return {"width": width, "wanted": self.wanted, "among": 1 + self._others}

    def heed(self, others: Sequence[Width]) -> None:
        """Take no more than this process's share of what all see, where Together has refused one of them something.

        Who has never been refused anything is as wide as can be: that says nothing, unless all are. A newcomer where the
        others use all there is waits until they have heard of it, and given way.
        """
        widest = float(self._limiter.permits)
        learnt = [one for one in (*others, self.seen()) if one["width"] < widest]
        self._others = len(others)
        if not learnt or not others:
            return
        # Who has given way to this process already says that it is one of so many; older releases do not say.
        given_way = max(1.0, sum(one.get("among", 1) for one in learnt) / len(learnt) ** 2)
        whole = sum(one["width"] for one in learnt) * given_way
        used = sum(min(one["width"], one["wanted"]) for one in others)
        if self._is_new() and self.width == widest and not self._enters_at and used > ALL * whole:
            self._close(ROUND)
            self._enters_at = self._closed_until
        share = max(1.0, whole / (1 + len(others)))
        self._known = share if self._guessed else min(self._known, share)
        if self.width > self._known:
            self.width, self._guessed = self._known, True

    async def acquire(self) -> float:
        """Wait for a slot and return when it was given, which ``on_rate_limited`` and ``on_accepted`` want to know."""
        if not self._waiting and self._open():
            self._grant()
            return time.monotonic()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._limiter.distribute()
        self._go_on_opening()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.release()  # the permit came together with the cancellation
            raise
        return time.monotonic()

    def release(self) -> None:
        """Give the permit back."""
        self.active -= 1
        self._limiter.active -= 1
        self._limiter.distribute()

    def admit(self) -> bool:
        """Let the next one in, if somebody waits and may come in."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()  # gave up waiting
        if not self._waiting or not self._open():
            return False
        self._waiting.popleft().set_result(None)
        self._grant()
        return True

    def on_accepted(self, entered: float) -> None:
        """Note that a request was taken: one more may be in flight for every round of answers.

        Up to what it was narrowed to last, for every answer: that all of a moment were refused may be just that moment.

        Where one of several processes is refused something, it alone gives way, so all together come back to the limit so
        much sooner: they try for more so much more slowly, each its share of that; of a limit that is a guess, its share.
        """
        if entered >= self._narrowed_at:
            self._refusals = 0
        self._opened += 1
        before, widest = self.width, float(self._limiter.permits)
        if self.width < self._known:
            self.width = min(self._known, self.width + 1.0)
        else:
            slower = (1 + self._others) ** (1 if self._guessed else 2)
            self.width = self._known = min(widest, self.width + 1.0 / self.width / slower)
        if before < widest == self.width:
            _log.info("%s is at its full speed again: up to %d requests at once.", self.model, self._limiter.permits)

    def on_rate_limited(self, entered: float, hint: float | None) -> float:
        """Note a 429, narrow the model's width, and return the seconds to wait before offering again.

        Of requests that were sent before it was narrowed last, each that is refused says that there was room for one less.
        """
        news = entered >= self._narrowed_at
        if news:
            self._refusals += 1
            # What is refused while it opens says that there is a limit, and not yet where: answers open it further.
            sent = max(self.active + 1, GUESS if self._opened < self._limiter.permits else 1)
            self._guessed = self._is_new()
            self._opened = self._limiter.permits
            self._taken = self.active
            self.width = self._known = max(1.0, min(self.width, float(sent)) * NARROWER)
            self._narrowed_at = time.monotonic()
        self._taken -= 1
        self.width = max(1.0, min(self.width, float(self._taken)))
        pause = _pause(hint, self._refusals)
        self._close(pause)
        if news:
            what = "Together says that %s is asked too often: at most %d requests at once, going on in %.1f s."
            _log.info(what, self.model, int(self.width), pause)
        return pause

    def on_busy(self, tries: int, hint: float | None) -> float:
        """Note a 503 and return the seconds to wait before offering again; where Together says how long, all wait."""
        pause = _pause(hint, tries)
        if hint is not None:
            self._close(pause)
        return pause

    def _open(self) -> bool:
        limiter = self._limiter
        most = min(limiter.share, max(1, int(self.width)), self._opened)
        return limiter.active < limiter.permits and self.active < most and time.monotonic() >= self._closed_until

    def _go_on_opening(self) -> None:
        """Let more in after a moment, while somebody waits for that; answers do so too, and the first 429 ends it."""
        if self._waiting and self._opened < self._limiter.permits and self._opening is None:
            self._opening = asyncio.get_running_loop().call_later(MOMENT * (1 + self._others), self._open_further)

    def _open_further(self) -> None:
        self._opening = None
        self._opened += OPENING
        self._limiter.distribute()
        self._go_on_opening()

    def _is_new(self) -> bool:
        return time.monotonic() < self._began + ROUND

    def _grant(self) -> None:
        self._began = self._began or time.monotonic()
        self.active += 1
        self._limiter.active += 1

    def _close(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        if until > self._closed_until:
            self._closed_until = until
            asyncio.get_running_loop().call_later(seconds + 0.001, self._limiter.distribute)


def _pause(hint: float | None, tries: int) -> float:
    """Return never less than the server asked for; a little more, so that those who wait do not come back together."""
    if hint is None:
        return backoff(max(1, tries), first=1.0, longest=LONGEST)
    return hint + backoff(1, first=0.1, longest=0.1)
