"""Answers in words have the shapes that were captured, key by key, and obey what bounds them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from prefect_together import catalog, sandbox

from .talking import CHAT, DEEPSEEK, GLM, LLAMA, OSS, SIGHTED, WEATHER, asked, chat_body, chunks, said

LONG = "Describe the harbour of an old town in 300 words. " * 30


def keys(value: dict[str, Any]) -> list[str]:
    """Return the names in the order in which they were sent."""
    return list(value)


def test_the_native_form(client: httpx.Client) -> None:
    """Llama: an empty prompt, a seed, no logprobs, an empty list of calls and flat counts, in this order."""
    answer = client.post(CHAT, json=chat_body(max_tokens=8))
    body = answer.json()
    assert answer.headers["x-request-id"] == body["id"]
    assert "application/json; charset=utf-8" == answer.headers["content-type"]
    assert ["id", "object", "created", "model", "prompt", "choices", "usage"] == keys(body)
    assert ("chat.completion", LLAMA, []) == (body["object"], body["model"], body["prompt"])
    (choice,) = body["choices"]
    assert ["finish_reason", "seed", "index", "logprobs", "message"] == keys(choice)
    assert {"role": "assistant", "content": "Ok.", "tool_calls": []} == choice["message"]
    assert ("stop", 0, None, 0) == (choice["finish_reason"], choice["index"], choice["logprobs"], choice["seed"] % 1000)
    assert ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"] == keys(body["usage"])


def test_the_form_of_gpt_oss(client: httpx.Client) -> None:
    """A fingerprint of the system, no seed and no logprobs, thoughts beside the text, counts that are nested."""
    body = asked(client, model=OSS, max_tokens=200)
    assert ([], "default") == (body["prompt"], body["system_fingerprint"])
    (choice,) = body["choices"]
    assert ["finish_reason", "seed", "index", "message"] == keys(choice)
    assert choice["seed"] is None
    assert ["role", "content", "tool_calls", "reasoning"] == keys(choice["message"])
    usage = body["usage"]
    assert {"cached_tokens": 0} == usage["prompt_tokens_details"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert "cached_tokens" not in usage


def test_the_form_of_deepseek(client: httpx.Client) -> None:
    """Another id, no prompt, no seed, no list of calls, thoughts under another key, and the fingerprint last."""
    body = asked(client, model=DEEPSEEK, max_tokens=200)
    assert ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"] == keys(body)
    assert body["id"].endswith("-aws_ue1")
    (choice,) = body["choices"]
    assert ["finish_reason", "index", "message"] == keys(choice)
    assert ["role", "content", "reasoning_content"] == keys(choice["message"])


@pytest.mark.parametrize(
    ("model", "fields", "thinks", "counted"),
    [
        pytest.param(SIGHTED, {}, True, True, id="on"),
        pytest.param(SIGHTED, {"reasoning": {"enabled": False}}, False, False, id="off"),
        pytest.param(DEEPSEEK, {"reasoning_effort": "none"}, False, False, id="off-by-effort"),
        pytest.param(GLM, {"reasoning": {"enabled": False}}, True, True, id="off-ignored"),
        pytest.param(OSS, {"reasoning": {"enabled": False}}, False, True, id="off-but-paid"),
        pytest.param(LLAMA, {}, False, False, id="never"),
    ],
)
def test_thoughts_are_as_measured(
    client: httpx.Client, model: str, fields: dict[str, Any], thinks: bool, counted: bool
) -> None:
    """Each model does with the switch what it was seen to do, and thoughts that are hidden are counted all the same."""
    body = asked(client, model=model, max_tokens=400, **fields)
    thoughts = {"reasoning", "reasoning_content"} & body["choices"][0]["message"].keys()
    assert thinks == bool(thoughts)
    assert counted == (body["usage"]["completion_tokens"] > 10)


def test_a_call_of_a_function(client: httpx.Client) -> None:
    """No text, one call with its arguments as JSON, and after its result a text that carries it."""
    question = "What is the weather in New York?"
    (choice,) = asked(client, question, tools=[WEATHER])["choices"]
    assert (None, "tool_calls") == (choice["message"]["content"], choice["finish_reason"])
    (call,) = choice["message"]["tool_calls"]
    assert ["index", "id", "type", "function"] == keys(call)
    assert {"arguments": '{"city":"New York"}', "name": "get_weather"} == call["function"]
    turns = [
        {"role": "user", "content": question}, choice["message"],
        {"role": "tool", "tool_call_id": call["id"], "content": "4 degrees and rain"},
    ]  # fmt: skip
    answer = client.post(CHAT, json={"model": LLAMA, "messages": turns, "tools": [WEATHER]}).json()["choices"][0]
    assert ("stop", True) == (answer["finish_reason"], "4 degrees and rain" in answer["message"]["content"])


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({}, False),
        ({"tool_choice": "none"}, False),
        ({"tool_choice": "required"}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, True),
    ],
)
def test_functions_are_called_as_told(client: httpx.Client, fields: dict[str, Any], called: bool) -> None:
    """A question that has nothing to do with a function calls it only where it has to."""
    choice = asked(client, "Write about foxes", tools=[WEATHER], **fields)["choices"][0]
    assert ("tool_calls" if called else "stop") == choice["finish_reason"]


def test_gpt_oss_cannot_be_made_to_call(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """`tool_choice="required"` is a 500 there every time, in the server's own words, and nothing is charged."""
    body = chat_body(model=OSS, tools=[WEATHER], tool_choice="required")
    answers = [client.post(CHAT, json=body) for _ in range(3)]
    assert [500] * 3 == [answer.status_code for answer in answers]
    expected = {"message": "Internal server error", "type": "server_error", "param": None, "code": None}
    assert expected == answers[0].json()["error"]
    assert [] == together.charges()


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_what_may_come_out_is_obeyed(client: httpx.Client, field: str) -> None:
    """The text is cut, the reason is said, and so many tokens are counted."""
    body = asked(client, LONG, **{field: 8})
    assert ("length", 8) == (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"])
    whole = said(client, LONG, max_tokens=8000)
    assert len(whole.split()) > 200
    assert 32 == len(body["choices"][0]["message"]["content"])


def test_the_whole_budget_can_go_into_thinking(client: httpx.Client) -> None:
    """A small budget leaves no text, only thoughts that were cut."""
    (choice,) = asked(client, LONG, model=SIGHTED, max_tokens=5)["choices"]
    assert ("length", "", 20) == (choice["finish_reason"], choice["message"]["content"], len(choice["message"]["reasoning"]))


def test_the_same_request_has_the_same_answer(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """In another sandbox too, and streamed or not; another seed, or another of `n`, has another one."""
    text = "Describe a lighthouse at night"
    first = said(client, text, seed=1)
    with sandbox.serve() as other, httpx.Client(base_url=other.url, headers={"Authorization": "Bearer k"}) as elsewhere:
        assert first == said(elsewhere, text, seed=1)
    assert first == "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks(client, text, seed=1))
    assert first != said(client, text, seed=2)
    several = [choice["message"]["content"] for choice in asked(client, text, n=3)["choices"]]
    assert 3 == len(set(several))


def test_a_stop_word_ends_the_text(client: httpx.Client) -> None:
    """It and all that follows is left out."""
    text = "Write 5 sentences about a lighthouse"
    assert said(client, text, temperature=0).count(".") == 5
    first = said(client, text, stop=["."])
    assert first
    assert "." not in first


def test_logprobs_and_echo(client: httpx.Client) -> None:
    """The old shape from Llama, the newer one from others, one entry for each piece; the prompt comes back."""
    body = asked(client, "Say ok", logprobs=2, echo=True)
    found = body["choices"][0]["logprobs"]
    assert {"tokens", "token_logprobs", "token_ids", "top_logprobs"} == found.keys()
    assert "Ok." == "".join(found["tokens"])
    assert [2] == [len(top) for top in found["top_logprobs"]]
    assert ["Say ok"] == [part["text"] for part in body["prompt"]]
    newer = asked(client, "Say ok", model=OSS, logprobs=1, max_tokens=200)["choices"][0]["logprobs"]
    assert ["token", "bytes", "logprob", "top_logprobs"] == keys(newer["content"][0])


def test_the_stream_of_llama(client: httpx.Client) -> None:
    """Each chunk repeats the role and its text; the last one has the reason, the seed and the counts."""
    *middle, last = chunks(client, "Write a sentence about foxes")
    for chunk in [*middle, last]:
        assert ["id", "object", "created", "choices", "model", "usage"] == keys(chunk)
        (choice,) = chunk["choices"]
        assert ["index", "text", "logprobs", "finish_reason", "seed", "delta"] == keys(choice)
        assert ["token_id", "role", "content"] == keys(choice["delta"])
        assert choice["text"] == choice["delta"]["content"]
    assert {None} == {chunk["usage"] for chunk in middle}
    assert ("stop", 128009, "") == (
        last["choices"][0]["finish_reason"],
        last["choices"][0]["delta"]["token_id"],
        last["choices"][0]["text"],
    )
    assert last["choices"][0]["seed"] is not None
    assert "cached_tokens" in last["usage"]


def test_the_stream_of_gpt_oss(client: httpx.Client) -> None:
    """Thoughts come before the text, and the counts in a chunk of their own, without any choice."""
    *middle, last = chunks(client, model=OSS, max_tokens=300)
    assert ([], True) == (last["choices"], "prompt_tokens_details" in last["usage"])
    kinds = ["thought" if "reasoning" in chunk["choices"][0]["delta"] else "text" for chunk in middle]
    assert sorted(kinds, reverse=True) == kinds
    assert {"thought", "text"} == set(kinds)


def test_the_stream_of_a_call(client: httpx.Client) -> None:
    """A plain chunk, the name, the arguments without a name and with the reason, the reason again with the counts."""
    first, named, argued, last = chunks(client, "The weather in New York?", tools=[WEATHER])
    assert "tool_calls" not in first["choices"][0]["delta"]
    (call,) = named["choices"][0]["delta"]["tool_calls"]
    assert {"name": "get_weather", "arguments": ""} == call["function"]
    assert ("assistant", False) == (named["choices"][0]["role"], "usage" in named)
    assert [{"index": 0, "function": {"arguments": '{"city":"New York"}'}}] == argued["choices"][0]["delta"]["tool_calls"]
    assert ("tool_calls", False) == (argued["choices"][0]["finish_reason"], "usage" in argued)
    assert ("tool_calls", True) == (last["choices"][0]["finish_reason"], bool(last["usage"]))


def test_answers_are_charged_exactly(together: sandbox.Sandbox, client: httpx.Client) -> None:
    """Each costs its tokens at their price, cached ones at theirs; what was seen before is cached in blocks of 64."""
    for model in (LLAMA, DEEPSEEK, "Prism-ML/Ternary-Bonsai-27B", "sandbox/own"):
        usages = [asked(client, LONG, model=model, n=2, max_tokens=90)["usage"] for _ in range(2)]
        first, second = [
            usage.get("cached_tokens", usage.get("prompt_tokens_details", {}).get("cached_tokens")) for usage in usages
        ]
        assert (0, 0) == (first, second % 64)
        assert usages[1]["prompt_tokens"] - 64 - 38 < second
        price = catalog.token_price(model)
        for usage, cached, charge in zip(usages, (first, second), together.charges()[-2:], strict=True):
            expected = price and price.cost(
                input_tokens=usage["prompt_tokens"], cached_tokens=cached, output_tokens=usage["completion_tokens"]
            )
            assert ("chat", model, expected) == (charge.kind, charge.model, charge.usd)
    assert [None, Decimal(0)] == [together.charges()[-1].usd, together.charges()[-3].usd]


def test_what_was_seen_is_known_to_its_own_account(client: httpx.Client) -> None:
    """Another key, or another model, has nothing cached."""
    asked(client, LONG)
    other = {"Authorization": "Bearer another"}
    assert 0 == client.post(CHAT, json=chat_body(LONG), headers=other).json()["usage"]["cached_tokens"]
    assert 0 == asked(client, LONG, model=SIGHTED)["usage"]["cached_tokens"]
    assert asked(client, LONG)["usage"]["cached_tokens"] > 0


def test_the_list_of_models_has_chat(client: httpx.Client) -> None:
    """Rows of chat models have 12 keys, their context, and a pricing of 10 keys with tokens in it."""
    rows = {row["id"]: row for row in client.get("/v1/models").json()}
    row = rows["zai-org/GLM-5.3"]
    assert (12, 10, "chat", 1048575) == (len(row), len(row["pricing"]), row["type"], row["context_length"])
    assert (1.4, 0.26, 4.4) == tuple(row["pricing"][name] for name in ("input", "cached_input", "output"))
    assert 8 == rows["together/Tev1-4B-experimental"]["config"]["max_output_length"]
