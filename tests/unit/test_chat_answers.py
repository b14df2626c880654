"""Answers of every backend, whole or bit by bit, are one thing; what broke off is said, with what came."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_together._internal.event_stream import Events, read_events
from prefect_together.generations.answers import ToolCall, Usage, parse
from prefect_together.generations.chat import ChatRequest
from prefect_together.generations.registry import spec_of
from prefect_together.generations.spec import ResponseFormatError, Value

LLAMA: dict[str, Any] = {
    "id": "p2pw6Tb-4YNCb4-a4126c823edcaa1d",
    "choices": [
        {
            "finish_reason": "stop",
            "seed": 1186779816739223000,
            "index": 0,
            "logprobs": None,
            "message": {"role": "assistant", "content": "Ok.", "tool_calls": []},
        }
    ],
    "usage": {"prompt_tokens": 578, "completion_tokens": 3, "total_tokens": 581, "cached_tokens": 512},
}
GPT_OSS: dict[str, Any] = {
    "choices": [{"finish_reason": "stop", "seed": None, "message": {"content": "Ok.", "reasoning": "Hm."}}],
    "usage": {
        "prompt_tokens": 76,
        "completion_tokens": 56,
        "total_tokens": 132,
        "prompt_tokens_details": {"cached_tokens": 66},
        "completion_tokens_details": {"reasoning_tokens": 28},
    },
}
DEEPSEEK: dict[str, Any] = {"choices": [{"message": {"content": "Ok.", "reasoning_content": "Hm."}}]}
TOOL: dict[str, Any] = {
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "content": None,
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "call_1",
                        "type": "function",
                        "function": {"arguments": '{"city":"Paris"}', "name": "look"},
                    }
                ],
            },
        }
    ]
}


def read(answer: Any) -> dict[str, Any]:
    """Return what an answer holds."""
    found = parse(answer)
    assert isinstance(found, Value)
    return found.content


@pytest.mark.parametrize(
    ("answer", "reasoning", "usage"),
    [
        (LLAMA, None, Usage(input_tokens=578, cached_tokens=512, output_tokens=3)),
        (GPT_OSS, "Hm.", Usage(input_tokens=76, cached_tokens=66, output_tokens=56, reasoning_tokens=28)),
        (DEEPSEEK, "Hm.", None),
    ],
    ids=["llama", "gpt-oss", "deepseek"],
)
def test_backends_are_one(answer: dict[str, Any], reasoning: str | None, usage: Usage | None) -> None:
    """Flat or nested counts, either name of thinking, missing keys."""
    found = read(answer)
    assert ("Ok.", reasoning) == (found["choices"][0]["content"], found["choices"][0].get("reasoning"))
    assert usage == (found["usage"] and Usage.model_validate(found["usage"]))


def test_calls_of_tools() -> None:
    """What is asked for is there, and an answer without text is one."""
    (choice,) = read(TOOL)["choices"]
    (call,) = choice["tool_calls"]
    assert {"city": "Paris"} == ToolCall.model_validate(call).parsed()
    with pytest.raises(ValueError, match="no JSON object"):
        ToolCall(name="look", arguments="[1]").parsed()


STREAM = """data: {"id":"a","choices":[{"index":0,"text":"O","finish_reason":null,"delta":{"role":"assistant","content":"O"}}],"usage":null}

data: {"id":"a","choices":[{"index":0,"delta":{"reasoning":"Hm."},"finish_reason":null}]}

data: {"id":"a","choices":[{"index":0,"delta":{"content":"k."},"finish_reason":"stop","seed":3}],"usage":null}

data: {"id":"a","choices":[],"usage":{"prompt_tokens":38,"completion_tokens":3,"total_tokens":41,"cached_tokens":0}}

data: [DONE]

"""
CALLS = """data: {"choices":[{"index":0,"role":"assistant","delta":{"role":"assistant","content":""}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"look","arguments":""}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"city\\":\\"Paris\\"}"}}]},"finish_reason":"tool_calls"}]}

data: [DONE]

"""


def test_a_stream_is_joined() -> None:
    """Text, thinking, the last seed and the tokens of the last event; parts of a call in the order of their places."""
    found = read(read_events(STREAM))
    assert {"content": "Ok.", "reasoning": "Hm.", "finish_reason": "stop", "seed": 3} == found["choices"][0]
    assert 38 == found["usage"]["input_tokens"]
    (call,) = read(read_events(CALLS))["choices"][0]["tool_calls"]
    assert ("c", "look", '{"city":"Paris"}') == (call["id"], call["name"], call["arguments"])


@pytest.mark.parametrize("line", [1, 2, 3], ids=["after-one", "after-two", "after-three"])
def test_a_stream_that_is_cut_says_what_came(line: int) -> None:
    """Wherever it ends before its end it is an error, also in the midst of a line; after the reason to finish it is whole."""
    whole = STREAM.split("\n\n")
    events = read_events("\n\n".join(whole[:line]) + '\n\ndata: {"id":"a","cho')
    assert not events.complete
    if line == 3:
        assert "Ok." == read(events)["choices"][0]["content"]
        return
    with pytest.raises(ResponseFormatError, match="broke off before its end") as raised:
        parse(events)
    assert "O" == raised.value.received


@pytest.mark.parametrize("complete", [True, False])
def test_an_error_in_a_stream(complete: bool) -> None:
    """The server's own words, and what came before them."""
    first = read_events(STREAM).items[0]
    with pytest.raises(ResponseFormatError, match="Out of memory") as raised:
        parse(Events((first, {"error": {"message": "Out of memory"}}), complete))
    assert "O" == raised.value.received


def test_what_is_no_event_is_passed_over() -> None:
    """Comments, other fields and unknown values do not disturb; a spoilt line in the middle is an error."""
    assert Events(({"a": 1},), complete=True) == read_events(': hi\nevent: x\ndata: {"a": 1}\n\ndata: 7\n\ndata: [DONE]\n\n')
    with pytest.raises(ValueError, match="Expecting"):
        read_events("data: {spoilt\n\ndata: {}\n\n")


TWO = """data: {"choices":[{"index":0,"delta":{"content":"One."},"finish_reason":"stop"}]}

data: {"choices":[{"index":1,"delta":{"content":"Two."},"finish_reason":"stop"}]}

data: [DONE]

"""


@pytest.mark.parametrize(("events", "whole"), [(1, False), (2, True), (3, True)], ids=["between", "no-end", "end"])
def test_a_stream_that_ends_between_two_answers_is_cut(events: int, whole: bool) -> None:
    """Two were asked for and one came: that is no whole answer, though what came of it ends well."""
    asked = ChatRequest(prompt="Two names for a fox", model="zai-org/GLM-5.3-Flash", n=2)
    reading = spec_of(asked).parse_for(asked)
    came = read_events("\n\n".join(TWO.split("\n\n")[:events]) + "\n\n")
    if whole:
        payload = reading(came)
        assert isinstance(payload, Value)
        assert 2 == len(payload.content["choices"])
        return
    with pytest.raises(ResponseFormatError, match="broke off before its end") as raised:
        reading(came)
    assert "One." == raised.value.received


def test_a_server_that_answers_less_often_has_its_way() -> None:
    """Fewer answers than were asked for are whole where the server says that they are all."""
    asked = ChatRequest(prompt="Two names for a fox", model="zai-org/GLM-5.3-Flash", n=2)
    first = read_events(TWO).items[0]
    payload = spec_of(asked).parse_for(asked)(Events((first,), complete=True))
    assert isinstance(payload, Value)
    assert 1 == len(payload.content["choices"])
