"""Sends one provider batch, once: requests claimed, a file uploaded, the batch created, and each step written down before.

Where this process dies, the record says how far it came: see ``batch_record``.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from prefect_together._internal.background import spawn
from prefect_together._internal.retry import backoff
from prefect_together._internal.text import sentence
from prefect_together.catalog.money import dollars
from prefect_together.engine.attempt import PATIENCE, BoundAttempt
from prefect_together.engine.batch_lines import LineSpool, Part
from prefect_together.engine.batch_record import BatchRecord, batches_of, create, find_out
from prefect_together.engine.batch_taking import each
from prefect_together.engine.context import RunContext
from prefect_together.errors import LibraryError, TogetherError, UnknownOutcome
from prefect_together.http.files import upload

STALE = 5.0
"""Seconds after which the record is looked at once more before the batch is created."""

CLAIMED_AT_ONCE = 1024
"""Requests that are looked up before what all of them cost is set aside, and each is claimed."""

Note = Callable[[str, BoundAttempt, "Decimal | None"], None]
"""Is told the name of a request that is claimed, its attempt, and USD at most, before anything else is waited for."""
Claim = Callable[[Sequence[str], BatchRecord, Note], Awaitable[None]]
"""Claims the requests of some names for a batch, those of them that are to be had."""


class BatchSender:
    """Sends one batch.

    Args:
        context: What all requests have in common.
        record: The record of the batch; nothing is written in it yet, and its lease is held.
        claim: Claims requests for it.
    """

    def __init__(self, context: RunContext, record: BatchRecord, claim: Claim) -> None:
        self._context = context
        self._record = record
        self._claim = claim
        self._log = context.run.log
        self._attempts: dict[str, BoundAttempt] = {}

    @property
    def attempts(self) -> Mapping[str, BoundAttempt]:
        """The attempts that are its lines, by the names of their requests."""
        return self._attempts

    async def send(self, lines: LineSpool, part: Part) -> bool:
        """Claim the requests of a part and send what could be claimed; return False where that was nothing.

        Who is cancelled before the batch is created sends nothing; who is cancelled later does not take its id along.

        Raises:
            UnknownOutcome: Nobody knows whether the batch was created.
            TogetherError: It was refused, or could not be sent; its requests are as if they had never been claimed.
        """
        try:
            at_most = await self._claimed(part)
            if not self._attempts:
                return False
            await self._uploaded(lines, part.endpoint, at_most)
        except BaseException as error:  # cancelled as well: nothing was created
            await asyncio.shield(spawn(self._given_up(error)))
            raise
        creating = spawn(self._create(part.endpoint, time.monotonic()))
        try:
            await asyncio.shield(creating)
        except asyncio.CancelledError:
            await asyncio.wait([creating])  # until then nobody may take this process for dead
            raise
        return True

    async def _claimed(self, part: Part) -> Decimal | None:
        """Claim the requests; return what those cost at most together, or None where one price is not known."""
        most: list[Decimal | None] = []

        def note(name: str, attempt: BoundAttempt, at_most: Decimal | None) -> None:
            self._attempts[name] = attempt
            most.append(at_most)

        names = list(part.names)
        for start in range(0, len(names), CLAIMED_AT_ONCE):
            await self._claim(names[start : start + CLAIMED_AT_ONCE], self._record, note)
        known = [amount for amount in most if amount is not None]
        return sum(known, Decimal(0)) if len(known) == len(most) else None

    async def _uploaded(self, lines: LineSpool, endpoint: str, at_most: Decimal | None) -> None:
        record, client, names = self._record, self._context.client, sorted(self._attempts)
        with tempfile.TemporaryFile(buffering=1024 * 1024) as file:
            size, sha256 = await asyncio.to_thread(lines.write, names, file)
            await record.keep_attempts([self._attempts[name].key for name in names])
            about = {"account": client.account, "realm": client.environment, "endpoint": endpoint, "sha256": sha256}
            most = None if at_most is None else str(at_most)
            await self._step("intent", **about, lines=len(names), bytes=size, at_most=most)
            file_id = await upload(client, f"{sha256[:16]}.jsonl", file, purpose="batch-api")
        before = await batches_of(client, file_id)
        await self._step("uploaded", file_id=file_id, before=before)
        price = "a price that is not known" if at_most is None else f"at most {dollars(at_most)}"
        self._log.info("A batch of %s requests (%s bytes) goes to Together, for %s.", f"{len(names):,}", f"{size:,}", price)

    async def _step(self, state: Any, **facts: Any) -> None:
        """Write down how far it came.

        Raises:
            LibraryError: It cannot be written, or somebody took this process for dead and gave the batch up.
        """
        await self._record.read()
        if self._record.state == "abandoned" or not await self._record.advance(state, **facts):
            what = "This process was taken for dead while it prepared a batch, which was given up"
            raise LibraryError(f"{what}.", paid="nothing", advice="Run it again.", retryable=True)

    async def _given_up(self, error: BaseException) -> None:
        """Write down that the batch will not be created, and of each request that nothing was sent."""
        why = getattr(error, "what", None) or "It was cut off before anything was sent"
        with suppress(LibraryError):  # the error at hand matters more, and a dead claim is found anyway
            await self._record.read()
            if self._record.state != "abandoned":
                await self._record.advance("abandoned", why=str(why))
        await self._refused(str(why))

    async def _refused(self, why: str) -> None:
        async def one(attempt: BoundAttempt) -> None:
            with suppress(LibraryError):  # the refusal matters more, and a dead claim is found anyway
                await attempt.record("refused", {"why": why})
            if self._context.budget:
                await self._context.budget.settle(attempt.key, Decimal(0))

        await each(list(self._attempts.values()), one)

    # Creating.

    async def _create(self, endpoint: str, since: float) -> None:
        record, client = self._record, self._context.client
        if time.monotonic() - since > STALE and await record.read() != "uploaded":
            raise UnknownOutcome(f"{record.why_unknown()}: another process decided about it.", at_risk=record.at_stake)
        try:
            batch_id = await create(record, client, endpoint)
        except UnknownOutcome as error:
            await self._looked_for(error)
        except TogetherError as error:
            with suppress(LibraryError):  # the error at hand says more
                await record.advance("refused", why=error.what)
            await self._refused(error.what)
            raise
        else:
            await self._created(batch_id)
        entry = record.acceptance().entry()
        await each(list(self._attempts.values()), lambda attempt: attempt.record_paid("accepted", entry))
        self._log.info("%s is accepted by Together: %s requests.", sentence(str(record))[:-1], f"{len(self._attempts):,}")

    async def _looked_for(self, error: UnknownOutcome) -> None:
        """Find a batch of whose creation no answer came; where Together has none, write down that nobody knows.

        Raises:
            UnknownOutcome: It is not found, or cannot be looked for: who asks next looks again, before anything is sent.
        """
        record = self._record
        self._log.warning("%s It is looked for in the list of batches.", error.what)
        error.at_risk = record.at_stake
        state = await find_out(record, self._context.client, self._log)
        if state in {"created", "taken"}:
            return
        facts = record.facts
        entry = {"why": facts["why"], "at_stake": facts["at_most"], "lines": facts["lines"]}
        await each(list(self._attempts.values()), lambda attempt: attempt.record_paid("unknown", dict(entry)))
        error.advice = (
            f"Together lists no batch of file {facts['file_id']}. Nothing is sent again until you decide: run it again with "
            'on_unknown="resubmit" to send it again.'
        )
        raise error

    async def _created(self, batch_id: str) -> None:
        """Write down the id of the batch, patiently: it is paid for."""
        record, began, tries = self._record, time.monotonic(), 0
        while True:
            tries += 1
            try:
                if await record.created(batch_id) or record.state in {"created", "taken"}:
                    return
            except LibraryError as error:
                if time.monotonic() - began > PATIENCE:
                    error.what = f"{error.what} Batch {batch_id} was accepted; it is found again by its file."
                    error.paid, error.retryable = "yes", False
                    raise
                self._log.warning("%s Trying again.", error.what)
                await asyncio.sleep(backoff(tries, first=0.5, longest=5.0))
