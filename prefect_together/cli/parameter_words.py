"""What is wrong with the parameters of a flow, in the words of a command line: option, value, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from prefect_together._internal.text import clipped
from prefect_together.cli.words import did_you_mean, none_of

_SHOWN = 60  # characters of a value
_BLANK = r"\S"  # the pattern of a text that says something
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_KINDS = {
    "int": "whole number", "float": "number", "decimal": "number", "finite": "number", "string": "text", "list": "list",
    "tuple": "list", "set": "list", "date": "date such as 2026-11-27", "datetime": "time such as 2026-11-27T09:30:00Z",
    "time": "time of day such as 09:30", "timedelta": "length of time", "url": "URL", "uuid": "UUID",
}  # fmt: skip
"""What a value should be, by how pydantic's names of its errors begin."""
_BOUNDS = {
    "greater_than": "{value} is not more than {gt}",
    "greater_than_equal": "{value} is less than {ge}",
    "less_than": "{value} is not less than {lt}",
    "less_than_equal": "{value} is more than {le}",
    "multiple_of": "{value} is no multiple of {multiple_of}",
    "string_too_long": "{value} is longer than {max_length} characters",
    "too_long": "{actual_length} are given, and {max_length} is the most",
    "too_short": "{actual_length} are given, and {min_length} is the least",
}
_Problem = Mapping[str, Any]
_Field = Mapping[str, Any]


def sentences(problems: Iterable[_Problem], schema: _Field, spelled: Callable[[str], str]) -> list[str]:
    """Return a sentence for each problem, no two alike.

    Args:
        problems: Pydantic's errors.
        schema: The JSON schema of the parameters, with its ``definitions``.
        spelled: Returns the option for a parameter.
    """
    found: list[str] = []
    for problem in problems:
        place, field = _place(problem["loc"], schema, spelled)
        said = f"{place}: {_what(problem, field, schema)}" if place else _what(problem, field, schema)
        if said not in found:
            found.append(said)
    return found


def _place(where: tuple[Any, ...], schema: _Field, spelled: Callable[[str], str]) -> tuple[str, _Field]:
    """Return where a problem is, and the schema of what belongs there; what names no field is a branch of a union."""
    names: list[str] = []
    field = schema
    for step in where:
        inner = _inner(field, step, schema)
        if inner is not None:
            field = inner
            names.append(str(step) if names else spelled(str(step)))
        elif isinstance(step, int) or not names:
            names.append(str(step) if names else spelled(str(step)))
    return ".".join(names), field


def _inner(field: _Field, step: Any, schema: _Field) -> _Field | None:
    """Return the schema of a field or an item, or None where there is none of that name."""
    for option in _options(field, schema):
        if isinstance(step, int) and "items" in option:
            return cast("_Field", option["items"])
        if step in option.get("properties", {}):
            return cast("_Field", option["properties"][step])
    return None


def _options(field: _Field, schema: _Field) -> list[_Field]:
    """Return a schema, or those of which it is one, without references."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return _options({**schema.get("definitions", {}), **schema.get("$defs", {})}.get(name, {}), schema)
    inner = [*field.get("anyOf", []), *field.get("oneOf", []), *field.get("allOf", [])]
    return [field, *(option for one in inner for option in _options(one, schema))]


def _what(problem: _Problem, field: _Field, schema: _Field) -> str:
    """Return what is wrong with a value, and what is allowed."""
    kind, value = str(problem["type"]), _shown(problem.get("input"))
    context: Mapping[str, Any] = problem.get("ctx") or {}
    if problem.get("input") is None and kind != "missing":
        return f"nothing is given{_about(field)}"
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(value=value, **context)
    match kind:
        case "missing":
            return f"it is missing{_about(field)}"
        case "extra_forbidden":
            return _no_field(problem, schema)
        case "string_pattern_mismatch":
            return _pattern(value, str(context.get("pattern")), field)
        case "string_too_short" if not problem.get("input"):
            return f"it is empty{_about(field)}"
        case "string_too_short":
            return f"{value} is shorter than {context['min_length']} characters"
        case "literal_error" | "enum":
            return none_of(str(problem.get("input")), _QUOTED.findall(str(context["expected"])))
        case "value_error" | "assertion_error":
            return str(problem["msg"]).partition(", ")[2].removesuffix(".") if "ctx" in problem else str(problem["msg"])
        case _:
            return _of_kind(kind, value, problem, field, schema)


def _of_kind(kind: str, value: str, problem: _Problem, field: _Field, schema: _Field) -> str:
    """Return that a value is not of the kind that is wanted."""
    begin = kind.partition("_")[0]
    if begin == "bool":
        return f"{value} is neither true nor false"
    if begin in {"model", "dict", "mapping", "dataclass"}:
        fields = _fields(field, schema)
        return f"{value} is no object" + (f" with the fields {', '.join(fields)}" if fields else "")
    if begin in _KINDS:
        return f"{value} is no {_KINDS[begin]}"
    return f"{value} is not taken: {str(problem['msg'])[:1].lower()}{str(problem['msg'])[1:].removesuffix('.')}"


def _no_field(problem: _Problem, schema: _Field) -> str:
    *where, name = problem["loc"]
    fields = _fields(_place(tuple(where), schema, str)[1], schema)
    near = did_you_mean(str(name), fields)
    known = f", only {', '.join(fields)}" if fields else ""
    return f"there is no field {str(name)!r}{near or known}"


def _fields(field: _Field, schema: _Field) -> list[str]:
    return list(dict.fromkeys(name for option in _options(field, schema) for name in option.get("properties", {})))


def _pattern(value: str, pattern: str, field: _Field) -> str:
    if pattern == _BLANK:
        return f"it is blank{_about(field)}"
    about = _about(field) or f": it has to match {pattern}"
    return f"{value} does not fit{about}"


def _about(field: _Field) -> str:
    """Return what a value is, by its description, as the end of a sentence."""
    about = " ".join(str(field.get("description") or "").split()).removesuffix(".")
    return f": {about[:1].lower()}{about[1:]}" if about else ""


def _shown(value: Any) -> str:
    return clipped(repr(value) if isinstance(value, str) else str(value), _SHOWN)
