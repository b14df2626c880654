"""What every row of a table asks for, and where a row is wrong. Reads no rows."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from prefect_together.errors import InvalidRequest
from prefect_together.generations.registry import default_spec, spec_named
from prefect_together.generations.request import Request


def asked_for(request: Any, kind: str | None) -> type[Request]:
    """Return what every row asks for.

    Raises:
        InvalidRequest: It is said twice, or is no class of requests.
    """
    if request is None:
        return (default_spec() if kind is None else spec_named(kind)).request
    if kind is not None:
        raise InvalidRequest("request= and type= say the same thing: give one of them.")
    if not isinstance(request, type):
        raise InvalidRequest(
            f"request= is what every row asks for, as a class: {type(request).__name__}, not one of its requests."
        )
    return request


def where_wrong(number: int, error: InvalidRequest, origin: dict[str, list[str]]) -> str:
    """Return an error with the row and the column that it comes from."""
    cause = error.__context__
    wrong = [str(found["loc"][0]) for found in cause.errors() if found["loc"]] if isinstance(cause, ValidationError) else []
    column = next((", ".join(origin[name]) for name in wrong if name in origin), None)
    missing = next((name for name in wrong if name not in origin), None)
    place = f", column {column!r}" if column else f", field {missing!r}" if missing else ""
    return f"Row {number}{place}: {error}"
