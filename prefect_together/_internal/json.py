"""JSON as it is written here: by orjson, which Prefect brings along; what it refuses, by Python's own. Decides nothing."""

from __future__ import annotations

import json
from typing import Any

import orjson

# Dates and times of a table stay as str() shows them, whoever writes them.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def compact(value: Any) -> bytes:
    """Return a value as one line."""
    try:
        return orjson.dumps(value, default=str, option=_OPTIONS)
    except TypeError:  # integers beyond 64 bits, half of a surrogate pair, keys that are no text
        return json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":")).encode("utf-8", "replace")


def readable(value: Any) -> bytes:
    """Return a value as lines that a person can read."""
    try:
        return orjson.dumps(value, default=str, option=_OPTIONS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return (json.dumps(value, ensure_ascii=False, default=str, indent=2) + "\n").encode("utf-8", "replace")


def read(data: bytes) -> Any:
    """Read what was written, by Python's own: orjson makes fractions of integers beyond 64 bits.

    Raises:
        ValueError: It is no JSON.
    """
    return json.loads(data)
