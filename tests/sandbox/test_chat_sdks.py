"""The official Together SDK and the `openai` library read what the sandbox answers in words: two further opinions."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_together import sandbox

from .talking import CHAT, DEEPSEEK, LLAMA, OSS, SIGHTED, WEATHER, schema, shown

MODELS = (LLAMA, OSS, DEEPSEEK, SIGHTED)
CLIENTS = {"together": ("Together", ""), "openai": ("OpenAI", "/v1")}

# Python 3.14 warns about what the SDKs import.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]


def library(name: str) -> Any:
    """Import an SDK, or skip the test with a sentence."""
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"the library `{name}` is not installed")


@pytest.fixture(params=CLIENTS)
def sdk(request: pytest.FixtureRequest, together: sandbox.Sandbox) -> Iterator[Any]:
    """Give each library's client, pointed at the sandbox, in turn."""
    name, path = CLIENTS[request.param]
    with getattr(library(request.param), name)(
        api_key=together.api_key, base_url=together.url + path, max_retries=0
    ) as ready:
        yield ready


def turn(text: Any) -> list[dict[str, Any]]:
    """Return the messages of one question."""
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_is_read(sdk: Any, model: str) -> None:
    """Text, reason, counts and the model, of every backend."""
    answer = sdk.chat.completions.create(model=model, messages=turn("Say ok"), max_tokens=200)
    assert ("Ok.", "stop") == (answer.choices[0].message.content, answer.choices[0].finish_reason)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert model == answer.model


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_is_read(sdk: Any, model: str) -> None:
    """Its pieces are the text of the whole answer, and its counts arrive."""
    asked = {"model": model, "messages": turn("Describe a harbour"), "max_tokens": 300}
    whole = sdk.chat.completions.create(**asked)
    chunks = list(sdk.chat.completions.create(**asked, stream=True))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert whole.choices[0].message.content == text
    assert [whole.usage.completion_tokens] == [chunk.usage.completion_tokens for chunk in chunks if chunk.usage]


@pytest.mark.parametrize("model", MODELS)
def test_a_call_is_read(sdk: Any, model: str) -> None:
    """Whole, and in the pieces of a stream."""
    asked = {"model": model, "messages": turn("What is the weather in New York?"), "tools": [WEATHER]}
    (call,) = sdk.chat.completions.create(**asked).choices[0].message.tool_calls
    assert ("get_weather", '{"city":"New York"}') == (call.function.name, call.function.arguments)
    chunks = sdk.chat.completions.create(**asked, stream=True)
    pieces = [piece for chunk in chunks for choice in chunk.choices for piece in choice.delta.tool_calls or ()]
    assert ["get_weather", None] == [piece.function.name for piece in pieces]
    assert '{"city":"New York"}' == "".join(piece.function.arguments for piece in pieces)


def test_a_picture_is_seen(sdk: Any, client: Any) -> None:
    """An answer by schema about a picture that was sent along."""
    parts = [{"type": "text", "text": "Caption it"}, shown(client, "a red fox", side=300, width=512, height=512)]
    wanted = schema(alt={"type": "string"})
    answer = sdk.chat.completions.create(model=SIGHTED, messages=turn(parts), response_format=wanted)
    assert '{"alt": "A picture of a red fox."}' == answer.choices[0].message.content


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "x/y"}, "NotFoundError"),
        ({"max_tokens": 0}, "BadRequestError"),
        ({"model": OSS, "tools": [WEATHER], "tool_choice": "required"}, "InternalServerError"),
    ],
)
def test_refusals_become_the_library_s_errors(sdk: Any, fields: dict[str, Any], error: str) -> None:
    """Statuses map as at Together."""
    expected = getattr(importlib.import_module(type(sdk).__module__.partition(".")[0]), error)
    with pytest.raises(expected):
        sdk.chat.completions.create(**{"model": LLAMA, "messages": turn("Say ok"), **fields})


def test_an_error_in_a_stream_is_raised(sdk: Any, together: sandbox.Sandbox) -> None:
    """Both libraries raise what the event says, though the status was 200."""
    together.fault(f"POST {CHAT}", "stream_error")
    stream = sdk.chat.completions.create(model=LLAMA, messages=turn("Describe a harbour"), stream=True)
    with pytest.raises(Exception, match="Internal server error"):
        list(stream)


def test_models_of_one_s_own() -> None:
    """Completions, embeddings and ranking of a registered model."""
    with sandbox.serve(dedicated=["team/own"]) as together:
        for name, (client, path) in CLIENTS.items():
            sdk = getattr(library(name), client)(api_key="k", base_url=together.url + path, max_retries=0)
            assert sdk.completions.create(model="team/own", prompt="Once upon a time").choices[0].text
            embedded = sdk.embeddings.create(model="team/own", input=["a fox", "a boat"])
            assert [256, 256] == [len(one.embedding) for one in embedded.data]
            if name == "together":
                ranked = sdk.rerank.create(model="team/own", query="a fox", documents=["a boat", "the fox"])
                assert [1, 0] == [one.index for one in ranked.results]
            sdk.close()
