"""Write one choice of an answer: thoughts, text, JSON or a call of a function, within what may come out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prefect_together.sandbox import error_messages
from prefect_together.sandbox.chat import counting, patterns, phrases
from prefect_together.sandbox.chat.ideas import PLAIN, Ideas, words_of
from prefect_together.sandbox.chat.instances import Writer
from prefect_together.sandbox.chat.reading import Asked, schema_of

USUAL = 4
"""Sentences of a text whose length is not asked for."""
LENGTH = re.compile(
    r"(\d+|two|three|four|five|six|seven|eight|nine|ten|twelve)(?:\s*-\s*\d+)?[\s-]+(word|sentence|line|paragraph|item|bullet)s?",
    re.IGNORECASE,
)
SAY = re.compile(
    r"(?:please )?(?:say|reply with|answer with)(?: just| only)?:? [\"'“]?([^\"'”.!?]{1,60})[\"'”.!?]*$", re.IGNORECASE
)
LISTING = re.compile(r"\b(?:list|bullets?|ideas|titles|names|prompts|suggest(?:ions)?)\b", re.IGNORECASE)
MOST = 4_000
"""Words of the longest text."""
WORDS_OF = {"word": 1, "paragraph": 60, "line": 11, "item": 11, "bullet": 11}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of the answers to a request."""

    text: str | None
    """None where a function is called."""
    thoughts: str
    call: tuple[str, str] | None
    """Name and arguments (JSON) of a function."""
    finish: str
    tokens: int
    """All that came out, thoughts among them."""
    thought_tokens: int
    seed: int


def write(asked: Asked, ideas: Ideas, *, spoil: Callable[[Choice], Choice] | None) -> Choice:
    """Return a choice.

    Args:
        asked: The request.
        ideas: What the answer speaks of.
        spoil: Makes something else of it before it is cut to what may come out.
    """
    # A 64-bit number that a float has rounded, as answers carry it.
    seed = asked.seed if asked.seed is not None else round(ideas.rng.getrandbits(62), -3)
    call = _call(asked, ideas)
    text = None if call else _stopped(_text(asked, ideas), asked.stop)
    thoughts = _thoughts(asked, ideas) if asked.thinks else ""
    choice = Choice(
        text=text,
        thoughts=thoughts,
        call=call,
        finish="tool_calls" if call else "stop",
        tokens=0,
        thought_tokens=0,
        seed=seed,
    )
    return _counted(asked, choice if spoil is None else spoil(choice))


def _counted(asked: Asked, choice: Choice) -> Choice:
    """Cut a choice to what may come out, and count it."""
    thinking = min(counting.tokens(choice.thoughts), asked.budget)
    called = choice.call and "".join(choice.call)
    wanted = counting.tokens(called or choice.text or "")
    room = asked.budget - thinking
    hidden = "" if asked.hides_thoughts else counting.cut(choice.thoughts, thinking)
    if choice.finish == "length" or wanted > room:
        text = counting.cut(choice.text or "", room)
        used = thinking + min(wanted, room)
        return replace(choice, text=text, thoughts=hidden, call=None, finish="length", tokens=used, thought_tokens=thinking)
    ended = thinking + wanted + (1 if wanted < room else 0)  # the end is a token too
    return replace(choice, thoughts=hidden, tokens=ended, thought_tokens=thinking)


def _stopped(text: str, stop: tuple[str, ...]) -> str:
    ends = [at for word in stop if (at := text.find(word)) >= 0]
    return text[: min(ends)] if ends else text


def _text(asked: Asked, ideas: Ideas) -> str:
    wanted = asked.format
    if wanted is None:
        return _prose(asked, ideas)
    if wanted["type"] == "regex":
        return patterns.example(str(wanted["pattern"]), ideas.rng)
    schema = schema_of(wanted) or {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "topic": {"type": "string"}},
    }
    # gpt-oss prints what it writes over several lines, as was seen.
    indent = 2 if asked.model.startswith("openai/") else None
    return json.dumps(_instance(schema, ideas, "response_format"), ensure_ascii=False, indent=indent)


def _instance(schema: Mapping[str, Any], ideas: Ideas, field: str) -> Any:
    """Return an instance; refuse a schema of which there is none, or which is none itself."""
    try:
        return Writer(schema, ideas).write()
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, re.error) as error:
        raise error_messages.Refusal(400, "Invalid schema: no value could be written by it.", param=field) from error


def _prose(asked: Asked, ideas: Ideas) -> str:
    """Return a text about as long as it was asked for."""
    if asked.results:
        return f"Here is what I found: {' '.join(asked.results)}"
    if said := SAY.match(ideas.question):
        return f"{said[1].strip()[:1].upper()}{said[1].strip()[1:]}."
    length = LENGTH.search(ideas.question)
    if re.search(r"\b(?:one|a single) word\b", ideas.question, re.IGNORECASE):
        return (ideas.tags(1)[0]).capitalize()
    if re.search(r"\b(?:one|a single) (?:short )?sentence\b", ideas.question, re.IGNORECASE):
        return ideas.opening()
    count = phrases.number_in(ideas.question)
    if LISTING.search(ideas.question) and not (length and length[2].lower() in ("word", "sentence", "paragraph")):
        entry = ideas.better if "prompt" in ideas.question.lower() else ideas.item
        return "\n".join(f"{at + 1}. {entry(at)}" for at in range(count or 5))
    if length and length[2].lower() == "sentence":
        return _sentences(ideas, min(_number(length[1]), MOST))
    if length is None:
        return _sentences(ideas, USUAL)
    return _long(ideas, max(1, min(_number(length[1]) * WORDS_OF[length[2].lower()], MOST)))


def _number(said: str) -> int:
    return int(said) if said.isdecimal() else phrases.NUMBERS[said.lower()]


def _sentences(ideas: Ideas, count: int) -> str:
    return " ".join([ideas.opening(), *(ideas.sentence(index) for index in range(1, count))])


def _long(ideas: Ideas, words: int) -> str:
    sentences, index = [ideas.opening()], 1
    count = len(sentences[0].split())
    while count < words:
        sentence = ideas.sentence(index)
        sentences.append(sentence)
        count += len(sentence.split())
        index += 1
    return " ".join(" ".join(sentences).split()[:words]).rstrip(",.;") + "."


def _thoughts(asked: Asked, ideas: Ideas) -> str:
    what = "a call of a function" if asked.tools else "JSON" if asked.format else "a text"
    return f"The user asks about {ideas.about[:200]}. They want {what}, so I look at what matters and keep it to the point."


def _call(asked: Asked, ideas: Ideas) -> tuple[str, str] | None:
    """Return the call of the function that fits the question, if one has to be called or fits it."""
    left = [tool for tool in asked.tools if tool["name"] not in asked.called]
    if not left and not asked.must_call:
        return None
    said = {word for word in words_of(ideas.question) if word not in PLAIN}
    ranked = sorted(left or asked.tools[-1:], key=lambda tool: -len(said & _spoken(tool)))
    if not asked.must_call and not said & _spoken(ranked[0]):
        return None
    schema: Any = ranked[0].get("parameters") or {"type": "object"}
    return str(ranked[0]["name"]), json.dumps(_instance(schema, ideas, "tools"), separators=(",", ":"), ensure_ascii=False)


def _spoken(tool: Mapping[str, Any]) -> set[str]:
    """Return the words with which a function is described."""
    parameters: Any = tool.get("parameters") or {}
    names = " ".join(parameters.get("properties") or {})
    return set(words_of(f"{tool['name']} {tool.get('description') or ''} {names}".replace("_", " "))) - PLAIN
