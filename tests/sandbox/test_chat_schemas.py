"""An answer by schema or pattern is an instance of it, and speaks of what was asked."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import jsonschema
import pytest

from .talking import OSS, asked, said, schema

TREE = {
    "$defs": {"Node": {"type": "object", "required": ["name", "children"], "properties": {
        "name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
    }}},
    "$ref": "#/$defs/Node",
}  # fmt: skip
SCHEMAS: list[Any] = [
    pytest.param({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3, "maximum": 3}}, "required": ["a"]}, id="one-number"),
    pytest.param({"type": "array", "minItems": 7, "items": {"enum": ["x", "y"]}}, id="many-items"),
    pytest.param({"type": "array", "maxItems": 1, "items": {"const": 5}}, id="few-items"),
    pytest.param({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}, id="a-tuple"),
    pytest.param({"type": "array", "uniqueItems": True, "items": {"type": "string"}}, id="unique"),
    pytest.param({"type": ["null", "string"], "minLength": 200}, id="nullable"),
    pytest.param({"type": "string", "maxLength": 5}, id="short"),
    pytest.param({"type": "string", "pattern": r"^[A-Z]{2}-\d{4}$"}, id="pattern"),
    pytest.param({"anyOf": [{"type": "null"}, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}]}, id="any-of"),
    pytest.param({"oneOf": [{"type": "boolean"}, {"type": "integer"}]}, id="one-of"),
    pytest.param({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {"type": "string"}}, "required": ["b"]}]}, id="all-of"),
    pytest.param({"type": "integer", "multipleOf": 7, "minimum": 20, "maximum": 30}, id="multiples"),
    pytest.param({"type": "number", "minimum": -2.5, "maximum": -2.25}, id="below-zero"),
    pytest.param({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2}, id="a-mapping"),
    pytest.param({"type": "object", "required": ["loose"]}, id="not-described"),
    pytest.param({"properties": {"when": {"type": "string", "format": "date-time"}, "who": {"type": "string", "format": "email"}}}, id="formats"),
    pytest.param(TREE, id="holds-itself"),
    pytest.param({"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}, id="holds-itself-or-nothing"),
]  # fmt: skip


@pytest.mark.parametrize("wanted", SCHEMAS)
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_answer_is_an_instance_of_its_schema(client: httpx.Client, wanted: dict[str, Any], wrapped: bool) -> None:
    """Whether the schema is wrapped or flat, and however it is put together."""
    inner = {"json_schema": {"name": "a", "schema": wanted}} if wrapped else {"schema": wanted}
    text = said(client, "Three foxes in the snow", response_format={"type": "json_schema", **inner}, max_tokens=5000)
    jsonschema.validate(json.loads(text), wanted, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize(
    "pattern",
    ["(positive|neutral|negative)", r"\d{3}-\d{4}", "[^a-z]+", "a{2,4}?b*", r"(?i)yes|no", r"^\w+@\w+\.(com|org)$",
     r"([ab])x\1", r"(?=.*\d)[a-z0-9]{6}", ".?"],
)  # fmt: skip
def test_an_answer_matches_its_pattern(client: httpx.Client, pattern: str) -> None:
    """As a whole, for every seed."""
    for seed in range(5):
        text = said(client, "How is it?", response_format={"type": "regex", "pattern": pattern}, seed=seed)
        assert re.search(pattern, text), text


def test_any_json_is_an_object(client: httpx.Client) -> None:
    """`json_object` gives one; gpt-oss prints it over several lines."""
    assert isinstance(json.loads(said(client, "A fox", response_format={"type": "json_object"})), dict)
    assert "\n" in said(client, "A fox", model=OSS, response_format={"type": "json_object"}, max_tokens=900)


def test_properties_speak_of_the_question(client: httpx.Client) -> None:
    """As many prompts as were asked for, each another one about the wish, however the schema is repeated in the prompt."""
    wanted = schema(prompts={"type": "array", "items": {"type": "string"}})
    question = (
        f"Write four prompts about: a paper boat on a lake.\nAnswer with JSON only, by this schema: {json.dumps(wanted)}"
    )
    prompts = json.loads(said(client, question, response_format=wanted, max_tokens=3000))["prompts"]
    assert 4 == len(set(prompts))
    assert all(prompt.startswith("a paper boat on a lake, ") for prompt in prompts)


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("Give me 5 of them about foxes", 5),
        ("Score it from 1 to 10 and list two tags of this fox", 2),
        ("A fox of 12 years", 3),
        ("Here is a fox, judge it from 0 to 10", 3),
    ],
)
def test_lists_are_as_long_as_asked(client: httpx.Client, question: str, count: int) -> None:
    """By a number that is about them, and not by any other."""
    wanted = schema(tags={"type": "array", "items": {"type": "string"}})
    assert count == len(json.loads(said(client, question, response_format=wanted, max_tokens=3000))["tags"])


def test_a_choice_is_one_that_is_spoken_of(client: httpx.Client) -> None:
    """Of the values of an enum, the one that the question names."""
    mood = {"enum": ["happy", "sad", "angry"]}
    text = said(client, "The dog was sad all day. What is the mood?", response_format=schema(mood=mood))
    assert {"mood": "sad"} == json.loads(text)


def test_json_that_does_not_fit_is_cut(client: httpx.Client) -> None:
    """What may come out counts for JSON too."""
    body = asked(client, "A fox", response_format=schema(story={"type": "string", "minLength": 500}), max_tokens=20)
    assert ("length", 20) == (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"])


def test_a_text_is_about_as_long_as_asked(client: httpx.Client) -> None:
    """So many words, sentences or lines of a list, which repeat the subject."""
    words = said(client, "Write 120 words about an old harbour", max_tokens=2000).split()
    assert 120 == len(words)
    assert "old harbour" in " ".join(words)
    assert 3 == said(client, "Write three sentences about an old harbour").count(".")
    assert 6 == len(said(client, "List 6 ideas for an old harbour").splitlines())
