"""A question that Together would not answer is refused in its words, and costs nothing."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .asking import message
from .talking import CHAT, DEEPSEEK, LLAMA, OSS, SIGHTED, WEATHER, chat_body

REFUSED: list[Any] = [
    pytest.param(chat_body(model="x/y"), 404, "Unable to access model x/y.", id="unknown"),
    pytest.param(chat_body(model="black-forest-labs/FLUX.1-dev"), 400, "non-serverless model", id="not-served"),
    pytest.param({"model": LLAMA}, 400, "messages", id="no-messages"),
    pytest.param({"model": LLAMA, "messages": []}, 400, "messages", id="nothing-said"),
    pytest.param({"model": LLAMA, "messages": [{"role": "king", "content": "a"}]}, 400, "role", id="role"),
    pytest.param(chat_body([{"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}], model=SIGHTED), 400, "video_url", id="video"),
    pytest.param(chat_body([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]), 400, "does not support image input", id="blind"),
    pytest.param(chat_body([{"type": "image_url", "image_url": "https://x/y.png"}], model=SIGHTED), 400, "image_url", id="image-shape"),
    pytest.param(chat_body([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}], model=SIGHTED), 400, "could not be read", id="no-image"),
    pytest.param(chat_body(max_tokens=0), 400, "max_tokens must be between", id="nothing-may-come-out"),
    pytest.param(chat_body(n=129), 400, "n must be between 1 and 128", id="n"),
    pytest.param(chat_body(logprobs=21), 400, "logprobs", id="logprobs"),
    pytest.param(chat_body(temperature="hot"), 400, "temperature", id="temperature"),
    pytest.param(chat_body(stop=[1]), 400, "stop", id="stop"),
    pytest.param(chat_body(response_format={"type": "xml"}), 400, "response_format", id="format"),
    pytest.param(chat_body(response_format={"type": "json_schema"}), 400, "a schema", id="no-schema"),
    pytest.param(chat_body(response_format={"type": "regex", "pattern": "("}), 400, "regular expression", id="no-pattern"),
    pytest.param({**chat_body(), "model": ["x"]}, 400, "model", id="model-is-a-list"),
    pytest.param(chat_body(tools=[WEATHER], tool_choice={"function": "x"}), 400, "tool_choice", id="no-such-function"),
    pytest.param({"model": LLAMA, "messages": [{"role": "assistant", "content": "a", "tool_calls": [{"id": "x"}]}]}, 400, "tool_calls", id="calls-that-are-none"),
    pytest.param(chat_body(response_format={"type": "json_schema", "schema": {"type": "array", "minItems": "three"}}), 400, "Invalid schema", id="schema-that-is-none"),
    pytest.param(chat_body(response_format={"type": "json_schema", "schema": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}}), 400, "Invalid schema", id="schema-without-end"),
    pytest.param(chat_body(tools=[{"name": "x"}]), 400, "tools", id="tools"),
    pytest.param(chat_body(model="Qwen/Qwen3.6-Plus", tools=[WEATHER]), 400, "Tools are not supported", id="no-tools"),
    pytest.param(chat_body(model=DEEPSEEK, reasoning_effort="medium"), 400, "reasoning_effort", id="effort"),
    pytest.param(chat_body("word " * 130_000, model=OSS), 400, "must be <= 131072", id="context"),
    pytest.param(chat_body(model=OSS, max_tokens=131_072), 400, "131072 `max_new_tokens`", id="context-out"),
    pytest.param(
        {"model": OSS, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        400, "prompt cannot be empty", id="replayed-call",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "words"), REFUSED)
def test_refusals(together: sandbox.Sandbox, client: httpx.Client, body: dict[str, Any], status: int, words: str) -> None:
    """What Together would not answer is refused in its shape, and costs nothing."""
    answer = client.post(CHAT, content=json.dumps(body))
    assert status == answer.status_code
    assert words in message(answer)
    assert [] == together.charges()


def test_too_much_can_be_cut_instead(client: httpx.Client) -> None:
    """`context_length_exceeded_behavior="truncate"` takes what does not fit off what may come out."""
    body = chat_body(model=OSS, max_tokens=131_072, context_length_exceeded_behavior="truncate")
    assert 200 == client.post(CHAT, json=body).status_code


@pytest.mark.parametrize(("key", "status"), [("bad-key", 401), ("broke-key", 402), ("nosharing-key", 403)])
def test_keys_that_do_not_work(client: httpx.Client, key: str, status: int) -> None:
    """An invalid key, no credit, and no consent to share data with the model's host."""
    assert status == client.post(CHAT, json=chat_body(), headers={"Authorization": f"Bearer {key}"}).status_code
