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
from typing import Any

from prefect_together._internal.background import spawn
from prefect_together.engine.attempt import Acceptance, BoundAttempt
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.recovery import adopt_job, close_dead_claim
from prefect_together.engine.unknown_outcome import UnknownOutcomePolicy
from prefect_together.errors import BudgetExceeded, GenerationFailed, LibraryError, TogetherError, UnknownOutcome
from prefect_together.generations.fingerprint import body_of
from prefect_together.generations.results import Generated
from prefect_together.http.rate_limit import Permit
from prefect_together.ledger.leases import Lease, LeaseMonitor, LocalHold, owned
from prefect_together.ledger.ledger import ANY, Attempt, History, Ledger

LOOK_AGAIN = 0.25
"""Seconds until the first second look at a claim that somebody else is sending; the pauses grow to two seconds."""

Keep = Callable[[BoundAttempt, Acceptance], Awaitable[list[Generated]]]

_CLAIM_PATIENCE = 3.0  # seconds for which a claim is tried to be written: nothing is at stake yet
_STALE = 5.0  # seconds after which a claim is looked at once more before the request is sent
_OPEN = frozenset({"claimed", "accepted", "unknown", "lost"})


@dataclass(frozen=True)
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
        self._scope = scope
        self._keep = keep
        self._hold = hold
        self._log = context.run.log
        self._unknown = UnknownOutcomePolicy(context, ledger)
        self._watches: dict[str, LeaseMonitor] = {}
        self._looks = 0

    async def acquire(self) -> ClaimResult:
        """Return an attempt that is accepted or stored, and whether this call paid for it.

        Raises:
            UnknownOutcome: It may have been paid for already and may not be sent again.
            GenerationFailed: This very run had it fail already.
            TogetherError: It was refused, or could not be sent.
        """
        while True:
            history = await self._ledger.history(self._fingerprint)
            # Stored, or accepted: nothing is left to pay.
            if known := self._known(history):
                return ClaimResult(self._bound(known), paid=False)
            own = history.within(self._scope)
            # Failed: this run does not pay for the same failure twice; another one may try.
            if own and own[-1].state == "failed":
                await self._raise_failure_of_this_run(own[-1])
            # Claimed: somebody is sending it right now, or died over it.
            if own and own[-1].state == "claimed":
                await self._wait_or_close(own[-1])
                continue
            # Unknown or lost: the policy lets the next attempt go ahead, or raises.
            await self._unknown.resolve(own)
            # A job that another run left behind is as good as a new one.
            if self._scope != ANY and (orphan := await self._orphan(history)):
                await self._adopt(orphan, history.next(self._scope))
                continue
            # Nothing is known: this call pays, unless somebody else's claim comes first.
            with contextlib.suppress(UnknownOutcome):  # it is recorded: the next turn decides what to do about it
                if result := await self._send(history.next(self._scope)):
                    return result

    def _bound(self, attempt: Attempt) -> BoundAttempt:
        return BoundAttempt(self._ledger, attempt, self._log)

    # Before anything is sent: what others did, or are doing.

    def _known(self, history: History) -> Attempt | None:
        """Return what is kept, or accepted and still to be kept."""
        if stored := history.stored(self._scope):
            return stored
        accepted = [attempt for attempt in history.within(self._scope) if attempt.state == "accepted"]
        return accepted[-1] if accepted else None

    async def _raise_failure_of_this_run(self, attempt: Attempt) -> None:
        """Raise the failure that this run has had already, instead of paying for another one."""
        entry = await self._ledger.entry(attempt, "failed") or {}
        flow_run = self._context.run.flow_run
        if flow_run is None or entry.get("flow_run") != flow_run:
            return
        raise GenerationFailed(
            str(entry.get("why")),
            paid="yes" if entry.get("cost") else "maybe",
            advice="This run is not charged for it again: correct the request, or start a new run.",
            job_id=entry.get("job_id"),
            status=str(entry.get("status")),
            code=entry.get("code"),
        )

    async def _wait_or_close(self, claimed: Attempt) -> None:
        """Wait a moment for whoever is sending; where its process is gone, record what its claim stands for."""
        watch = self._watches.setdefault(claimed.key, LeaseMonitor(self._ledger, claimed))
        if await watch.alive() is False:
            await close_dead_claim(self._bound(claimed))
            return
        self._looks += 1
        if self._looks == 1:
            self._log.info("Somebody else is sending this request: waiting for it instead of paying too.")
        await asyncio.sleep(min(2.0, LOOK_AGAIN * 1.3**self._looks))

    async def _orphan(self, history: History) -> BoundAttempt | None:
        """Return a job that another run paid for and left behind: what nobody ever got is as good as fresh.

        What another run left in an unknown state is decided by the same rule as our own: it may be the very thing that is
        asked for now.
        """
        left = [attempt for attempt in history.latest(but=self._scope) if attempt.state in _OPEN]
        at_work = await asyncio.gather(*(self._at_work(attempt) for attempt in left))
        for orphan in (self._bound(attempt) for attempt, busy in zip(left, at_work, strict=True) if not busy):
            if orphan.state == "claimed":
                await close_dead_claim(orphan)
            now = await orphan.refreshed()
            if now.state == "accepted":
                if (await now.acceptance()).account in {None, self._context.client.account}:
                    return now
                continue
            await self._unknown.resolve((await self._ledger.history(self._fingerprint)).within(now.attempt.scope))
        return None

    async def _at_work(self, attempt: Attempt) -> bool:
        return attempt.state in {"claimed", "accepted"} and await LeaseMonitor(self._ledger, attempt).settled()

    async def _adopt(self, orphan: BoundAttempt, successor: Attempt) -> None:
        self._hold.add(successor)
        bound = self._bound(successor)
        if await self._claim(bound, adopted=orphan.key):
            await adopt_job(orphan, bound)

    # Reserve, claim, send, record.

    async def _send(self, attempt: Attempt) -> ClaimResult | None:
        """Claim and send; return None where somebody else's claim came first.

        A waiter that is cancelled in the queue claims and sends nothing; one that is cancelled later does not take the paid
        answer with it.
        """
        permit = self._context.client.permit(self._context.request.model)
        await permit.acquire()
        self._hold.add(attempt)
        return await asyncio.shield(spawn(self._reserve_claim_send(self._bound(attempt), permit)))

    async def _reserve_claim_send(self, attempt: BoundAttempt, permit: Permit) -> ClaimResult | None:
        try:
            await self._reserve(attempt)
            async with Lease(self._ledger, attempt.attempt):
                if not await self._claim_or_give_back(attempt):
                    return None
                acceptance = await self._post(attempt, permit)
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
            claimed = await self._claim(attempt)
        finally:
            if not claimed:
                await self._give_back(attempt)
        return claimed

    async def _claim(self, attempt: BoundAttempt, *, adopted: str | None = None) -> bool:
        context, request = self._context, self._context.request
        entry = {
            **owned(),
            "account": context.client.account,
            "realm": context.client.environment,
            "kind": request.kind,
            "model": request.model,
            "title": request.label(),
            "request": request.model_dump(mode="json", exclude_unset=True),
            "flow_run": context.run.flow_run,
            "flow_run_name": context.run.flow_run_name,
            "flow_run_url": context.run.flow_run_url,
            "task_run": context.run.task_run,
            "estimated_cost": context.estimate,
            "adopted": adopted,
        }
        return await attempt.record_paid("claimed", entry, patience=_CLAIM_PATIENCE)

    async def _post(self, attempt: BoundAttempt, permit: Permit) -> Acceptance | None:
        """Send the request, once, and return what was accepted; None where the claim was decided upon meanwhile.

        Whatever is raised is recorded: as unknown where it may have been taken, else as refused.
        """
        context, sent, since = self._context, False, time.monotonic()
        try:
            body = await self._body()
            if await self._decided_upon(attempt, since):
                await self._give_back(attempt)
                return None
            await self._unknown.record()
            self._unknown.note_sent()
            sent = True
            payload = await context.client.send_paid(context.spec.path, body, context.spec.parse, permit)
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

    async def _body(self) -> dict[str, Any]:
        client = self._context.client
        body = await body_of(
            self._context.request, self._fingerprint, environment=client.environment, is_there=client.files.has
        )
        for warning in body.warnings:
            self._log.warning("%s", warning)
        return body.content

    async def _accepted(self, attempt: BoundAttempt, acceptance: Acceptance) -> ClaimResult:
        """Record what was accepted; what came inside the answer, and exists nowhere else, is kept at once."""
        if acceptance.job_id:  # what takes no job is there in a moment, and says so itself
            self._log.info("Accepted by Together: %s, %s.", acceptance, self._context.request.model)
        self._context.emit(LifecycleEvent("accepted", self._context.request, acceptance.job_id))
        if not acceptance.survives:
            results = await self._keep(attempt, acceptance)
            return ClaimResult(attempt.with_events("claimed", "stored"), paid=True, results=results)
        await attempt.record_paid("accepted", acceptance.entry())
        return ClaimResult(attempt.with_events("claimed", "accepted"), paid=True, acceptance=acceptance)
