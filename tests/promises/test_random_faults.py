"""One request in ten meets a fault, of every kind the sandbox has: the manifest agrees with what was charged there."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, cast

import pytest
from prefect import flow

from prefect_together import BatchResult, generate_batch
from prefect_together.batch.results import GOOD
from prefect_together.generations.request import Request
from prefect_together.sandbox import Sandbox

from .asking import FILE, IMAGES, POLL, VIDEOS, clip, picture

pytestmark = pytest.mark.slow

ROWS = 240
CLIPS = 40
STATUSES = ("400", "404", "408", "409", "413", "422", "429", "500", "502", "503", "504")
POSTS: list[tuple[str, dict[str, Any]]] = [
    *((status, {"hint": "retry-after", "wait": 0.1} if status in {"429", "503"} else {}) for status in STATUSES),
    *((status, {"charged": True}) for status in ("500", "502", "504")),
    ("close_before_accepting", {}),
    ("close_before_accepting", {"reset": True}),
    ("accept_then_close", {}),
    ("accept_then_close", {"reset": True}),
    ("accept_then_delay", {"seconds": 0.5}),
    ("html", {"charged": True}),
    ("html", {"charged": False}),
    ("invalid_json", {"charged": True}),
    ("invalid_json", {"charged": False}),
    ("edge_block", {}),
    ("sleep", {"seconds": 0.5}),
]
FILES: list[tuple[str, dict[str, Any]]] = [
    ("truncated", {}),
    ("truncated_silently", {}),
    ("wrong_kind", {}),
    ("expired", {}),
    ("redirect", {"location": "http://169.254.169.254/x"}),
    ("slow", {"seconds": 0.5}),
    ("huge", {"bytes": 3_000_000}),
    ("sleep", {"seconds": 0.5}),
    ("403", {}),
    ("500", {}),
]
JOBS: list[tuple[str, str, dict[str, Any]]] = [
    (VIDEOS, "failed", {}),
    (VIDEOS, "cancelled", {}),
    (VIDEOS, "cost", {"value": 0.25}),
    (VIDEOS, "unix_timestamps", {}),
    *((POLL, name, {}) for name in ("queued_forever", "unknown_status", "no_status", "completed_without_url")),
    *((POLL, name, {}) for name in ("not_found", "html", "invalid_json", "close_before_accepting", "500")),
]
FAULTS = [
    *((IMAGES, *post) for post in POSTS),
    *((VIDEOS, *post) for post in POSTS),
    *((FILE, *file) for file in FILES),
    *JOBS,
]
"""What is left out ends a batch, as it should: a wrong key (401, 403) and an empty purse (402)."""


@flow
def _batch(requests: list[Request], **options: Any) -> BatchResult:
    return cast("Any", generate_batch)(requests, name="ten in a hundred", fail_on="never", **options)


def _requests() -> list[Request]:
    small: dict[str, Any] = {"width": 64, "height": 64}
    pictures = [picture(f"row {number:03d}.", seed=number, **small) for number in range(ROWS - CLIPS)]
    return [*pictures, *(clip(f"row {number:03d}.", seed=number) for number in range(ROWS - CLIPS, ROWS))]


def _charges(together: Sandbox) -> Counter[str]:
    return Counter(charge.prompt for charge in together.charges())


@pytest.mark.parametrize("third", range(3))
def test_the_manifest_agrees_with_the_server(third: int, together_sandbox: Sandbox) -> None:
    """What a row says of its payment is what was charged, and running again completes it without paying for it twice."""
    rng, requests = random.Random(2026), _requests()
    chosen = rng.sample(FAULTS, len(FAULTS))[third::3]
    struck: set[int] = set()
    for route, name, options in chosen:
        rows = range(ROWS - CLIPS, ROWS) if "videos" in route else range(ROWS - CLIPS if "images" in route else ROWS)
        row = rng.choice([row for row in rows if row not in struck])
        struck.add(row)
        times = rng.randint(1, 6) if route in {FILE, POLL} else 1
        together_sandbox.fault(route, name, match=f"row {row:03d}.", times=times, **options)
    assert 0.08 * ROWS <= len(struck) <= 0.12 * ROWS

    first = _batch(requests, on_unknown="fail", timeout=60)
    charged, items = _charges(together_sandbox), first.items
    assert [f"row {number:03d}." for number in range(ROWS)] == [item.columns["prompt"] for item in items]
    for item in items:
        times = charged[item.columns["prompt"]]
        told = f"{item.columns['prompt']} {item.outcome} {item.paid} {item.error}"
        if item.outcome in GOOD:
            assert times == 1, told
        elif item.paid == "nothing":
            assert times == 0, told
        elif item.paid == "yes":
            assert times == 1, told
        else:
            assert times <= 1, told
    unsure = [item for item in items if item.paid == "maybe"]
    assert len(unsure) == first.maybe_paid
    assert {item.row - 1 for item in items if item.outcome not in GOOD} <= struck
    sure = sum(item.outcome in GOOD or item.paid == "yes" for item in items)
    assert sure <= len(together_sandbox.charges()) <= sure + len(unsure)

    result = first
    for _ in range(6):  # a file's fault may strike that often
        if result.problems:
            result = _batch(requests, on_unknown="resubmit", timeout=60, retry="failed")
    assert ROWS == result.kept + result.reused, [item.error for item in result.problems]
    again = _charges(together_sandbox)
    for item in items:
        prompt = item.columns["prompt"]
        # What nobody knows was allowed to be sent again, and so is a job that failed.
        most = 1 + (item.paid == "maybe" or item.error_type == "GenerationFailed")
        assert 1 <= again[prompt] <= most, f"{prompt} {item.outcome} {item.paid} {item.error}"
    assert ROWS == _batch(requests).reused
    assert again == _charges(together_sandbox)
