"""What is wrong with a request, in one sentence a person can act on. No I/O, nothing of Together's here."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from prefect_together._internal.text import with_article
from prefect_together.errors import InvalidRequest

_Item = TypeVar("_Item")

_SHOWN = 80  # characters of a wrong value that are quoted back
_PATTERNS = {r"\S": "it is empty, give at least one character", r"^\d+:\d+$": "give it as width:height, such as 16:9"}


def explain(model: type[BaseModel], error: ValidationError) -> str:
    """Return one sentence that names every wrong field, its value and what is allowed."""
    # A union reports one problem for each of its branches: together they say what is allowed at that place.
    places: dict[tuple[int | str, ...], list[str]] = {}
    for problem in error.errors(include_url=False):
        said = places.setdefault(_place(problem["loc"]), [])
        one = _one(model, dict(problem))
        start = one.partition(": ")[0] + ": "
        if not said:
            said.append(one)
        elif said[0].startswith(start) and one not in said:
            said.append(one.removeprefix(start))
    sentence = "; ".join(" or ".join(dict.fromkeys(said)) for said in places.values())
    return sentence if sentence.endswith("?") else sentence + "."


def unfinished(value: object) -> str | None:
    """Return how to come by what is asked for, where a value is only the promise of it, or None.

    Prefect's futures and states, those of ``concurrent.futures`` and asyncio, and coroutines are told by what they can do.
    """
    if inspect.isawaitable(value):
        return "await it, and give what comes of it"
    can_wait = any(hasattr(value, name) for name in ("wait", "done", "is_completed"))
    return (
        "call .result() on it, and give what comes of it" if can_wait and callable(getattr(value, "result", None)) else None
    )


def items_of(function: str, given: object, kinds: tuple[type[_Item], ...], wanted: str) -> list[_Item]:
    """Return what a function was given as a list of what it takes.

    Args:
        function: What was called, for errors.
        given: What it was given: any number of them.
        kinds: The classes of what it takes.
        wanted: These, in words.

    Raises:
        InvalidRequest: It is no list, or something else is in it.
    """
    several = isinstance(given, Iterable) and not isinstance(given, (str, *kinds))
    items: list[Any] = [*cast("Iterable[Any]", given)] if several else [given]
    for wrong in items:
        if not isinstance(wrong, kinds):
            hint = f": {said}" if (said := unfinished(wrong)) else ""
            found = "None" if wrong is None else with_article(type(wrong).__name__)
            raise InvalidRequest(f"{function} takes {wanted}, and was given {found}{hint}.")
    return items


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    return location[:2] if len(location) > 1 and isinstance(location[1], int) else location[:1]


def _one(model: type[BaseModel], problem: dict[str, Any]) -> str:
    location: tuple[int | str, ...] = problem["loc"]
    # A union names its branches in the location (`image_url.str`): a person only knows the field.
    name = str(location[0]) if location else ""
    where = f"{model.__name__}.{name}" if name else model.__name__
    if len(location) > 1 and isinstance(location[1], int):
        where += f"[{location[1]}]"
    value: object = problem.get("input")
    quoted = _quoted(value)
    if hint := unfinished(value):
        return f"{where} is a {type(value).__name__}, not what comes of it: {hint}"
    match problem["type"]:
        case "extra_forbidden":
            inner = str(location[len(location) - 1])
            if len(location) > 1:
                return f"{where} has no field {inner!r} (given {quoted})"
            close = get_close_matches(inner, model.model_fields, n=1)
            newer = f"what is newer goes in extra={{{inner!r}: …}}" if "extra" in model.model_fields else "leave it out"
            hint = f"did you mean {close[0]!r}?" if close else newer
            return f"{model.__name__} has no field {inner!r} (given {quoted}): {hint}"
        case "missing":
            return f"{model.__name__} needs {'.'.join(str(part) for part in location)!r}, which was not given"
        case "string_too_short":
            return f"{where} is empty: give at least one character"
        case "string_pattern_mismatch":
            return f"{where} is {quoted}: {_PATTERNS.get(problem['ctx']['pattern'], _lowered(problem['msg']))}"
        case "value_error":
            message = str(problem["ctx"]["error"]).removesuffix(".")
            # A part that is an object says itself which of its fields is wrong.
            own = not name or isinstance(value, Mapping)
            return (f"{where}: {message}" if name else message) if own else f"{where} is {quoted}: {message}"
        case "greater_than_equal" | "less_than_equal" | "greater_than":
            return f"{where} is {quoted}: {_allowed(model, name) or _lowered(problem['msg'])}"
        case _:
            return f"{where} is {quoted}: {_lowered(problem['msg'])}"


def _allowed(model: type[BaseModel], name: str) -> str:
    """Say the bounds of a field from its own metadata, so that they are written down once."""
    field = model.model_fields.get(name)
    if field is None:
        return ""
    bounds: dict[str, Any] = {}
    for item in _metadata(field.metadata, field.annotation):
        for bound in ("ge", "le", "gt"):
            if getattr(item, bound, None) is not None:
                bounds[bound] = getattr(item, bound)
    if "ge" in bounds and "le" in bounds:
        return f"allowed is {bounds['ge']} to {bounds['le']}"
    if "ge" in bounds:
        return f"allowed is {bounds['ge']} or more"
    if "gt" in bounds:
        return f"allowed is more than {bounds['gt']}"
    return ""


def _metadata(own: list[Any], annotation: Any) -> list[Any]:
    """Collect constraints, also those inside ``Annotated[int, …] | None``."""
    found = list(own)
    for argument in (annotation, *getattr(annotation, "__args__", ())):
        for item in getattr(argument, "__metadata__", ()):
            found += [item, *getattr(item, "metadata", ())]
    return found


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _quoted(value: object) -> str:
    shown = "an object" if isinstance(value, Mapping) else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
