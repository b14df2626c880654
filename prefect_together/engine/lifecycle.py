"""The life of a generation, once, for every type: looked up, claimed, sent once, accepted, waited for, kept, recorded.

Nothing in here depends on Prefect, on results that somebody cached, or on this process living on: what has been paid for
is in the ledger, and every step can be taken again by another process.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager

from prefect_together._internal.interruption import waiting_for
from prefect_together.engine.attempt import Acceptance, BoundAttempt
from prefect_together.engine.batch_taking import NotAnswered, answer_of
from prefect_together.engine.claims import ClaimResult, Claims
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.delivery import Delivery
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.parts import all_of, parts_of, whole
from prefect_together.engine.polling import Deadline
from prefect_together.errors import BudgetExceeded, InvalidRequest, MediaError, TogetherError, UnknownOutcome
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.results import Generated, GenerationJob, GenerationTimeout
from prefect_together.generations.spec import Job, Line
from prefect_together.ledger.leases import Lease, LocalHold, owned, release
from prefect_together.ledger.ledger import Attempt, Ledger

_locks: weakref.WeakValueDictionary[tuple[str, ...], asyncio.Lock] = weakref.WeakValueDictionary()


async def generate(
    context: GenerationContext, *, timeout: float | None = None, fingerprint: str | None = None
) -> list[Generated]:
    """Return the results of a request: those that are kept already, or those that this call pays for.

    Where a result is not what was asked for, and the request allows to ask again, all results are returned, the last one
    last: each was paid for. Whether that one is good is for the caller to find out, see ``problem_of``.

    Args:
        context: What is asked, of whom, and by which rules.
        timeout: Seconds to wait for a job, counted from its submission.
        fingerprint: What the ledger knows the request by, where that is known already: the local files that it was made of
            may be gone.

    Raises:
        TogetherError: See ``prefect_together.errors``.
    """
    if parts := await parts_of(context):
        made = await all_of([generate(part, timeout=timeout) for part in parts])
        return [await whole(context, [results[-1] for results in made])]
    results = await _once(context, timeout, fingerprint)
    follow_up, asked = context.spec.follow_up, context.request
    while follow_up and (better := follow_up(asked, results[-1])):
        context.run.log.warning("%s Asking again.", problem_of(context, results[-1]))
        asked = better
        try:
            results += await _once(context.of(asked), timeout)
        except BudgetExceeded as error:
            context.run.log.warning("It is not asked for again: %s", error)
            break
    return results


async def _once(context: GenerationContext, timeout: float | None, fingerprint: str | None = None) -> list[Generated]:
    with _telling(context):
        life = _Lifecycle(context, fingerprint) if fingerprint else await _Lifecycle.of(context)
        with life.hold:
            while True:
                try:
                    return await life.finish(await life.acquire(), timeout=timeout)
                except NotAnswered as error:  # noqa: PERF203 - nothing is paid for it: as if it had never been sent
                    context.run.log.info("%s", error.what)


def problem_of(context: GenerationContext, result: Generated) -> TogetherError | None:
    """Return what is wrong with a result that was paid for, where its type can tell; None where it is what was asked for."""
    return context.spec.problem(result) if context.spec.problem else None


async def lookup(context: GenerationContext) -> tuple[str, list[Generated]]:
    """Return a request's fingerprint, and its results where they are kept already. Sends nothing.

    Raises:
        InvalidRequest: A local file that it was made of cannot be read, or its type is not known.
        MediaError: A file that was kept is not in the library any more.
    """
    if parts := await parts_of(context):
        found = [(await lookup(part))[1] for part in parts]
        made = [await whole(context, [results[-1] for results in found])] if all(found) else []
        return await fingerprint_of(context.request, environment=context.client.environment), made
    life = _Lifecycle(context, await fingerprint_of(context.request, environment=context.client.environment))
    attempt = (await life.ledger.history(life.fingerprint)).stored(life.scope)
    results = await life.delivery.stored(life.bound(attempt)) if attempt else []
    return life.fingerprint, [result.model_copy(update={"reused": True, "scope": life.scope}) for result in results]


async def answered(context: GenerationContext) -> Generated | None:
    """Return what ``generate`` returns last, or None where that is still to be asked for; raises as ``lookup``."""
    (_, results), follow_up, asked = await lookup(context), context.spec.follow_up, context.request
    while results and follow_up and (better := follow_up(asked, results[-1])):
        asked = better
        results = (await lookup(context.of(asked)))[1]
    return results[-1] if results else None


async def known(context: GenerationContext) -> tuple[str, list[Generated]]:
    """Return what ``lookup`` does, whether or not the files are still there.

    Raises:
        InvalidRequest: As ``lookup``.
    """
    for part in await parts_of(context):
        try:
            await lookup(part)
        except MediaError:  # noqa: PERF203 - the first one that is gone stands for all
            return await known(part)
    life = _Lifecycle(context, await fingerprint_of(context.request, environment=context.client.environment))
    attempt = (await life.ledger.history(life.fingerprint)).stored(life.scope)
    return life.fingerprint, await life.bound(attempt).results(context.request.kind) if attempt else []


async def submit(context: GenerationContext) -> GenerationJob:
    """Return the job of a request: the one accepted already, or the one that this call pays for. Raises as ``generate``."""
    with _telling(context):
        life = await _Lifecycle.of(context)
        life.job_class()  # a type without jobs is refused before anything is sent
        with life.hold:
            claimed = await life.acquire()
            if claimed.attempt.state != "stored":
                await release(life.ledger, claimed.attempt.attempt, handed_out=True)
            return life.job(claimed.attempt, await life.acceptance(claimed), reused=not claimed.paid)


async def wait(context: GenerationContext, job: GenerationJob, *, timeout: float) -> list[Generated]:
    """Return the results of a job that was submitted here or anywhere. Never pays. Raises as ``generate``."""
    with _telling(context):
        known = job.fingerprint or await fingerprint_of(context.request, environment=context.client.environment)
        life = _Lifecycle(context, known)
        return await life.finish(ClaimResult(await life.attempt_of(job), paid=not job.reused), timeout=timeout)


async def resume(context: GenerationContext, attempt: Attempt, *, timeout: float) -> list[Generated]:
    """Return the results of an attempt that was accepted, whoever it was for. Never pays. Raises as ``generate``."""
    life = _Lifecycle(context, attempt.fingerprint)
    return await life.finish(ClaimResult(life.bound(attempt), paid=False), timeout=timeout)


@contextmanager
def _telling(context: GenerationContext) -> Generator[None, None, None]:
    """Tell those who listen how it ended, where it ended badly."""
    try:
        yield
    except UnknownOutcome as error:
        context.emit(LifecycleEvent("unknown", context.request, error=error))
        raise
    except GenerationTimeout:
        raise  # the job still runs: nothing has happened yet
    except TogetherError as error:
        context.emit(LifecycleEvent("failed", context.request, getattr(error, "job_id", None), error=error))
        raise


class _Lifecycle:
    def __init__(self, context: GenerationContext, fingerprint: str) -> None:
        self.context = context
        self.fingerprint = fingerprint
        self.ledger = Ledger(context.storage)
        self.scope = context.scope()
        self.delivery = Delivery(context, fingerprint)
        self.hold = LocalHold()

    @classmethod
    async def of(cls, context: GenerationContext) -> _Lifecycle:
        context.check()
        return cls(context, await fingerprint_of(context.request, environment=context.client.environment))

    def bound(self, attempt: Attempt) -> BoundAttempt:
        return BoundAttempt(self.ledger, attempt, self.context.run.log)

    async def acquire(self) -> ClaimResult:
        lock = await self._turn("sending")
        try:
            claims = Claims(self.context, self.ledger, self.fingerprint, self.scope, keep=self._keep_at_once, hold=self.hold)
            return await claims.acquire()
        finally:
            lock.release()

    async def _keep_at_once(self, attempt: BoundAttempt, acceptance: Acceptance) -> list[Generated]:
        return await self.delivery.deliver(attempt, acceptance, Deadline())

    async def finish(self, claimed: ClaimResult, *, timeout: float | None) -> list[Generated]:
        """Return the results of an attempt that is accepted or stored, and tell that they are there."""
        results = claimed.results
        if results is None:
            try:
                results = await self._finished(claimed, timeout)
            except TogetherError as error:
                error.paid = error.paid or "yes"  # it was accepted, whatever went wrong then
                raise
        for result in results:
            self.context.run.log.info("%s %s", "Kept:" if claimed.paid else "Reused, nothing paid:", result)
        now = {"reused": not claimed.paid, "scope": claimed.attempt.attempt.scope}
        results = [result.model_copy(update=now) for result in results]
        for result in results:
            since = claimed.acceptance.at if claimed.acceptance else None
            seconds = None if since is None else (result.created_at - since).total_seconds()
            what = "kept" if claimed.paid else "reused"
            self.context.emit(LifecycleEvent(what, self.context.request, result.job_id, seconds=seconds, result=result))
        return results

    async def _finished(self, claimed: ClaimResult, timeout: float | None) -> list[Generated]:
        """Wait for the results, one caller of this process at a time."""
        began = time.monotonic()
        try:
            lock = await self._turn("finishing", claimed.attempt.key, timeout=timeout)
            try:
                return await self._deliver(claimed, timeout, began)
            finally:
                lock.release()
        except GenerationTimeout:  # of a batch, which says so itself
            raise
        except asyncio.TimeoutError:
            acceptance = await self.acceptance(claimed)
            job_id, model = acceptance.job_id, self.context.request.model
            raise GenerationTimeout(
                f"Job {job_id} ({model}) still runs after the {timeout or 0.0:.0f} s that were to be waited.",
                advice="Run it again, or wait_for_video(error.job), to go on waiting.",
                job=self.job(claimed.attempt, acceptance, reused=True),
            ) from None

    async def _deliver(self, claimed: ClaimResult, timeout: float | None, began: float) -> list[Generated]:
        attempt = claimed.attempt
        if claimed.acceptance is None:  # somebody else accepted it, or may have kept it meanwhile
            attempt = attempt if attempt.state == "stored" else await attempt.refreshed()
            if attempt.state == "stored":
                return await self.delivery.stored(attempt)
        acceptance = await self.acceptance(claimed)
        if not claimed.paid:
            attempt.log.info("Accepted before and paid for once (%s): going on from there.", acceptance)
        if isinstance(acceptance.payload, Line):
            await answer_of(self.context, attempt, acceptance.payload, timeout)
            return await self.delivery.stored(attempt)
        async with Lease(self.ledger, attempt.attempt):
            deadline = Deadline(timeout or 0.0, time.monotonic() - began)
            with waiting_for(acceptance.job_id):
                return await self.delivery.deliver(attempt, acceptance, deadline)

    async def acceptance(self, claimed: ClaimResult) -> Acceptance:
        return claimed.acceptance or await claimed.attempt.acceptance()

    def job_class(self) -> type[GenerationJob]:
        """Return the class of this type's jobs.

        Raises:
            InvalidRequest: It has none.
        """
        protocol = self.context.spec.job
        if protocol is None:
            raise InvalidRequest(f"{type(self.context.request).__name__} makes no job that could be waited for.")
        return protocol.job

    def job(self, attempt: BoundAttempt, acceptance: Acceptance, *, reused: bool) -> GenerationJob:
        """Return what a caller is handed for a job."""
        return self.job_class()(
            id=str(acceptance.job_id),
            request=self.context.request,
            submitted_at=acceptance.at,
            fingerprint=self.fingerprint,
            attempt=f"{attempt.attempt.scope}/{attempt.attempt.number}",
            reused=reused,
        )

    async def attempt_of(self, job: GenerationJob) -> BoundAttempt:
        """Return the ledger's attempt behind a job; one that this library has not seen is written down first."""
        scope, _, number = job.attempt.partition("/")
        attempt = await self.bound(Attempt(self.fingerprint, scope, int(number or 1))).refreshed()
        known = await attempt.entry("accepted") if attempt.attempt.events else None
        if known is None or known["job_id"] != job.id:
            named = hashlib.sha256(job.id.encode()).hexdigest()[:16]
            attempt = self.bound(Attempt(self.fingerprint, f"job-{named}", 1))
            acceptance = Acceptance(job.submitted_at, Job(job.id), self.context.client.account)
            asked = job.request
            claim = {
                "kind": asked.kind,
                "model": asked.model,
                "title": asked.label(),
                "request": asked.model_dump(mode="json"),
            }
            await attempt.record_paid("claimed", {**owned(), **claim})
            await attempt.record_paid("accepted", acceptance.entry())
        return await attempt.refreshed()

    async def _turn(self, step: str, *what: str, timeout: float | None = None) -> asyncio.Lock:
        """Let one caller of this process at a time take a step: the next finds its result in the ledger.

        Returns:
            What the caller releases afterwards.
        """
        name = (self.context.storage.url, self.fingerprint, self.scope, step, *what)
        lock = _locks.setdefault(name, asyncio.Lock())
        if lock.locked():
            # A wait of 0 would give up before it tried.
            await asyncio.wait_for(lock.acquire(), None if timeout is None else max(timeout, 1.0))
        else:
            await lock.acquire()  # at once, and without the timer and the task of a wait
        return lock
