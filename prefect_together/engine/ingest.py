"""Brings a file that was paid for into the library: fetched, checked, hashed and named. Knows nothing of ledgers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import IO

from prefect_together._internal.answer_file import AnswerFile
from prefect_together._internal.retry import backoff
from prefect_together._internal.text import slug, with_article
from prefect_together._internal.tokens import unique_token
from prefect_together.engine.attempt import PATIENCE
from prefect_together.engine.provenance import Provenance
from prefect_together.errors import LibraryError, MediaError
from prefect_together.generations.formats import HEAD, Format, Incoming, Shape, is_moving, measured
from prefect_together.generations.kept_file import StoredFile
from prefect_together.generations.registry import AnySpec
from prefect_together.http.client import TogetherClient
from prefect_together.http.downloads import Hosted
from prefect_together.http.urls import redact_query
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")

_TRIES = 4
_WHOLE = 8 * 1024 * 1024  # files up to this size are held in memory and written in one go
_BEGINNING = 4096  # bytes in which whatever a file says of itself is
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class FileNaming:
    """What a file's name is made of, and what is written into it; the extension comes from its bytes."""

    spec: AnySpec
    title: str
    fingerprint: str
    provenance: Provenance | None = None
    """What the file itself is to say of what made it."""
    head: Callable[[bytes, int], tuple[bytes, int]] | None = None
    """Sets right how it begins: takes its first bytes and its size, returns what stands in place of how many bytes."""

    def key(self, extension: str) -> str:
        """Return a new key such as ``images/2026-11-22/a-fox-in-the-snow-7f3a9c12-4be1.jpg``.

        The last part keeps two processes that fetch the same file from writing to one name.
        """
        today = datetime.now(timezone.utc).date().isoformat()
        last = hashlib.sha256(unique_token().encode()).hexdigest()[:6]
        return f"{self.spec.folder}/{today}/{slug(self.title)}-{self.fingerprint[:8]}-{last}.{extension}"


async def keep_inline(storage: Storage, naming: FileNaming, item: bytes | str | AnswerFile) -> StoredFile:
    """Keep a file whose bytes are only here: a library that fails for a moment is tried again.

    Args:
        storage: The library.
        naming: What its name is made of.
        item: Its bytes, text in base64, or a file that was the answer itself.

    Raises:
        MediaError: It is not base64, or not a whole file of the type that was asked for.
        LibraryError: The library cannot take it.
    """
    if isinstance(item, str):
        item = _decoded(item)
    file = io.BytesIO(item) if isinstance(item, bytes) else item.content
    began, tries = time.monotonic(), 0
    while True:
        tries += 1
        try:
            return await _keep_file(storage, naming, file)
        except LibraryError as error:
            if time.monotonic() - began > PATIENCE:
                raise
            _log.warning("%s Trying again.", error.what)
            await asyncio.sleep(backoff(tries, first=0.5, longest=5.0))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        raise MediaError("Together's answer holds a file that is not valid base64.", paid="yes") from None


async def _keep_file(storage: Storage, naming: FileNaming, file: IO[bytes]) -> StoredFile:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(_BEGINNING)
    start, replaced = naming.head(head, size) if naming.head else (b"", 0)
    head = start + head[replaced:]
    passing = _Passing(naming, head[:HEAD], "Together's answer")
    if size <= _WHOLE:
        data = passing.feed(head + file.read()) + passing.end()
        await storage.write(passing.key, data)
        return passing.stored(storage, await _shape(passing, data), None)
    await storage.write_stream(passing.key, _passed(passing, head, file))
    return passing.stored(storage, await asyncio.to_thread(_stored_shape, storage, passing), None)


async def _passed(passing: _Passing, head: bytes, file: IO[bytes]) -> AsyncIterator[bytes]:
    chunk = head
    while chunk:
        yield passing.feed(chunk)
        chunk = await asyncio.to_thread(file.read, _CHUNK)
    if end := passing.end():
        yield end


async def fetch(
    client: TogetherClient, storage: Storage, naming: FileNaming, url: str, *, largest: int, least: float = 0.0
) -> StoredFile:
    """Fetch a hosted file into the library; a cut-off download is fetched again, and never seen by anybody.

    Args:
        client: Fetches it.
        storage: The library.
        naming: What its name is made of.
        url: Where Together says that it is.
        largest: Bytes that it may have.
        least: Bytes per second at which it has to come.

    Raises:
        MediaError: It cannot be had: gone, cut off each time, of the wrong kind, or too large.
        LibraryError: The library cannot take it.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return await _fetch(client, storage, naming, url, largest, least)
        except MediaError as error:
            if not error.retryable or tries == _TRIES:
                raise
            pause = backoff(tries, first=1.0, longest=10.0)
            _log.warning("%s Fetching it again in %.1f s (%d of %d).", error.what, pause, tries, _TRIES - 1)
            await asyncio.sleep(pause)


async def _fetch(
    client: TogetherClient, storage: Storage, naming: FileNaming, url: str, largest: int, least: float
) -> StoredFile:
    async with client.files.open(url, least=least) as hosted:
        place = redact_query(url)
        if hosted.length is not None and hosted.length > largest:
            raise _too_large(place, hosted.length, largest)
        head = await _head(hosted)
        passing = _Passing(naming, head[:HEAD], f"The file at {place}")
        checked = _checked(hosted, head, passing, place, largest)
        small = hosted.length is not None and hosted.length <= _WHOLE
        if small and not is_moving(passing.format.media_type):
            # In one go: streaming a small file costs more than its bytes.
            data = b"".join([chunk async for chunk in checked])
            await storage.write(passing.key, data)
            return passing.stored(storage, await _shape(passing, data), url)
        await storage.write_stream(passing.key, checked)
    return passing.stored(storage, await asyncio.to_thread(_stored_shape, storage, passing), url)


async def _head(hosted: Hosted) -> bytes:
    """Return the first bytes, by which a file is known: as many as that takes, and what came with them."""
    head = b""
    while len(head) < HEAD and (chunk := await anext(hosted.chunks, b"")):
        head += chunk
    return head


async def _checked(hosted: Hosted, head: bytes, passing: _Passing, place: str, largest: int) -> AsyncIterator[bytes]:
    """Pass the bytes on; raising here, before the stream ends, keeps a bad file from ever appearing."""
    chunk = head
    while chunk:
        data = passing.feed(chunk)
        if passing.incoming.size > largest:
            raise _too_large(place, passing.incoming.size, largest)
        yield data
        chunk = await anext(hosted.chunks, b"")
    size = passing.incoming.size
    if hosted.length is not None and size != hosted.length:
        raise _cut_off(place, size, hosted.length)
    if hosted.length is None and not passing.incoming.whole():
        raise _cut_off(place, size, None)
    if end := passing.end():
        yield end


class _Passing:
    """A file on its way into the library: known by its first bytes, counted, hashed, and given its provenance.

    Raises:
        MediaError: It is of no format that was asked for.
    """

    def __init__(self, naming: FileNaming, head: bytes, where: str) -> None:
        self.incoming = Incoming(head)
        self.format = _expected(self.incoming, naming.spec, where)
        self.key = naming.key(self.format.extension)
        provenance = naming.provenance
        self._begin, self._at = provenance.before(head) if provenance else (b"", 0)
        self._end = provenance.after(head) if provenance else b""
        self._digest = hashlib.sha256()
        self._size = 0

    def feed(self, chunk: bytes) -> bytes:
        """Return what is stored of the next bytes; the first chunk holds the whole head."""
        self.incoming.feed(chunk)
        if self._begin:
            chunk, self._begin = chunk[: self._at] + self._begin + chunk[self._at :], b""
        return self._count(chunk)

    def end(self) -> bytes:
        """Return what is stored behind the last byte."""
        return self._count(self._end)

    def stored(self, storage: Storage, shape: Shape, source_url: str | None) -> StoredFile:
        """Return what is known of the file when it is in the library."""
        return StoredFile(
            uri=storage.uri(self.key),
            key=self.key,
            sha256=self._digest.hexdigest(),
            size=self._size,
            media_type=self.format.media_type,
            shape=shape,
            created_at=datetime.now(timezone.utc),
            source_url=source_url,
            block=storage.block,
        )

    def _count(self, chunk: bytes) -> bytes:
        self._digest.update(chunk)
        self._size += len(chunk)
        return chunk


async def _shape(passing: _Passing, data: bytes) -> Shape:
    """Return what a file measures whose bytes are at hand; a decoder of videos gets a thread."""
    if is_moving(passing.format.media_type):
        return await asyncio.to_thread(measured, passing.format, io.BytesIO(data))
    return measured(passing.format, io.BytesIO(data))


def _stored_shape(storage: Storage, passing: _Passing) -> Shape:
    try:
        with storage.open(passing.key) as file:
            return measured(passing.format, file)
    except Exception as error:  # whatever a store or a decoder raises: the file is kept all the same
        _log.warning("%s cannot be measured: %s", storage.uri(passing.key), error)
        return Shape()


def _expected(incoming: Incoming, spec: AnySpec, where: str) -> Format:
    found = incoming.format
    if found is None or found.media_type not in spec.keeping.media_types:
        what = found.media_type if found else "no file of a known format"
        advice = "Fetch it again later; the generation itself is not repeated."
        raise MediaError(f"{where} is {what}, not {with_article(spec.noun)}.", paid="yes", advice=advice, retryable=True)
    return found


def _cut_off(place: str, size: int, length: int | None) -> MediaError:
    of = f" of {length}" if length is not None else ""
    advice = "Run it again: the file is fetched again and not paid for again."
    return MediaError(f"The file at {place} was cut off after {size}{of} bytes.", paid="yes", advice=advice, retryable=True)


def _too_large(place: str, size: int, largest: int) -> MediaError:
    what = f"The file at {place} has more than {largest} bytes ({size} or more), the largest that is taken."
    advice = "Raise PREFECT_INTEGRATIONS_TOGETHER_MAX_DOWNLOAD_BYTES if it should be that large, and run it again."
    return MediaError(what, paid="yes", advice=advice)
