"""Gets a request accepted, paying at most once: looked up, claimed among all processes and machines, sent once.

The steps are those of the diagram in DURABILITY.md. For every attempt: reserve, claim, send, record.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from prefect_together._internal.background import spawn
from prefect_together.engine.attempt import Acceptance, BoundAttempt
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.prior_attempts import PriorAttempts, claim
from prefect_together.errors import BudgetExceeded, LibraryError, TogetherError, UnknownOutcome
from prefect_together.generations.fingerprint import body_of
from prefect_together.generations.inputs import Body
from prefect_together.generations.results import Generated
from prefect_together.generations.spec import Blobs, Value
from prefect_together.http.permit import Permit
from prefect_together.ledger.leases import Lease, LocalHold
from prefect_together.ledger.ledger import Ledger

Keep = Callable[[BoundAttempt, Acceptance, Value | Blobs], Awaitable[list[Generated]]]

_NOT_TAKEN = "It was paid for, and the library does not have it: on_unknown decides whether the same request is sent again."
_STALE = 5.0  # seconds after which a claim is looked at once more before the request is sent


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """An attempt that is accepted or stored."""

    attempt: BoundAttempt
    paid: bool
    """Whether this call sent it."""
    acceptance: Acceptance | None = None
    """What was accepted, where this call sent it; else it is in the ledger."""
    results: list[Generated] | None = None
    """The results, where this call kept them already."""


class Claims:
    """The claims on one request.

    Args:
        context: What is asked, of whom, and by which rules.
        ledger: The ledger of the library.
        fingerprint: What the ledger knows the request by.
        scope: Who may share the result.
        keep: Keeps what came inside the answer, before anybody can be cancelled.
        hold: What the call is at work on.
    """

    def __init__(
        self, context: GenerationContext, ledger: Ledger, fingerprint: str, scope: str, *, keep: Keep, hold: LocalHold
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._fingerprint = fingerprint
        self._keep = keep
        self._hold = hold
        self._log = context.run.log
        self._prior = PriorAttempts(context, ledger, fingerprint, scope, hold)
        self._unknown = self._prior.unknown
        self._sent = False

    async def acquire(self) -> ClaimResult:
        """Return an attempt that is accepted or stored, and whether this call paid for it.

        Raises:
            UnknownOutcome: It may have been paid for already and may not be sent again.
            GenerationFailed: This very run had it fail already.
            TogetherError: It was refused, or could not be sent.
        """
        try:
            return await self._acquired()
        except LibraryError as error:
            error.paid = error.paid or ("maybe" if self._sent or self._unknown.resolved else "nothing")
            raise

    async def _acquired(self) -> ClaimResult:
        while True:
            standing = await self._prior.look()
            if standing.what == "known":
                return ClaimResult(standing.attempt, paid=False)
            if standing.what == "busy":
                await self._prior.pause()
                continue
            with contextlib.suppress(UnknownOutcome):  # it is recorded: the next turn decides what to do about it
                if result := await self._send(standing.attempt):
                    return result

    # Reserve, claim, send, record.

    async def _send(self, attempt: BoundAttempt) -> ClaimResult | None:
        """Claim and send; return None where somebody else's claim came first.

        A waiter that is cancelled in the queue claims and sends nothing; one that is cancelled later does not take the paid
        answer with it.
        """
        permit = self._context.client.permit(self._context.request.model)
        await permit.acquire()
        self._hold.add(attempt.attempt)
        return await asyncio.shield(spawn(self._reserve_claim_send(attempt, permit)))

    async def _reserve_claim_send(self, attempt: BoundAttempt, permit: Permit) -> ClaimResult | None:
        try:
            await self._reserve(attempt)
            async with Lease(self._ledger, attempt.attempt):
                began = time.monotonic()  # before the claim: it may be seen long before a busy library says that it is there
                if not await self._claim_or_give_back(attempt):
                    return None
                acceptance = await self._post(attempt, permit, began)
                return None if acceptance is None else await self._accepted(attempt, acceptance)
        finally:
            permit.release()

    async def _reserve(self, attempt: BoundAttempt) -> None:
        """Set aside what it may cost, where that is limited."""
        if self._context.budget:
            try:
                await self._context.budget.reserve(attempt.key, self._context.at_most)
            except BudgetExceeded as error:
                error.paid = "maybe" if self._unknown.resolved else "nothing"  # by the attempt that was to be sent again
                raise

    async def _give_back(self, attempt: BoundAttempt) -> None:
        if self._context.budget:
            await self._context.budget.settle(attempt.key, Decimal(0))

    async def _claim_or_give_back(self, attempt: BoundAttempt) -> bool:
        """Claim the attempt; where that does not come about, what was reserved for it is given back."""
        claimed = False
        try:
            claimed = await claim(self._context, attempt)
        finally:
            if not claimed:
                await self._give_back(attempt)
        return claimed

    async def _post(self, attempt: BoundAttempt, permit: Permit, since: float) -> Acceptance | None:
        """Send the request, once, and return what was accepted; None where it was decided meanwhile about the claim.

        Whatever is raised is recorded: as unknown where it may have been taken, else as refused.
        """
        context, sent = self._context, False
        try:
            with contextlib.closing(await self._body()) as body:
                if await self._decided_upon(attempt, since):
                    await self._give_back(attempt)
                    return None
                await self._unknown.record()
                self._unknown.note_sent()
                spec = context.spec
                parse = spec.parse_for(context.request)
                sent = self._sent = True
                payload = await context.client.send_paid(
                    spec.path, body.content, parse, permit, accept=spec.accept, encoding=spec.encoding
                )
            return Acceptance(datetime.now(timezone.utc), payload, context.client.account)
        except UnknownOutcome as error:
            received = {"received": error.received} if error.received else {}
            await attempt.record_paid("unknown", {"why": error.what, **received})
            raise
        except Exception as error:
            if sent and not isinstance(error, TogetherError):  # nobody foresaw it, so nobody knows what it means
                why = f"It was sent, and then {type(error).__name__} came up, which nobody expected"
                await attempt.record_paid("unknown", {"why": why})
                raise UnknownOutcome(f"{why}, so whether it was accepted is not known.") from error
            context.advise(error)
            # Nothing was taken: only UnknownOutcome says that it may have been.
            with contextlib.suppress(LibraryError):  # the refusal matters more, and a dead claim is found anyway
                await attempt.record("refused", {"why": str(getattr(error, "what", error))})
            await self._give_back(attempt)
            raise

    async def _decided_upon(self, attempt: BoundAttempt, since: float) -> bool:
        """Tell whether others took this process for dead: one that was stopped for a while may have lost its claim."""
        return time.monotonic() - since > _STALE and (await attempt.refreshed()).state != "claimed"

    async def _body(self) -> Body:
        client = self._context.client
        body = await body_of(
            self._context.request, self._fingerprint, environment=client.environment, is_there=client.files.has
        )
        for warning in body.warnings:
            self._log.warning("%s", warning)
        return body

    async def _accepted(self, attempt: BoundAttempt, acceptance: Acceptance) -> ClaimResult:
        """Record what was accepted; what came inside the answer, and exists nowhere else, is kept at once.

        Raises:
            LibraryError: It could not be written down, so nobody knows later that it was accepted.
        """
        if acceptance.job_id:  # what takes no job is there in a moment, and says so itself
            self._log.info("Accepted by Together: %s, %s.", acceptance, self._context.request.model)
        self._context.run.emit(LifecycleEvent("accepted", self._context.request, acceptance.job_id))
        try:
            if (inside := acceptance.inside) is not None:
                results = await self._keep(attempt, acceptance, inside)
                return ClaimResult(attempt.with_events("claimed", "stored"), paid=True, results=results)
            await attempt.record_paid("accepted", acceptance.entry())
        except LibraryError as error:
            error.paid, error.money, error.retryable = "yes", _NOT_TAKEN, False
            raise
        return ClaimResult(attempt.with_events("claimed", "accepted"), paid=True, acceptance=acceptance)
