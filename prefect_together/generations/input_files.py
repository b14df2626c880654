"""The files that a request names: opened, read whole, and checked to be what their fields take. Writes no bodies."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from prefect_together._internal.text import with_article
from prefect_together.errors import ConfigurationError, InvalidRequest, LibraryError, MediaError
from prefect_together.generations.formats import HEAD, NOUNS, Family, Format, Incoming, is_of
from prefect_together.generations.input_forms import Frames, Recording
from prefect_together.generations.request import InputUse, MediaReference, Request
from prefect_together.storage.addresses import REMOTE_SCHEMES, local_folder
from prefect_together.storage.opening import open_file, open_moved
from prefect_together.storage.streams import checksum

LARGEST_INLINE = 30 * 1024 * 1024
"""Bytes of a file that are sent inline at most; larger ones have to be hosted."""
_DESCRIBED = 512  # bytes from the start of a file in which one sees what it is
_CHUNK = 1024 * 1024
PLANNED = "planned:"
"""The scheme of the stand-in for a file that is still to be made."""


def open_named(name: str) -> BinaryIO:
    """Open a file that is named by its path, its ``file://`` address, or that of an object in a bucket.

    One of a library that was moved is opened where it is now.
    """
    if "://" in name and urlsplit(name).scheme in REMOTE_SCHEMES:
        return open_moved(name)[0]
    return open_file((local_folder(name) if name.startswith("file://") else None) or Path(name).expanduser())[0]


def called(use: InputUse) -> str:
    """Return what a person calls the file of an input."""
    return use.value.uri if isinstance(use.value, MediaReference) else f"the file {str(use.value)!r}"


def sha256_of_local(request: Request, use: InputUse) -> str:
    """Return the SHA-256 of a local file that a request names, in hex.

    Raises:
        InvalidRequest: It is missing, empty, too large, cut off, not what its field takes, or cannot be read.
    """
    if isinstance(use.form, (Frames, Recording)):  # of any length: it is not sent itself, or a piece at a time
        with opened(request, use) as (file, sha256):
            if isinstance(use.form, Recording):
                checked(request, use, file)
            return sha256
    return hashlib.sha256(read(request, use)[0]).hexdigest()


def read(request: Request, use: InputUse) -> tuple[bytes, Format]:
    """Return a file that goes into a body, whole and checked.

    Raises:
        InvalidRequest: As ``sha256_of_local``.
        MediaError: A kept file has changed since it was kept.
        LibraryError: A kept file cannot be read now.
    """
    with opened(request, use, largest=LARGEST_INLINE) as (file, _):
        data = file.read()
    return data, checked(request, use, io.BytesIO(data))


@contextmanager
def opened(request: Request, use: InputUse, largest: int | None = None) -> Generator[tuple[BinaryIO, str]]:
    """Open a file as ``open_input`` does, and close it afterwards; arguments and errors are those of that."""
    file, sha256 = open_input(request, use, largest)
    with file:
        yield file, sha256


def open_input(request: Request, use: InputUse, largest: int | None = None) -> tuple[BinaryIO, str]:
    """Open the file of an input at its start, and tell its SHA-256 in hex; of a kept one, that it is the one that was kept.

    Args:
        request: What names it.
        use: Which of its inputs.
        largest: Bytes above which it is refused.

    Raises:
        InvalidRequest: It is missing, empty, or cannot be read.
        MediaError: A kept file has changed since it was kept.
        LibraryError: A kept file cannot be read now.
    """
    if largest is not None and isinstance(use.value, MediaReference) and use.value.size > largest:
        raise _too_large(request, use, use.value.size, largest)
    file = _open(request, use)
    try:
        return file, _sha256(request, use, file, largest)
    except BaseException:  # interrupted as well: nobody else has the file to close it
        file.close()
        raise


def _sha256(request: Request, use: InputUse, file: BinaryIO, largest: int | None) -> str:
    try:
        size = file.seek(0, io.SEEK_END)
        if largest is not None and size > largest:
            raise _too_large(request, use, size, largest)
        file.seek(0)
        sha256, _ = checksum(file)
        file.seek(0)
    except OSError as error:
        raise _unreadable(request, use, error) from error
    if isinstance(use.value, MediaReference) and sha256 != use.value.sha256:
        what = f"{use.value.uri} has changed since it was kept, so it is not what the request was made of."
        raise MediaError(what, paid="nothing", advice="Restore it, or generate it anew.")
    if not size:
        raise InvalidRequest(f"{type(request).__name__}: {called(use)} is empty.")
    return sha256


def _open(request: Request, use: InputUse) -> BinaryIO:
    kind = type(request).__name__
    value = use.value if isinstance(use.value, MediaReference) else str(use.value)
    try:
        if not isinstance(value, MediaReference):
            return open_named(value)
        if value.uri.startswith(PLANNED):
            raise InvalidRequest(f"{kind}: an input is still to be made: {value.uri} stands for it in plans only.")
        return open_moved(value.uri, value.sha256, size=value.size, sure=True, block=value.block)[0]
    except FileNotFoundError:
        if isinstance(value, MediaReference):
            raise InvalidRequest(f"{kind}: {value.uri} is not in the library any more.") from None
        what = f"{kind}: there is no file {str(value)!r}: give an existing path, a URL or a generated file."
        raise InvalidRequest(what) from None
    except (OSError, ValueError, RuntimeError, LibraryError) as error:  # "~nobody" and a NUL are no OSError
        if isinstance(error, InvalidRequest) or (isinstance(error, LibraryError) and isinstance(value, MediaReference)):
            raise
        raise _unreadable(request, use, error) from error


def _unreadable(request: Request, use: InputUse, error: Exception) -> InvalidRequest | LibraryError:
    if isinstance(use.value, MediaReference):
        return LibraryError(f"{use.value.uri} could not be read: {error}.", paid="nothing", retryable=True)
    said = error.strerror if isinstance(error, OSError) else error
    if isinstance(error, (ConfigurationError, LibraryError)):
        said = error.without_money().removesuffix(".")
    return InvalidRequest(f"{type(request).__name__}: {called(use)} cannot be read: {said}.")


def _too_large(request: Request, use: InputUse, size: int, largest: int) -> InvalidRequest:
    return InvalidRequest(
        f"{type(request).__name__}: {called(use)} has {size / 1e6:.0f} MB, and files above {largest // 1024**2} MB are not "
        "sent inline: host it and give its URL."
    )


def check_reference(request: Request, reference: MediaReference, family: Family | None) -> None:
    """Look whether a kept file is of what its field takes, as far as the reference says.

    Raises:
        InvalidRequest: It is of something else.
    """
    _check_family(request, reference.uri, reference.media_type, family)


def checked(request: Request, use: InputUse, file: BinaryIO) -> Format:
    """Return the format of a file that goes out, checked by what a file that comes in is checked by.

    Args:
        request: What names it.
        use: Which of its inputs.
        file: Open at its start; it is there again afterwards.

    Raises:
        InvalidRequest: It is of no known format, of something else than its field takes, or cut off.
    """
    what, family = called(use), use.family
    head = file.read(_DESCRIBED)
    passing = Incoming(head[:HEAD])
    if passing.format is None:
        wanted = with_article(NOUNS[family]) if family else "a picture, clip or sound"
        raise InvalidRequest(
            f"{type(request).__name__}: {what} is not {wanted} in a format that is known, but {_described(head)}: "
            f"give {_FORMATS[family]}, or host it and give its URL."
        )
    _check_family(request, what, passing.format.media_type, family)
    chunk = head
    while chunk:
        passing.feed(chunk)
        chunk = file.read(_CHUNK)
    if not passing.whole():
        raise InvalidRequest(
            f"{type(request).__name__}: {what} is cut off or damaged: {passing.size:,} bytes of {passing.format.media_type}"
            ", not whole. Fetch or write it again."
        )
    file.seek(0)
    return passing.format


def _check_family(request: Request, what: str, media_type: str, family: Family | None) -> None:
    if family and not is_of(media_type, family):
        wanted = with_article(NOUNS[family])
        raise InvalidRequest(
            f"{type(request).__name__}: {what} is {media_type}, and its field takes {wanted}: give {_FORMATS[family]}."
        )


_FORMATS: dict[Family | None, str] = {
    "image": "a JPEG, PNG or WebP",
    "video": "an MP4 or WebM",
    "audio": "a WAV or MP3",
    "recording": "a WAV, MP3, M4A, FLAC, OGG, WebM or MP4",
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
    text = data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n").lower()
    for start, name in _TEXTS:
        if text.startswith(start):
            return "a drawing in SVG" if "<svg" in text else name
    return "something else" if "\ufffd" in text[:-4] or "\0" in text else "text"
