"""Short ways to make batches and to look at them, and sandboxes with batches at two paces."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_together import sandbox
from tests.waiting import until

from .asking import batch_line, jsonl, upload

BATCHES = "/v1/batches"
CHAT = "/v1/chat/completions"
KEY = {"Authorization": "Bearer k"}
NAMES = ["a", "b", "c", "d", "e", "f", "g"]
LINES = jsonl([batch_line(name) for name in NAMES])


@pytest.fixture
def together() -> Iterator[sandbox.Sandbox]:
    """Run a sandbox whose batches are done as soon as somebody can look."""
    with sandbox.serve(batch_seconds=0) as running:
        yield running


@pytest.fixture
def slow() -> Iterator[sandbox.Sandbox]:
    """Run a sandbox whose batches take a second and a half."""
    with sandbox.serve(batch_seconds=1.5) as running:
        yield running


@pytest.fixture
def slowly(slow: sandbox.Sandbox) -> Iterator[httpx.Client]:
    """Give a client of the slow sandbox."""
    with httpx.Client(base_url=slow.url, headers=KEY, timeout=30) as ready:
        yield ready


def create(client: httpx.Client, content: bytes = LINES, *, endpoint: str = CHAT, **fields: Any) -> dict[str, Any]:
    """Upload a file, make a batch of it and return the job."""
    sent = {"input_file_id": upload(client, content)["id"], "endpoint": endpoint, **fields}
    answer = client.post(BATCHES, json=sent)
    assert 201 == answer.status_code, answer.text
    job: dict[str, Any] = answer.json()["job"]
    return job


def looks(client: httpx.Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Look at a batch until it is over; return what was seen."""
    seen = list[dict[str, Any]]()

    def over() -> bool:
        seen.append(client.get(f"{BATCHES}/{job['id']}").json())
        return seen[-1]["status"] not in ("VALIDATING", "IN_PROGRESS")

    until("the batch is over", over, every=0.0)
    return seen


def finished(client: httpx.Client, content: bytes = LINES, **fields: Any) -> dict[str, Any]:
    """Make a batch and return how it looks when it is over."""
    return looks(client, create(client, content, **fields))[-1]


def rows(client: httpx.Client, file_id: str) -> list[dict[str, Any]]:
    """Return the lines of a file that a batch wrote."""
    return [json.loads(line) for line in client.get(f"/v1/files/{file_id}/content").content.splitlines()]


def charged(together: sandbox.Sandbox) -> Counter[str | None]:
    """Count the charges of each line."""
    return Counter(charge.custom_id for charge in together.charges())
