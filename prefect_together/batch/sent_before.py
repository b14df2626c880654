"""What a flow run has sent in batches at Together before it was suspended, told from the ledger's claims. Sends nothing."""

from __future__ import annotations

from prefect_together.engine.attempt import BoundAttempt
from prefect_together.errors import UnknownOutcome
from prefect_together.ledger.ledger import UNDECIDED, Ledger

_AT_STAKE = UNDECIDED | {"resolved"}
"""States of attempts that may have been paid for, whether or not somebody has decided about them."""


class SentBefore:
    """What one flow run has sent, in whichever of its processes.

    Args:
        ledger: The ledger of the library.
        flow_run: The run.
    """

    def __init__(self, ledger: Ledger, flow_run: str | None) -> None:
        self._ledger = ledger
        self._flow_run = flow_run

    async def holds(self, attempt: BoundAttempt) -> bool:
        """Tell whether an attempt went into a batch that the run sent."""
        claim = await attempt.entry("claimed") or {}
        return "provider_batch" in claim and claim.get("flow_run") == self._flow_run

    async def times(self, coming: BoundAttempt) -> int:
        """Return into how many batches of the run a request went that came to nothing.

        Args:
            coming: The attempt that would come next.

        Raises:
            UnknownOutcome: Two of them may have been paid for: a run decides about sending it again once.
        """
        if coming.attempt.number == 1:
            return 0
        history, found = await self._ledger.history(coming.attempt.fingerprint), list[BoundAttempt]()
        for attempt in map(coming.other, history.within(coming.attempt.scope)):
            if attempt.state in {"failed", *_AT_STAKE} and await self.holds(attempt):
                found.append(attempt)
        at_stake = [attempt for attempt in found if attempt.state in _AT_STAKE]
        if len(at_stake) > 1:
            what = f"This run sent it {len(at_stake)} times, and whether it was paid for is not known."
            raise UnknownOutcome(
                what, advice="Look at your usage at Together: a new run decides anew.", key=at_stake[-1].key
            )
        return len(found)
