"""The steps of one generation: claimed and sent, waited for, delivered, handed on. What drives them is in ``lifecycle``."""

from __future__ import annotations

import asyncio
import hashlib
import time
import weakref

from prefect_together._internal.interruption import waiting_for
from prefect_together.engine.attempt import Acceptance, BoundAttempt
from prefect_together.engine.batch_taking import answer_of
from prefect_together.engine.claims import ClaimResult, Claims
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.delivery import Delivery
from prefect_together.engine.jobs import finished, watch_of
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.polling import Deadline, JobWatch
from prefect_together.errors import InvalidRequest, TogetherError
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.results import Generated, GenerationJob, GenerationTimeout
from prefect_together.generations.spec import Job, Line, Links
from prefect_together.ledger.heartbeats import owned
from prefect_together.ledger.leases import Lease, LocalHold
from prefect_together.ledger.ledger import Attempt, Ledger

_locks: weakref.WeakValueDictionary[tuple[str, ...], asyncio.Lock] = weakref.WeakValueDictionary()


class Lifecycle:
    """The steps in the life of one request, for one caller.

    Args:
        context: What is asked, of whom, and by which rules.
        fingerprint: What the ledger knows the request by.
    """

    def __init__(self, context: GenerationContext, fingerprint: str) -> None:
        self.context = context
        self.fingerprint = fingerprint
        self.ledger = Ledger(context.storage)
        self.scope = context.scope()
        self.delivery = Delivery(context, fingerprint)
        self.hold = LocalHold()

    @classmethod
    async def of(cls, context: GenerationContext) -> Lifecycle:
        """Return the steps of a request that can be sent.

        Raises:
            InvalidRequest: It cannot.
        """
        context.check()
        return cls(context, await fingerprint_of(context.request, environment=context.client.environment))

    def bound(self, attempt: Attempt) -> BoundAttempt:
        """Return an attempt with this ledger and log."""
        return BoundAttempt(self.ledger, attempt, self.context.run.log)

    async def acquire(self) -> ClaimResult:
        """Return an attempt that is accepted or stored: one that there was, or the one that this call pays for."""
        lock = await self._turn("sending")
        try:
            claims = Claims(self.context, self.ledger, self.fingerprint, self.scope, keep=self.delivery.keep, hold=self.hold)
            return await claims.acquire()
        finally:
            lock.release()

    async def finish(self, claimed: ClaimResult, *, timeout: float | None, watch: JobWatch | None = None) -> list[Generated]:
        """Return the results of an attempt that is accepted or stored, and tell that they are there.

        Args:
            claimed: The attempt.
            timeout: Seconds to wait for a job, counted from its submission.
            watch: What has polled its job until it was over, where that was done.
        """
        results = claimed.results
        if results is None:
            try:
                results = await self._finished(claimed, timeout, watch)
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
            self.context.run.emit(LifecycleEvent(what, self.context.request, result.job_id, seconds=seconds, result=result))
        return results

    async def _finished(self, claimed: ClaimResult, timeout: float | None, watch: JobWatch | None) -> list[Generated]:
        """Wait for the results, one caller of this process at a time."""
        began = time.monotonic()
        try:
            lock = await self._turn("finishing", claimed.attempt.key, timeout=timeout)
            try:
                return await self._deliver(claimed, timeout, began, watch)
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
                waits_for=(claimed.attempt.key,),
            ) from None

    async def _deliver(
        self, claimed: ClaimResult, timeout: float | None, began: float, watch: JobWatch | None
    ) -> list[Generated]:
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
            if not isinstance(acceptance.payload, Job):
                return await self.delivery.keep(attempt, acceptance, acceptance.payload)
            with waiting_for(acceptance.job_id):
                watch = watch or await watch_of(self.context, acceptance, Deadline(timeout or 0.0, time.monotonic() - began))
                status = await finished(self.context, attempt, acceptance, watch)
                return await self.delivery.keep(attempt, acceptance, status.made or Links(()), status)

    async def acceptance(self, claimed: ClaimResult) -> Acceptance:
        """Return what Together accepted."""
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
