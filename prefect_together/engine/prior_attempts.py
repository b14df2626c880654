"""What others did about a request, or are doing, before a call pays for it: looked up, waited for, adopted. Never pays."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from prefect_together.engine.attempt import BoundAttempt, failure_of
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.recovery import adopt_job, close_dead_claim
from prefect_together.engine.unknown_outcome import UnknownOutcomePolicy
from prefect_together.ledger.heartbeats import owned
from prefect_together.ledger.leases import LeaseMonitor, LocalHold
from prefect_together.ledger.ledger import ANY, OPEN, Attempt, History, Ledger

LOOK_AGAIN = 0.25
"""Seconds until the first second look at a claim that somebody else is sending; the pauses grow to two seconds."""
CLAIM_PATIENCE = 3.0
"""Seconds for which a claim is tried to be written: nothing is at stake yet."""


@dataclass(frozen=True)
class Standing:
    """How things stand with a request."""

    what: Literal["known", "busy", "free"]
    """``known``: stored, or accepted; ``busy``: somebody is sending it; ``free``: this call may claim it."""
    attempt: BoundAttempt
    """The one that is known or being sent, or the one that would come next."""


class PriorAttempts:
    """The attempts at one request that there are already.

    Args:
        context: What is asked, of whom, and by which rules.
        ledger: The ledger of the library.
        fingerprint: What the ledger knows the request by.
        scope: Who may share the result.
        hold: What the call is at work on.
    """

    def __init__(self, context: GenerationContext, ledger: Ledger, fingerprint: str, scope: str, hold: LocalHold) -> None:
        self.unknown = UnknownOutcomePolicy(context, ledger)
        """What is decided about those whose outcome nobody knows."""
        self._context = context
        self._ledger = ledger
        self._fingerprint = fingerprint
        self._scope = scope
        self._hold = hold
        self._log = context.run.log
        self._watches: dict[str, LeaseMonitor] = {}
        self._looks = 0

    async def look(self) -> Standing:
        """Return how things stand, after what dead processes left behind is closed or taken over.

        Raises:
            UnknownOutcome: It may have been paid for already and may not be sent again.
            GenerationFailed: This very run had it fail already.
            TogetherError: What became of a dead process's batch cannot be found out.
        """
        while True:
            history = await self._ledger.history(self._fingerprint)
            # Stored, or accepted: nothing is left to pay.
            if known := self._known(history):
                return Standing("known", self._bound(known))
            own = history.within(self._scope)
            # Failed: this run does not pay for the same failure twice; another one may try.
            if own and own[-1].state == "failed":
                await self._raise_failure_of_this_run(own[-1])
            # Claimed: somebody is sending it right now, or died over it.
            if own and own[-1].state == "claimed":
                if await self._closed(own[-1]):
                    continue
                return Standing("busy", self._bound(own[-1]))
            # Unknown or lost: the policy lets the next attempt go ahead, or raises.
            await self.unknown.resolve(own)
            # A job that another run left behind is as good as a new one.
            if self._scope != ANY and (orphan := await self._orphan(history)):
                await self._adopt(orphan, history.next(self._scope))
                continue
            # Nothing is known: this call pays, unless somebody else's claim comes first.
            return Standing("free", self._bound(history.next(self._scope)))

    async def pause(self) -> None:
        """Wait a moment for whoever is sending."""
        self._looks += 1
        if self._looks == 1:
            self._log.info("Somebody else is sending this request: waiting for it instead of paying too.")
        await asyncio.sleep(min(2.0, LOOK_AGAIN * 1.3**self._looks))

    def _bound(self, attempt: Attempt) -> BoundAttempt:
        return BoundAttempt(self._ledger, attempt, self._log)

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
        raise failure_of(entry, advice="This run is not charged for it again: correct the request, or start a new run.")

    async def _closed(self, claimed: Attempt) -> bool:
        """Where the process that claimed it is gone, record what its claim stands for; return whether that was so."""
        watch = self._watches.setdefault(claimed.key, LeaseMonitor(self._ledger, claimed))
        dead = await watch.alive() is False
        if dead:
            await close_dead_claim(self._bound(claimed), self._context.client)
        return dead

    async def _orphan(self, history: History) -> BoundAttempt | None:
        """Return a job that another run paid for and left behind: what nobody ever got is as good as fresh.

        What another run left in an unknown state is decided by the same rule as our own: it may be the very thing that is
        asked for now.
        """
        left = [attempt for attempt in history.latest(but=self._scope) if attempt.state in OPEN]
        at_work = await asyncio.gather(*(self._at_work(attempt) for attempt in left))
        for orphan in (self._bound(attempt) for attempt, busy in zip(left, at_work, strict=True) if not busy):
            if orphan.state == "claimed":
                await close_dead_claim(orphan, self._context.client)
            now = await orphan.refreshed()
            if now.state == "accepted":
                if (await now.acceptance()).account in {None, self._context.client.account}:
                    return now
                continue
            await self.unknown.resolve((await self._ledger.history(self._fingerprint)).within(now.attempt.scope))
        return None

    async def _at_work(self, attempt: Attempt) -> bool:
        return attempt.state in {"claimed", "accepted"} and await LeaseMonitor(self._ledger, attempt).settled()

    async def _adopt(self, orphan: BoundAttempt, successor: Attempt) -> None:
        self._hold.add(successor)
        bound = self._bound(successor)
        if await claim(self._context, bound, adopted=orphan.key):
            await adopt_job(orphan, bound)


async def claim(
    context: GenerationContext, attempt: BoundAttempt, *, adopted: str | None = None, provider_batch: str | None = None
) -> bool:
    """Win the right to send an attempt, or not; return which.

    It is not won where the claim comes so late that the money set aside for it may be somebody else's by now.

    Args:
        context: What is asked.
        attempt: The attempt, for which money is set aside where that is limited.
        adopted: The key of the attempt whose job it goes on with, where it does.
        provider_batch: The record of the batch that it goes into, where it does.

    Raises:
        LibraryError: It cannot be written.
    """
    request, budget = context.request, context.budget
    mark = budget.mark(attempt.key) if budget else None
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
        **({"provider_batch": provider_batch} if provider_batch else {}),
        **({"allowance": mark} if mark else {}),
    }
    claimed = await attempt.record_paid("claimed", entry, patience=CLAIM_PATIENCE)
    if claimed and budget and not budget.covers(attempt.key):
        await attempt.record_paid("refused", {"why": "It took so long to claim it that its money was given back"})
        return False
    return claimed
