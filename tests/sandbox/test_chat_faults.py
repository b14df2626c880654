"""What goes wrong with answers in words: what a client sees, and that it was paid for."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from prefect_together import sandbox

from .talking import CHAT, LLAMA, SIGHTED, asked, chat_body, chunks, schema

ROUTE = f"POST {CHAT}"
SCHEMA = schema(title={"type": "string"}, tags={"type": "array", "items": {"type": "string"}})


def until_it_breaks(client: httpx.Client, body: dict[str, Any]) -> tuple[bytes, int]:
    """Return what arrives of a stream before the connection breaks, and the status."""
    arrived = b""
    with client.stream("POST", CHAT, json=body) as answer:
        try:
            for piece in answer.iter_raw():
                arrived += piece
        except httpx.RemoteProtocolError:
            return arrived, answer.status_code
    raise AssertionError("the connection did not break")


def test_a_stream_can_be_cut(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Some text arrives, the connection ends without the last event, and the answer was paid for."""
    together.fault(ROUTE, "stream_cut")
    arrived, status = until_it_breaks(client, chat_body("Write about foxes", stream=True))
    assert 200 == status
    assert b'"content"' in arrived
    assert b"[DONE]" not in arrived
    assert b'"finish_reason":"stop"' not in arrived
    assert 1 == len(together.charges())
    assert chunks(client, "Write about foxes")


def test_a_stream_can_hold_an_error(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The status is 200, some text is there, then an event says what went wrong, and nothing follows."""
    together.fault(ROUTE, "stream_error")
    answer = client.post(CHAT, json=chat_body("Write about foxes", stream=True))
    events = answer.text.strip().split("\n\n")
    assert (200, True) == (answer.status_code, len(events) > 1)
    assert {"error"} == json.loads(events[-1].removeprefix("data: ")).keys()
    assert 1 == len(together.charges())


def test_a_stream_can_be_slow(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """It takes so many seconds, and is whole."""
    together.fault(ROUTE, "slow", seconds=0.4)
    began = time.monotonic()
    assert chunks(client, "Write about foxes")[-1]["choices"][0]["finish_reason"] == "stop"
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("model", [LLAMA, SIGHTED])
def test_all_can_go_into_thinking(together: sandbox.Sandbox, client: httpx.Client, model: str) -> None:
    """No text, long thoughts, `length`, and all of it is counted and paid."""
    together.fault(ROUTE, "thought_only")
    body = asked(client, "Write about foxes", model=model, max_tokens=500)
    (choice,) = body["choices"]
    assert ("length", "") == (choice["finish_reason"], choice["message"]["content"])
    assert 500 == body["usage"]["completion_tokens"]
    assert len(choice["message"]["reasoning"]) > 1000
    assert 1 == len(together.charges())


def test_json_can_be_cut(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """It ends in the middle, and the reason is `length`."""
    together.fault(ROUTE, "json_cut")
    (choice,) = asked(client, "A fox", response_format=SCHEMA)["choices"]
    assert ("length", "{") == (choice["finish_reason"], choice["message"]["content"][0])
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["content"])


def test_json_can_be_fenced(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """It stands in a block of code, as models write it that were not told otherwise."""
    together.fault(ROUTE, "json_fenced")
    text = asked(client, "A fox", response_format=SCHEMA)["choices"][0]["message"]["content"]
    assert json.loads(text.partition("```json\n")[2].removesuffix("\n```"))["title"]


def test_json_can_break_its_schema(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """It is valid, and not what was asked for; the next answer is."""
    together.fault(ROUTE, "json_wrong")
    found = [
        json.loads(asked(client, "A fox", response_format=SCHEMA)["choices"][0]["message"]["content"]) for _ in range(2)
    ]
    assert [False, True] == ["title" in one for one in found]
    assert 2 == len(together.charges())


def test_an_answer_can_come_without_its_counts(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Whole or as a stream, no usage is said, and the tokens are paid for."""
    together.fault(ROUTE, "no_usage", times=2)
    assert "usage" not in asked(client)
    assert {None} == {chunk["usage"] for chunk in chunks(client)}
    assert all(charge.usd for charge in together.charges())


def test_an_answer_that_is_spoilt_is_written_once(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """The first of its prompt has nothing cached, whatever goes wrong with it."""
    together.fault(ROUTE, "json_fenced")
    counts = [asked(client, "A fox " * 200, response_format=SCHEMA)["usage"]["cached_tokens"] for _ in range(2)]
    assert (0, True) == (counts[0], counts[1] > 0)


def test_a_server_can_waver(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """After a top-up no credit is seen every second time, for a while."""
    together.fault(ROUTE, "402", every=2, times=3)
    statuses = [client.post(CHAT, json=chat_body()).status_code for _ in range(7)]
    assert [402, 200, 402, 200, 402, 200, 200] == statuses
    with pytest.raises(ValueError, match="at least 1"):
        together.fault(ROUTE, "402", every=0)


@pytest.mark.parametrize(
    ("path", "body"),
    [(CHAT, chat_body()), ("/v1/images/generations", {"model": "black-forest-labs/FLUX.2-pro", "prompt": "a", "width": 64, "height": 64})],
)  # fmt: skip
def test_an_answer_can_be_cut(together: sandbox.Sandbox, client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """More is announced than arrives, whatever was asked for, and it was paid for."""
    together.fault(f"POST {path}", "answer_cut")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        client.post(path, json=body)
    assert 1 == len(together.charges())


def test_faults_of_words_strike_words_only(together: sandbox.Sandbox) -> None:
    """Where no text is written, none can be spoilt."""
    with pytest.raises(ValueError, match=r"only: POST /v1/chat/completions\."):
        together.fault("POST /v1/images/generations", "json_wrong")
