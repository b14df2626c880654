"""How the files that a request names go into its body: as hosted URLs, or inline. Reads files; sends and decides nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from prefect_together.errors import InvalidRequest, LibraryError, MediaError
from prefect_together.generations.formats import HEAD, sniff
from prefect_together.generations.registry import spec_of_file
from prefect_together.generations.request import Form, MediaInput, MediaReference, Request, is_remote
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.storage import open_moved

LARGEST_INLINE = 30 * 1024 * 1024
"""Bytes of a local file that are sent inline at most; larger ones have to be hosted."""
INLINE_FRAME_WARNING = 60 * 1024
"""huggingface_hub found video frames capped near 60 KB (together-api.md 3.2)."""
PLANNED = "planned:"
"""The scheme of the stand-in for a file that is still to be made."""
_CLOCKS_DIFFER = timedelta(minutes=-5)


@dataclass(frozen=True)
class Body:
    """The JSON body of a request, and what should be said about it."""

    content: dict[str, Any]
    warnings: tuple[str, ...]


async def write_body(request: Request, is_there: Callable[[str], Awaitable[bool]]) -> Body:
    """Return the body that is sent: fresh hosted URLs as they are, everything else inline in the form the field takes.

    Args:
        request: What is asked.
        is_there: Tells whether a hosted file is still there: a job with a dead link fails, and may be billed.

    Raises:
        InvalidRequest: A file that goes inline is missing or too large.
    """
    written: dict[tuple[MediaInput, Form], str] = {}
    warnings: list[str] = []
    for value, form in request.media_inputs():
        if (value, form) in written:
            continue
        url = _hosted(value)
        if url and (not isinstance(value, MediaReference) or await is_there(url)):
            written[value, form] = url
            continue
        data = await asyncio.to_thread(_read, request, value)
        if form == "base64" and len(data) > INLINE_FRAME_WARNING:
            warnings.append(
                f"A frame of {len(data) // 1024} KB goes inline, and Together may refuse frames above "
                f"{INLINE_FRAME_WARNING // 1024} KB: host it and give its URL if it does."
            )
        text = base64.b64encode(data).decode()
        written[value, form] = text if form == "base64" else f"data:{_media_type(value, data)};base64,{text}"
    return Body(request.body(lambda value, form: written[value, form]), tuple(warnings))


async def missing(request: Request) -> str | None:
    """Return which kept file of a request is not in its library any more, as a sentence, or None.

    What is still to be made, and what is hosted where Together can fetch it, is not missed.
    """
    for value, _ in request.media_inputs():
        if isinstance(value, MediaReference) and not value.uri.startswith(PLANNED) and _hosted(value) is None:
            try:
                (await asyncio.to_thread(open_moved, value.uri, value.sha256))[0].close()
            except FileNotFoundError:
                return f"{type(request).__name__}: {value.uri} is not in the library any more."
    return None


def _hosted(value: MediaInput) -> str | None:
    """Return the URL under which Together can fetch an input now, if there is one."""
    if not isinstance(value, MediaReference):
        return str(value) if is_remote(str(value)) else None
    if value.source_url is None:
        return None
    age, spec = datetime.now(timezone.utc) - value.created_at, spec_of_file(value.media_type)
    fresh = spec is not None and _CLOCKS_DIFFER <= age < spec.keeping.links_fresh
    return value.source_url if fresh else None


def sha256_of_local(request: Request, name: str) -> str:
    """Return the SHA-256 of a local file that a request names, in hex.

    Raises:
        InvalidRequest: It is missing, empty, too large, or cannot be read.
    """
    return hashlib.sha256(_read_local(request, name)).hexdigest()


def _read(request: Request, value: MediaInput) -> bytes:
    if not isinstance(value, MediaReference):
        return _read_local(request, str(value))
    if value.uri.startswith(PLANNED):
        raise InvalidRequest(
            f"{type(request).__name__}: an input is still to be made: {value.uri} stands for it in plans only."
        )
    _check_size(request, value.uri, value.size)
    try:
        with open_moved(value.uri, value.sha256)[0] as file:
            data = file.read()
    except FileNotFoundError:
        raise InvalidRequest(f"{type(request).__name__}: {value.uri} is not in the library any more.") from None
    except OSError as error:
        raise LibraryError(f"{value.uri} could not be read: {error}.", paid="nothing", retryable=True) from error
    if hashlib.sha256(data).hexdigest() != value.sha256:
        what = f"{value.uri} has changed since it was kept, so it is not what the request was made of."
        raise MediaError(what, paid="nothing", advice="Restore it, or generate it anew.")
    return data


def _read_local(request: Request, name: str) -> bytes:
    kind = type(request).__name__
    try:
        path = (local_folder(name) if name.startswith("file://") else None) or Path(name).expanduser()
        _check_size(request, name, path.stat().st_size)
        data = path.read_bytes()
    except FileNotFoundError:
        what = f"{kind}: there is no file {name!r}: give an existing path, a URL or a generated file."
        raise InvalidRequest(what) from None
    except (OSError, ValueError, RuntimeError) as error:  # "~nobody" and a NUL are no OSError
        if isinstance(error, InvalidRequest):
            raise
        said = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"{kind}: the file {name!r} cannot be read: {said}.") from None
    if not data:
        raise InvalidRequest(f"{kind}: the file {name!r} is empty.")
    return data


def _check_size(request: Request, name: str, size: int) -> None:
    if size > LARGEST_INLINE:
        raise InvalidRequest(
            f"{type(request).__name__}: {name} has {size / 1e6:.0f} MB, and files above {LARGEST_INLINE // 1024**2} MB "
            "are not sent inline: host it and give its URL."
        )


def _media_type(value: MediaInput, data: bytes) -> str:
    if found := sniff(data[:HEAD]):
        return found.media_type
    name = value.uri if isinstance(value, MediaReference) else str(value)
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
