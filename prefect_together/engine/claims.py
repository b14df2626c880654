"""Gets a request accepted, paying at most once: looked up, claimed among all processes and machines, sent once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from prefect_together._internal.background import outlives
from prefect_together.engine.context import Ask
from prefect_together.engine.lifecycle_events import Happening
from prefect_together.engine.records import read_acceptance, record_paid, refreshed
from prefect_together.engine.recovery import bury, take_over
from prefect_together.engine.unknown_outcome import Unknowns
from prefect_together.errors import BudgetExceeded, GenerationFailed, LibraryError, TogetherError, UnknownOutcome
from prefect_together.generations.fingerprint import write_body
from prefect_together.generations.results import GeneratedMedia
from prefect_together.generations.spec import Acceptance, send
from prefect_together.http.rate_limit import Slot
from prefect_together.ledger.leases import Hold, Holding, Watch, owned
from prefect_together.ledger.ledger import ANY, Attempt, History, Ledger

LOOK_AGAIN = 0.25
"""Seconds until the first second look at a claim that somebody else is sending; the pauses grow to two seconds."""

Keep = Callable[[Attempt, Acceptance], Awaitable[list[GeneratedMedia]]]

_CLAIM_PATIENCE = 3.0  # seconds for which a claim is tried to be written: nothing is at stake yet
_STALE = 5.0  # seconds after which a claim is looked at once more before the request is sent
_OPEN = frozenset({"claimed", "accepted", "unknown", "lost"})


@dataclass(frozen=True)
class Settled:
    """An attempt that is accepted or stored."""

    attempt: Attempt
    paid: bool
    """Whether this call sent it."""
    acceptance: Acceptance | None = None
    """What was accepted, where this call sent it; else it is in the ledger."""
    media: list[GeneratedMedia] | None = None
    """The references, where this call kept them already."""


class Claims:
    """The claims on one request.

    Args:
        ask: What is asked, of whom, and by which rules.
        ledger: The ledger of the library.
        fingerprint: What the ledger knows the request by.
        scope: Who may share the result.
        keep: Keeps pictures that come inline, before anybody can be cancelled.
        hold: What the call is at work on.
    """

    def __init__(self, ask: Ask, ledger: Ledger, fingerprint: str, scope: str, keep: Keep, hold: Hold) -> None:
        self._ask = ask
        self._ledger = ledger
        self._fingerprint = fingerprint
        self._scope = scope
        self._keep = keep
        self._hold = hold
        self._log = ask.caller.log
        self._unknowns = Unknowns(ask, ledger)
        self._watches: dict[str, Watch] = {}

    async def settle(self) -> Settled:
        """Return an attempt that is accepted or stored, and whether this call paid for it.

        Raises:
            UnknownOutcome: It may have been paid for already and may not be sent again.
            GenerationFailed: This very run had it fail already.
            TogetherError: It was refused, or could not be sent.
        """
        looks = 0
        while True:
            history = await self._ledger.history(self._fingerprint)
            if known := self._known(history):
                return Settled(known, paid=False)
            own = history.within(self._scope)
            if own and own[-1].state == "failed":
                await self._fail_again(own[-1])
            if own and own[-1].state == "claimed" and await self._alive(own[-1]) is not False:
                looks += 1
                if looks == 1:
                    self._log.info("Somebody else is sending this request: waiting for it instead of paying too.")
                await asyncio.sleep(min(2.0, LOOK_AGAIN * 1.3**looks))
                continue
            if own and own[-1].state == "claimed":
                await bury(self._ledger, own[-1], self._log)
                continue
            await self._unknowns.decide(own)
            if self._scope != ANY and (orphan := await self._orphan(history)):
                await self._adopt(orphan, history.next(self._scope))
                continue
            with contextlib.suppress(UnknownOutcome):  # it is recorded: the next turn decides what to do about it
                if settled := await self._send(history.next(self._scope)):
                    return settled

    def _known(self, history: History) -> Attempt | None:
        """Return what is kept, or accepted and still to be kept."""
        if stored := history.stored(self._scope):
            return stored
        accepted = [attempt for attempt in history.within(self._scope) if attempt.state == "accepted"]
        return accepted[-1] if accepted else None

    async def _alive(self, attempt: Attempt) -> bool | None:
        return await self._watches.setdefault(attempt.key, Watch(self._ledger, attempt)).alive()

    async def _orphan(self, history: History) -> Attempt | None:
        """Return a job that another run paid for and left behind: what nobody ever got is as good as fresh.

        What another run left in an unknown state is decided by the same rule as our own: it may be the very thing that is
        asked for now.
        """
        left = [attempt for attempt in history.latest(but=self._scope) if attempt.state in _OPEN]
        busy = await asyncio.gather(*(self._busy(attempt) for attempt in left))
        for attempt in (attempt for attempt, at_work in zip(left, busy, strict=True) if not at_work):
            if attempt.state == "claimed":
                await bury(self._ledger, attempt, self._log)
            now = await refreshed(self._ledger, attempt)
            if now.state == "accepted":
                if (await read_acceptance(self._ledger, now)).account in {None, self._ask.client.account}:
                    return now
                continue
            await self._unknowns.decide((await self._ledger.history(self._fingerprint)).within(now.scope))
        return None

    async def _busy(self, attempt: Attempt) -> bool:
        return attempt.state in {"claimed", "accepted"} and await Watch(self._ledger, attempt).settled()

    async def _adopt(self, orphan: Attempt, successor: Attempt) -> None:
        self._hold.add(successor)
        if await self._claim(successor, adopted=orphan.key):
            await take_over(self._ledger, orphan, successor, self._log)

    async def _fail_again(self, attempt: Attempt) -> None:
        """Raise the failure that this run has had already, instead of paying for another one."""
        entry = await self._ledger.entry(attempt, "failed") or {}
        flow_run = self._ask.caller.flow_run
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

    async def _claim(self, attempt: Attempt, *, adopted: str | None = None) -> bool:
        request = self._ask.request
        entry = {
            **owned(),
            "account": self._ask.client.account,
            "realm": self._ask.client.realm,
            "kind": request.kind,
            "model": request.model,
            "request": request.model_dump(mode="json", exclude_unset=True),
            "flow_run": self._ask.caller.flow_run,
            "task_run": self._ask.caller.task_run,
            "estimated_cost": self._ask.estimate(),
            "adopted": adopted,
        }
        return await record_paid(self._ledger, attempt, "claimed", entry, self._log, patience=_CLAIM_PATIENCE)

    async def _send(self, attempt: Attempt) -> Settled | None:
        """Claim and send; return None where somebody else's claim came first.

        A waiter that is cancelled in the queue claims and sends nothing; one that is cancelled later does not take the paid
        answer with it.
        """
        slot = self._ask.client.slot(self._ask.request.model)
        await slot.enter()
        self._hold.add(attempt)
        return await asyncio.shield(outlives(self._claim_and_post(attempt, slot)))

    async def _claim_and_post(self, attempt: Attempt, slot: Slot) -> Settled | None:
        try:
            return await self._reserve_claim_and_post(attempt, slot)
        finally:
            slot.leave()

    async def _reserve_claim_and_post(self, attempt: Attempt, slot: Slot) -> Settled | None:
        if self._ask.purse:
            try:
                await self._ask.purse.reserve(attempt.key, self._ask.estimate())
            except BudgetExceeded as error:
                error.paid = "maybe" if self._unknowns.decided else "nothing"  # by the attempt that was to be sent again
                raise
        async with Holding(self._ledger, attempt):
            claimed = False
            try:
                claimed = await self._claim(attempt)
            finally:
                if not claimed:
                    await self._give_back(attempt)
            if not claimed:
                return None
            since, sent = time.monotonic(), False
            try:
                body = await self._body()
                # A process that was stopped meanwhile may have been taken for dead, and its claim decided upon.
                if time.monotonic() - since > _STALE and (await refreshed(self._ledger, attempt)).state != "claimed":
                    await self._give_back(attempt)
                    return None
                self._unknowns.sent()
                sent = True
                acceptance = await send(self._ask.client, self._ask.request, body, slot)
            except UnknownOutcome as error:
                await record_paid(self._ledger, attempt, "unknown", {"why": error.what}, self._log)
                raise
            except Exception as error:
                if sent and not isinstance(error, TogetherError):  # nobody foresaw it, so nobody knows what it means
                    why = f"It was sent, and then {type(error).__name__} came up, which nobody expected"
                    await record_paid(self._ledger, attempt, "unknown", {"why": why}, self._log)
                    raise UnknownOutcome(f"{why}, so whether it was accepted is not known.") from error
                # Nothing was taken: only UnknownOutcome says that it may have been.
                with contextlib.suppress(LibraryError):  # the refusal matters more, and a dead claim is found anyway
                    await self._ledger.record(attempt, "refused", {"why": str(getattr(error, "what", error))})
                await self._give_back(attempt)
                raise
            if acceptance.job_id:  # a picture is there in a moment, and says so itself
                self._log.info("Accepted by Together: %s, %s.", acceptance, self._ask.request.model)
            self._ask.tell(Happening("accepted", self._ask.request, acceptance.job_id))
            if acceptance.inline:
                media = await self._keep(attempt, acceptance)
                return Settled(replace(attempt, events=frozenset({"claimed", "stored"})), paid=True, media=media)
            await record_paid(self._ledger, attempt, "accepted", acceptance.entry(), self._log)
            accepted = replace(attempt, events=frozenset({"claimed", "accepted"}))
            return Settled(accepted, paid=True, acceptance=acceptance)

    async def _give_back(self, attempt: Attempt) -> None:
        if self._ask.purse:
            await self._ask.purse.settle(attempt.key, Decimal(0))

    async def _body(self) -> dict[str, Any]:
        body = await write_body(self._ask.request, self._ask.client.files.has)
        for warning in body.warnings:
            self._log.warning("%s", warning)
        return body.content
