"""Jobs that a call waits for without a coroutine of its own: begun, polled by whoever has many of them, kept. Polls nothing.

A clip takes minutes, and most of what its coroutines hold is not needed meanwhile: ten thousand of them would be hundreds of
megabytes. What is left of one that waits is its attempt, its lease and its watch.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from prefect_together._internal.interruption import note_wait, note_waited
from prefect_together.engine.claims import ClaimResult
from prefect_together.engine.context import GenerationContext
from prefect_together.engine.jobs import watch_of
from prefect_together.engine.lifecycle import generate, telling
from prefect_together.engine.lifecycle_steps import Lifecycle
from prefect_together.engine.polling import Deadline, JobWatch
from prefect_together.errors import TogetherError
from prefect_together.generations.registry import AnySpec
from prefect_together.generations.results import Generated
from prefect_together.ledger.leases import Lease, LocalHold
from prefect_together.ledger.pack_format import Name


def waits(spec: AnySpec) -> bool:
    """Tell whether ``begin`` hands over jobs of a type: each of its requests is one attempt, and a job."""
    return spec.job is not None and not (spec.batch or spec.parts or spec.follow_up)


class WaitingJob:
    """A job that was accepted and is waited for. Its attempt is held until ``keep`` or ``let_go`` is over.

    Args:
        claimed: The attempt.
        hold: Holds it in this process, since before it was claimed.
        watch: Polls it.
        timeout: Seconds that it is waited for, counted from its submission.
    """

    __slots__ = ("_claimed", "_hold", "_job_id", "_lease", "_timeout", "watch")

    def __init__(self, claimed: ClaimResult, hold: LocalHold, job_id: str, watch: JobWatch, timeout: float | None) -> None:
        self.watch = watch
        """Polls it: once it is over, ``keep`` says what came of it."""
        self._claimed = claimed
        self._hold = hold
        self._job_id = job_id
        self._timeout = timeout
        self._lease = Lease(claimed.attempt.ledger, claimed.attempt.attempt)
        self._lease.begin()
        note_wait(job_id)

    @property
    def attempt(self) -> Name:
        """The name of its attempt: jobs with the same are one."""
        return self._claimed.attempt.attempt.name

    async def keep(self, context: GenerationContext) -> list[Generated]:
        """Return the results of the job, when it is over. Raises as ``generate``.

        Args:
            context: One like that in which it was begun.
        """
        attempt, ended = self._claimed.attempt.attempt, None
        context = replace(context, in_scope=attempt.scope)
        try:
            with telling(context):
                life = Lifecycle(context, attempt.fingerprint)
                return await life.finish(self._claimed, timeout=self._timeout, watch=self.watch)
        except BaseException as error:
            ended = error
            raise
        finally:
            await self.let_go(ended)

    def forget(self) -> None:
        """Have this process hold it no more, at once: its next run may go on with it. Others learn of it by ``let_go``."""
        self._hold.let_go()
        self._lease.forget()

    async def let_go(self, error: BaseException | None) -> None:
        """Hold it no more.

        Args:
            error: What waiting for it ended with, where it ended badly; others need not wait for this process then.
        """
        try:
            await self._lease.end(error)
        finally:
            self._hold.let_go()
            if not isinstance(error, asyncio.CancelledError):
                note_waited(self._job_id)


async def begin(context: GenerationContext, *, timeout: float | None, fingerprint: str) -> list[Generated] | WaitingJob:
    """Return the results of a request, or its job as soon as that is accepted, where its type ``waits``.

    Args:
        context: What is asked, of whom, and by which rules.
        timeout: Seconds to wait for a job, counted from its submission.
        fingerprint: What the ledger knows the request by.

    Raises:
        TogetherError: As ``generate``.
    """
    if not waits(context.spec):
        return await generate(context, timeout=timeout, fingerprint=fingerprint)
    life, waiting = Lifecycle(context, fingerprint), None
    try:
        with telling(context):
            claimed = await life.acquire()
            try:
                waiting = await _waiting(life, claimed, timeout)
            except TogetherError as error:
                error.paid = error.paid or "yes"  # it was accepted
                raise
            return waiting or await life.finish(claimed, timeout=timeout)
    finally:
        if waiting is None:
            life.hold.let_go()


async def _waiting(life: Lifecycle, claimed: ClaimResult, timeout: float | None) -> WaitingJob | None:
    """Return the job that an attempt has to wait for, or None where there is none."""
    if claimed.results is not None or claimed.attempt.state == "stored":
        return None
    acceptance = await life.acceptance(claimed)
    if acceptance.job_id is None:
        return None
    watch = await watch_of(life.context, acceptance, Deadline(timeout or 0.0))
    return WaitingJob(claimed, life.hold, acceptance.job_id, watch, timeout)
