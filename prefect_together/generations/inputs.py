"""How the files that a request names go into its body: as hosted URLs, or inline. Reads files; sends and decides nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO

from prefect_together._internal.upload import Upload
from prefect_together.errors import InvalidRequest, LibraryError, TogetherError
from prefect_together.generations.formats import Family, image_shape
from prefect_together.generations.input_files import PLANNED, called, open_named, opened, read
from prefect_together.generations.input_forms import Form, Frames, Recording
from prefect_together.generations.recordings import upload_of
from prefect_together.generations.registry import spec_of_file
from prefect_together.generations.request import InputUse, MediaInput, MediaReference, Request, is_remote
from prefect_together.generations.result_reference import does_not_last
from prefect_together.generations.vision import NotDecodable, frames, seen
from prefect_together.storage.opening import open_moved

INLINE_FRAME_WARNING = 60 * 1024
"""huggingface_hub found video frames capped near 60 KB (together-api.md 3.2)."""
_SAME_SHAPE = 1.02  # by which proportions may differ: sizes are rounded to what models take
_MEASURED = 64 * 1024  # bytes from the start of a picture, in which its size stands
_CLOCKS_DIFFER = timedelta(minutes=-5)


@dataclass(frozen=True)
class Body:
    """The body of a request, and what should be said about it. Whoever sends it closes it."""

    content: dict[str, Any]
    warnings: tuple[str, ...]
    hashes: dict[str, str]
    """The SHA-256 of the local files that are in it, in hex, by their names in the request."""

    def close(self) -> None:
        """Close the files that are in it."""
        for value in self.content.values():
            if isinstance(value, Upload):
                value.close()


async def write_body(request: Request, is_there: Callable[[str], Awaitable[bool]]) -> Body:
    """Return the body that is sent: fresh hosted URLs as they are, everything else inline in the form the field takes.

    Args:
        request: What is asked.
        is_there: Tells whether a hosted file is still there: a job with a dead link fails, and may be billed.

    Raises:
        InvalidRequest: A file that goes inline is missing, too large, cut off, or not what its field takes.
    """
    written: dict[tuple[MediaInput, Form], Any] = {}
    warnings: list[str] = []
    hashes: dict[str, str] = {}
    for use in dict.fromkeys(request.media_inputs()):
        if url := await _fresh(use, is_there):
            written[use.value, use.form] = url
            continue
        inline, sha256, size = await asyncio.to_thread(_inline, request, use)
        written[use.value, use.form] = inline
        if not isinstance(use.value, MediaReference):
            hashes[str(use.value)] = sha256
        warnings += _large_frame(use.form, size)
    warnings += await doubts(request)

    def render(value: MediaInput, form: Form, _: Family | None = None, /) -> Any:
        return written[value, form]

    return Body(request.body(render), tuple(warnings), hashes)


async def _fresh(use: InputUse, is_there: Callable[[str], Awaitable[bool]]) -> str | None:
    """Return the URL that stands in the body for an input, or None where it goes inline."""
    if not isinstance(use.value, MediaReference):
        return _hosted(use.value)
    if use.form == "picture" or isinstance(use.form, (Frames, Recording)):
        return None  # films are not heard; what is looked at is small: what Together hosts is larger, and soon gone
    url = _hosted(use.value)
    return url if url and await is_there(url) else None


def _inline(request: Request, use: InputUse) -> tuple[Any, str, int]:
    """Return what stands in the body for a file that goes inline, and the SHA-256 and size of the file."""
    if isinstance(use.form, Recording):
        return *upload_of(request, use), 0
    try:
        if isinstance(use.form, Frames):
            with opened(request, use) as (file, sha256):
                return [_data_url("image/jpeg", picture) for picture in frames(file, use.form.count)], sha256, 0
        data, found = read(request, use)
        about = hashlib.sha256(data).hexdigest(), len(data)
        if use.form == "picture":
            return _data_url("image/jpeg", seen(data)), *about
    except NotDecodable as error:
        raise InvalidRequest(f"{type(request).__name__}: {called(use)} cannot be shown to a model: {error}.") from None
    return base64.b64encode(data).decode() if use.form == "base64" else _data_url(found.media_type, data), *about


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


async def large_frames(request: Request) -> list[str]:
    """Return what to say of the frames that would go inline, as far as they are known: those that are made are not yet."""

    def size(value: MediaInput) -> int:
        if isinstance(value, MediaReference):
            return value.size
        try:
            with open_named(str(value)) as file:
                return file.seek(0, io.SEEK_END)
        except (OSError, ValueError, RuntimeError, LibraryError):  # whoever reads it says so
            return 0

    inline = [use for use in dict.fromkeys(request.media_inputs()) if not _hosted(use.value)]
    return [note for use in inline for note in _large_frame(use.form, await asyncio.to_thread(size, use.value))]


def _large_frame(form: Form, size: int) -> list[str]:
    if form != "base64" or size <= INLINE_FRAME_WARNING:
        return []
    most = INLINE_FRAME_WARNING // 1024
    said = f"A frame of {size // 1024} KB goes inline, and Together may refuse frames above {most} KB"
    return [f"{said}: host it and give its URL if it does."]


async def doubts(request: Request) -> list[str]:
    """Return what should be said before a request is paid for: what may not come out as it was meant."""
    # A better answer to the same question is no further thing that is made of the first one.
    fleeting = None if request.repair_round else does_not_last(request.words_from())
    return [note for note in (await _differing_shapes(request), fleeting) if note]


async def _differing_shapes(request: Request) -> str | None:
    """Return what to say where keyframes are known to differ in shape; None where they do not, or nobody knows."""
    pictures = request.alike()
    if len(pictures) < len(("first", "last")):
        return None
    shapes = [shape for picture in pictures if (shape := await asyncio.to_thread(_shape, picture))]
    proportions = [width / height for width, height in shapes]
    if not shapes or max(proportions) <= min(proportions) * _SAME_SHAPE:
        return None
    sizes = ", ".join(dict.fromkeys(f"{width}x{height}" for width, height in shapes))
    return (
        f"The keyframes differ in shape ({sizes}), so that some are stretched or cut on the way through the clip: "
        "make them of one, such as by width and height, or by aspect_ratio."
    )


def _shape(value: MediaInput) -> tuple[int, int] | None:
    """Return the size of a picture that is at hand, or that a request still to be sent asks for."""
    try:
        if not isinstance(value, MediaReference):
            return None if is_remote(str(value)) else _measured(open_named(str(value)))
        if value.uri.startswith(PLANNED):
            width, _, height = value.uri.partition("#")[2].partition("x")
            return (int(width), int(height)) if width else None
        return _measured(open_moved(value.uri, value.sha256, block=value.block)[0])
    except (OSError, ValueError, RuntimeError, TogetherError):
        return None  # what is wrong with a file is said where it is sent


def _measured(file: BinaryIO) -> tuple[int, int] | None:
    with file:
        shape = image_shape(file.read(_MEASURED))
    return (shape.width, shape.height) if shape.width and shape.height else None


async def missing(request: Request) -> str | None:
    """Return which kept file of a request is not in its library any more, as a sentence, or None.

    What is still to be made, and what is hosted where Together can fetch it, is not missed.
    """
    for value, _, _ in request.media_inputs():
        if isinstance(value, MediaReference) and not value.uri.startswith(PLANNED) and _hosted(value) is None:
            try:
                (await asyncio.to_thread(open_moved, value.uri, value.sha256, block=value.block))[0].close()
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
