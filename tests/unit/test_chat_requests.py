"""Questions as values: what may be asked, what is sent, what it is known by and what it may cost."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from prefect_together import ChatRequest, Message, ResultReference, Tool
from prefect_together.errors import InvalidRequest
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.messages import count_tokens_at_most
from prefect_together.generations.registry import read_request
from prefect_together.generations.request import Request

MODEL = "zai-org/GLM-5.3-Flash"


def ask(**fields: Any) -> ChatRequest:
    """Ask something."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Name a fox.", **fields}
    return ChatRequest(**asked)


def body(request: ChatRequest) -> dict[str, Any]:
    """Return what is sent, with each file as its form."""
    return request.body(lambda value, form, family=None, /: f"{value}")


def identity(request: Request) -> str:
    """Return what it is known by."""
    return asyncio.run(fingerprint_of(request, environment="together"))


def test_only_what_was_set_is_sent() -> None:
    """And always the bound of tokens, without which the price has none."""
    said = [{"role": "user", "content": "Name a fox."}]
    assert {"model": MODEL, "messages": said, "max_tokens": 4096} == body(ask())
    assert {"model": MODEL, "messages": said} == body(ask(max_tokens=None, stream=False))


def test_the_short_way_is_the_long_way() -> None:
    """``prompt`` and ``system`` are messages, and the same question."""
    long = ask(prompt=None, messages=[Message(role="system", content="Be brief."), {"role": "user", "content": "Hi."}])
    short = ask(prompt="Hi.", system="Be brief.")
    assert body(long) == body(short)
    assert identity(long) == identity(short)


def test_pictures_stand_before_the_words() -> None:
    """In the first message of the user; its own parts stay."""
    asked = ask(images=["https://example.com/a.png"], system="Look.")
    shown = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert [shown, {"type": "text", "text": "Name a fox."}] == body(asked)["messages"][1]["content"]
    parts = [{"type": "text", "text": "And this?"}]
    asked = ask(prompt=None, messages=[{"role": "user", "content": parts}], images="https://example.com/a.png")
    assert [shown, *parts] == body(asked)["messages"][0]["content"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"stream": True}, True),
        ({}, {"repair": 3}, True),
        ({}, {"prompt_cache_key": "x"}, True),
        ({"reasoning": False}, {"reasoning": {"enabled": False}}, True),
        ({}, {"temperature": 0}, False),
        ({}, {"max_tokens": 100}, False),
        ({}, {"response_format": {"type": "json_object"}}, False),
        ({}, {"tools": [Tool(name="look")]}, False),
        ({"images": ["https://example.com/a.png"]}, {"images": ["https://example.com/b.png"]}, False),
    ],
)
def test_what_makes_it_another_question(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    """What changes the answer does; how it is sent does not."""
    assert same == (identity(ask(**one)) == identity(ask(**other)))


def test_a_question_comes_back_as_it_was() -> None:
    """Also after a release changed nothing but time: the JSON of it is the same question."""
    asked = ask(response_format=re.compile("(a|b)"), tools=[{"type": "function", "function": {"name": "look"}}], n=2)
    again = read_request("chat", asked.model_dump(mode="json", exclude_unset=True))
    assert asked == again
    assert identity(asked) == identity(again)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": None}, "needs either prompt or messages, and neither was given"),
        ({"messages": [Message(role="user", content="Hi.")]}, "and both were given"),
        ({"prompt": None, "messages": []}, "is empty"),
        ({"max_tokens": 0}, "ChatRequest.max_tokens is 0"),
        ({"max_tokenz": 5}, "did you mean 'max_tokens'"),
        ({"temperature": 2.1}, "ChatRequest.temperature is 2.1"),
        ({"n": 129}, "allowed is 1 to 128"),
        ({"tools": [{"name": "a-b"}]}, "Tool.name is 'a-b'"),
        ({"videos": ["https://example.com/a.mp4"]}, "is not at hand"),
        ({"images": [b"\x89PNG"]}, "ChatRequest.images"),
        ({"repair": 4}, "allowed is 0 to 3"),
    ],
)
def test_what_cannot_be_asked(fields: dict[str, Any], said: str) -> None:
    """One sentence that names the field, the value, and what is allowed."""
    with pytest.raises(InvalidRequest, match=re.escape(said)):
        ask(**fields)


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. " * 20,
        "Der schnelle braune Fuchs über den Zäunen. " * 20,
        "素早い茶色の狐" * 20,
    ],
    ids=["english", "german", "japanese"],
)
def test_tokens_are_never_estimated_too_low(text: str) -> None:
    """A token has at least three bytes of Latin letters, or one sign of Japanese, in the tokenizers of the listed models."""
    found = count_tokens_at_most([{"role": "user", "content": text}], None, 0)
    assert found >= (len(text) if not text.isascii() and text[0] > "ÿ" else len(text) / 3.5)


def test_pictures_and_tools_count(tmp_path: Path) -> None:
    """What is shown and what may be called is part of the prompt, and several answers of what comes back."""
    plain, more = ask().given(), ask(images=["a.png"], videos=["a.mp4"], frames=3, n=2, tools=[Tool(name="look")]).given()
    assert more["input_tokens"] > plain["input_tokens"] + 4 * 6404
    assert [4096, 8192] == [plain["max_output_tokens"], more["max_output_tokens"]]
    assert ask(max_tokens=None).given()["max_output_tokens"] is None


def test_names() -> None:
    """A question is called by its words, a conversation by the last ones of the user."""
    assert "Name a fox." == ask().title()
    said = [
        Message(role="user", content="Hi."),
        Message(role="assistant", content="Yes?"),
        Message(role="user", content="Go."),
    ]
    assert "Go." == ask(prompt=None, messages=said).title()


@pytest.mark.parametrize("long", [False, True], ids=["prompt", "messages"])
def test_what_is_asked_again(long: bool) -> None:
    """The whole conversation with its system message, the answer, what is wrong with it; one repair fewer is left."""
    said = {"messages": [Message(role="user", content="Name a fox.")], "prompt": None} if long else {}
    source = ResultReference(kind="chat", fingerprint="0123456789abcdef", title="Name a fox.")
    again = ask(system="Be brief.", repair=2, seed=3, **said).repaired("Nonsense", "it is no JSON", source)
    assert ["system", "user", "assistant", "user"] == [message["role"] for message in body(again)["messages"]]
    assert ["Be brief.", "Name a fox.", "Nonsense"] == [message["content"] for message in body(again)["messages"]][:3]
    assert "it is no JSON" in body(again)["messages"][3]["content"]
    assert (1, 3) == (again.repair, again.seed)
    assert again == ask(**again.model_dump(exclude_unset=True, exclude={"model"}))
