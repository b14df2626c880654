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

from prefect_together.engine.claims import Claims, Settled
from prefect_together.engine.context import Ask
from prefect_together.engine.delivery import Delivery, timed_out
from prefect_together.engine.lifecycle_events import Happening
from prefect_together.engine.records import read_acceptance, record_paid, refreshed
from prefect_together.errors import InvalidRequest, TogetherError, UnknownOutcome
from prefect_together.generations import VideoRequest
from prefect_together.generations.fingerprint import identify
from prefect_together.generations.results import GeneratedMedia, GenerationTimeout, VideoJob
from prefect_together.generations.spec import Acceptance
from prefect_together.ledger.leases import Hold, Holding, owned, release
from prefect_together.ledger.ledger import Attempt, Ledger

_locks: weakref.WeakValueDictionary[tuple[str, ...], asyncio.Lock] = weakref.WeakValueDictionary()


async def obtain(ask: Ask, *, timeout: float | None = None, fingerprint: str | None = None) -> list[GeneratedMedia]:
    """Return the files of a request: those that are kept already, or those that this call pays for.

    Args:
        ask: What is asked, of whom, and by which rules.
        timeout: Seconds to wait for a job, counted from its submission.
        fingerprint: What the ledger knows the request by, where that is known already: the local files that it was made of
            may be gone.

    Raises:
        TogetherError: See ``prefect_together.errors``.
    """
    with _telling(ask):
        life = _Life(ask, fingerprint) if fingerprint else await _Life.of(ask)
        with life.hold:
            return await life.finish(await life.settle(), timeout=timeout)


async def known(ask: Ask) -> tuple[str, list[GeneratedMedia]]:
    """Return a request's fingerprint, and its files where they are kept already. Sends nothing.

    Raises:
        InvalidRequest: A local file that it was made of cannot be read.
        MediaError: A file that was kept is not in the library any more.
    """
    life = _Life(ask, (await identify(ask.request, realm=ask.client.realm)).fingerprint)
    attempt = (await life.ledger.history(life.fingerprint)).stored(life.scope)
    media = await life.delivery.stored(attempt) if attempt else []
    return life.fingerprint, [file.model_copy(update={"reused": True}) for file in media]


async def submit(ask: Ask) -> VideoJob:
    """Return the job of a request: the one accepted already, or the one that this call pays for. Raises as ``obtain``."""
    with _telling(ask):
        life = await _Life.of(ask)
        with life.hold:
            settled = await life.settle()
            if settled.attempt.state != "stored":
                await release(life.ledger, settled.attempt, handed_out=True)
            return life.job(settled.attempt, await life.acceptance(settled), reused=not settled.paid)


async def wait(ask: Ask, job: VideoJob, *, timeout: float) -> list[GeneratedMedia]:
    """Return the clip of a job that was submitted here or anywhere. Never pays. Raises as ``obtain``."""
    with _telling(ask):
        fingerprint = job.fingerprint or (await identify(ask.request, realm=ask.client.realm)).fingerprint
        life = _Life(ask, fingerprint)
        return await life.finish(Settled(await life.attempt_of(job), paid=not job.reused), timeout=timeout)


@contextmanager
def _telling(ask: Ask) -> Generator[None, None, None]:
    """Tell those who listen how it ended, where it ended badly."""
    try:
        yield
    except UnknownOutcome as error:
        ask.tell(Happening("unknown", ask.request, error=error))
        raise
    except GenerationTimeout:
        raise  # the job still runs: nothing has happened yet
    except TogetherError as error:
        ask.tell(Happening("failed", ask.request, getattr(error, "job_id", None), error=error))
        raise


async def keep(ask: Ask, attempt: Attempt, *, timeout: float) -> list[GeneratedMedia]:
    """Return the files of an attempt that was accepted, whoever it was for. Never pays. Raises as ``obtain``."""
    return await _Life(ask, attempt.fingerprint).finish(Settled(attempt, paid=False), timeout=timeout)


class _Life:
    def __init__(self, ask: Ask, fingerprint: str) -> None:
        self.ask = ask
        self.fingerprint = fingerprint
        self.ledger = Ledger(ask.storage)
        self.scope = ask.scope()
        self.delivery = Delivery(ask, self.ledger, fingerprint)
        self.hold = Hold()

    @classmethod
    async def of(cls, ask: Ask) -> _Life:
        ask.check()
        return cls(ask, (await identify(ask.request, realm=ask.client.realm)).fingerprint)

    async def settle(self) -> Settled:
        lock = await self._turn("sending")
        try:
            claims = Claims(self.ask, self.ledger, self.fingerprint, self.scope, self.delivery.images, self.hold)
            return await claims.settle()
        finally:
            lock.release()

    async def finish(self, settled: Settled, *, timeout: float | None) -> list[GeneratedMedia]:
        log, began = self.ask.caller.log, time.monotonic()
        media = settled.media
        if media is None:
            try:
                lock = await self._turn("finishing", settled.attempt.key, timeout=timeout)
                try:
                    media = await self._deliver(settled, timeout, began)
                finally:
                    lock.release()
            except asyncio.TimeoutError:
                acceptance = await self.acceptance(settled)
                error = timed_out(str(acceptance.job_id), self.ask.request.model, timeout or 0.0)
                error.job = self.job(settled.attempt, acceptance, reused=True)
                raise error from None
        for file in media:
            log.info("%s %s", "Kept:" if settled.paid else "Reused, nothing paid:", file)
        media = [file.model_copy(update={"reused": not settled.paid}) for file in media]
        for file in media:
            seconds = None if settled.acceptance is None else (file.created_at - settled.acceptance.at).total_seconds()
            what = "kept" if settled.paid else "reused"
            self.ask.tell(Happening(what, self.ask.request, file.job_id, seconds=seconds, media=file))
        return media

    async def _deliver(self, settled: Settled, timeout: float | None, began: float) -> list[GeneratedMedia]:
        attempt = settled.attempt
        if settled.acceptance is None:  # somebody else accepted it, or may have kept it meanwhile
            attempt = attempt if attempt.state == "stored" else await refreshed(self.ledger, attempt)
            if attempt.state == "stored":
                return await self.delivery.stored(attempt)
        acceptance = await self.acceptance(settled)
        if not settled.paid:
            self.ask.caller.log.info("Accepted before and paid for once (%s): going on from there.", acceptance)
        async with Holding(self.ledger, attempt):
            if acceptance.job_id is None:
                return await self.delivery.images(attempt, acceptance)
            waited = time.monotonic() - began
            return await self.delivery.video(attempt, acceptance, timeout=timeout or 0.0, waited=waited)

    async def acceptance(self, settled: Settled) -> Acceptance:
        return settled.acceptance or await read_acceptance(self.ledger, settled.attempt)

    def job(self, attempt: Attempt, acceptance: Acceptance, *, reused: bool) -> VideoJob:
        request = self.ask.request
        if not isinstance(request, VideoRequest):
            raise InvalidRequest(f"A {type(request).__name__} makes no job: give a VideoRequest.")
        return VideoJob(
            id=str(acceptance.job_id),
            request=request,
            submitted_at=acceptance.at,
            fingerprint=self.fingerprint,
            attempt=f"{attempt.scope}/{attempt.number}",
            reused=reused,
        )

    async def attempt_of(self, job: VideoJob) -> Attempt:
        """Return the ledger's attempt behind a job; one that this library has not seen is written down first."""
        scope, _, number = job.attempt.partition("/")
        attempt = await refreshed(self.ledger, Attempt(self.fingerprint, scope, int(number or 1)))
        known = await self.ledger.entry(attempt, "accepted") if attempt.events else None
        if known is None or known["job_id"] != job.id:
            attempt = Attempt(self.fingerprint, f"job-{hashlib.sha256(job.id.encode()).hexdigest()[:16]}", 1)
            entry = Acceptance(job.submitted_at, job_id=job.id, account=self.ask.client.account).entry()
            claim = {"kind": job.request.kind, "model": job.request.model, "request": job.request.model_dump(mode="json")}
            await record_paid(self.ledger, attempt, "claimed", {**owned(), **claim}, self.ask.caller.log)
            await record_paid(self.ledger, attempt, "accepted", entry, self.ask.caller.log)
        return await refreshed(self.ledger, attempt)

    async def _turn(self, step: str, *what: str, timeout: float | None = None) -> asyncio.Lock:
        """Let one caller of this process at a time take a step: the next finds its result in the ledger.

        Returns:
            What the caller releases afterwards.
        """
        name = (self.ask.storage.url, self.fingerprint, self.scope, step, *what)
        lock = _locks.setdefault(name, asyncio.Lock())
        if lock.locked():
            # A wait of 0 would give up before it tried.
            await asyncio.wait_for(lock.acquire(), None if timeout is None else max(timeout, 1.0))
        else:
            await lock.acquire()  # at once, and without the timer and the task of a wait
        return lock
