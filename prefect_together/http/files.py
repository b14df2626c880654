"""Files that are sent to Together's Files API, and those that it wrote: all of it is free. Does not know what is in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx

from prefect_together._internal.readers import as_mapping, as_text
from prefect_together._internal.retry import backoff
from prefect_together.errors import APIError, ConnectionFailed, ServerError
from prefect_together.http.client import TogetherClient
from prefect_together.http.responses import error_from_response

TRIES = 5
"""Times that a file is sent, and a list asked for: both are free, and may fail for a moment."""
_CONFLICT = 409
_T = TypeVar("_T")


async def upload(client: TogetherClient, name: str, file: IO[bytes], *, purpose: str) -> str:
    """Send a file and return its id; where Together has the same bytes already, the id of those.

    Args:
        client: Whose file it is.
        name: What it is called.
        file: Open for reading, in JSON lines.
        purpose: What it is for.

    Raises:
        APIError: Together refused it.
        ConnectionFailed: Together cannot be reached.
    """

    async def send() -> str:
        file.seek(0)
        fields = {"purpose": purpose, "file_name": name, "file_type": "jsonl"}
        response = await client.send_form("/v1/files/upload", fields, name, file)
        same = response.status_code == _CONFLICT
        if response.status_code >= 400 and not same:
            raise _failed(response.status_code, response.text, response.headers)
        found = as_mapping(_json(response))
        file_id = as_text(found.get("file_id" if same else "id"))
        if not file_id:
            raise ServerError("Together took a file and named no id for it.", retryable=True, status=response.status_code)
        return file_id

    return await patiently(send)


async def size_of(client: TogetherClient, file_id: str) -> int | None:
    """Return how many bytes a file has, or None where Together does not say.

    Raises:
        APIError: Together does not know it, or has another reason.
        ConnectionFailed: Together cannot be reached.
    """

    def size(answer: Any) -> int | None:
        found = as_mapping(answer).get("bytes")
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    return await client.get(f"/v1/files/{quote(file_id, safe='')}", size)


async def fetch(client: TogetherClient, file_id: str, into: IO[bytes]) -> int:
    """Write the bytes of a file into another, and return how many there were.

    Raises:
        APIError: It is not there, or Together has another reason.
        ConnectionFailed: It broke off, or Together cannot be reached.
        MediaError: It is elsewhere, and cannot be had there.
    """
    into.seek(0)
    into.truncate()
    async with client.open(f"/v1/files/{quote(file_id, safe='')}/content") as response:
        location = response.headers.get("location")
        if 300 <= response.status_code < 400 and location:
            async with client.files.open(str(httpx.URL(client.origin).join(location))) as hosted:  # without the key
                return await _write(hosted.chunks, into)
        if response.status_code != 200:
            await response.aread()
            raise _failed(response.status_code, response.text, response.headers)
        return await _write(response.aiter_bytes(), into)


async def patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Do what is free again while it fails for reasons that pass, some times."""
    tries = 0
    while True:
        tries += 1
        try:
            return await ask()
        except (APIError, ConnectionFailed) as error:
            if not error.retryable or tries >= TRIES:
                raise
            await asyncio.sleep(getattr(error, "retry_after", None) or backoff(tries, first=1.0, longest=15.0))


async def _write(chunks: AsyncIterator[bytes], into: IO[bytes]) -> int:
    size = 0
    async for chunk in chunks:
        size += into.write(chunk)
    into.flush()
    return size


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        what = "Together took a file and answered with something that cannot be read."
        raise ServerError(what, retryable=True, status=response.status_code) from None


def _failed(status: int, text: str, headers: httpx.Headers) -> APIError:
    return error_from_response(status, text, headers)
