"""References to files in a library that can open, verify and describe what they name. They never hold the bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, ClassVar

from typing_extensions import Self

from prefect_together._internal.notebook_view import ShownInNotebooks
from prefect_together._internal.text import slug, words_of
from prefect_together.errors import MediaError, Paid
from prefect_together.generations.formats import Shape, is_heard, is_moving
from prefect_together.generations.request import MediaReference
from prefect_together.generations.result_reference import ResultReference
from prefect_together.storage.opening import locate, open_moved
from prefect_together.storage.storage import Storage
from prefect_together.storage.streams import checksum

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class StoredFile:
    """A file in the library and what is known of its bytes."""

    uri: str
    key: str
    sha256: str
    size: int
    media_type: str
    shape: Shape
    created_at: datetime
    source_url: str | None = None
    block: str | None = None


class KeptFile(ShownInNotebooks, MediaReference):
    """A file in the library that can be opened and verified; its bytes are never in here."""

    width: int | None = None
    """Pixels, read from the file."""
    height: int | None = None
    """Pixels, read from the file."""

    _paid: ClassVar[Paid | None] = None
    """What a file of this class did cost, as errors about it say it."""
    _advice: ClassVar[str] = "Restore it from a backup, or have it made again."

    def __str__(self) -> str:
        return f"{self.uri} ({self.media_type}, {self.size} bytes)"

    def open(self) -> BinaryIO:
        """Open the file for reading, wherever it is kept; in a process that has not opened its library, by its block.

        Raises:
            MediaError: It is not there any more.
            LibraryError: Its library cannot be read, or the block that this takes is gone or names another one.
        """
        return self._opened()[0]

    def read_bytes(self) -> bytes:
        """Return the whole file, verified; for large videos ``open()`` or ``path()`` is kinder to memory.

        Raises:
            MediaError: It is not there any more, or its bytes have changed.
        """
        with self._opened(sure=True)[0] as file:
            self._compare(file)
            file.seek(0)
            return file.read()

    def path(self) -> Path:
        """Return a local file: the kept one where the library is a folder, else a copy in a local cache.

        A copy is verified when it is fetched, and then stands for the kept file by its name, which is the hash.

        Raises:
            MediaError: It is not there any more and was never fetched, or what was fetched is not what was kept.
        """
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        cached = caches / "prefect-together" / f"{self.sha256}{PurePosixPath(self.uri).suffix}"
        remote = locate(self.uri, block=self.block)[0].folder is None
        if remote and cached.is_file() and cached.stat().st_size == self.size:
            return cached
        file, storage, key = self._opened()
        with file:
            if storage.folder is not None:
                return storage.folder / key
            cached.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cached.parent) as room:
                fetched = Path(room, cached.name)
                with fetched.open("wb") as copy:
                    shutil.copyfileobj(file, copy, _CHUNK)
                with fetched.open("rb") as whole:
                    self._compare(whole)
                fetched.replace(cached)
        return cached

    def located(self) -> Self:
        """Return the reference with the address where its bytes are now, after reading and comparing them.

        Raises:
            MediaError: They are nowhere, or have changed.
        """
        file, storage, key = self._opened(sure=True)
        with file:
            self._compare(file)
        return self.model_copy(update={"uri": storage.uri(key), "block": storage.block})

    def verify(self) -> bool:
        """Read the stored bytes and return True where they are what was kept.

        Raises:
            MediaError: The file is gone, or its bytes have changed.
        """
        with self.open() as file:
            self._compare(file)
        return True

    @property
    def is_moving(self) -> bool:
        """Whether it is a video, so that its first frame stands for it."""
        return is_moving(self.media_type)

    @property
    def is_heard(self) -> bool:
        """Whether it is a sound, so that its waveform stands for it."""
        return is_heard(self.media_type)

    @property
    def noun(self) -> str:
        """What a person calls it."""
        return self.media_type

    @property
    def maker(self) -> str:
        """What made it, for people: a model, or an operation on this machine."""
        return self.media_type

    @property
    def name(self) -> str:
        """What it is called where names have no spaces; no other file is called so."""
        return f"{slug(self.title())}-{self.sha256[:6]}"

    @property
    def shape(self) -> Shape:
        """What it measures."""
        return Shape(self.width, self.height)

    def title(self) -> str:
        """Return what a person would call it."""
        return self.media_type

    def made_from(self) -> tuple[MediaReference, ...]:
        """Return the kept files that it was made from, in the order in which they were given."""
        return ()

    def words_from(self) -> tuple[ResultReference, ...]:
        """Return the results that its words came from."""
        return ()

    def names(self) -> tuple[str, ...]:
        """Return what it is called in the titles of files that are made from it."""
        return (words_of(self.uri),)

    def _opened(self, *, sure: bool = False) -> tuple[BinaryIO, Storage, str]:
        """Open it where it is, in a library that was moved since too; ``sure`` looks elsewhere for other bytes as well."""
        try:
            return open_moved(self.uri, self.sha256, size=self.size, sure=sure, block=self.block)
        except FileNotFoundError:
            raise self._gone() from None

    def _compare(self, file: BinaryIO) -> None:
        sha256, size = checksum(file)
        if (sha256, size) != (self.sha256, self.size):
            raise MediaError(
                f"{self.uri} is not what was kept: {size} bytes with SHA-256 {sha256[:12]}…, "
                f"expected {self.size} bytes with {self.sha256[:12]}….",
                paid=self._paid,
                advice=self._advice,
            )

    def _gone(self) -> MediaError:
        return MediaError(
            f"{self.uri} is not in the library any more.",
            paid=self._paid,
            advice=self._advice,
        )
