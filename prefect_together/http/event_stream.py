"""Answers that come bit by bit, as events of which each is a line of JSON (together-other-types.md 2.3). Sends nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

_END = "[DONE]"


@dataclass(frozen=True)
class Events:
    """An answer that came bit by bit: the JSON of its events, in order."""

    items: tuple[dict[str, Any], ...] = field(repr=False)
    complete: bool
    """Whether the server said that this is all."""


async def receive(response: httpx.Response) -> httpx.Response:
    """Return an answer when all of it is there.

    Of one that comes bit by bit, what came is returned also where it breaks off: it was paid for, and is worth keeping.

    Raises:
        Exception: Whatever the transport raises, where the answer is of any other kind.
    """
    try:
        if not _is_stream(response):
            await response.aread()
            return response
        parts: list[bytes] = []
        try:
            async for part in response.aiter_bytes():
                parts.append(part)  # noqa: PERF401 - what came before an error stays
        except Exception:  # whatever ends it: what came is judged by whoever reads it
            if not parts:
                raise
        headers = {"Content-Type": response.headers["Content-Type"]}
        return httpx.Response(response.status_code, headers=headers, content=b"".join(parts))
    finally:
        await response.aclose()


def read_answer(response: httpx.Response) -> Any:
    """Return the JSON of an answer, or its ``Events``.

    Raises:
        ValueError: It is neither.
    """
    return _events(response.text) if _is_stream(response) else response.json()


def _is_stream(response: httpx.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/event-stream")


def _events(text: str) -> Events:
    """Return the events of a stream; a last line that was cut is none."""
    items: list[dict[str, Any]] = []
    lines = [line[len("data:") :].strip() for line in text.splitlines() if line.startswith("data:")]
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
