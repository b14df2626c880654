"""What to do about a paid request whose outcome nobody knows, or whose files are gone before they were fetched."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

from prefect_together import catalog
from prefect_together.engine.context import Ask
from prefect_together.errors import LibraryError, MediaError, UnknownOutcome
from prefect_together.generations.spec import Acceptance
from prefect_together.ledger.ledger import Attempt, Ledger

# Nobody has seen hosted links of Together's live longer: about an hour for pictures, a day for clips (together-api.md 2.4).
_LINKS_LIVE = {"image": timedelta(hours=2), "video": timedelta(hours=24)}
_GONE = frozenset({401, 403, 404, 410})
_UNDECIDED = frozenset({"unknown", "lost"})


class Unknowns:
    """Judges undecided attempts of one request, by ``on_unknown`` and what one accident may cost."""

    def __init__(self, ask: Ask, ledger: Ledger) -> None:
        self._ask = ask
        self._ledger = ledger
        self.decided = False
        self._spent = False

    def sent(self) -> None:
        """Take note that a request went out: one call decides once for sending it again."""
        self._spent = self.decided

    async def decide(self, attempts: tuple[Attempt, ...]) -> None:
        """Let the next attempt go ahead, or refuse it.

        Args:
            attempts: The attempts of one scope, oldest first.

        Raises:
            UnknownOutcome: The last one may have been paid for, and it may not be sent again.
        """
        if not attempts or attempts[-1].state not in _UNDECIDED:
            return
        last = attempts[-1]
        entry = await self._ledger.entry(last, "lost" if last.state == "lost" else "unknown") or {}
        why = str(entry.get("why", "it was sent and no answer was recorded"))
        if self._spent or not await self._allowed(attempts):
            raise self._error(last, why)
        self.decided = True
        self._ask.caller.log.warning(
            "%s It may have been paid for once already (%s); sending it again, as on_unknown=%r allows.",
            _sentence(why),
            _price(self._ask.estimate()),
            self._ask.on_unknown,
        )
        await self._ledger.record(last, "resolved", {"how": "resubmitted", "flow_run": self._ask.caller.flow_run})

    async def lost(self, attempt: Attempt, acceptance: Acceptance, error: BaseException) -> None:
        """Record that what was paid for cannot be had any more, where that is certain: its links have expired."""
        gone = isinstance(error, MediaError) and error.status in _GONE
        if gone and datetime.now(timezone.utc) - acceptance.at > _LINKS_LIVE[self._ask.request.kind]:
            with contextlib.suppress(LibraryError):  # the error at hand says more
                await self._ledger.record(attempt, "lost", {"why": f"It was paid for, and its file has expired: {error}"})

    async def _allowed(self, attempts: tuple[Attempt, ...]) -> bool:
        if self._ask.on_unknown != "auto":
            return self._ask.on_unknown == "resubmit"
        estimate = self._ask.estimate()
        if estimate is None or estimate > self._ask.rules.resubmit_below:
            return False
        # One accident is forgiven. A second in a row is no accident, and what it may cost adds up.
        before = attempts[-2] if len(attempts) > 1 else None
        if before is None or before.state != "resolved":
            return True
        resolved = await self._ledger.entry(before, "resolved") or {}
        return resolved.get("how") != "resubmitted"

    def _error(self, attempt: Attempt, why: str) -> UnknownOutcome:
        ask, estimate = self._ask, self._ask.estimate()
        return UnknownOutcome(
            f"{_sentence(why)} At stake: one {ask.request.kind} by {ask.request.model}, {_price(estimate)}.",
            advice="Nothing is sent for it until you decide: look at your usage at Together, then run it again with "
            f'on_unknown="resubmit" to send it again. Ledger key: {attempt.key}.',
            key=attempt.key,
            at_risk=estimate,
        )


def _price(estimate: object) -> str:
    if estimate is None:
        return "its price is not known"
    return f"about ${estimate} by the catalogue of {catalog.as_of().isoformat()}"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."
