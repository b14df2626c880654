"""The lines of a batch's input file, checked as Together checks them before it begins; answers none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

MAX_LINES = 50_000
MAX_BYTES = 100_000_000
MAX_LINE_BYTES = 10_000_000
MAX_ID = 64
"""Characters of a custom_id."""


class BadBatch(ValueError):
    """A file that no batch can be made of; the words are ours."""


@dataclass(frozen=True)
class Line:
    """One request of a batch."""

    custom_id: str
    method: str | None
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Lines:
    """What is in an input file."""

    lines: tuple[Line, ...]
    oversized: bool
    """Whether a line is larger than can be read later; nobody looks into it before."""


def read_lines(content: bytes) -> Lines:
    """Return the requests in an input file; raise BadBatch for the first thing that is wrong with it."""
    if len(content) > MAX_BYTES:
        raise BadBatch(f"input file is larger than {MAX_BYTES} bytes")
    numbered = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if not numbered:
        raise BadBatch("input file is empty")
    if len(numbered) > MAX_LINES:
        raise BadBatch(f"input file has {len(numbered)} lines, more than {MAX_LINES}")
    small = [(number, line) for number, line in numbered if len(line) <= MAX_LINE_BYTES]
    lines: dict[str, Line] = {}
    for number, text in small:
        line = _line(number, text)
        if line.custom_id in lines:
            raise BadBatch(f"line {number}: custom_id '{line.custom_id}' is not unique")
        lines[line.custom_id] = line
    return Lines(tuple(lines.values()), oversized=len(small) < len(numbered))


def first_model(content: bytes) -> str | None:
    """Return the model that the first line names, None where that cannot be read."""
    try:
        return str(_line(1, content.lstrip().partition(b"\n")[0]).body["model"])
    except (BadBatch, KeyError):
        return None


def _line(number: int, text: bytes) -> Line:
    try:
        # Together reads UTF-8 only; Python would guess UTF-16 too.
        value: Any = json.loads(text.decode())
    except ValueError:
        raise BadBatch(f"line {number}: not valid JSON") from None
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    name, body, method = fields.get("custom_id"), fields.get("body"), fields.get("method")
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_ID:
        raise BadBatch(f"line {number}: custom_id must be a string of 1 to {MAX_ID} characters")
    if not isinstance(body, dict):
        raise BadBatch(f"line {number}: body must be an object")
    return Line(name, None if method is None else str(method), cast("dict[str, Any]", body))
