"""The columns of answers by a schema: typed by the schema alone, whatever the answers of the day are."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from prefect_together.generations.response_format import response_format, schema_of
from prefect_together.generations.schema_columns import columns_of, row_of


class Inner(BaseModel):
    """Something nested."""

    x: int


class Answer(BaseModel):
    """One property of every kind."""

    text_of_it: str
    count: int
    share: float
    good: bool
    tags: list[str]
    scores: list[float]
    inner: Inner
    several: list[Inner]
    maybe: int | None
    either: int | str
    word: Literal["a", "b"]


WANTED: Any = response_format(Answer)


def test_types_are_those_of_the_schema() -> None:
    """What is plain has its type, lists of what is plain too; what is nested or of several types is JSON as text."""
    assert {
        "text_of_it": "string",
        "count": "int64",
        "share": "float64",
        "good": "bool_",
        "tags": "list_string",
        "scores": "list_float64",
        "inner": "string",
        "several": "string",
        "maybe": "int64",
        "either": "string",
        "word": "string",
        "text": "string",
    } == columns_of(schema_of(WANTED))


def test_a_good_answer_fills_them() -> None:
    """Each property is in its column, and the raw text in none."""
    text = (
        '{"text_of_it": "x", "count": 1, "share": 0.5, "good": true, "tags": ["a"], "scores": [1], "inner": {"x": 1}, '
        '"several": [{"x": 2}], "maybe": null, "either": 3, "word": "b"}'
    )
    row = row_of(text, WANTED)
    assert {"count": 1, "tags": ["a"], "maybe": None, "text": None} == {
        name: row[name] for name in ("count", "tags", "maybe", "text")
    }
    assert ('{"x":1}', '[{"x":2}]', "3") == (row["inner"], row["several"], row["either"])


@pytest.mark.parametrize("text", ["", "{", '{"count": 1}', "[]"])
def test_an_answer_that_is_none_is_kept_as_text(text: str) -> None:
    """Its columns are empty, and what was written stands in ``text``."""
    row = row_of(text, WANTED)
    assert text == row.pop("text")
    assert {None} == set(row.values())


@pytest.mark.parametrize(
    "wanted", [None, {"type": "json_object"}, response_format(list[int])], ids=["none", "object", "list"]
)
def test_without_properties_there_is_text(wanted: Any) -> None:
    """One column, with the answer."""
    assert {"text": "string"} == columns_of(schema_of(wanted))
    assert {"text": "[1]"} == row_of("[1]", wanted)


class Ours(BaseModel):
    """Fields that are called as columns of every table are."""

    text: str
    status: str
    cost: float
    Model: str
    answer_text: str


def test_fields_of_the_names_of_our_columns_have_columns_of_their_own() -> None:
    """Nothing of an answer is lost, nothing of ours is overwritten, and a database tells all of them apart."""
    wanted: Any = response_format(Ours)
    columns = columns_of(schema_of(wanted))
    own = ["answer_answer_text", "answer_status", "answer_cost", "answer_Model", "answer_text", "text"]
    assert own == list(columns)
    row = row_of('{"text": "a", "status": "b", "cost": 1.5, "Model": "c", "answer_text": "d"}', wanted)
    assert ["a", "b", 1.5, "c", "d", None] == list(row.values())
    assert set(columns) == set(row) == set(row_of("{", wanted))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"type": "array", "items": {"type": ["string", "null"]}}, "list_string"),
        ({"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "list_int64"),
        ({"type": "array", "items": {"type": ["string", "integer"]}}, "string"),
        ({"type": "array", "items": True}, "string"),
        ({"type": "array"}, "string"),
        ({"type": ["number", "null"]}, "float64"),
        ({"anyOf": [True, {"type": "null"}]}, "string"),
        ({"const": 3}, "string"),
        (True, "string"),
    ],
)
def test_whatever_a_schema_may_be_has_a_type(about: Any, expected: str) -> None:
    """JSON schemas are also true and false, and types are lists too."""
    wanted: Any = response_format({"type": "object", "properties": {"a": about}})
    assert {"a": expected, "text": "string"} == columns_of(schema_of(wanted))
