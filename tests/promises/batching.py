"""What the tests of batches at Together ask for, and how they count what was charged."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from httpx import post
from prefect import flow

from prefect_together import (
    BatchResult,
    ChatRequest,
    ProviderBatch,
    generate_text,
    submit_batch,
    wait_for_batch,
)
from prefect_together.sandbox import Sandbox

from .asking import run_batch

CREATE = "POST /v1/batches"
ONE = "GET /v1/batches/{id}"
LIST = "GET /v1/batches"
CHAT = "POST /v1/chat/completions"
PATH = "/v1/chat/completions"
CONTENT = "GET /v1/files/{id}/content"
UPLOAD = "POST /v1/files/upload"
LLAMA = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
FULL_PRICE = "zai-org/GLM-5.3-Flash"


def question(number: int = 0, **fields: Any) -> ChatRequest:
    """Ask for a short answer at half price."""
    asked: dict[str, Any] = {"model": LLAMA, "prompt": f"Name fox {number}.", "max_tokens": 60, "seed": 7, **fields}
    return ChatRequest(**asked)


def questions(count: int, **fields: Any) -> list[ChatRequest]:
    """Ask so many questions."""
    return [question(number, **fields) for number in range(count)]


def by_batch(requests: Any, **options: Any) -> BatchResult:
    """Run a batch by way of Together's own."""
    return run_batch(requests, via="batch", **options)


def charged(together: Sandbox) -> Counter[str | None]:
    """Count the charges of each line."""
    return Counter(charge.custom_id for charge in together.charges())


def cancel_all(together: Sandbox) -> None:
    """Cancel all batches at Together that run: what they have answered is taken, the rest is free."""
    for batch in together.batches():
        if batch["status"] not in {"EXPIRED", "CANCELLED", "COMPLETED"}:
            key = {"Authorization": f"Bearer {together.api_key}"}
            post(f"{together.url}/v1/batches/{batch['id']}/cancel", headers=key).raise_for_status()


@flow
def answered(request: ChatRequest) -> Any:
    """Ask one question in a flow."""
    return generate_text(request)


@flow
def submitted(requests: Any, **options: Any) -> ProviderBatch:
    """Submit in a flow."""
    return cast("Any", submit_batch)(requests, **options)


@flow
def waited(batch: ProviderBatch, **options: Any) -> BatchResult:
    """Wait in a flow."""
    return cast("Any", wait_for_batch)(batch, **options)
