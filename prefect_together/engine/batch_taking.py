"""Waits for a provider's batch and takes its answers: each line becomes the kept result of its request. Pays nothing.

Every step can be taken again by anybody, on whatever machine: what is kept is kept once, and the record says when all is.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import IO, Any, TypeVar

from prefect_together._internal.interruption import waiting_for
from prefect_together._internal.readers import as_mapping, as_text
from prefect_together._internal.text import sentence
from prefect_together.engine.attempt import BoundAttempt, failure_of
from prefect_together.engine.batch_output import BUSY, LATE, LATER, LOOK_AGAIN, fetch_whole, read_line, refusal
from prefect_together.engine.batch_record import BatchRecord, BatchStatus, record_of, status_of
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.delivery import Delivery
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.recovery import attempt_named
from prefect_together.errors import APIError, ConnectionFailed, GenerationFailed, LibraryError, TogetherError, UnknownOutcome
from prefect_together.generations.registry import read_request
from prefect_together.generations.results import GenerationTimeout
from prefect_together.generations.spec import Job, Line, Links
from prefect_together.ledger.ledger import Ledger

PATIENCE = 3 * 24 * 3600.0
"""Seconds for which a batch is waited for where nobody says: Together may take three days."""
NAMED_WITHIN = 60.0
"""Seconds within which a completed batch names the files that it wrote: one that names none then has answered nothing."""
ERRORS_FOR = 1800.0
"""Seconds of nothing but errors after which a batch is asked for no more; the batch itself goes on."""
AT_ONCE = 32
"""Lines that are worked at at once."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Look = Callable[[BatchRecord, str, float], None]
"""Is told the status of a batch and its progress, of a hundred."""


_CAME = {
    "kept": "kept",
    "failed": "refused, for free",
    "lost": "paid for and not readable",
    "missing": "not answered",
    "doubled": "answered twice, of which the first counts",
}
"""What may come of the lines of a batch, in words."""


class BatchTaker:
    """Waits for one batch and takes what it made.

    Args:
        context: What all requests of the caller have in common; the account that the batch is of.
        record: The record of the batch, which is created.
    """

    def __init__(self, context: RunContext, record: BatchRecord) -> None:
        self._context = replace(context, batched=True)
        self._record = record
        self._ledger = Ledger(context.storage)
        self._log = context.run.log

    async def take(self, timeout: float | None = None, look: Look | None = None) -> None:
        """Wait until the batch is over and all that it made is kept; whoever comes second finds it so.

        Args:
            timeout: Seconds to wait, counted from its creation; None is three days. One that is older is asked for once.
            look: Is told now and then how far it is.

        Raises:
            GenerationTimeout: It still runs.
            TogetherError: It cannot be asked for, or what it made cannot be had: it stays paid, and can be had later.
        """
        record = self._record
        if await record.read() == "taken":
            return
        if record.account not in {None, self._context.client.account}:
            what = f"{record} was made by another account."
            raise TogetherError(sentence(what), paid="yes", advice="Use that account's key.")
        with waiting_for(record.batch_id):
            status = await self._over(PATIENCE if timeout is None else timeout, look)
            async with record.turn:
                if await record.read() != "taken":
                    await self._take(status)

    # Waiting.

    async def _over(self, timeout: float, look: Look | None) -> BatchStatus:
        """Return the last status of the batch, with the files that it wrote."""
        record, pauses, began = self._record, self._context.policy.batch_pace.pauses(), time.monotonic()
        age = (datetime.now(timezone.utc) - record.acceptance().at).total_seconds()
        failing: float | None = None
        while True:
            try:
                status = await status_of(self._context.client, str(record.batch_id))
            except (APIError, ConnectionFailed) as error:
                failing = time.monotonic() if failing is None else failing
                self._bear(error, time.monotonic() - failing)
            else:
                failing = None
                if look:
                    look(record, status.status, status.progress)
                if status.over:
                    return await self._with_files(status)
            left = timeout - max(0.0, age) - (time.monotonic() - began)
            if left <= 0:
                raise GenerationTimeout(
                    f"{sentence(str(record)).rstrip('.')} still runs at Together after {timeout:,.0f} s.",
                    advice="Run it again, or wait_for_batch, to go on waiting.",
                    waits_for=(record.path,),
                )
            await asyncio.sleep(min(next(pauses), max(left, 0.05)))

    def _bear(self, error: APIError | ConnectionFailed, seconds: float) -> None:
        """Bear an error that will pass, for a while."""
        error.paid = "yes"
        young = isinstance(error, APIError) and error.status == 404 and seconds < LATE
        if not (error.retryable or young) or seconds > ERRORS_FOR:
            error.advice = error.advice or f"{sentence(str(self._record))} goes on at Together: run it again later."
            raise error
        self._log.warning("Asking for %s failed, which does not harm it: %s", self._record, error.what)

    async def _with_files(self, status: BatchStatus) -> BatchStatus:
        """Return the status of a batch that is over once it names a file, or none after a while: it may be late."""
        until, pause = time.monotonic() + NAMED_WITHIN, LOOK_AGAIN
        while status.status == "COMPLETED" and not (status.output or status.errors) and time.monotonic() < until:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 30.0)
            with suppress(APIError, ConnectionFailed):  # it is asked again, until time is up
                status = await status_of(self._context.client, str(self._record.batch_id))
        return status

    # Taking.

    async def _take(self, status: BatchStatus) -> None:
        record, found = self._record, Counter[str]()
        left = {key.partition("/")[0]: key for key in await record.attempts()}
        for file_id in (status.output, status.errors):
            if file_id:
                with tempfile.TemporaryFile(buffering=1024 * 1024) as file:
                    await fetch_whole(self._context.client, file_id, file, self._log)
                    await self._lines(file, left, found)
        found["missing"] = len(left)
        await each(list(left.values()), lambda key: self._without_answer(key, status))
        await record.advance("taken", status=status.status, error=status.error, came=dict(found))
        say = self._log.warning if found["missing"] or found["doubled"] else self._log.info
        came = ", ".join(f"{found[what]:,} {words}" for what, words in _CAME.items() if found[what])
        say("Of %s, which is %s: %s.", record, status.status, came or "nothing")

    async def _lines(self, file: IO[bytes], left: dict[str, str], found: Counter[str]) -> None:
        """Take each line of a file whose request has no answer yet."""
        file.seek(0)
        waiting: list[tuple[str, dict[str, Any]]] = []
        seen = set[str]()
        for text in file:
            line = read_line(text)
            name = as_text(line.get("custom_id")) or ""
            if key := left.pop(name, None):
                waiting.append((key, line))
                seen.add(name)
            elif line:
                found["doubled"] += name in seen
            if len(waiting) >= 8 * AT_ONCE:
                await self._taken(waiting, found)
                waiting = []
        await self._taken(waiting, found)

    async def _taken(self, lines: list[tuple[str, dict[str, Any]]], found: Counter[str]) -> None:
        found.update(await each(lines, lambda line: self._line(*line)))

    async def _line(self, key: str, line: dict[str, Any]) -> str:
        """Keep the answer of one line, or write down why there is none; return what came of it."""
        response = as_mapping(line.get("response"))
        status = response.get("status_code")
        if line.get("error") or (isinstance(status, int) and status >= 400):
            why, code = refusal(line)
            await self._failed(key, why, code, again=status in LATER or code in BUSY)
            return "failed"
        attempt = await self._attempt(key)
        if attempt.state not in {"claimed", "accepted", "unknown"}:
            return "kept" if attempt.state == "stored" else attempt.state
        claim = await attempt.entry("claimed") or {}
        context = replace(self._context, in_scope=attempt.attempt.scope)
        one = context.of(read_request(str(claim["kind"]), claim["request"]))
        acceptance = self._record.acceptance()
        try:
            payload = one.spec.parse_for(one.request)(response.get("body"))
            if isinstance(payload, (Job, Links)):
                raise TypeError("a line of a batch holds its answer itself")
        except Exception as error:  # whatever it holds: it was paid for
            why = f"It was paid for, and the answer of batch {self._record.batch_id} cannot be read: {error}"
            await attempt.record_paid("lost", {"why": why})
            return "lost"
        results = await Delivery(one, attempt.attempt.fingerprint).keep(attempt, acceptance, payload)
        one.run.emit(LifecycleEvent("accepted", one.request))
        for result in results:
            one.run.emit(LifecycleEvent("kept", one.request, result=result))
        return "kept"

    async def _without_answer(self, key: str, status: BatchStatus) -> None:
        """Write down that a line was not answered: for free, so that it may be sent again."""
        failed = status.status == "FAILED"
        why = f"{sentence(str(self._record)).rstrip('.')} {status.status.lower()} at Together"
        why = f"{why}: {status.error or 'no reason given'}" if failed else f"{why} and did not answer it"
        await self._failed(key, why, None, again=not failed)

    async def _failed(self, key: str, why: str, code: str | None, *, again: bool) -> None:
        """Write down that a line has no answer, for which nothing is paid."""
        attempt = await self._attempt(key)
        if attempt.state not in {"claimed", "accepted", "unknown"}:
            return
        claim = await attempt.entry("claimed") or {}
        about = {"job_id": self._record.batch_id, "status": "failed", "code": code, "why": why, "cost": "0"}
        run = {} if again else {"flow_run": claim.get("flow_run")}
        await attempt.record_paid("failed", {**about, **run, "not_answered": again})
        if self._context.budget:
            await self._context.budget.settle(attempt.key, Decimal(0))

    async def _attempt(self, key: str) -> BoundAttempt:
        """Return the attempt that a line is for: where another run took it over, that run's."""
        attempt = await BoundAttempt(self._ledger, attempt_named(key), self._log).refreshed()
        while attempt.state == "adopted":
            successor = (await attempt.entry("adopted") or {}).get("by")
            if successor is None:
                raise LibraryError(f"The ledger entry {attempt.key} (adopted) is gone.", paid="yes", advice="Restore it.")
            attempt = await attempt.other(attempt_named(str(successor))).refreshed()
        return attempt


async def answer_of(context: GenerationContext, attempt: BoundAttempt, line: Line, timeout: float | None) -> None:
    """Wait until the answer of one line is kept.

    Raises:
        NotAnswered: The batch is over and did not answer it.
        GenerationFailed: Together refused the line, for free.
        UnknownOutcome: It was paid for and its answer cannot be read.
        TogetherError: As ``BatchTaker.take``.
    """
    context.run.log.info("It is a line of batch %s at Together, which is waited for: for free.", line.id)
    await BatchTaker(context, record_of(context.storage, line.record)).take(timeout)
    error = await error_of(await attempt.refreshed())
    if error:
        raise error


async def error_of(attempt: BoundAttempt) -> TogetherError | None:
    """Return why a line of a batch that was taken has no answer, or None where it has one."""
    state = attempt.state
    if state == "stored":
        return None
    entry = await attempt.entry("lost" if state == "lost" else "failed") or {}
    if state == "lost":
        advice = "Run it again to decide what to do about it."
        return UnknownOutcome(sentence(str(entry.get("why"))), advice=advice, key=attempt.key)
    if entry.get("not_answered"):
        return NotAnswered(sentence(str(entry.get("why"))), paid="nothing", advice="Send it again.", retryable=True)
    error = failure_of(entry, advice="Correct the request; a new run of the same one sends it again.")
    error.what = sentence(error.what)
    return error


def late_together(late: Sequence[GenerationTimeout]) -> GenerationTimeout:
    """Return one error for all that still runs."""
    names = tuple(name for one in late for name in one.waits_for)
    return GenerationTimeout(late[0].what, advice=late[0].advice, waits_for=names)


class NotAnswered(GenerationFailed):
    """A provider's batch is over and did not answer one of its lines: nothing was paid for it, so it may be sent again."""


async def each(items: Iterable[_Item], work: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
    """Return what comes of each item, some of them worked at at once; what one raises ends it."""
    coming, found = iter(items), list[_Result]()

    async def worker() -> None:
        for item in coming:
            found.append(await work(item))

    workers = [asyncio.create_task(worker()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return found
