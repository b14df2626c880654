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


class JobWatch:
    """Polls one job, until it is over or the time is up: asked when its pause has passed, by whoever waits for it.

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
    """

    # Slots, and no coroutine that sleeps: ten thousand jobs may be waited for at once.
    __slots__ = (
        "_answer", "_ask", "_deadline", "_error", "_failing_since", "_learn", "_log", "_pauses", "_progress", "_running_at",
        "_submitted", "over", "pause",
    )  # fmt: skip

    def __init__(
        self,
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
    ) -> None:
        self.over = False
        """Whether nothing is to be asked any more: the job is over, the time is up, or its status cannot be had."""
        self.pause = 0.0
        """Seconds until it is to be asked for next."""
        self._ask = ask
        self._log = log
        self._learn = learn
        self._submitted = time.monotonic() - age
        self._deadline = age + remaining
        self._pauses = poll_pauses(usual, age) if usual else pace.pauses()
        self._progress = _Progress(job_id, age, log, usual, look)
        self._answer: JobStatus | None = None
        self._error: Exception | None = None
        self._failing_since: float | None = None
        self._running_at: float | None = None
        if usual and age < usual[0]:  # no such job was ever over so early
            self.pause = min(next(self._pauses), max(0.0, remaining))

    async def until_over(self) -> JobStatus | None:
        """Wait until it is over. Return its last answer, or None when the time is up first.

        Raises:
            APIError: The status cannot be had: the key is refused, or Together does not know the job.
            ConnectionFailed: No usable answer came for ``POLL_PATIENCE`` seconds, or none will come.
            MediaError: ``completed`` came more than ``NO_URL_POLLS`` times without a URL.
        """
        while not self.over:
            if self.pause:
                await asyncio.sleep(self.pause)
            await self.ask()
        if self._error is not None:
            raise self._error
        return self._answer

    async def ask(self) -> None:
        """Ask once, and note what that means: it is over, or is to be asked for again after a pause."""
        try:
            self.over = await self._is_over()
        except Exception as error:  # for whoever waits for it, who may not be whoever asks
            self.over, self._error = True, error
        if self.over:
            return
        left = self._deadline - self._age()
        self.over = left <= 0
        self.pause = min(next(self._pauses), max(left, 0.05))

    async def _is_over(self) -> bool:
        answer = await self._patiently()
        if answer is None:
            return False
        age = self._age()
        if not (answer.done or answer.over):
            self._running_at = age
            self._progress.still_running(answer, age)
            return False
        if self._learn and answer.done and self._running_at is not None:
            await self._learn((self._running_at + age) / 2)
        self._answer = answer
        return True

    async def _patiently(self) -> JobStatus | None:
        """Ask once. Return None after an error that will pass, which is borne for ``POLL_PATIENCE`` seconds on end."""
        try:
            answer = await self._ask()
        except (APIError, ConnectionFailed) as error:
            age = self._age()
            error.paid = "yes"
            if not _will_pass(error, age):
                raise
            if self._failing_since is None:
                self._failing_since = age
            job_id = self._progress.job_id
            if age - self._failing_since > POLL_PATIENCE:
                error.advice = f"Job {job_id} goes on at Together and is not lost: run it again later."
                raise
            self._log.warning("Asking for job %s failed, which does not harm the job: %s", job_id, error.what)
            return None
        self._failing_since = None
        return answer

    def _age(self) -> float:
        return time.monotonic() - self._submitted


def _will_pass(error: TogetherError, age: float) -> bool:
    """Tell whether polling again can help. A job that is new may not be known everywhere yet."""
    if isinstance(error, APIError) and error.status == 404:
        return age < NOT_FOUND_GRACE
    return error.retryable


class _Progress:
    """Follows a job that is not over: logs it, tells ``look``, and counts how often it is completed without a URL."""

    __slots__ = ("_hint", "_log", "_logged_at", "_look", "_status", "_without_url", "job_id")

    def __init__(
        self,
        job_id: str,
        age: float,
        log: Log,
        usual: tuple[float, ...],
        look: Callable[[str, float], None] | None,
    ) -> None:
        self.job_id = job_id
        self._log = log
        self._hint = usual[len(usual) // 2] if usual else None
        self._look = look
        self._without_url = 0
        self._status = ""
        self._logged_at = age

    def still_running(self, answer: JobStatus, age: float) -> None:
        """Take note of an answer that is neither success nor failure, at an age.

        Raises:
            MediaError: It is one completion without a URL too many.
        """
        if answer.status == "completed":
            self._count_missing_url()
        if answer.status != self._status or age - self._logged_at >= REPORT_EVERY:
            self._status, self._logged_at = answer.status, age
            shown = answer.status or "no status"
            hint = "" if self._hint is None else f"; usually {self._hint:.0f} s"
            text = "Waiting for job %s: %s, %.0f s since it was submitted%s."
            self._log.info(text, self.job_id, shown, age, hint)
        if self._look is not None:
            self._look(answer.status, age)

    def _count_missing_url(self) -> None:
        self._without_url += 1
        if self._without_url > NO_URL_POLLS:
            what = f"Job {self.job_id} is completed, but Together names no file."
            raise MediaError(what, paid="yes", advice="Run it again: it is not paid for again.", retryable=True)
