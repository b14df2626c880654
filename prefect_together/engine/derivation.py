"""Files made of kept ones on this machine: made once, kept beside a note of what they were made from, found again by it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from prefect_together._internal.logs import Log
from prefect_together.errors import LibraryError
from prefect_together.generations.derived import DERIVED, DerivedMedia, Operation, Spliced
from prefect_together.generations.formats import HEAD, MEDIA_TYPES, Format, Shape, measured, sniff
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.result_reference import ResultReference
from prefect_together.storage.addresses import where
from prefect_together.storage.references import to_addresses, to_keys
from prefect_together.storage.storage import Storage
from prefect_together.storage.streams import checksum

_CHUNK = 1024 * 1024
_NAMES = 10  # of files that a film is made from that its note says in words; titles have fewer
_VERSION = 1
_EXTENSIONS = {media_type: extension for extension, media_type in MEDIA_TYPES.items()}

Make = Callable[[Sequence[KeptFile], Path], Spliced]
"""Writes a file to a path, of kept ones whose bytes were compared."""


@dataclass(frozen=True)
class Derivation:
    """A file that is made of kept ones: what makes it what it is.

    Args:
        operation: How it is made.
        sources: What it is made of, in order.
        media_type: What it is; None where its bytes say that.
        asked: What else makes it what it is.
        based_on: The results that its words came from: no part of what it is.
    """

    operation: Operation
    sources: Sequence[KeptFile]
    media_type: str | None = None
    asked: Sequence[str] = ()
    based_on: Sequence[ResultReference] = ()

    @property
    def name(self) -> str:
        """The hash of all that makes it what it is."""
        what = [self.operation, *self.asked, *(source.sha256 for source in self.sources)]
        return hashlib.sha256("\n".join(what).encode()).hexdigest()

    async def known(self, storage: Storage) -> DerivedMedia | None:
        """Return what was made before, where it is still there."""
        try:
            note = json.loads(await storage.read(self._note()))
            media = DerivedMedia.model_validate(to_addresses(note["media"], storage))
        except (FileNotFoundError, LibraryError, ValueError, KeyError):
            return None
        key = storage.key(media.uri)
        return media if key is not None and await storage.size(key) == media.size else None

    async def made(self, make: Make, storage: Storage, log: Log) -> DerivedMedia:
        """Make the file, and keep it beside its note."""
        with tempfile.TemporaryDirectory(prefix="prefect-together-") as folder:
            path = Path(folder, "made")
            # What is made is found again by the hashes of what it was made of: no other bytes may go into it.
            there = [await asyncio.to_thread(source.located) for source in self.sources]
            return await self.kept(path, await asyncio.to_thread(make, there, path), storage, log)

    async def kept(self, path: Path, spliced: Spliced, storage: Storage, log: Log) -> DerivedMedia:
        """Keep a file that was made so, beside its note.

        Args:
            path: Where it is.
            spliced: How it was made.
            storage: The library.
            log: Where to say so.
        """
        sha256, size, found, shape = await asyncio.to_thread(_measure, path, self.media_type)
        key = f"{DERIVED}/{self.operation.replace('_', '-')}-{self.name[:12]}.{found.extension}"
        await storage.write_stream(key, _chunks(path))
        media = DerivedMedia(
            uri=storage.uri(key),
            block=storage.block,
            sha256=sha256,
            size=size,
            media_type=found.media_type,
            created_at=datetime.now(timezone.utc),
            width=shape.width,
            height=shape.height,
            operation=self.operation,
            sources=tuple(source.reference() for source in self.sources),
            asked=tuple(self.asked),
            named=tuple(dict.fromkeys(name for source in self.sources for name in source.names()))[:_NAMES],
            based_on=tuple(self.based_on),
            seconds=shape.seconds,
            fps=shape.fps,
            sample_rate=shape.sample_rate,
            channels=shape.channels,
            at=spliced.at,
            reencoded=spliced.reencoded,
            changes=spliced.changes,
        )
        entry = {"version": _VERSION, "media": to_keys(media.model_dump(mode="json", exclude_none=True), storage)}
        await storage.write(self._note(), (json.dumps(entry, indent=1) + "\n").encode())
        log.info("Made here, for free: the %s, %s", media.maker, where(media.uri))
        return media

    def _note(self) -> str:
        return f"{DERIVED}/{self.name}.json"


def _measure(path: Path, media_type: str | None) -> tuple[str, int, Format, Shape]:
    with path.open("rb") as file:
        found = Format(media_type, _EXTENSIONS[media_type]) if media_type else sniff(file.read(HEAD))
        if found is None:
            raise LibraryError("What was made of these files is in no format that is known.")
        file.seek(0)
        sha256, size = checksum(file)
        file.seek(0)
        return sha256, size, found, measured(found, file)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
