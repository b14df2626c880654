"""Nothing is paid twice: equal requests, retries, processes and machines share one charge."""

from __future__ import annotations

import pytest
from prefect import flow, task

from prefect_together import generate_image, generate_video
from prefect_together.sandbox import Sandbox

from .asking import clip, picture

IMAGES = "/v1/images/generations"


@flow
def _one(seed: int | None, take: int | None = None) -> str:
    return generate_image(picture(seed=seed, take=take)).sha256


def test_a_seeded_request_is_made_once_for_all_runs(together_sandbox: Sandbox) -> None:
    """The same seeded request in two flow runs is one POST."""
    assert _one(7) == _one(7)
    assert 1 == together_sandbox.count(IMAGES)


def test_an_unseeded_request_is_fresh_in_each_run(together_sandbox: Sandbox) -> None:
    """Without a seed, the next run makes a new one."""
    assert _one(None) != _one(None)
    assert 2 == together_sandbox.count(IMAGES)


@pytest.mark.parametrize(
    ("takes", "posts"), [pytest.param([None] * 3, 1, id="equal"), pytest.param([1, 2, 3], 3, id="takes")]
)
@pytest.mark.parametrize("mapped", [False, True], ids=["called", "mapped"])
def test_equal_requests_of_one_run_are_one(
    takes: list[int | None], posts: int, mapped: bool, together_sandbox: Sandbox
) -> None:
    """Three equal unseeded requests in one run are one POST; with takes they are three."""

    @flow
    def three() -> set[str]:
        requests = [picture(take=take) for take in takes]
        images = generate_image.map(requests).result() if mapped else [generate_image(request) for request in requests]
        return {image.sha256 for image in images}

    assert posts == len(three())
    assert posts == together_sandbox.count(IMAGES)
    assert posts == len(together_sandbox.charges())


@pytest.mark.parametrize("nested", [False, True], ids=["in-the-flow", "inside-a-task"])
def test_a_flow_that_fails_after_the_generation_does_not_pay_again(nested: bool, together_sandbox: Sandbox) -> None:
    """`retries=2` on a flow that fails after an unseeded generation is one POST, also inside another task."""
    calls: list[str] = []

    @task
    def outer() -> str:
        return generate_image(picture()).sha256

    @flow(retries=2)
    def fragile() -> str:
        calls.append(outer() if nested else generate_image(picture()).sha256)
        if len(calls) < 3:
            raise RuntimeError("something else went wrong")
        return calls[-1]

    fragile()
    assert 3 == len(calls)
    assert 1 == len(set(calls))
    assert 1 == together_sandbox.count(IMAGES)


def test_a_subflow_that_is_retried_by_its_parent_does_not_pay_again(together_sandbox: Sandbox) -> None:
    """The retries of the outermost flow share what a subflow paid for, although the subflow gets a new run."""
    calls: list[str] = []

    @flow
    def inner() -> str:
        calls.append(generate_image(picture()).sha256)
        if len(calls) < 2:
            raise RuntimeError("something else went wrong")
        return calls[-1]

    @flow(retries=1)
    def outer() -> str:
        return inner()

    outer()
    assert 2 == len(calls)
    assert 1 == len(set(calls))
    assert 1 == together_sandbox.count(IMAGES)


def test_a_task_retry_goes_on_where_the_last_attempt_was(together_sandbox: Sandbox) -> None:
    """A download that fails fails the attempt; the task's retry downloads and does not pay."""
    together_sandbox.fault("GET file", "wrong_kind", times=4)

    @flow
    def picture_flow() -> str:
        return generate_image.with_options(retries=1, retry_delay_seconds=0)(picture()).sha256

    picture_flow()
    assert 1 == len(together_sandbox.charges())


@pytest.mark.parametrize(
    ("reuse", "seed", "posts"),
    [
        pytest.param("always", None, 1, id="always-unseeded"),
        pytest.param("run", 7, 2, id="run-seeded"),
        pytest.param("never", 7, 4, id="never-seeded"),
    ],
)
def test_reuse_says_otherwise(reuse: str, seed: int | None, posts: int, together_sandbox: Sandbox) -> None:
    """`always` shares between runs what has no seed, `run` keeps what has one to the run, `never` makes a new one."""

    @flow
    def twice() -> None:
        for _ in range(2):
            generate_image(picture(seed=seed), reuse=reuse)  # pyright: ignore[reportArgumentType]

    twice()
    twice()
    assert posts == together_sandbox.count(IMAGES)


def test_what_was_reused_says_so(together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """The second call is marked as reused, costs the same as before, and the log says that nothing was paid."""
    first, second = generate_video(clip(seed=1)), generate_video(clip(seed=1))
    assert (False, True) == (first.reused, second.reused)
    assert first == second.model_copy(update={"reused": False})
