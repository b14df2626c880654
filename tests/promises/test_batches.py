"""Many requests in one task run: each is paid for once, none takes another with it, and the manifest tells the truth."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest
from prefect import State, flow
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from prefect_together import BatchFailed, BatchResult, VideoRequest, agenerate_batch, generate_batch
from prefect_together._internal import event_loop as runtime
from prefect_together.errors import InvalidRequest
from prefect_together.generations.request import Request
from prefect_together.sandbox import Sandbox

from .asking import FILE, IMAGES, clip, picture, pictures, run_batch

pytestmark = pytest.mark.slow

POST = "/v1/images/generations"


@flow
async def _abatch(requests: Any, **options: Any) -> BatchResult:
    return await cast("Any", agenerate_batch)(requests, **options)


def test_every_request_is_paid_once_and_kept_in_order(together_sandbox: Sandbox) -> None:
    """Twelve pictures and two clips in one task run: 14 charges, order kept; again: none, all reused."""
    mixed: list[Request] = [*pictures(6), clip(seed=1), *pictures(12)[6:], clip(seed=2)]
    first = run_batch(mixed, concurrency=5)
    assert 14 == len(together_sandbox.charges())
    assert (14, 0) == (first.kept, first.reused)
    assert [request.title() for request in mixed] == [item.columns["prompt"] for item in first.items]
    assert list(range(1, 15)) == [item.row for item in first.items]
    again = run_batch(mixed)
    assert (0, 14) == (again.kept, again.reused)
    assert 14 == len(together_sandbox.charges())
    assert [file.sha256 for file in first.media] == [file.sha256 for file in again.media]


async def test_the_async_twin_does_the_same(together_sandbox: Sandbox) -> None:
    """In an async flow too: four pictures, four charges."""
    assert 4 == (await _abatch(pictures(4))).kept
    assert 4 == len(together_sandbox.charges())


def test_it_works_outside_any_flow(together_sandbox: Sandbox) -> None:
    """A batch task that is called on its own does the same."""
    assert 3 == generate_batch(pictures(3)).kept
    assert 3 == len(together_sandbox.charges())


def test_equal_requests_of_a_batch_are_one(together_sandbox: Sandbox) -> None:
    """Three equal rows, with and without a seed, are one charge each and three rows."""
    result = run_batch([picture(seed=1)] * 3 + [picture("b")] * 3)
    assert {"kept": 2, "reused": 4} == Counter(item.outcome for item in result.items)
    assert 2 == len(together_sandbox.charges())


def test_a_failure_loses_no_other(together_sandbox: Sandbox) -> None:
    """A refused prompt and a model that needs a frame fail for themselves; the others are kept; the state is no failure."""
    together_sandbox.fault(IMAGES, "422", match="picture 2")
    without_frame = VideoRequest(prompt="x", model="kwaivgI/kling-2.1-pro")
    result = run_batch([*pictures(4), without_frame])
    assert ["kept", "kept", "failed", "kept", "refused"] == [item.outcome for item in result.items]
    assert ["ContentPolicyError", "InvalidRequest"] == [item.error_type for item in result.problems]
    assert 3 == len(together_sandbox.charges())


@pytest.mark.parametrize(
    ("fail_on", "broken", "fails"),
    [
        pytest.param("any", 1, True, id="any"),
        pytest.param("all", 1, False, id="not-all"),
        pytest.param("all", 3, True, id="all"),
        pytest.param("never", 3, False, id="never"),
    ],
)
def test_the_task_fails_only_as_asked(fail_on: str, broken: int, fails: bool, together_sandbox: Sandbox) -> None:
    """`fail_on` decides; the error carries the result, and what was made stays."""
    together_sandbox.fault(IMAGES, "400", times=broken)
    if fails:
        with pytest.raises(BatchFailed) as caught:
            run_batch(pictures(3), fail_on=fail_on, concurrency=1)
        assert caught.value.result is not None
        assert (broken, 3 - broken) == (caught.value.result.failed, caught.value.result.kept)
    else:
        assert broken == run_batch(pictures(3), fail_on=fail_on, concurrency=1).failed
    assert 3 - broken == len(together_sandbox.charges())


def test_it_stops_after_so_many_failures(together_sandbox: Sandbox) -> None:
    """With `stop_after_failures=2` nothing is sent after the second failure, and the rest is skipped."""
    together_sandbox.fault(IMAGES, "400", times=50)
    result = run_batch(pictures(20), stop_after_failures=2, concurrency=1, fail_on="never")
    assert (2, 18) == (result.failed, result.skipped)
    assert 2 == together_sandbox.count(POST)


def test_a_wrong_key_is_asked_once(together_sandbox: Sandbox) -> None:
    """What every other request would hear too ends the batch: no thousand refusals."""
    together_sandbox.fault(IMAGES, "401", times=50)
    result = run_batch(pictures(20), concurrency=1, fail_on="never")
    assert (1, 19) == (result.failed, result.skipped)
    assert 1 == together_sandbox.count(POST)


def test_the_manifest_tells_the_truth_about_faults(together_sandbox: Sandbox) -> None:
    """With faults of all kinds in every sixth request, charges and manifest agree, and running again completes it."""
    for number, fault in enumerate(["400", "accept_then_close", "503", "invalid_json", "429"]):
        together_sandbox.fault(IMAGES, fault, match=f"picture {number * 6}")
    together_sandbox.fault(FILE, "truncated", times=4)
    requests = pictures(30)
    result = run_batch(requests, on_unknown="fail", name="faults")
    outcomes = {item.row - 1: item.outcome for item in result.items}
    assert ("failed", "unknown", "kept", "unknown", "kept") == tuple(outcomes[number * 6] for number in range(5))
    assert 27 == result.kept
    assert 2 == result.maybe_paid
    assert 29 == len(together_sandbox.charges())  # two were taken and never answered
    again = run_batch(requests, on_unknown="resubmit", name="faults")
    assert (3, 27) == (again.kept, again.reused)
    assert 32 == len(together_sandbox.charges())


def test_a_named_batch_does_only_what_is_new_changed_or_failed(together_sandbox: Sandbox) -> None:
    """Unseeded rows of a named batch are made once for the name; failed ones again; removed ones are reported."""
    together_sandbox.fault(IMAGES, "400", match="two")
    first = run_batch([picture("one"), picture("two"), picture("three")], name="season")
    assert (2, 1) == (first.kept, first.failed)
    for removed in (1, 0):
        left = run_batch([picture("one"), picture("two")], name="season", retry="none")
        assert (1, 1, removed) == (left.reused, left.skipped, left.removed)
    again = run_batch([picture("one"), picture("two"), picture("four")], name="season")
    assert ["reused", "kept", "kept"] == [item.outcome for item in again.items]
    assert 4 == len(together_sandbox.charges())


def test_a_batch_splits_into_task_runs(together_sandbox: Sandbox) -> None:
    """`chunk_size` changes nothing about what is made and paid for."""
    result = run_batch(pictures(10), chunk_size=4)
    assert list(range(1, 11)) == [item.row for item in result.items]
    assert 10 == len(together_sandbox.charges())


def test_the_result_stays_small(together_sandbox: Sandbox) -> None:
    """The Prefect result of a batch holds counts and a reference, and comes back from JSON as it was."""
    result = run_batch(pictures(40))
    assert 1500 > len(result.model_dump_json())
    assert result.media == BatchResult.model_validate_json(result.model_dump_json()).media


def test_the_state_says_what_came_of_it(together_sandbox: Sandbox) -> None:
    """A batch that is not to fail completes with its counts as message, called, submitted or mapped, and gives its result."""
    together_sandbox.fault(IMAGES, "400", match="picture 1")
    messages: list[str] = []

    def heard(_task: Any, _run: Any, state: State[Any]) -> None:
        messages.append(f"{state.name}: {state.message}")

    @flow
    def batches() -> list[BatchResult]:
        telling: Any = generate_batch.with_options(on_completion=[heard])
        requests = pictures(3)
        called: BatchResult = telling(requests)
        state: State[BatchResult] = telling(requests, return_state=True)
        submitted: BatchResult = telling.submit(requests).result()
        (mapped,) = telling.map([requests]).result()
        return [called, cast("Any", state.result()), submitted, mapped]

    results = batches()
    assert [(2, 0, 1), (1, 2, 0), (0, 3, 0), (0, 3, 0)] == [(one.kept, one.reused, one.failed) for one in results]
    assert messages[0].startswith("Completed: 2 kept, 1 failed. Paid in this batch: ")
    assert [f"Completed: {result}" for result in results] == messages


async def test_the_async_twin_says_it_too(together_sandbox: Sandbox) -> None:
    """As `generate_batch`; and a result that is persisted comes back as it was."""

    def one_key(_context: Any, _parameters: dict[str, Any]) -> str:
        return "one-key"

    @flow
    async def batches() -> list[Any]:
        telling: Any = agenerate_batch.with_options(task_run_name="told")
        state: State[Any] = await telling(pictures(2), return_state=True)
        stored: Any = await state.aresult()
        same = telling.with_options(cache_policy=CacheKeyFnPolicy(cache_key_fn=one_key))
        return [state.message, stored, await same(pictures(3)), await same(pictures(4))]

    message, stored, first, second = await batches()
    assert message == str(stored)
    assert (2, 3, first) == (stored.kept, first.total, second)


def test_without_prefect_the_function_is_itself(together_sandbox: Sandbox) -> None:
    """`generate_batch.fn` gives the result and no state."""
    assert 2 == generate_batch.fn(pictures(2)).kept


def test_an_empty_batch_is_no_error(together_sandbox: Sandbox) -> None:
    """No rows, no files, no failure."""
    result = run_batch([])
    assert (0, []) == (result.total, result.items)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"concurrency": 0}, id="concurrency"),
        pytest.param({"fail_on": "some"}, id="fail-on"),
        pytest.param({"max_cost": "much"}, id="max-cost"),
        pytest.param({"chunk_size": 0}, id="chunk-size"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], together_sandbox: Sandbox) -> None:
    """They are named before anything is sent."""
    with pytest.raises(InvalidRequest, match=next(iter(options))):
        run_batch(pictures(1), **options)
    assert 0 == together_sandbox.count(POST)


def test_a_global_limit_is_held_once(together_sandbox: Sandbox) -> None:
    """`concurrency="name"` takes one slot of a Prefect limit for the whole batch; a limit that does not exist is an error."""
    with get_client(sync_client=True) as client:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="together", limit=1))
    assert 5 == run_batch(pictures(5), concurrency="together").kept
    with pytest.raises(Exception, match="nowhere"):
        run_batch(pictures(5), concurrency="nowhere")
    assert 5 == len(together_sandbox.charges())


def test_a_batch_is_one_event_and_one_for_each_problem(together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of events for what went well would keep Prefect's server busy; what failed is told at once."""
    heard: list[tuple[str, dict[str, Any]]] = []

    def hear(event: str, *, resource: dict[str, str], payload: dict[str, Any]) -> None:
        heard.append((event, payload))

    monkeypatch.setattr("prefect_together.ui.events.emit_event", hear)
    monkeypatch.setattr("prefect_together.tasks._batch_summary.emit_event", hear)
    together_sandbox.fault(IMAGES, "422")
    run_batch(pictures(5), name="told", concurrency=1)
    runtime.flush()  # events are sent in the background
    (failed, ended) = heard
    assert ("prefect-together.generation.failed", "ContentPolicyError") == (failed[0], failed[1]["error"])
    assert "prefect-together.batch.ended" == ended[0]
    expected = {"name": "told", "kept": 4, "failed": 1, "reused": 0, "estimated_cost": "0.12", "unknown_costs": 0}
    assert expected.items() <= ended[1].items()
