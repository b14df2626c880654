"""What an answer has to be: whatever a user gives for it is one form, and answers are judged by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from prefect_together.generations.response_format import fault, instruction, read_json, response_format, schema_of


class Colour(Enum):
    """A definition that a schema refers to."""

    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """Another one."""

    name: str
    colour: Colour


class Whole(BaseModel):
    """What refers to both."""

    parts: list[Part]
    main: Part | None = None


class Tree(BaseModel):
    """What refers to itself."""

    children: list[Tree]


OBJECT: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    "given",
    [
        OBJECT,
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": OBJECT, "strict": True}},
        {"type": "json_schema", "schema": OBJECT},
        {"type": "json_schema", "json_schema": {"schema": OBJECT}},
    ],
    ids=["schema", "wrapped", "flat", "without-name"],
)
def test_schemas_are_one_form(given: dict[str, Any]) -> None:
    """A schema, wrapped or not, is sent in the form that Together recommends; and what is sent stays as it is."""
    found: Any = response_format(given)
    assert {"type": "json_schema", "json_schema": {"name": "answer", "schema": OBJECT, "strict": True}} == found
    assert found == response_format(found)


def test_references_are_written_out() -> None:
    """Nothing in a schema refers to anything, and its name is one that Together takes."""
    found: Any = response_format(Whole)
    assert "$ref" not in str(found)
    assert "$defs" not in str(found)
    assert "Whole" == found["json_schema"]["name"]
    colour = found["json_schema"]["schema"]["properties"]["parts"]["items"]["properties"]["colour"]
    assert ["red", "blue"] == colour["enum"]
    named: Any = response_format({**OBJECT, "title": "ä" * 80})
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", named["json_schema"]["name"])


def test_other_types_and_patterns() -> None:
    """What pydantic knows is taken, and so is a pattern; None is nothing."""
    assert {"type": "array", "items": {"type": "integer"}} == schema_of(response_format(list[int]))
    assert {"type": "regex", "pattern": "(a|b)"} == response_format(re.compile("(a|b)"))
    assert response_format(None) is None
    assert {"enum": ["x", "y"], "type": "string"} == schema_of(response_format(Literal["x", "y"]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Tree, "refers to itself"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/Gone"}}}, "which is not in it"),
        ({"type": "nonsense"}, "no JSON schema"),
        ({"type": "json_schema"}, "holds the schema"),
        ({"type": "regex", "pattern": "("}, "its pattern is none"),
        ({"type": "regex"}, "has a"),
        (7, "give a pydantic class"),
        ("yes or no", "give a pydantic class"),
    ],
)
def test_what_is_no_form_is_refused(given: object, said: str) -> None:
    """One sentence says what is wrong with it."""
    with pytest.raises(ValueError, match=re.escape(said)):
        response_format(given)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}', None),
        ('```json\n{"a": 1}\n```', None),
        ('Here it is:\n```\n{"a": 1}\n```\nEnjoy.', None),
        ('{"a": "1"}', "$.a: '1' is not of type 'integer'"),
        ("{}", "'a' is a required property"),
        ('{"a": 1', "it is no JSON"),
        ("", "it is no JSON"),
        ('```json\n{"a": 1}\n```\n```json\n{"a": 2}\n```', "it is no JSON"),
    ],
)
def test_answers_are_judged_by_the_schema(text: str, said: str | None) -> None:
    """What fits is good, in a code fence too; what does not is said in words."""
    why = fault(text, response_format(OBJECT))
    assert why is None if said is None else said in str(why)


@pytest.mark.parametrize(
    ("wanted", "text", "good"),
    [
        (None, "anything", True),
        ({"type": "text"}, "anything", True),
        ({"type": "json_object"}, '{"a": 1}', True),
        ({"type": "json_object"}, "[1]", False),
        ({"type": "regex", "pattern": "(yes|no)"}, " yes\n", True),
        ({"type": "regex", "pattern": "(yes|no)"}, "yes!", False),
    ],
)
def test_answers_are_judged_by_other_forms(wanted: dict[str, Any] | None, text: str, good: bool) -> None:
    """Each form has its own judgement."""
    assert good == (fault(text, wanted) is None)


def test_the_schema_stands_in_the_prompt() -> None:
    """Models keep to a schema that they read; other forms say what is needed, or nothing."""
    said = instruction(response_format(OBJECT))
    assert '"required": ["a"]' in str(said)
    assert "JSON object" in str(instruction({"type": "json_object"}))
    assert instruction({"type": "regex", "pattern": "a"}) is None
    assert instruction(None) is None


def test_json_is_read() -> None:
    """Other code fences in a text are no fence around the answer."""
    assert {"code": "```\nx\n```"} == read_json('{"code": "```\\nx\\n```"}')


class Glossary(BaseModel):
    """Fields that are called as words of JSON schemas are."""

    definitions: list[Part]
    properties: str


def test_a_field_may_be_called_as_words_of_schemas_are() -> None:
    """Only a schema's own definitions are put where they are referred to; a property of that name stays, also `$ref`."""
    schema: Any = schema_of(response_format(Glossary))
    assert ["definitions", "properties"] == list(schema["properties"])
    assert "name" in schema["properties"]["definitions"]["items"]["properties"]
    linked = {"type": "object", "properties": {"$ref": {"type": "string"}}, "required": ["$ref"]}
    assert linked == schema_of(response_format(linked))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (re.compile("yes|no", re.IGNORECASE), "re.IGNORECASE"),
        (re.compile("yes # a word", re.VERBOSE), "re.VERBOSE"),
        (re.compile("(?i)yes"), "flags"),
        (re.compile(b"yes"), "bytes"),
    ],
)
def test_what_a_pattern_means_beyond_its_text_is_refused(given: Any, said: str) -> None:
    """Its text alone would be sent, and answers that are right be paid for again."""
    with pytest.raises(ValueError, match=said):
        response_format(given)


def test_a_schema_of_several_types_is_one() -> None:
    """A list is no word for a kind of format."""
    schema = {"type": ["object", "null"], "properties": {"a": {"type": "string"}}}
    assert schema == schema_of(response_format(schema))


def test_a_class_without_a_schema_is_refused_by_its_name() -> None:
    """What pydantic can check, and JSON has no word for."""

    class Calls(BaseModel):
        back: Callable[[], None]

    with pytest.raises(ValueError, match="Calls has no JSON schema"):
        response_format(Calls)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_no_answer(number: str) -> None:
    """JSON has none of them, and no table could hold them."""
    wanted = response_format({"type": "object", "properties": {"a": {"type": "number"}}})
    assert "is no number" in str(fault(f'{{"a": {number}}}', wanted))
