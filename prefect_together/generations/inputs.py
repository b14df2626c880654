"""How the files that a request names go into its body: as hosted URLs, or inline. Reads files; sends and decides nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, BinaryIO

from prefect_together._internal.text import with_article
from prefect_together.errors import InvalidRequest, LibraryError, MediaError, TogetherError
from prefect_together.generations.formats import HEAD, NOUNS, Family, Format, Incoming, image_shape
from prefect_together.generations.registry import spec_of_file
from prefect_together.generations.request import Form, InputUse, MediaInput, MediaReference, Request, is_remote
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.opening import open_moved

LARGEST_INLINE = 30 * 1024 * 1024
"""Bytes of a local file that are sent inline at most; larger ones have to be hosted."""
INLINE_FRAME_WARNING = 60 * 1024
"""huggingface_hub found video frames capped near 60 KB (together-api.md 3.2)."""
PLANNED = "planned:"
"""The scheme of the stand-in for a file that is still to be made."""
_SAME_SHAPE = 1.02  # by which proportions may differ: sizes are rounded to what models take
_MEASURED = 64 * 1024  # bytes from the start of a picture, in which its size stands
_CLOCKS_DIFFER = timedelta(minutes=-5)


@dataclass(frozen=True)
class Body:
    """The JSON body of a request, and what should be said about it."""

    content: dict[str, Any]
    warnings: tuple[str, ...]
    hashes: dict[str, str]
    """The SHA-256 of the local files that are in it, in hex, by their names in the request."""


async def write_body(request: Request, is_there: Callable[[str], Awaitable[bool]]) -> Body:
    """Return the body that is sent: fresh hosted URLs as they are, everything else inline in the form the field takes.

    Args:
        request: What is asked.
        is_there: Tells whether a hosted file is still there: a job with a dead link fails, and may be billed.

    Raises:
        InvalidRequest: A file that goes inline is missing, too large, cut off, or not what its field takes.
    """
    written: dict[tuple[MediaInput, Form], str] = {}
    warnings: list[str] = []
    hashes: dict[str, str] = {}
    for use in request.media_inputs():
        value, form = use.value, use.form
        if (value, form) in written:
            continue
        url = _hosted(value)
        if url and (not isinstance(value, MediaReference) or await is_there(url)):
            written[value, form] = url
            continue
        data, found = await asyncio.to_thread(_read, request, use)
        if not isinstance(value, MediaReference):
            hashes[str(value)] = hashlib.sha256(data).hexdigest()
        warnings += _large_frame(form, len(data))
        text = base64.b64encode(data).decode()
        written[value, form] = text if form == "base64" else f"data:{found.media_type};base64,{text}"
    if note := await differing_shapes(request):
        warnings.append(note)

    def render(value: MediaInput, form: Form, _: Family | None = None, /) -> str:
        return written[value, form]

    return Body(request.body(render), tuple(warnings), hashes)


async def large_frames(request: Request) -> list[str]:
    """Return what to say of the frames that would go inline, as far as they are known: those that are made are not yet."""

    def size(value: MediaInput) -> int:
        if isinstance(value, MediaReference):
            return value.size
        try:
            return Path(value).stat().st_size
        except OSError:  # whoever reads it says so
            return 0

    inline = dict.fromkeys((use.value, use.form) for use in request.media_inputs() if not _hosted(use.value))
    return [note for value, form in inline for note in _large_frame(form, await asyncio.to_thread(size, value))]


def _large_frame(form: str, size: int) -> list[str]:
    if form != "base64" or size <= INLINE_FRAME_WARNING:
        return []
    most = INLINE_FRAME_WARNING // 1024
    said = f"A frame of {size // 1024} KB goes inline, and Together may refuse frames above {most} KB"
    return [f"{said}: host it and give its URL if it does."]


async def differing_shapes(request: Request) -> str | None:
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
            return None if is_remote(str(value)) else _measured(_local(str(value)).open("rb"))
        if value.uri.startswith(PLANNED):
            width, _, height = value.uri.partition("#")[2].partition("x")
            return (int(width), int(height)) if width else None
        return _measured(open_moved(value.uri, value.sha256)[0])
    except (OSError, ValueError, RuntimeError, TogetherError):
        return None  # what is wrong with a file is said where it is sent


def _measured(file: BinaryIO) -> tuple[int, int] | None:
    with file:
        shape = image_shape(file.read(_MEASURED))
    return (shape.width, shape.height) if shape.width and shape.height else None


def _local(name: str) -> Path:
    return (local_folder(name) if name.startswith("file://") else None) or Path(name).expanduser()


async def missing(request: Request) -> str | None:
    """Return which kept file of a request is not in its library any more, as a sentence, or None.

    What is still to be made, and what is hosted where Together can fetch it, is not missed.
    """
    for value, _, _ in request.media_inputs():
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


def sha256_of_local(request: Request, use: InputUse) -> str:
    """Return the SHA-256 of a local file that a request names, in hex.

    Raises:
        InvalidRequest: It is missing, empty, too large, cut off, not what its field takes, or cannot be read.
    """
    name = str(use.value)
    data = _read_local(request, name)
    _checked(request, f"the file {name!r}", data, use.family)
    return hashlib.sha256(data).hexdigest()


def check_reference(request: Request, reference: MediaReference, family: Family | None) -> None:
    """Look whether a kept file is of what its field takes, as far as the reference says.

    Raises:
        InvalidRequest: It is of something else.
    """
    _check_family(request, reference.uri, reference.media_type, family)


def _read(request: Request, use: InputUse) -> tuple[bytes, Format]:
    if not isinstance(use.value, MediaReference):
        what, data = f"the file {str(use.value)!r}", _read_local(request, str(use.value))
    else:
        what, data = use.value.uri, _read_kept(request, use.value)
    return data, _checked(request, what, data, use.family)


def _read_kept(request: Request, value: MediaReference) -> bytes:
    if value.uri.startswith(PLANNED):
        raise InvalidRequest(
            f"{type(request).__name__}: an input is still to be made: {value.uri} stands for it in plans only."
        )
    _check_size(request, value.uri, value.size)
    try:
        with open_moved(value.uri, value.sha256, size=value.size, sure=True)[0] as file:
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
        path = _local(name)
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


def _checked(request: Request, what: str, data: bytes, family: Family | None) -> Format:
    """Return the format of a file that goes out, checked by what a file that comes in is checked by.

    Raises:
        InvalidRequest: It is of no known format, of something else than its field takes, or cut off.
    """
    passing = Incoming(data[:HEAD])
    passing.feed(data)
    if passing.format is None:
        wanted = with_article(NOUNS[family]) if family else "a picture, clip or sound"
        raise InvalidRequest(
            f"{type(request).__name__}: {what} is not {wanted} in a format that is known, but {_described(data)}: "
            f"give {_FORMATS[family]}, or host it and give its URL."
        )
    _check_family(request, what, passing.format.media_type, family)
    if not passing.whole():
        raise InvalidRequest(
            f"{type(request).__name__}: {what} is cut off: {len(data):,} bytes of {passing.format.media_type} without its "
            "end. Fetch or write it again."
        )
    return passing.format


def _check_family(request: Request, what: str, media_type: str, family: Family | None) -> None:
    if family and not media_type.startswith(f"{family}/"):
        wanted = with_article(NOUNS[family])
        raise InvalidRequest(
            f"{type(request).__name__}: {what} is {media_type}, and its field takes {wanted}: give {_FORMATS[family]}."
        )


_FORMATS: dict[Family | None, str] = {
    "image": "a JPEG, PNG or WebP",
    "video": "an MP4 or WebM",
    "audio": "a WAV or MP3",
    None: "a file such as JPEG, PNG, MP4, WAV or MP3",
}
_TEXTS = (
    ("<!doctype html", "a web page"),
    ("<html", "a web page"),
    ("<svg", "a drawing in SVG"),
    ("<?xml", "XML"),
    ("%pdf", "a PDF"),
)


def _described(data: bytes) -> str:
    """Say what a file is that is no picture, clip or sound; its content may be secret, and is not quoted."""
    text = data[:512].decode("utf-8", "replace").lstrip("\ufeff \t\r\n").lower()
    for start, name in _TEXTS:
        if text.startswith(start):
            return "a drawing in SVG" if "<svg" in text else name
    return "something else" if "\ufffd" in text[:-4] or "\0" in text else "text"
