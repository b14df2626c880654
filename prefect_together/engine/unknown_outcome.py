"""What to do about a paid request whose outcome nobody knows, or whose files are gone before they were fetched."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from prefect_together import catalog
from prefect_together._internal.text import sentence
from prefect_together.catalog.money import dollars
from prefect_together.engine.attempt import Acceptance, BoundAttempt
from prefect_together.engine.context import GenerationContext
from prefect_together.errors import LibraryError, MediaError, UnknownOutcome
from prefect_together.generations.registry import spec_of
from prefect_together.ledger.accidents import may_be_sent_again
from prefect_together.ledger.ledger import UNDECIDED, Attempt, Ledger

_GONE = frozenset({401, 403, 404, 410})


class UnknownOutcomePolicy:
    """Decides about undecided attempts of one request, by ``on_unknown`` and what one accident may cost.

    Args:
        context: What is asked, and by which rules.
        ledger: The ledger of the library.
    """

    def __init__(self, context: GenerationContext, ledger: Ledger) -> None:
        self._context = context
        self._ledger = ledger
        self._let_go: dict[str, Attempt] = {}
        self._spent = False

    @property
    def resolved(self) -> bool:
        """Whether an undecided attempt was let go, so that its request may be sent again."""
        return bool(self._let_go)

    def note_sent(self) -> None:
        """Take note that a request went out: one call decides once for sending it again."""
        self._spent = self.resolved

    async def record(self) -> None:
        """Write down what was let go. Call it when the next attempt is claimed and nothing of it is sent.

        Not before: what a budget refuses, or whoever is cancelled does not send, stays as undecided as it was.

        Raises:
            LibraryError: It could not be written.
        """
        for attempt in self._let_go.values():
            await self._ledger.record(attempt, "resolved", {"how": "resubmitted", "flow_run": self._context.run.flow_run})

    async def resolve(self, attempts: tuple[Attempt, ...]) -> None:
        """Let the next attempt go ahead, or refuse it.

        Args:
            attempts: The attempts of one scope, oldest first.

        Raises:
            UnknownOutcome: The last one may have been paid for, and it may not be sent again.
        """
        if not attempts or attempts[-1].state not in UNDECIDED:
            return
        last, context = attempts[-1], self._context
        if last.key in self._let_go and not self._spent:
            return
        entry = await self._ledger.entry(last, "lost" if last.state == "lost" else "unknown") or {}
        why = str(entry.get("why", "it was sent and no answer was recorded"))
        at_stake = self._at_stake(entry)
        if self._spent or not await self._allowed(attempts, at_stake):
            raise self._error(last, why, entry)
        if not await self._allowed_together(last, at_stake, entry):
            bound = dollars(context.policy.resubmit_per_process)
            why = f"{why}. Of all that it had in flight, no more than {bound} is sent again without asking"
            raise self._error(last, why, entry)
        self._let_go[last.key] = last
        context.run.log.warning(
            "%s It may have been paid for once already (%s); sending it again, as on_unknown=%r allows.",
            sentence(why),
            _price(at_stake),
            context.on_unknown,
        )

    def _at_stake(self, entry: dict[str, Any]) -> Decimal | None:
        """Return what one accident may have cost in USD: where a whole batch went out together, all of it."""
        if "lines" not in entry:
            return self._context.at_most
        return None if entry.get("at_stake") is None else Decimal(str(entry["at_stake"]))

    async def _allowed(self, attempts: tuple[Attempt, ...], at_stake: Decimal | None) -> bool:
        if self._context.on_unknown != "auto":
            return self._context.on_unknown == "resubmit"
        if at_stake is None or at_stake > self._context.policy.resubmit_below:
            return False
        # One accident is forgiven. A second in a row is no accident, and what it may cost adds up.
        before = attempts[-2] if len(attempts) > 1 else None
        if before is None or before.state != "resolved":
            return True
        resolved = await self._ledger.entry(before, "resolved") or {}
        return resolved.get("how") != "resubmitted"

    async def _allowed_together(self, attempt: Attempt, at_stake: Decimal | None, entry: dict[str, Any]) -> bool:
        """Tell whether it is within what may be sent again of all that a dead process had in flight."""
        process, policy = entry.get("process"), self._context.policy
        if self._context.on_unknown != "auto" or process is None or at_stake is None:
            return True
        storage, most = self._context.storage, policy.resubmit_per_process
        return await may_be_sent_again(storage, str(process), attempt.key, at_stake, at_most=most)

    def _error(self, attempt: Attempt, why: str, entry: dict[str, Any]) -> UnknownOutcome:
        request, at_most, received = self._context.request, self._at_stake(entry), str(entry.get("received", ""))
        came = f" {len(received):,} characters of it came, and are kept." if received else ""
        one = f"one {spec_of(request).noun} by {request.model}"
        what = one if "lines" not in entry else f"{self._context.spec.count(entry['lines'])}, of which this is one"
        return UnknownOutcome(
            f"{sentence(why)}{came} At stake: {what}, {_price(at_most)}.",
            advice="Nothing is sent for it until you decide: look at your usage at Together, then run it again with "
            f'on_unknown="resubmit" to send it again. Ledger key: {attempt.key}.',
            key=attempt.key,
            at_risk=at_most,
            received=received,
        )


async def record_lost(
    context: GenerationContext, attempt: BoundAttempt, acceptance: Acceptance, error: BaseException
) -> None:
    """Record that what was paid for cannot be had any more, where that is certain.

    What came inside an answer is lost with it. A hosted file is lost when its host says that it is gone, and its link is
    older than any that was ever seen alive.

    Args:
        context: What was asked.
        attempt: The attempt that was accepted.
        acceptance: What was accepted.
        error: Why it could not be kept.
    """
    if acceptance.inside is None:
        gone = isinstance(error, MediaError) and error.status in _GONE
        if not gone or datetime.now(timezone.utc) - acceptance.at <= context.spec.keeping.links_live:
            return
        why = f"It was paid for, and its file has expired: {error}"
    else:
        why = f"It was paid for, and could not be kept: {error}"
    with contextlib.suppress(LibraryError):  # the error at hand says more
        await attempt.record("lost", {"why": why})


def _price(at_most: Decimal | None) -> str:
    if at_most is None:
        return "its price is not known"
    return f"about {dollars(at_most)} by the catalogue of {catalog.as_of().isoformat()}"
