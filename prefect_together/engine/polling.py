"""Waits until a job is over: when to ask, how long, and which answers mean "not yet". Pays, keeps and records nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from prefect_together._internal.logs import Log
from prefect_together.engine.poll_schedule import poll_pauses
from prefect_together.errors import APIError, ConnectionFailed, MediaError, TogetherError
from prefect_together.generations.policy import Pace
from prefect_together.http.client import TogetherClient
from prefect_together.http.responses import JobAnswer

NOT_FOUND_GRACE = 60.0
"""Seconds after submission during which 404 means "not yet known everywhere" (together-api.md 7.2)."""
POLL_PATIENCE = 300.0
"""Seconds of nothing but errors after which asking stops; the job itself is not given up."""
NO_URL_POLLS = 10
"""Times that ``completed`` may come without a URL before that is an error."""
REPORT_EVERY = 60.0
"""Seconds between log lines while waiting."""


async def wait_for_job(
    client: TogetherClient,
    job_id: str,
    *,
    age: float,
    remaining: float,
    pace: Pace,
    log: Log,
    usual: tuple[float, ...] = (),
    learn: Callable[[float], Awaitable[None]] | None = None,
    look: Callable[[str, float], None] | None = None,
) -> JobAnswer | None:
    """Ask until the job is over; return its last answer, or None when the time is up first.

    Any status that is neither success nor failure means "still running": Together's spec has three, its documentation
    five, and others were met.

    Args:
        client: Whom to ask.
        job_id: Which job.
        age: Seconds since it was submitted.
        remaining: Seconds that may be waited.
        pace: How often to ask.
        log: Where to say how it goes.
        usual: How long such jobs took in seconds, shortest first; then that says how often to ask.
        learn: Is told how long this one took, where its end was seen.
        look: Is told, after each look at a job that still runs, its status and the seconds since it was submitted.

    Raises:
        APIError: The job cannot be asked for: the key is refused, or nobody knows the job.
        TogetherError: There were only errors for ``POLL_PATIENCE`` seconds, or no URL came.
    """
    began = time.monotonic()
    troubled_since: float | None = None
    no_url, said, status = 0, 0.0, ""
    pauses, running_at = poll_pauses(usual, age) if usual else pace.pauses(), None
    if usual and age < usual[0]:
        await asyncio.sleep(min(next(pauses), max(0.0, remaining)))  # nobody was ever done so early
    while True:
        try:
            answer = await client.video(job_id)
        except (APIError, ConnectionFailed) as error:
            now = time.monotonic()
            error.paid = "yes"
            if not _passing(error, age + now - began):
                raise
            troubled_since = troubled_since or now
            if now - troubled_since > POLL_PATIENCE:
                error.advice = f"Job {job_id} goes on at Together and is not lost: run it again later."
                raise
            log.warning("Asking for job %s failed, which does not harm the job: %s", job_id, error.what)
        else:
            troubled_since = None
            now = age + time.monotonic() - began
            if answer.done or answer.over:
                if learn and answer.done and running_at is not None:
                    await learn((running_at + now) / 2)
                return answer
            running_at = now
            if answer.status == "completed":
                no_url += 1
                if no_url > NO_URL_POLLS:
                    what = f"Job {job_id} is completed, but Together names no file."
                    raise MediaError(what, paid="yes", advice="Run it again: it is not paid for again.", retryable=True)
            elapsed = time.monotonic() - began
            if answer.status != status or elapsed - said >= REPORT_EVERY:
                status, said = answer.status, elapsed
                shown = status or "no status"
                hint = f"; usually {usual[len(usual) // 2]:.0f} s" if usual else ""
                log.info("Waiting for job %s: %s, %.0f s since it was submitted%s.", job_id, shown, age + elapsed, hint)
            if look is not None:
                look(answer.status, age + elapsed)
        left = remaining - (time.monotonic() - began)
        if left <= 0:
            return None
        await asyncio.sleep(min(next(pauses), max(left, 0.05)))


def _passing(error: TogetherError, age: float) -> bool:
    """Tell whether an error of a poll will pass."""
    if isinstance(error, APIError) and error.status == 404:
        return age < NOT_FOUND_GRACE
    return error.retryable
