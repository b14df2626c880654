"""One place among the requests of a model that may be in flight. Sends nothing itself."""

from __future__ import annotations

from prefect_together.http.rate_limit import ModelLimiter


class Permit:
    """One place in a lane, for a request that may be offered several times: taken by ``acquire``, given back by ``release``.

    Whoever claims a request takes its permit first: a claim that waits in a queue, and whose process is killed there, would
    look like a request that was sent and never answered.
    """

    def __init__(self, limiter: ModelLimiter) -> None:
        self.limiter = limiter
        self.entered: float | None = None
        """When the permit was given, while it is held."""

    async def acquire(self) -> float:
        """Take a permit, unless one is held already; return when it was given."""
        if self.entered is None:
            self.entered = await self.limiter.acquire()
        return self.entered

    def release(self) -> None:
        """Give the permit back, if it is held."""
        if self.entered is not None:
            self.entered = None
            self.limiter.release()
