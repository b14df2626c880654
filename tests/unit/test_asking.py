"""One question: who may share its answer, how often a job is asked for, and when a poll's error will pass."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import threading
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from prefect_together._internal import event_loop as runtime
from prefect_together.engine.context import GenerationContext, RunInfo
from prefect_together.engine.polling import JobWatch
from prefect_together.errors import APIError, ConnectionFailed, InvalidRequest, MediaError, ServerError
from prefect_together.generations.policy import Pace, Policy
from prefect_together.generations.spec import JobStatus, Links

from .making import image, video

LOG = logging.getLogger("unit")
NOTHING: Any = None


def ask(request: Any = None, *, flow_run: str | None = "f", task_run: str | None = "t", **more: Any) -> GenerationContext:
    """Return a question of a run."""
    run = RunInfo(LOG, flow_run, task_run)
    return GenerationContext(request=request or image(), client=NOTHING, storage=NOTHING, run=run, **more)


@pytest.mark.parametrize(
    ("question", "scope"),
    [
        pytest.param(ask(image(seed=0)), "any", id="seeded"),
        pytest.param(ask(image()), "run-f", id="unseeded"),
        pytest.param(ask(image(), flow_run=None), "run-t", id="unseeded-without-a-flow"),
        pytest.param(ask(image(), reuse="always"), "any", id="always"),
        pytest.param(ask(image(seed=0), reuse="run"), "run-f", id="seeded-but-this-run-only"),
        pytest.param(ask(image(seed=0), reuse="never"), "call-t", id="seeded-but-never"),
        pytest.param(ask(image(seed=0), flow_run=None, task_run=None), "any", id="seeded-outside-of-runs"),
    ],
)
def test_who_may_share_the_answer(question: GenerationContext, scope: str) -> None:
    """A seed makes it everybody's; without one it belongs to the run, so that retries never pay and the next run does."""
    assert scope == question.scope()


@pytest.mark.parametrize("reuse", ["auto", "run", "never"])
def test_outside_of_runs_every_call_is_its_own(reuse: Any) -> None:
    """Nobody shares with a call that belongs to nothing."""
    question = ask(flow_run=None, task_run=None, reuse=reuse)
    assert question.scope() != question.scope()
    assert UUID(question.scope().removeprefix("call-"))


def test_pauses_grow_to_the_longest() -> None:
    """From the first to the longest, jittered so that many waiters do not ask together."""
    pauses = list(itertools.islice(Pace(first=2.0, longest=15.0).pauses(), 30))
    assert 1.7 <= pauses[0] <= 2.3
    assert [] == [pause for pause in pauses if not 1.7 <= pause <= 15 * 1.15]
    assert min(pauses[10:]) >= 15 * 0.85


@pytest.mark.parametrize("preflight", ["error", "warn", "off"])
def test_a_documented_rule_is_judged_as_the_settings_say(preflight: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A Kling model needs frames: an error, a warning, or nobody's business."""
    kling = video(model="kwaivgI/kling-2.1-standard")
    question = ask(kling, policy=Policy(preflight=preflight))
    if preflight == "error":
        with pytest.raises(InvalidRequest):
            question.check()
    else:
        question.check()
        assert (preflight == "warn") == bool(caplog.records)


def test_what_one_accident_may_cost() -> None:
    """A dime, unless the settings say otherwise."""
    assert Decimal("0.10") == Policy().resubmit_below


class Script:
    """Answers polls as written; an exception is raised."""

    def __init__(self, *answers: JobStatus | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def ask(self) -> JobStatus:
        """Give the next answer; the last one is given for ever."""
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def running(status: str) -> JobStatus:
    """Return a job that is not over."""
    return JobStatus("j", status)


DONE = JobStatus("j", "completed", Links(("https://x/a.mp4",)))
FAILED = JobStatus("j", "failed", error_message="No.")
NOT_FOUND = APIError("Together answered 404.", status=404)


async def waited(script: Script, *, age: float = 0.0, remaining: float = 5.0) -> JobStatus | None:
    """Wait with tiny pauses."""
    watch = JobWatch(script.ask, "j", age=age, remaining=remaining, pace=Pace(0.001, 0.002), log=LOG)
    return await watch.until_over()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([DONE], DONE, id="at-once"),
        pytest.param([running("queued"), running("in_progress"), DONE], DONE, id="in-order"),
        pytest.param([running(""), running("teleporting"), FAILED], FAILED, id="odd-statuses"),
        pytest.param([JobStatus("j", "completed"), DONE], DONE, id="completed-before-its-url"),
        pytest.param([NOT_FOUND, NOT_FOUND, DONE], DONE, id="not-yet-known"),
        pytest.param(
            [ConnectionFailed("down", retryable=True), ServerError("502", retryable=True), DONE], DONE, id="trouble"
        ),
    ],
)
async def test_a_job_is_waited_for(answers: list[Any], expected: JobStatus) -> None:
    """Whatever comes between, the end is found, and asking stops there."""
    script = Script(*answers)
    assert expected == await waited(script)
    assert len(answers) == script.asked


async def test_waiting_ends_when_the_time_is_up() -> None:
    """The job goes on, only the waiting ends; it is asked at least once."""
    script = Script(running("in_progress"))
    assert await waited(script, remaining=0.05) is None
    assert script.asked > 1
    assert await waited(Script(running("queued")), remaining=0.0) is None
    assert DONE == await waited(Script(DONE), remaining=0.0)


@pytest.mark.parametrize(
    ("error", "age"),
    [
        pytest.param(NOT_FOUND, 3600.0, id="unknown-after-an-hour"),
        pytest.param(APIError("Together answered 401.", status=401), 0.0, id="key-refused"),
    ],
)
async def test_an_error_that_will_not_pass_ends_the_waiting(error: APIError, age: float) -> None:
    """A key that is refused, or a job that nobody knows, is told at once."""
    with pytest.raises(APIError):
        await waited(Script(error, DONE), age=age)


async def test_completed_without_a_file_for_ever() -> None:
    """It is paid for, and running it again is safe."""
    with pytest.raises(MediaError) as caught:
        await waited(Script(JobStatus("j", "completed")))
    assert ("yes", True) == (caught.value.paid, caught.value.retryable)


VARIABLE = contextvars.ContextVar("VARIABLE", default="nothing")


async def seen() -> tuple[str, str]:
    """Tell the context and the thread of the work."""
    await asyncio.sleep(0)
    return VARIABLE.get(), threading.current_thread().name


async def failing() -> None:
    """Fail."""
    raise KeyError("work")


def test_sync_callers_wait_for_the_loop() -> None:
    """The work runs in the background with the caller's context; its result and its errors come back."""
    VARIABLE.set("sync")
    context, thread = runtime.run(seen())
    assert "sync" == context
    assert threading.current_thread().name != thread
    with pytest.raises(KeyError, match="work"):
        runtime.run(failing())


async def test_async_callers_await_the_same_loop() -> None:
    """Both ways there is one body and one loop."""
    VARIABLE.set("async")
    assert ("async", runtime.run(seen())[1]) == await runtime.arun(seen())
    with pytest.raises(KeyError, match="work"):
        await runtime.arun(failing())


async def test_cancelling_the_await_cancels_the_work() -> None:
    """A cancelled flow leaves nothing running behind it."""
    began, ended = threading.Event(), threading.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    waiting = asyncio.create_task(runtime.arun(work()))
    assert await asyncio.to_thread(began.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(ended.wait, 10)


def test_the_loop_starts_anew_after_its_end() -> None:
    """Ending it twice is fine, and the next use brings another."""
    first = runtime.runtime()
    runtime.shutdown()
    runtime.shutdown()
    began = time.monotonic()
    assert "nothing" != runtime.run(seen())[1]
    assert first is not runtime.runtime()
    assert time.monotonic() - began < 30
