"""What an answer has to be: classes, JSON schemas and patterns as Together takes them, and answers checked by them."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticUserError

_KINDS = frozenset({"text", "json_schema", "json_object", "regex"})
_NO_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)
_LONGEST_NAME = 64
_DEFINITIONS = ("$defs", "definitions")
"""Where a schema keeps what it refers to; further down these are names like any other."""


def response_format(value: object) -> dict[str, Any] | None:
    """Return what is sent as ``response_format`` for what a user gives.

    Args:
        value: A pydantic class or another type that pydantic knows, a JSON schema, a compiled pattern, or what Together
            itself takes: ``{"type": "json_schema" | "json_object" | "regex" | "text", …}``.

    Raises:
        ValueError: It is none of these, or its schema is no valid one.
    """
    if value is None:
        return None
    if isinstance(value, re.Pattern):
        return {"type": "regex", "pattern": _uncompiled(cast("Any", value))}
    if inspect.isclass(value) and issubclass(value, BaseModel):
        try:
            return _wrapped(value.model_json_schema(), value.__name__)
        except PydanticUserError as error:
            raise ValueError(f"{value.__name__} has no JSON schema: {error.message}") from None
    if isinstance(value, Mapping):
        return _of_mapping(dict(cast("Mapping[str, Any]", value)))
    wrong = "give a pydantic class, a JSON schema as a dict, or a pattern made by re.compile"
    if isinstance(value, str):
        raise ValueError(wrong)  # noqa: TRY004 - pydantic wants it
    try:
        known: Any = value
        return _wrapped(TypeAdapter(known).json_schema(), getattr(known, "__name__", "answer"))
    except (PydanticUserError, TypeError, NameError):
        raise ValueError(wrong) from None


def _uncompiled(pattern: re.Pattern[Any]) -> str:
    """Return what a compiled pattern is sent as: its text alone, so that one which means more is refused."""
    if not isinstance(pattern.pattern, str):
        raise ValueError("its pattern is of bytes, and answers are text")  # noqa: TRY004 - pydantic wants it
    if meant := re.RegexFlag(pattern.flags) & ~(re.UNICODE | re.DEBUG):
        said = f"its pattern has flags ({meant!r}), which cannot be sent"
        raise ValueError(f"{said}: write them into the pattern, such as [Yy]es in place of yes with re.IGNORECASE")
    return pattern.pattern


def _of_mapping(value: dict[str, Any]) -> dict[str, Any]:
    kind = value.get("type")
    if kind == "regex":
        return {**value, "pattern": _pattern(value.get("pattern"))}
    if kind == "json_schema":
        inner = value.get("json_schema")
        about: Mapping[str, Any] = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else value
        if not isinstance(about.get("schema"), Mapping):
            raise ValueError('a response_format of type "json_schema" holds the schema: {"json_schema": {"schema": {…}}}')
        found = _wrapped(dict(about["schema"]), str(about.get("name") or "answer"))
        found["json_schema"] |= {name: about[name] for name in ("description", "strict") if name in about}
        return found
    if isinstance(kind, str) and kind in _KINDS:
        return value
    return _wrapped(value, str(value.get("title") or "answer"))


def _pattern(pattern: object) -> str:
    try:
        re.compile(str(pattern))
    except re.error as error:
        raise ValueError(f"its pattern is none: {error}") from None
    if not isinstance(pattern, str):
        raise ValueError('a response_format of type "regex" has a "pattern"')  # noqa: TRY004 - pydantic wants it
    return pattern


def _wrapped(schema: dict[str, Any], name: str) -> dict[str, Any]:
    inlined = inline_references(schema)
    try:
        _validator(json.dumps(inlined))
    except TypeError as error:
        raise ValueError(f"it is no JSON schema: {error}") from None
    named = _NO_NAME.sub("_", name)[:_LONGEST_NAME].strip("_") or "answer"
    return {"type": "json_schema", "json_schema": {"name": named, "schema": inlined, "strict": True}}


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """Return what tells whether a value is by a schema: the rows of a table have one, and making this takes milliseconds.

    Args:
        schema: As JSON.

    Raises:
        ValueError: It is none.
    """
    from jsonschema import SchemaError, validators  # slow to import, and needed for schemas alone

    read = json.loads(schema)
    made = validators.validator_for(read)
    try:
        made.check_schema(read)
    except SchemaError as error:
        raise ValueError(f"it is no JSON schema: {error.message}") from None
    return made(read)


def inline_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to in place of ``$ref``: whether Together follows those is not known.

    Raises:
        ValueError: It refers to itself, or to something that is not in it.
    """
    definitions = {f"#/{name}/{key}": part for name in _DEFINITIONS for key, part in schema.get(name, {}).items()}

    def inlined(part: Any, above: tuple[str, ...]) -> Any:
        if isinstance(part, list):
            return [inlined(one, above) for one in cast("list[Any]", part)]
        if not isinstance(part, dict):
            return part
        known = cast("dict[str, Any]", part)
        reference = known.get("$ref")
        if not isinstance(reference, str):  # a property may be called so, too
            return {key: inlined(one, above) for key, one in known.items()}
        if reference in above:
            raise ValueError(
                f"its schema refers to itself ({reference}), and such a schema cannot be sent: give a depth to it"
            )
        if reference not in definitions:
            raise ValueError(f"its schema refers to {reference}, which is not in it")
        beside = {key: one for key, one in known.items() if key != "$ref"}
        return {**inlined(definitions[reference], (*above, reference)), **beside}

    return cast("dict[str, Any]", inlined({key: one for key, one in schema.items() if key not in _DEFINITIONS}, ()))


def schema_of(wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the JSON schema of a ``response_format``, or None where it has none."""
    return wanted["json_schema"]["schema"] if wanted and wanted["type"] == "json_schema" else None


def instruction(wanted: Mapping[str, Any] | None) -> str | None:
    """Return what the prompt says of the form of the answer: models keep to a schema better where they read it too."""
    schema = schema_of(wanted)
    if schema is not None:
        return f"Answer with JSON alone, in this JSON schema:\n{json.dumps(schema, ensure_ascii=False)}"
    return "Answer with one JSON object alone." if wanted and wanted["type"] == "json_object" else None


def read_json(text: str) -> Any:
    """Return the value of an answer in JSON, which some models put into a code fence, with words around it.

    Raises:
        ValueError: It is no JSON.
    """
    fenced = _FENCED.findall(text)
    return json.loads(fenced[0] if len(fenced) == 1 else text, parse_constant=_no_number, parse_float=_finite)


def _no_number(text: str) -> float:
    """Refuse NaN and Infinity, which JSON has not, and a number too large to be one here."""
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _no_number(text)


def fault(text: str, wanted: Mapping[str, Any] | None) -> str | None:
    """Return in words what is wrong with an answer, or None where it is what was wanted."""
    if wanted is None or wanted["type"] == "text":
        return None
    if wanted["type"] == "regex":
        fits = re.fullmatch(wanted["pattern"], text.strip())
        return None if fits else f"it does not fit the pattern {wanted['pattern']}"
    try:
        value = read_json(text)
    except ValueError as error:
        return f"it is no JSON: {error}"
    schema = schema_of(wanted)
    if schema is None:
        return None if isinstance(value, dict) else "it is no JSON object"
    found = _validator(json.dumps(schema)).iter_errors(value)
    errors: list[Any] = sorted(found, key=lambda error: list(map(str, error.absolute_path)))
    return "; ".join(f"{error.json_path}: {error.message}" for error in errors[:3]) or None
