"""The files that a provider's batch wrote: fetched whole, however late they are, and read line by line. Keeps nothing."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import IO, Any

from prefect_together._internal.json import read
from prefect_together._internal.logs import Log
from prefect_together._internal.readers import as_mapping, as_text
from prefect_together.errors import APIError, ConnectionFailed, MediaError
from prefect_together.http.client import TogetherClient
from prefect_together.http.files import fetch, size_of

LATE = 300.0
"""Seconds for which what a batch that is over has written may be missing, empty or cut off."""
LOOK_AGAIN = 2.0
"""Seconds between looks at what is late; they grow."""
LATER = frozenset({408, 429, 500, 502, 503, 504})
BUSY = frozenset(
    {"server_error", "service_unavailable", "service_unavailable_error", "dynamic_request_limited", "dynamic_token_limited"}
)
"""Statuses and codes of a line that say nothing against it: nothing is paid for it, and a later batch may answer it."""
_TAIL = 64 * 1024


async def fetch_whole(client: TogetherClient, file_id: str, into: IO[bytes], log: Log) -> None:
    """Fetch a file that a batch wrote; what is late, empty or cut off is fetched again.

    Raises:
        TogetherError: It cannot be had. It is paid for, and can be fetched later.
    """
    until, pause = time.monotonic() + LATE, LOOK_AGAIN
    while True:
        try:
            size = None
            with suppress(APIError, ConnectionFailed):  # then its own end has to tell that it is whole
                size = await size_of(client, file_id)
            came = await fetch(client, file_id, into)
            if came and size in {None, came} and _ends_whole(into, came):
                return
            what = f"Only {came:,} bytes of {file_id}, which a batch wrote, came."
            raise MediaError(what, paid="yes", advice="Run it again: it is fetched again, for free.", retryable=True)
        except (APIError, ConnectionFailed, MediaError) as error:
            late = isinstance(error, (APIError, MediaError)) and error.status == 404
            if not (error.retryable or late) or time.monotonic() > until:
                error.paid = "yes"
                raise
            log.info("What a batch wrote is not there yet: %s", error.what)
        await asyncio.sleep(pause)
        pause = min(2 * pause, 30.0)


def read_line(text: bytes) -> dict[str, Any]:
    """Return a line; what is none holds nothing."""
    try:
        return as_mapping(read(text))
    except ValueError:
        return {}


def refusal(line: dict[str, Any]) -> tuple[str, str | None]:
    """Return why a line was refused, in words, and Together's code."""
    error: Any = line.get("error") or as_mapping(as_mapping(line.get("response")).get("body")).get("error")
    found = as_mapping(error)
    message = as_text(found.get("message")) or as_text(error) or "no reason given"
    code = as_text(found.get("code")) or as_text(found.get("type"))
    return f"Together refused the line{f' ({code})' if code else ''}: {' '.join(message.split()).rstrip('.')}", code


def _ends_whole(file: IO[bytes], size: int) -> bool:
    """Tell whether the last line of a file is one."""
    file.seek(max(0, size - _TAIL))
    tail = file.read().rstrip(b"\n")
    return (size > _TAIL and b"\n" not in tail) or bool(read_line(tail.rpartition(b"\n")[2]))
