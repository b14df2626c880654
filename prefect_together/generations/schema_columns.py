"""The columns of a table whose answers are by a JSON schema: one for each property, of the type that the schema says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from prefect_together._internal.json import compact
from prefect_together._internal.readers import as_mapping
from prefect_together.generations.response_format import fault, read_json, schema_of
from prefect_together.generations.spec import ColumnType

_TYPES: dict[str, ColumnType] = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool_"}
_LISTS: dict[ColumnType, ColumnType] = {
    "string": "list_string",
    "int64": "list_int64",
    "float64": "list_float64",
    "bool_": "list_bool_",
}
TEXT = "text"
"""Holds answers as they were written: all of them, or where there is a schema those that are not by it."""


def columns_of(schema: Mapping[str, Any] | None) -> dict[str, ColumnType]:
    """Return the columns of answers by a schema; one of text where it has no properties, or there is none."""
    properties = _properties(schema)
    return {**{name: _type(about) for name, about in properties.items()}, TEXT: "string"}


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
    if fault(text, wanted) is not None:
        return {**dict.fromkeys(properties), TEXT: text}
    value = cast("dict[str, Any]", read_json(text))
    return {**{name: _cell(value.get(name), _type(about)) for name, about in properties.items()}, TEXT: None}


def _properties(schema: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    found = schema.get("properties") if schema else None
    return cast("dict[str, Mapping[str, Any]]", found) if isinstance(found, dict) else {}


def _type(about: Mapping[str, Any]) -> ColumnType:
    """Return the type of a property; what is nested, or may be of several types, is JSON as text."""
    branches = [one for one in about.get("anyOf", [about]) if one.get("type") != "null"]
    if len(branches) != 1:
        return "string"
    kind = branches[0].get("type")
    if isinstance(kind, list):
        kinds = [one for one in cast("list[Any]", kind) if one != "null"]
        kind = kinds[0] if len(kinds) == 1 else None
    if kind == "array":
        items = as_mapping(branches[0].get("items"))
        return _LISTS[_TYPES[items["type"]]] if items.get("type") in _TYPES else "string"
    return _TYPES.get(str(kind), "string")


def _cell(value: Any, kind: ColumnType) -> Any:
    nested = isinstance(value, (dict, list)) or (kind == "string" and isinstance(value, (int, float)))
    return compact(cast("Any", value)).decode() if nested and not kind.startswith("list_") else cast("Any", value)
