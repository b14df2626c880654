"""A fresh sandbox and a client with a key for each test; both speak real HTTP on this machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from prefect_together import catalog, sandbox
from prefect_together.sandbox import app, endpoints, error_messages, server
from prefect_together.sandbox.api import Api, Endpoint, LineAnswer
from prefect_together.sandbox.endpoints import models
from prefect_together.sandbox.records import Charge

STAND_IN = "POST /v1/chat/completions"


async def answer_line(_: Api, body: Mapping[str, Any], account: str) -> LineAnswer:
    """Answer a line as a chat endpoint would."""
    model = str(body["model"])
    price = catalog.token_price(model)
    if price is None:
        raise error_messages.unknown_model(model)
    usage = {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23}
    at = dt.datetime.now(dt.timezone.utc)
    text = str(body["messages"][0]["content"])
    charge = Charge(
        id=error_messages.request_id(), kind="chat", model=model, usd=price.cost(input_tokens=20, output_tokens=3),
        prompt=text, at=at, account=account,
    )  # fmt: skip
    return LineAnswer({"id": charge.id, "choices": [{"message": {"content": text}}], "usage": usage}, charge)


@pytest.fixture(autouse=True)
def _chat(monkeypatch: pytest.MonkeyPatch) -> None:
    if all(one.route != STAND_IN for one in endpoints.ENDPOINTS):
        listed = (*endpoints.ENDPOINTS, Endpoint(route=STAND_IN, handle=models.who_am_i, answer_line=answer_line))
        monkeypatch.setattr(app, "ENDPOINTS", listed)
        monkeypatch.setattr(server, "ENDPOINTS", listed)


@pytest.fixture
def together() -> Iterator[sandbox.Sandbox]:
    """Run a sandbox whose jobs are done as soon as they are made."""
    with sandbox.serve(render_seconds=0) as running:
        yield running


@pytest.fixture
def client(together: sandbox.Sandbox) -> Iterator[httpx.Client]:
    """Give a client of that sandbox that follows redirects."""
    headers = {"Authorization": f"Bearer {together.api_key}"}
    with httpx.Client(base_url=together.url, headers=headers, follow_redirects=True, timeout=30) as ready:
        yield ready
