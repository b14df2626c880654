"""Video jobs: whatever a server says of them, they are waited for, fetched, or fail with a reason; they are never paid twice."""

# pyright: reportUnknownMemberType=false
# Prefect's futures leave types open.

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from prefect import flow

from prefect_together import GenerationTimeout, agenerate_video, generate_video, submit_video, wait_for_video
from prefect_together.errors import GenerationFailed, MediaError
from prefect_together.sandbox import Sandbox

from .asking import POLL, VIDEOS, clip, dear_clip


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        pytest.param("unknown_status", {"times": 2}, id="unknown-status"),
        pytest.param("no_status", {"times": 2}, id="no-status"),
        pytest.param("not_found", {"times": 2}, id="not-found-at-first"),
        pytest.param("completed_without_url", {"times": 3}, id="completed-before-its-url"),
        pytest.param("unix_timestamps", {"times": 9}, id="unix-timestamps"),
        pytest.param("500", {"times": 2}, id="500"),
        pytest.param("429", {"times": 2, "hint": "none"}, id="429"),
        pytest.param("html", {"times": 2}, id="html"),
        pytest.param("invalid_json", {"times": 2}, id="invalid-json"),
        pytest.param("accept_then_close", {"times": 2}, id="hung-up"),
    ],
)
def test_odd_answers_to_polls_harm_nothing(fault: str, options: dict[str, object], together_sandbox: Sandbox) -> None:
    """An unknown status, a 404 at first, a missing URL, an error: the job is asked for again, and paid once."""
    together_sandbox.fault(POLL, fault, **options)  # pyright: ignore[reportArgumentType]
    assert generate_video(clip(seed=1)).verify()
    assert 1 == together_sandbox.count("/v2/videos")


@pytest.mark.parametrize(
    ("value", "cost"),
    [
        pytest.param("missing", None, id="missing"),
        pytest.param(0.28, Decimal("0.28"), id="float"),
        pytest.param(1, Decimal(1), id="int"),
    ],
)
def test_costs_are_decimal_or_none(value: float | str, cost: Decimal | None, together_sandbox: Sandbox) -> None:
    """A missing cost is None, never 0; a float is the decimal that it shows."""
    together_sandbox.fault(VIDEOS, "cost", value=value)
    made = generate_video(dear_clip(seed=1))
    assert (cost, Decimal("0.56")) == (made.cost, made.estimated_cost)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_fails_is_final(status: str, together_sandbox: Sandbox) -> None:
    """A failed job says which, why and with which code; neither the task's nor the flow's retries send it again."""
    together_sandbox.fault(VIDEOS, status)

    @flow(retries=2)
    def clips() -> None:
        generate_video.with_options(retries=2)(clip(seed=1))

    with pytest.raises(GenerationFailed) as caught:
        clips()
    job = together_sandbox.jobs()[0]
    assert (job["id"], status) == (caught.value.job_id, caught.value.status)
    assert str(job["id"]) in str(caught.value)
    assert 1 == together_sandbox.count("/v2/videos")


def test_a_new_run_of_a_failed_request_submits_it_again(together_sandbox: Sandbox) -> None:
    """A failure is not for ever: a new run is a new decision."""
    together_sandbox.fault(VIDEOS, "failed")

    @flow
    def clips() -> bool:
        return generate_video(clip(seed=1)).verify()

    with pytest.raises(GenerationFailed):
        clips()
    assert clips()
    assert 2 == together_sandbox.count("/v2/videos")


@pytest.mark.parametrize("seed", [7, None], ids=["seeded", "unseeded"])
def test_a_deadline_loses_nothing(seed: int | None, together_sandbox: Sandbox) -> None:
    """When the time is up the error carries the job; a later run goes on waiting, and pays nothing."""
    together_sandbox.fault(POLL, "queued_forever")

    @flow
    def clips(timeout: float) -> str:
        return generate_video(clip(seed=seed), timeout=timeout).sha256

    began = time.monotonic()
    with pytest.raises(GenerationTimeout) as caught:
        clips(1)
    assert time.monotonic() - began < 60
    assert caught.value.job is not None
    assert together_sandbox.jobs()[0]["id"] == caught.value.job.id
    assert (False, "yes") == (caught.value.retryable, caught.value.paid)
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    assert clips(30) == wait_for_video(caught.value.job, timeout=30).sha256
    assert 1 == len(together_sandbox.charges())


def test_completed_for_ever_without_a_file_is_an_error(together_sandbox: Sandbox) -> None:
    """`completed` without a URL is asked again a few times; then it is an error that a later run can mend."""
    together_sandbox.fault(POLL, "completed_without_url", times=11)
    with pytest.raises(MediaError, match="names no file"):
        generate_video(clip(seed=1))
    assert generate_video(clip(seed=1)).verify()
    assert 1 == len(together_sandbox.charges())


def test_jobs_are_waited_for_side_by_side(together_sandbox: Sandbox) -> None:
    """Ten jobs submitted first are waited for together, not one after the other."""

    @flow
    def many() -> int:
        jobs = submit_video.map([clip(seed=seed) for seed in range(10)])
        return len(wait_for_video.map(jobs).result())

    assert 10 == many()
    assert 10 == len(together_sandbox.charges())


@pytest.mark.parametrize("way", ["called", "submitted"])
def test_prefects_own_timeout_loses_nothing(way: str, together_sandbox: Sandbox) -> None:
    """A task that Prefect times out while it waits leaves its job behind; the next run goes on with it at once."""
    together_sandbox.fault(POLL, "queued_forever")
    hasty = generate_video.with_options(timeout_seconds=2)

    @flow
    def clips() -> str:
        if way == "called":
            return hasty(clip(seed=1)).sha256
        return hasty.submit(clip(seed=1)).result().sha256

    began = time.monotonic()
    with pytest.raises(Exception, match=r"(?i)timeout|timed out"):
        clips()
    assert time.monotonic() - began < 60
    together_sandbox._switchboard.clear()  # pyright: ignore[reportPrivateUsage]
    assert generate_video(clip(seed=1)).verify()
    assert 1 == len(together_sandbox.charges())


async def test_cancelling_an_await_loses_nothing(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Cancelling whoever awaits a clip cancels the waiting, not the job; cancelled while sending, the answer still counts."""
    together_sandbox.fault(VIDEOS, "sleep", seconds=3)
    waiting = asyncio.create_task(agenerate_video(clip(seed=1)))
    await _written(tmp_path, "claimed")
    await asyncio.sleep(0.1)  # most probably it is under way now; whether or not, nothing may be lost
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await _written(tmp_path, "accepted")
    assert (await agenerate_video(clip(seed=1))).verify()
    assert 1 == len(together_sandbox.charges())


async def _written(library: Path, event: str) -> None:
    """Wait for an entry of the ledger."""
    with anyio.fail_after(60):
        while not list(library.rglob(f"*-{event}.json")):  # noqa: ASYNC240 - a small folder
            await asyncio.sleep(0.02)
