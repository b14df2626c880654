"""Reads the events of an answer that comes bit by bit, each a line of JSON (together-other-types.md 2.3). Sends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

_END = "[DONE]"


@dataclass(frozen=True)
class Events:
    """An answer that came bit by bit: the JSON of its events, in order."""

    items: tuple[dict[str, Any], ...] = field(repr=False)
    complete: bool
    """Whether the server said that this is all."""


def read_events(text: str) -> Events:
    """Return the events of a stream; a last line that was cut is none.

    Raises:
        ValueError: A line before the last one is no JSON.
    """
    items: list[dict[str, Any]] = []
    lines = [line[len("data:") :].strip() for line in text.split("\n") if line.startswith("data:")]
    for place, line in enumerate(lines):
        if line.startswith(_END):
            return Events(tuple(items), complete=True)
        try:
            item = json.loads(line)
        except ValueError:
            if place == len(lines) - 1:
                break
            raise
        if isinstance(item, dict):
            items.append(cast("dict[str, Any]", item))
    return Events(tuple(items), complete=False)
