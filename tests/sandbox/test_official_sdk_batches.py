"""The official SDK uploads, makes batches, reads them and the bill: a second opinion on what these routes answer."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_together import sandbox
from tests.waiting import until

from .asking import LLAMA, batch_line, jsonl

try:
    sdk: Any = importlib.import_module("together")
except ImportError:
    sdk = None

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sdk is None, reason="the official SDK `together` is not installed"),
    # Python 3.14 warns about what the SDK itself imports.
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]
LINES = jsonl([batch_line("a"), batch_line("b"), batch_line("c", model="x/y")])


@pytest.fixture
def running() -> Iterator[sandbox.Sandbox]:
    """Run a sandbox whose batches take half a second."""
    with sandbox.serve(batch_seconds=0.5) as together:
        yield together


@pytest.fixture
def official(running: sandbox.Sandbox) -> Iterator[Any]:
    """Give the SDK's client, pointed at the sandbox."""
    with sdk.Together(api_key=running.api_key, base_url=running.url, max_retries=0) as ready:
        yield ready


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file of three lines, one of which cannot be answered."""
    file = tmp_path / "batch.jsonl"
    file.write_bytes(LINES)
    return file


def ended(official: Any, job_id: str) -> Any:
    """Look at a batch until it is over."""

    def over() -> Any:
        job = official.batches.retrieve(job_id)
        return None if job.status in ("VALIDATING", "IN_PROGRESS") else job

    return until("the batch is over", over)


def test_a_batch_from_file_to_answers(official: Any, running: sandbox.Sandbox, path: Path) -> None:
    """Upload, create, list, retrieve, download: all of it as the SDK's own models read it."""
    file = official.files.upload(file=path, purpose="batch-api", check=False)
    assert ("file", "jsonl", len(LINES), "batch.jsonl") == (file.object, file.file_type, file.bytes, file.filename)
    job = official.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions").job
    assert ("VALIDATING", LLAMA, file.id) == (job.status, job.x_model_id, job.input_file_id)
    assert [job.id] == [one.id for one in official.batches.list()]
    done = ended(official, job.id)
    assert ("COMPLETED", 100.0) == (done.status, done.progress)
    assert done.created_at < done.completed_at < done.job_deadline
    output = official.files.content(done.output_file_id).read()
    assert {"a", "b"} == {json.loads(line)["custom_id"] for line in output.splitlines()}
    errors = official.files.content(done.error_file_id).read()
    assert ["c"] == [json.loads(line)["custom_id"] for line in errors.splitlines()]
    assert 2 == len(running.charges())
    assert 302 in {one.status for one in running.requests()}
    assert all(one.authorization is None for one in running.requests() if one.origin == "files")


def test_the_same_file_again_is_that_file(official: Any, running: sandbox.Sandbox, path: Path) -> None:
    """409 is a success for the SDK, which returns the file that is there; it can be deleted."""
    first, second = (official.files.upload(file=path, purpose="batch-api", check=False) for _ in range(2))
    assert first.id == second.id
    assert [409] == [one.status for one in running.requests() if one.method == "POST"][-1:]
    assert [first.id] == [one.id for one in official.files.list().data]
    assert official.files.delete(first.id).deleted
    with pytest.raises(sdk.NotFoundError):
        official.files.retrieve(first.id)


def test_a_large_file_goes_in_parts(official: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large for one form is sent in parts, and is the same file in the end."""
    module = importlib.import_module("together.lib.resources.files")
    monkeypatch.setattr(module, "MULTIPART_THRESHOLD_GB", 0)

    def two_parts(size: int) -> tuple[int, int]:
        return size // 2 + 1, 2

    monkeypatch.setattr(module, "_calculate_parts", two_parts)
    file = official.files.upload(file=path, purpose="batch-api", check=False)
    assert LINES == official.files.content(file.id).read()
    assert file.id == official.files.upload(file=path, purpose="batch-api", check=False).id


def test_a_lost_creation_is_paid_twice_by_the_sdk(running: sandbox.Sandbox, path: Path) -> None:
    """It repeats a creation whose answer was lost, and a second batch runs: the sandbox shows it."""
    running.fault("POST /v1/batches", "accept_then_close")
    with sdk.Together(api_key=running.api_key, base_url=running.url) as official:
        file = official.files.upload(file=path, purpose="batch-api", check=False)
        official.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions")
        assert 2 == len(running.batches()) == len(official.batches.list())
        for job in running.batches():
            ended(official, job["id"])
    assert 4 == len(running.charges())


def test_a_batch_is_cancelled(official: Any, running: sandbox.Sandbox, path: Path) -> None:
    """The job that comes back says so."""
    running.fault("POST /v1/batches", "stuck_validating")
    file = official.files.upload(file=path, purpose="batch-api", check=False)
    job = official.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions").job
    assert "CANCELLED" == official.batches.cancel(job.id).status
    with pytest.raises(sdk.BadRequestError, match="cannot be cancelled"):
        official.batches.cancel(job.id)


def test_the_bill_and_the_catalogue(official: Any, running: sandbox.Sandbox, path: Path) -> None:
    """The SDK's cursors walk through the bill's windows, and its models read the curated catalogue."""
    file = official.files.upload(file=path, purpose="batch-api", check=False)
    ended(official, official.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions").job.id)
    windows = list(official.organization.usage.costs.list(granularity="hour", limit=1))
    names = {line.product_name for window in windows for line in window.line_items}
    assert {f"{LLAMA} input tokens (batch)", f"{LLAMA} output tokens (batch)"} == names
    assert all(window.start_time < window.end_time for window in windows)
    models = list(official.models.list_supported(modality="MODALITY_TEXT", limit=10))
    assert LLAMA in {model.serverless_endpoint for model in models}
    assert len(models) > 10
    assert models[0].name == official.models.retrieve_supported(models[0].id).name


async def test_the_asynchronous_client_too(running: sandbox.Sandbox, path: Path) -> None:
    """Upload and creation are the same there."""
    async with sdk.AsyncTogether(api_key=running.api_key, base_url=running.url, max_retries=0) as official:
        file = await official.files.upload(file=path, purpose="batch-api", check=False)
        made = await official.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions")
        assert made.job.id == (await official.batches.list())[0].id
