"""The bodies of answers: JSON, files, or lines of events, whole or as far as they came. Sends nothing."""

from __future__ import annotations

from typing import Any

import httpx

from prefect_together._internal.answer_file import received
from prefect_together._internal.event_stream import read_events

_FILE = "prefect_together.file"


async def receive(response: httpx.Response, *, files: bool = False) -> httpx.Response:
    """Return an answer when all of it is there.

    Of one that comes bit by bit, what came is returned also where it breaks off: it was paid for, and is worth keeping. One
    that is a file is not held in memory.

    Args:
        response: Of which the head is there.
        files: Whether a file was asked for: whatever is no text is one then.

    Raises:
        AnswerBrokeOff: It is a file, and ended before its end.
        Exception: Whatever the transport raises, where the answer is of any other kind.
    """
    try:
        if files and response.is_success and not _is_text(response):
            file = await received(_media_type(response), response.aiter_bytes())
            return httpx.Response(response.status_code, headers=_kind(response), extensions={_FILE: file})
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
        return httpx.Response(response.status_code, headers=_kind(response), content=b"".join(parts))
    finally:
        await response.aclose()


def read_answer(response: httpx.Response) -> Any:
    """Return the JSON of an answer, its ``Events``, or the ``AnswerFile`` that it is.

    Raises:
        ValueError: It is none of them.
    """
    if _FILE in response.extensions:
        return response.extensions[_FILE]
    return read_events(response.text) if _is_stream(response) else response.json()


def _is_stream(response: httpx.Response) -> bool:
    return _media_type(response) == "text/event-stream"


def _is_text(response: httpx.Response) -> bool:
    """Tell what surely is no file that was asked for; servers have many words for those that are, and some have none."""
    return _media_type(response).startswith("text/") or "json" in _media_type(response)


def _media_type(response: httpx.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _kind(response: httpx.Response) -> dict[str, str]:
    return {"Content-Type": response.headers.get("Content-Type", "")}
