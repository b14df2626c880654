"""Tolerant readings of JSON that a server sent: what is not of the expected type is as good as missing. Raises nothing."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any, cast


def as_mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a JSON array, or an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """Return a text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def as_number(value: Any) -> float | None:
    """Return a number from 0 up that may come as a number or as text, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def as_money(value: Any) -> Decimal | None:
    """Return a cost, or None: missing is unknown, not 0.

    The spec says integer, what comes is fractional, and it may be missing (together-api.md 3.3).
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
