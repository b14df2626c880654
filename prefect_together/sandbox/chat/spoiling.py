"""Spoil an answer in words as models and servers do: cut, fenced, against its schema, thought away, broken off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from prefect_together.sandbox.chat.shapes import event
from prefect_together.sandbox.chat.writing import Choice

ERROR = {"error": {"message": "Internal server error", "type": "server_error", "param": None, "code": None}}
MUSING = "Let me think about this once more, from the beginning, and weigh every word of what was asked. "


def _thought_only(choice: Choice) -> Choice:
    """Let the whole budget go into thinking."""
    return replace(choice, text="", call=None, thoughts=choice.thoughts + " " + MUSING * 40, finish="length")


def _cut(choice: Choice) -> Choice:
    """Break off in the middle, as where the budget ends."""
    text = choice.text or ""
    return replace(choice, text=text[: len(text) // 2], finish="length")


def _fenced(choice: Choice) -> Choice:
    return replace(choice, text=f"Here is the JSON:\n```json\n{choice.text or ''}\n```")


def _wrong(choice: Choice) -> Choice:
    """Write JSON that is valid, and no schema's."""
    return replace(choice, text=json.dumps({"unexpected": [choice.text or ""], "note": None}))


SPOILS: Mapping[str, Callable[[Choice], Choice]] = {
    "thought_only": _thought_only,
    "json_cut": _cut,
    "json_fenced": _fenced,
    "json_wrong": _wrong,
}
"""What a fault makes of each choice."""


def broken(events: list[bytes], name: str) -> Iterator[bytes]:
    """Yield a stream up to its middle, and there an error where that is what goes wrong."""
    yield from events[: max(1, len(events) // 2)]
    if name == "stream_error":
        yield event(ERROR)
