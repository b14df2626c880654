"""What the numbers that are given to the editing here may be."""

from __future__ import annotations

import sys
from typing import Any

from prefect_together.errors import InvalidRequest


def number(function: str, name: str, value: Any, most: float | None = None) -> float:
    """Return a number of seconds, decibels or the like: none below 0.

    Args:
        function: What was called, for errors.
        name: Which of its arguments.
        value: What was given.
        most: The largest one that makes sense.

    Raises:
        InvalidRequest: It is no such number.
    """
    # Whole numbers may be larger than any that is not whole.
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max
    if not good or (most is not None and value > most):
        upto = "" if most is None else f" and at most {most:g}"
        raise InvalidRequest(f"{function}: {name} is a number, at least 0{upto}, and was {value!r}.")
    return float(value)


def whole_number(function: str, name: str, value: Any) -> int:
    """Return how many of something are wanted.

    Raises:
        InvalidRequest: It is no whole number above 0.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidRequest(f"{function}: {name} is a whole number, at least 1, and was {value!r}.")
    return value
