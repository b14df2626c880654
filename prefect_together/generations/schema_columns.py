"""The columns of a table whose answers are by a JSON schema: one for each property, of the type that the schema says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from prefect_together._internal.json import compact
from prefect_together._internal.readers import as_list, as_mapping
from prefect_together.generations.answers import Usage
from prefect_together.generations.response_format import fault, read_json, response_format, schema_of
from prefect_together.generations.spec import COMMON_COLUMNS, ColumnType

_TYPES: dict[str, ColumnType] = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool_"}
_LISTS: dict[ColumnType, ColumnType] = {
    "string": "list_string",
    "int64": "list_int64",
    "float64": "list_float64",
    "bool_": "list_bool_",
}
TEXT = "text"
"""Holds answers as they were written: all of them, or where there is a schema those that are not by it."""


TOKENS: dict[str, ColumnType] = {
    "finish_reason": "string",
    "input_tokens": "int64",
    "cached_tokens": "int64",
    "output_tokens": "int64",
}
"""Columns of every answer: why it ended, and what it counted."""


def answer_columns(given: Mapping[str, Any]) -> dict[str, ColumnType]:
    """Return the columns of answers to what is asked: those of its schema, then tokens and money.

    Args:
        given: The fields of a request, as they were given.
    """
    try:
        schema = schema_of(cast("Any", response_format(given.get("response_format"))))
    except ValueError:  # every row says what is wrong with it
        schema = None
    return {**columns_of(schema), **TOKENS, "cost": "fine_money", "estimated_cost": "fine_money"}


def answer_row(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in these columns for an answer that was written down."""
    first = cast("Sequence[Mapping[str, Any]]", fields.get("choices") or [{}])[0]
    wanted = fields["request"].get("response_format") if "request" in fields else None
    text, usage = str(first.get("content") or ""), Usage.model_validate(fields.get("usage") or {})
    counted = fields.get("usage") is not None
    return {
        **row_of(text, wanted),
        "finish_reason": first.get("finish_reason"),
        "input_tokens": usage.input_tokens if counted else None,
        "cached_tokens": usage.cached_tokens if counted else None,
        "output_tokens": usage.output_tokens if counted else None,
    }


def columns_of(schema: Mapping[str, Any] | None) -> dict[str, ColumnType]:
    """Return the columns of answers by a schema; one of text where it has no properties, or there is none."""
    properties = _properties(schema)
    named = _named(properties)
    return {**{named[name]: _type(about) for name, about in properties.items()}, TEXT: "string"}


def row_of(text: str, wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what stands in these columns for an answer.

    Args:
        text: The answer.
        wanted: The ``response_format`` that was asked for.
    """
    schema = schema_of(wanted)
    properties = _properties(schema)
    if not properties:
        return {TEXT: text}
    named = _named(properties)
    if fault(text, wanted) is not None:
        return {**dict.fromkeys(named.values()), TEXT: text}
    value = cast("dict[str, Any]", read_json(text))
    return {**{named[name]: _cell(value.get(name), _type(about)) for name, about in properties.items()}, TEXT: None}


def _named(properties: Mapping[str, object]) -> dict[str, str]:
    """Return the column of each property: of its name, or of that with ``answer_`` in front where a column of ours has it.

    Databases tell no capitals apart, so neither does this.
    """
    ours = {*COMMON_COLUMNS, *TOKENS, TEXT}
    named: dict[str, str] = {}
    for name in properties:
        column = name
        while column.casefold() in ours or (column != name and column in properties):
            column = f"answer_{column}"
        named[name] = column
    return named


def _properties(schema: Mapping[str, Any] | None) -> dict[str, object]:
    found = schema.get("properties") if schema else None
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _type(about: object) -> ColumnType:
    """Return the type of a property; what is nested, or may be of several types, is JSON as text."""
    branch, kind = _only(about)
    if kind == "array":
        _, of = _only(branch.get("items"))
        return _LISTS[_TYPES[of]] if of in _TYPES else "string"
    return _TYPES.get(str(kind), "string")


def _only(about: object) -> tuple[dict[str, Any], str | None]:
    """Return the one schema that something has besides being null, and its one type; a schema may also be true or false."""
    branches = [
        one for one in map(as_mapping, as_list(as_mapping(about).get("anyOf")) or [about]) if one.get("type") != "null"
    ]
    if len(branches) != 1:
        return {}, None
    kind = branches[0].get("type")
    kinds = [one for one in (as_list(kind) or [kind]) if one != "null"]
    return branches[0], kinds[0] if len(kinds) == 1 and isinstance(kinds[0], str) else None


def _cell(value: Any, kind: ColumnType) -> Any:
    nested = isinstance(value, (dict, list)) or (kind == "string" and isinstance(value, (int, float)))
    return compact(cast("Any", value)).decode() if nested and not kind.startswith("list_") else cast("Any", value)
