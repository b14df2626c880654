"""What every task is made with: names that a person can scan, and retries that cannot pay twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prefect.client.schemas.objects import State, StateType

from prefect_together import errors
from prefect_together.generations.video import VideoJob
from prefect_together.tasks import _options as options
from prefect_together.tasks._options import is_retryable, run_name

from .making import image, video


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({"request": image()}, "FLUX.2-pro: a fox in the snow", id="image"),
        pytest.param({"request": video()}, "hailuo-02: slow push in", id="video"),
        pytest.param({"job": VideoJob(id="j", request=video())}, "hailuo-02: slow push in", id="job"),
        pytest.param({"request": image(model="no-owner")}, "no-owner: a fox in the snow", id="model-without-owner"),
        pytest.param({"request": image(prompt=" two\n lines\t ")}, "FLUX.2-pro: two lines", id="untidy"),
        pytest.param({"request": image(prompt="x" * 40)}, f"FLUX.2-pro: {'x' * 40}", id="as-long-as-it-may-be"),
        pytest.param({"request": image(prompt="x" * 41)}, f"FLUX.2-pro: {'x' * 39}…", id="too-long"),
        pytest.param({"request": image(prompt="x" * 39 + " yyy")}, f"FLUX.2-pro: {'x' * 39}…", id="cut-at-a-space"),
        pytest.param({"request": video(prompt=None, frame_images="a.png")}, "hailuo-02: a", id="no-prompt"),
        pytest.param({"request": video(frame_images="a.png")}, "hailuo-02: slow push in · a", id="told-apart"),
        pytest.param(
            {"request": video(prompt="x" * 60, frame_images="y" * 60)},
            f"hailuo-02: {'x' * 39}… · {'y' * 39}…",
            id="both-long",
        ),
        pytest.param({"request": {"prompt": "p", "model": "m"}}, "reconcile", id="no-request-yet"),
        pytest.param({"request": None}, "reconcile", id="none"),
        pytest.param({}, "reconcile", id="nothing"),
        pytest.param(None, "together", id="no-parameters"),
    ],
)
def test_a_run_is_named_for_people(parameters: Any, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Model and first words, else the task; whatever is missing, a name comes out, since a run without one never starts."""
    monkeypatch.setattr(options, "task_run", SimpleNamespace(task_name="reconcile"))
    assert expected == run_name(parameters)


def test_outside_of_a_run_there_is_a_name_too() -> None:
    """Prefect's context may say anything."""
    assert "together" == run_name({})


NONE: Any = None


def failed(data: Any) -> State[Any]:
    """Return the state of a failed run."""
    return State(type=StateType.FAILED, data=data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(errors.MediaError("x", paid="yes", retryable=True), True, id="safe"),
        pytest.param(errors.RateLimited("x", retryable=True), True, id="busy"),
        pytest.param(errors.MediaError("x"), False, id="not-safe"),
        pytest.param(errors.UnknownOutcome("x"), False, id="unknown"),
        pytest.param(errors.InvalidRequest("x"), False, id="mistake"),
        pytest.param(RuntimeError("x"), False, id="somebody-elses"),
        pytest.param(SimpleNamespace(retryable=True), False, id="no-error"),
        pytest.param(None, False, id="nothing"),
    ],
)
def test_only_what_says_so_is_tried_again(data: Any, expected: bool) -> None:
    """A retry that pays again is impossible: only errors of ours that say they are safe are retried."""
    assert expected is is_retryable(NONE, NONE, failed(data))


@pytest.mark.parametrize("kind", ["image", "video"])
def test_what_every_task_has(kind: str) -> None:
    """Results are kept as JSON, runs are tagged, and what may be reused is not decided by Prefect's cache."""
    made = options.options(kind)
    assert (True, "json", ["together", kind]) == (made["persist_result"], made["result_serializer"], made["tags"])
    assert (run_name, is_retryable) == (made["task_run_name"], made["retry_condition_fn"])


def test_each_run_has_a_record_of_its_own() -> None:
    """Two task runs with equal parameters never share a cached result."""
    policy = options.options("image")["cache_policy"]
    contexts: list[Any] = [SimpleNamespace(task_run=SimpleNamespace(id=number)) for number in (1, 2)]
    keys = {policy.compute_key(task_ctx=context, inputs={"a": 1}, flow_parameters={}) for context in contexts}
    assert 2 == len(keys)
    assert None not in keys
