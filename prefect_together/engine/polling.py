"""Polls a job until it is over: when, for how long, and which answers mean "not yet". Pays, keeps and records nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from prefect_together._internal.logs import Log
from prefect_together.engine.poll_schedule import poll_pauses
from prefect_together.errors import APIError, ConnectionFailed, MediaError, TogetherError
from prefect_together.generations.policy import Pace
from prefect_together.generations.spec import JobStatus

NOT_FOUND_GRACE = 60.0
"""Seconds after submission during which 404 means "not yet known everywhere" (together-api.md 7.2)."""
POLL_PATIENCE = 300.0
"""Seconds of nothing but errors after which polling stops; the job itself is not given up."""
NO_URL_POLLS = 10
"""Times that ``completed`` may come without a URL before that is an error."""
REPORT_EVERY = 60.0
"""Seconds between log lines about a job whose status does not change."""

Fetch = Callable[[], Awaitable[JobStatus]]
"""Fetches the status of one job, once."""


@dataclass(frozen=True)
class Deadline:
    """How long a job is waited for, in seconds."""

    timeout: float = 0.0
    """Counted from its submission; a call that begins later than that waits as long anew."""
    waited: float = 0.0
    """What the call has waited already."""

    def left(self, age: float) -> float:
        """Return the seconds that are left for a job of an age."""
        return (self.timeout - age if age < self.timeout else self.timeout) - self.waited


async def poll_job(
    ask: Fetch,
    job_id: str,
    *,
    age: float,
    remaining: float,
    pace: Pace,
    log: Log,
    usual: tuple[float, ...] = (),
    learn: Callable[[float], Awaitable[None]] | None = None,
    look: Callable[[str, float], None] | None = None,
) -> JobStatus | None:
    """Poll a job until it is over. Return its last answer, or None when the time is up first.

    Any status that is neither success nor failure means "still running": Together's spec has three, its documentation
    five, and others were met. However short the time is, the job is polled once.

    Args:
        ask: Fetches the job's status once; what it raises is judged here.
        job_id: The job, as logs and errors name it.
        age: Seconds since it was submitted.
        remaining: Seconds that may be waited.
        pace: The pauses between polls where nothing is known about such jobs.
        log: Receives status changes, and errors that will pass.
        usual: Seconds that such jobs took, shortest first; if there are any, the pauses follow from them instead.
        learn: Awaited with the seconds that this job took, if it succeeded and an earlier poll saw it running.
        look: Called after each poll that finds the job running, with its status and the seconds since submission.

    Raises:
        APIError: The status cannot be had: the key is refused, or Together does not know the job.
        ConnectionFailed: No usable answer came for ``POLL_PATIENCE`` seconds, or none will come.
        MediaError: ``completed`` came more than ``NO_URL_POLLS`` times without a URL.
    """
    clock = _JobClock(age)
    deadline = age + remaining
    attempts, progress = _PatientAsker(ask, job_id, clock, log), _Progress(job_id, clock, log, usual, look)
    pauses = poll_pauses(usual, age) if usual else pace.pauses()
    running_at: float | None = None
    if usual and age < usual[0]:  # no such job was ever over so early
        await asyncio.sleep(min(next(pauses), max(0.0, remaining)))
    while True:
        answer = await attempts.answer()
        if answer is not None:
            if answer.done or answer.over:
                if learn and answer.done and running_at is not None:
                    await learn((running_at + clock.age()) / 2)
                return answer
            running_at = clock.age()
            progress.still_running(answer)
        left = deadline - clock.age()
        if left <= 0:
            return None
        await asyncio.sleep(min(next(pauses), max(left, 0.05)))


class _JobClock:
    """Tells the age of a job: the seconds since it was submitted."""

    def __init__(self, age: float) -> None:
        self._submitted = time.monotonic() - age

    def age(self) -> float:
        """Return the seconds since the job was submitted."""
        return time.monotonic() - self._submitted


class _PatientAsker:
    """Asks for a job's status, and bears errors that will pass, for ``POLL_PATIENCE`` seconds on end."""

    def __init__(self, ask: Fetch, job_id: str, clock: _JobClock, log: Log) -> None:
        self._ask = ask
        self._job_id = job_id
        self._clock = clock
        self._log = log
        self._failing_since: float | None = None

    async def answer(self) -> JobStatus | None:
        """Ask once. Return None after an error that will pass.

        Raises:
            APIError: The error will not pass, or there have been only errors for too long. The job stays paid.
            ConnectionFailed: Likewise.
        """
        try:
            answer = await self._ask()
        except (APIError, ConnectionFailed) as error:
            age = self._clock.age()
            error.paid = "yes"
            if not _will_pass(error, age):
                raise
            if self._failing_since is None:
                self._failing_since = age
            if age - self._failing_since > POLL_PATIENCE:
                error.advice = f"Job {self._job_id} goes on at Together and is not lost: run it again later."
                raise
            self._log.warning("Asking for job %s failed, which does not harm the job: %s", self._job_id, error.what)
            return None
        self._failing_since = None
        return answer


def _will_pass(error: TogetherError, age: float) -> bool:
    """Tell whether polling again can help. A job that is new may not be known everywhere yet."""
    if isinstance(error, APIError) and error.status == 404:
        return age < NOT_FOUND_GRACE
    return error.retryable


class _Progress:
    """Follows a job that is not over: logs it, tells ``look``, and counts how often it is completed without a URL."""

    def __init__(
        self,
        job_id: str,
        clock: _JobClock,
        log: Log,
        usual: tuple[float, ...],
        look: Callable[[str, float], None] | None,
    ) -> None:
        self._job_id = job_id
        self._clock = clock
        self._log = log
        self._hint = f"; usually {usual[len(usual) // 2]:.0f} s" if usual else ""
        self._look = look
        self._without_url = 0
        self._status = ""
        self._logged_at = clock.age()

    def still_running(self, answer: JobStatus) -> None:
        """Take note of an answer that is neither success nor failure.

        Raises:
            MediaError: It is one completion without a URL too many.
        """
        if answer.status == "completed":
            self._count_missing_url()
        age = self._clock.age()
        if answer.status != self._status or age - self._logged_at >= REPORT_EVERY:
            self._status, self._logged_at = answer.status, age
            shown = answer.status or "no status"
            text = "Waiting for job %s: %s, %.0f s since it was submitted%s."
            self._log.info(text, self._job_id, shown, age, self._hint)
        if self._look is not None:
            self._look(answer.status, age)

    def _count_missing_url(self) -> None:
        self._without_url += 1
        if self._without_url > NO_URL_POLLS:
            what = f"Job {self._job_id} is completed, but Together names no file."
            raise MediaError(what, paid="yes", advice="Run it again: it is not paid for again.", retryable=True)
