"""Completions, embeddings and ranking are served for models on an endpoint of one's own, and for no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_together import sandbox
from prefect_together.cli.main import main

from .asking import message
from .talking import LLAMA, asked, chat_body

OWN = "team/own-model"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/completions": {"model": OWN, "prompt": "Once upon a time"},
    "/v1/embeddings": {"model": OWN, "input": ["a red fox", "a fox that is red", "quarterly taxes"]},
    "/v1/rerank": {"model": OWN, "query": "foxes in the snow", "documents": ["taxes", "snow and foxes", "the snow"]},
}
ALL = [pytest.param(path, body, id=path) for path, body in BODIES.items()]


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """Give a client of a sandbox at which one model of one's own is served."""
    with sandbox.serve(dedicated=[OWN]) as together, httpx.Client(base_url=together.url) as ready:
        ready.headers["Authorization"] = f"Bearer {together.api_key}"
        yield ready


@pytest.mark.parametrize(("path", "body"), ALL)
@pytest.mark.parametrize(("model", "status"), [("team/other", 404), (LLAMA, 400), ("BAAI/bge-base-en-v1.5", 404)])
def test_other_models_are_refused(client: httpx.Client, path: str, body: dict[str, Any], model: str, status: int) -> None:
    """An id that nobody knows is a 404, one that is served to all does no such work."""
    answer = client.post(path, json={**body, "model": model})
    assert status == answer.status_code
    assert "Unable to access" in message(answer)


@pytest.mark.parametrize(("path", "body"), ALL)
def test_each_answer_is_charged_at_an_unknown_price(path: str, body: dict[str, Any]) -> None:
    """Time is paid there and not requests, so that a charge has no amount; the same body has the same answer."""
    with sandbox.serve(dedicated=[OWN]) as together, httpx.Client(base_url=together.url) as client:
        client.headers["Authorization"] = "Bearer k"
        answers = [client.post(path, json=body).json() for _ in range(2)]
        fixed = [
            {key: value for key, value in answer.items() if key not in ("id", "created", "usage", "choices")}
            for answer in answers
        ]
        assert fixed[0] == fixed[1]
        assert [(OWN, None)] * 2 == [(charge.model, charge.usd) for charge in together.charges()]


def test_a_text_goes_on(client: httpx.Client) -> None:
    """Whole, in the documented shape, or as a stream of the same text."""
    body = BODIES["/v1/completions"]
    answer = client.post("/v1/completions", json=body).json()
    assert ["id", "object", "created", "model", "prompt", "choices", "usage"] == list(answer)
    assert ("text.completion", []) == (answer["object"], answer["prompt"])
    assert ["text", "finish_reason", "seed", "logprobs"] == list(answer["choices"][0])
    *events, end, _ = client.post("/v1/completions", json={**body, "stream": True}).text.split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert "data: [DONE]" == end
    assert answer["choices"][0]["text"] == "".join(chunk["choices"][0]["text"] for chunk in chunks)
    assert ("completion.chunk", "stop", answer["usage"]["completion_tokens"]) == (
        chunks[-1]["object"], chunks[-1]["finish_reason"], chunks[-1]["usage"]["completion_tokens"],
    )  # fmt: skip


def test_vectors_of_like_texts_are_near(client: httpx.Client) -> None:
    """One for each text, in order, of length 1."""
    data = client.post("/v1/embeddings", json=BODIES["/v1/embeddings"]).json()["data"]
    assert [0, 1, 2] == [one["index"] for one in data]
    fox, red, taxes = [one["embedding"] for one in data]
    assert abs(1 - sum(number * number for number in fox)) < 0.001
    assert sum(a * b for a, b in zip(fox, red, strict=True)) > 0.5 > sum(a * b for a, b in zip(fox, taxes, strict=True))


def test_documents_are_ranked(client: httpx.Client) -> None:
    """The best first, as many as asked for, with their texts where asked for; objects come back as JSON."""
    body = BODIES["/v1/rerank"]
    answer = client.post("/v1/rerank", json=body).json()
    assert ["object", "id", "model", "results", "usage"] == list(answer)
    assert [1, 2, 0] == [result["index"] for result in answer["results"]]
    assert {"index", "relevance_score"} == answer["results"][0].keys()
    objects = {**body, "documents": [{"text": "snow and foxes"}, {"text": "taxes"}], "top_n": 1, "return_documents": True}
    (best,) = client.post("/v1/rerank", json=objects).json()["results"]
    assert {"text": '{"text": "snow and foxes"}'} == best["document"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/completions", {"prompt": ""}),
        ("/v1/completions", {"tools": []}),
        ("/v1/embeddings", {"input": []}),
        ("/v1/embeddings", {"input": ["a", ""]}),
        ("/v1/rerank", {"documents": []}),
        ("/v1/rerank", {"query": None}),
        ("/v1/rerank", {"top_n": 0}),
    ],
)
def test_what_is_missing_is_refused(client: httpx.Client, path: str, fields: dict[str, Any]) -> None:
    """Each in Together's shape."""
    answer = client.post(path, json={**BODIES[path], **fields})
    assert 400 == answer.status_code
    assert message(answer)


def test_the_command_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--dedicated`, once for each."""
    given = dict[str, Any]()

    def run(host: str, port: int, **options: Any) -> None:
        given.update(options)

    monkeypatch.setattr(sandbox, "run", run, raising=False)
    assert main(["sandbox", "--port", "0", "--dedicated", OWN, "--dedicated", "team/second"]) == 0
    assert [OWN, "team/second"] == given["dedicated"]


def test_it_chats_too(client: httpx.Client) -> None:
    """In the native form."""
    assert OWN == asked(client, "Say ok", model=OWN)["model"]
    assert 404 == client.post("/v1/chat/completions", json=chat_body(model="team/other")).status_code
