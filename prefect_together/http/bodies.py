"""The bodies of answers, whole or as far as they came; those that come bit by bit are lines of events. Sends nothing."""

from __future__ import annotations

from typing import Any

import httpx

from prefect_together._internal.event_stream import read_events


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
    return read_events(response.text) if _is_stream(response) else response.json()


def _is_stream(response: httpx.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/event-stream")
