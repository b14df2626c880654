"""A job that was accepted: what polls it, and what became of it. Fetches nothing, and never pays."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from datetime import datetime, timezone
from functools import partial
from urllib.parse import quote

from prefect_together.engine.attempt import Acceptance, BoundAttempt
from prefect_together.engine.context import GenerationContext, RunInfo
from prefect_together.engine.lifecycle_events import LifecycleEvent
from prefect_together.engine.poll_schedule import duration_keys, record_duration, typical_durations
from prefect_together.engine.polling import Deadline, JobWatch
from prefect_together.errors import APIError, GenerationFailed, LibraryError
from prefect_together.generations.request import Request
from prefect_together.generations.spec import JobProtocol, JobStatus


async def watch_of(context: GenerationContext, acceptance: Acceptance, deadline: Deadline) -> JobWatch:
    """Return what polls a job. It keeps nothing alive of the context that is not needed while the job is waited for.

    Args:
        context: What is asked, of whom, and by which rules.
        acceptance: The job.
        deadline: How long to wait.
    """
    job_id, protocol = str(acceptance.job_id), _protocol(context)
    age = max(0.0, (datetime.now(timezone.utc) - acceptance.at).total_seconds())
    known = await typical_durations(context.storage, *duration_keys(context.request))
    usual = statistics.median(known) if known else None
    return JobWatch(
        partial(context.client.get, protocol.path.replace("{id}", quote(job_id, safe="")), protocol.parse),
        job_id,
        age=age,
        remaining=deadline.left(age),
        pace=context.policy.pace,
        log=context.run.log,
        usual=known,
        learn=partial(record_duration, context.storage, context.request),
        look=partial(_tell, context.run, context.request, job_id, usual),
    )


async def finished(context: GenerationContext, attempt: BoundAttempt, acceptance: Acceptance, watch: JobWatch) -> JobStatus:
    """Return the last status of a job whose result is there; a failure is recorded and raised.

    Args:
        context: What is asked, of whom, and by which rules.
        attempt: The attempt that was accepted.
        acceptance: The job.
        watch: Polls it, unless it is over already.

    Raises:
        GenerationFailed: The job failed or was cancelled.
        asyncio.TimeoutError: The time is up, and the job still runs.
        TogetherError: Its status cannot be had: as ``JobWatch.until_over``.
    """
    status = await _polled(context, attempt, acceptance, watch)
    if status is None:
        raise asyncio.TimeoutError
    if context.budget and status.cost is not None:
        await context.budget.settle(attempt.key, status.cost)
    if status.over:
        said = f"{status.error_message or 'no reason given'} (code {status.error_code or 'none'})"
        error = GenerationFailed(
            f"Job {acceptance.job_id} ({context.request.model}) {status.status}: {said}.",
            paid="yes" if status.cost else "maybe",
            advice="Correct the request; a new run of the same one submits it again.",
            job_id=acceptance.job_id,
            status=status.status,
            code=status.error_code,
        )
        entry = {"job_id": error.job_id, "status": error.status, "code": error.code, "why": error.what}
        await attempt.record_paid("failed", {**entry, "cost": status.cost, "flow_run": context.run.flow_run})
        raise error
    return status


async def _polled(
    context: GenerationContext, attempt: BoundAttempt, acceptance: Acceptance, watch: JobWatch
) -> JobStatus | None:
    """Wait for a job's last status; a job that nobody knows any more is recorded as lost, where it is ours to know."""
    try:
        return await watch.until_over()
    except APIError as error:
        error.paid = "yes"
        if error.status != 404:
            raise
        if acceptance.account not in {None, context.client.account}:
            error.advice = "It was submitted by another account: use that account's key."
            raise
        why = f"Together does not know job {acceptance.job_id} any more"
        with contextlib.suppress(LibraryError):  # the error at hand says more
            await attempt.record("lost", {"why": why, "job_id": acceptance.job_id})
        error.advice = f"{why}: run it again to decide what to do about it."
        raise


def _protocol(context: GenerationContext) -> JobProtocol:
    protocol = context.spec.job
    if protocol is None:
        raise TypeError(f"a {context.spec.kind} was accepted as a job, and there are none of that type")
    return protocol


def _tell(run: RunInfo, request: Request, job_id: str, usual: float | None, status: str, seconds: float) -> None:
    """Tell those who listen that a job still runs."""
    run.emit(LifecycleEvent("waiting", request, job_id, status, seconds, usual))
