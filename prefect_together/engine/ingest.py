"""Brings a file that was paid for into the library: fetched, checked, hashed and named. Knows nothing of ledgers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from prefect_together._internal.process import unique
from prefect_together._internal.retry import backoff
from prefect_together.engine.provenance import Provenance
from prefect_together.errors import MediaError
from prefect_together.generations.formats import HEAD, Format, Incoming, Shape, image_shape, video_shape
from prefect_together.http.client import TogetherClient
from prefect_together.http.urls import shown
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")

_TRIES = 4
_SLUG = 40
_WHOLE = 8 * 1024 * 1024  # pictures up to this size are held in memory and written in one go


@dataclass(frozen=True)
class Kept:
    """A file in the library and what is known of its bytes."""

    uri: str
    key: str
    sha256: str
    size: int
    media_type: str
    shape: Shape
    created_at: datetime
    source_url: str | None = None


@dataclass(frozen=True)
class Name:
    """What a file's name is made of, and what is written into it; the extension comes from its bytes."""

    kind: str
    title: str
    fingerprint: str
    provenance: Provenance | None = None
    """What the file itself is to say of what made it."""

    def key(self, extension: str) -> str:
        """Return a new key such as ``images/2026-11-22/a-fox-in-the-snow-7f3a9c12-4be1.jpg``.

        The last part keeps two processes that fetch the same file from writing to one name.
        """
        today = datetime.now(timezone.utc).date().isoformat()
        last = hashlib.sha256(unique().encode()).hexdigest()[:6]
        return f"{self.kind}s/{today}/{slug(self.title)}-{self.fingerprint[:8]}-{last}.{extension}"


def slug(title: str) -> str:
    """Return the words of a title as lower-case ASCII that is safe in any path: letters, digits and single dashes."""
    plain = unicodedata.normalize("NFKD", title[:200]).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:_SLUG].strip("-") or "untitled"


async def keep_inline(storage: Storage, name: Name, b64: str) -> Kept:
    """Keep a picture that came in base64.

    Raises:
        MediaError: It is not base64, or not a whole picture.
        LibraryError: The library cannot take it.
    """
    try:
        data = base64.b64decode(b64.partition(",")[2] if b64.startswith("data:") else b64, validate=True)
    except (binascii.Error, ValueError):
        raise MediaError("Together's answer holds a picture that is not valid base64.", paid="yes") from None
    incoming = Incoming(data[:HEAD])
    incoming.feed(data)
    key = name.key(_expected(incoming, name, "Together's answer").extension)
    stored = _Stored(name.provenance, data[:HEAD])
    data = stored.feed(data) + stored.end()
    await storage.write(key, data)
    return _kept(storage, key, incoming, stored, image_shape(data), None)


async def fetch(client: TogetherClient, storage: Storage, name: Name, url: str, *, largest: int) -> Kept:
    """Fetch a hosted file into the library; a cut-off download is fetched again, and never seen by anybody.

    Raises:
        MediaError: It cannot be had: gone, cut off each time, of the wrong kind, or larger than ``largest`` bytes.
        LibraryError: The library cannot take it.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return await _fetch(client, storage, name, url, largest)
        except MediaError as error:
            if not error.retryable or tries == _TRIES:
                raise
            pause = backoff(tries, first=1.0, longest=10.0)
            _log.warning("%s Fetching it again in %.1f s (%d of %d).", error.what, pause, tries, _TRIES - 1)
            await asyncio.sleep(pause)


async def _fetch(client: TogetherClient, storage: Storage, name: Name, url: str, largest: int) -> Kept:
    async with client.files.open(url) as hosted:
        place = shown(url)
        if hosted.length is not None and hosted.length > largest:
            raise _too_large(place, hosted.length, largest)
        chunks = hosted.chunks
        head = b""
        while len(head) < HEAD:
            chunk = await anext(chunks, b"")
            if not chunk:
                break
            head += chunk
        incoming = Incoming(head[:HEAD])
        kind = _expected(incoming, name, f"The file at {place}")
        key = name.key(kind.extension)
        stored = _Stored(name.provenance, head[:HEAD])
        whole = kind.kind == "image" and hosted.length is not None and hosted.length <= _WHOLE
        if whole:  # looked at in one go
            head = b"".join([head, *[chunk async for chunk in chunks]])

        async def checked() -> AsyncIterator[bytes]:
            """Pass the bytes on; raising here, before the stream ends, keeps a bad file from ever appearing."""
            chunk = head
            while chunk:
                incoming.feed(chunk)
                if incoming.size > largest:
                    raise _too_large(place, incoming.size, largest)
                yield stored.feed(chunk)
                chunk = await anext(chunks, b"")
            if hosted.length is not None and incoming.size != hosted.length:
                raise _cut_off(place, incoming.size, hosted.length)
            if hosted.length is None and not incoming.whole():
                raise _cut_off(place, incoming.size, None)
            if end := stored.end():
                yield end

        if whole:
            data = b"".join([chunk async for chunk in checked()])
            await storage.write(key, data)
            return _kept(storage, key, incoming, stored, image_shape(data), url)
        await storage.write_stream(key, checked())
    return _kept(storage, key, incoming, stored, await asyncio.to_thread(_measure, storage, key, kind), url)


class _Stored:
    """What is stored of a file that passes: its bytes, with provenance put in where that is asked for."""

    def __init__(self, provenance: Provenance | None, head: bytes) -> None:
        self._begin, self._at = provenance.before(head) if provenance else (b"", 0)
        self._end = provenance.after(head) if provenance else b""
        self._digest = hashlib.sha256()
        self.size = 0

    def feed(self, chunk: bytes) -> bytes:
        """Return what is stored of the next bytes; the first chunk holds the whole head."""
        if self._begin:
            chunk, self._begin = chunk[: self._at] + self._begin + chunk[self._at :], b""
        return self._count(chunk)

    def end(self) -> bytes:
        """Return what is stored behind the last byte."""
        return self._count(self._end)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def _count(self, chunk: bytes) -> bytes:
        self._digest.update(chunk)
        self.size += len(chunk)
        return chunk


def _measure(storage: Storage, key: str, kind: Format) -> Shape:
    try:
        with storage.open(key) as file:
            return video_shape(file) if kind.kind == "video" else image_shape(file.read(64 * 1024))
    except Exception as error:  # whatever a store or a decoder raises: the file is kept all the same
        _log.warning("%s cannot be measured: %s", storage.uri(key), error)
        return Shape()


def _expected(incoming: Incoming, name: Name, where: str) -> Format:
    if incoming.format is None or incoming.format.kind != name.kind:
        found = incoming.format.media_type if incoming.format else "no picture or clip"
        advice = "Fetch it again later; the generation itself is not repeated."
        raise MediaError(f"{where} is {found}, not {_a(name.kind)}.", advice=advice, retryable=True)
    return incoming.format


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _cut_off(place: str, size: int, length: int | None) -> MediaError:
    of = f" of {length}" if length is not None else ""
    advice = "Run it again: the file is fetched again and not paid for again."
    return MediaError(f"The file at {place} was cut off after {size}{of} bytes.", paid="yes", advice=advice, retryable=True)


def _too_large(place: str, size: int, largest: int) -> MediaError:
    what = f"The file at {place} has more than {largest} bytes ({size} or more), the largest that is taken."
    advice = "Raise PREFECT_INTEGRATIONS_TOGETHER_MAX_DOWNLOAD_BYTES if it should be that large, and run it again."
    return MediaError(what, paid="yes", advice=advice)


def _kept(storage: Storage, key: str, incoming: Incoming, stored: _Stored, shape: Shape, source_url: str | None) -> Kept:
    kind: Any = incoming.format
    return Kept(
        uri=storage.uri(key),
        key=key,
        sha256=stored.sha256,
        size=stored.size,
        media_type=kind.media_type,
        shape=shape,
        created_at=datetime.now(timezone.utc),
        source_url=source_url,
    )
