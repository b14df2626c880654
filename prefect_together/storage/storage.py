"""Objects by key in a folder, S3, GCS or Azure: put once, stream, read, list. Knows nothing of media, ledgers or Prefect."""

from __future__ import annotations

import asyncio
import atexit
import io
import os
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote_from_bytes

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from prefect_together.errors import ConfigurationError
from prefect_together.storage import known
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.busy import patiently, patiently_here
from prefect_together.storage.failures import brief, check_key, library_errors
from prefect_together.storage.local import Folder, any_file
from prefect_together.storage.object_store import Bucket, open_store
from prefect_together.storage.streams import Reader

# obstore's defaults (12 parts of 5 MiB in flight) would hold 60 MB for one stream; two are as fast from one source.
_PART_SIZE = 5 * 1024 * 1024
_PARTS_IN_FLIGHT = 2
_PLAIN_KEY = re.compile(r"[\w~-][\w.~-]*(?:/[\w~-][\w.~-]*)*", re.ASCII)
"""A key that stands in an address as it is: nothing in it is quoted, and no part of it is a dot."""


class Storage:
    """One root (a folder, or a prefix in a bucket) and the objects below it.

    Opening and reading create nothing: a folder is made by what is first written into it.

    Args:
        url: A folder path, ``file://``, ``s3://``, ``gs://`` or ``az://``.
        options: Settings of the object store in obstore's own names, such as ``endpoint``, ``access_key_id``, ``region``;
            ``client_options`` and ``retry_config`` go to obstore under those names.
        remembered: Whether references below this root are opened with these options in this process from now on.
        block: The stored block that says all this, as ``together-media-library/NAME``, where there is one.

    Raises:
        ConfigurationError: The URL or an option is not understood.
    """

    def __init__(
        self, url: str, options: Mapping[str, Any] | None = None, *, remembered: bool = True, block: str | None = None
    ) -> None:
        self.options = options
        self.block = block
        """What references to its files name, so that other processes can open them."""
        try:
            self.folder = local_folder(url)
            if self.folder is not None:
                _refuse_file(self.folder)
                self.url = self.folder.as_uri().rstrip("/")
                self._opened: ObjectStore | None = None
                self._objects: Folder | Bucket = Folder(self.folder)
            else:
                self.url = url.strip().rstrip("/")
                self._opened = _used(open_store(self.url, dict(options or {})))
                self._objects = Bucket(self._opened, self.url)
        except ConfigurationError:
            raise
        except (BaseError, ValueError, TypeError, OSError, RuntimeError) as error:  # "~nobody" is a RuntimeError
            raise ConfigurationError(f"The media library {url!r} cannot be opened: {brief(error)}.") from None
        if remembered:
            known.register(self)

    def __repr__(self) -> str:
        return f"Storage({self.url!r})"

    @property
    def _store(self) -> ObjectStore:
        """What streams and lists: of a folder, only for one that is there or is about to be written."""
        if self._opened is None:
            self._opened = _used(LocalStore(self.folder, mkdir=True))
        return self._opened

    @cached_property
    def _streams(self) -> ObjectStore:
        """What takes streams, patiently where that is a bucket."""
        return self._store if self.folder is not None else open_store(self.url, dict(self.options or {}), patient=True)

    async def create(self, key: str, data: bytes) -> bool:
        """Write a new object; of all who try, on whatever machine, one wins. Return whether it was this one."""
        with library_errors("write", key, self.url):
            return await self._objects.create(key, data)

    async def write(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        with library_errors("write", key, self.url):
            await self._objects.write(key, data)

    async def write_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Write an object of any size; it appears whole when the stream ends, and not at all when the stream raises."""
        with library_errors("write", key, self.url):
            if isinstance(self._objects, Folder):
                await self._objects.write_stream(key, chunks)
                return
            await obstore.put_async(
                self._streams, key, chunks, chunk_size=_PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT, use_multipart=True
            )

    def put_file(self, key: str, file: BinaryIO) -> None:
        """Write an object from an open file, waiting for it; it appears whole or not at all."""
        with library_errors("write", key, self.url):
            obstore.put(self._streams, key, file, chunk_size=_PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT)

    async def read(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            FileNotFoundError: There is no such object.
            LibraryError: It cannot be read.
        """
        with library_errors("read", key, self.url, may_be_missing=True):
            return await self._objects.read(key)

    async def read_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of many small objects; None of those that are not there. They are all held."""
        with library_errors("read", keys[0], self.url):
            return await self._objects.read_all(keys)

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return some of an object's bytes; raises as ``read``."""
        with library_errors("read", key, self.url, may_be_missing=True):
            return await self._objects.read_range(key, start, length)

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        with library_errors("look for", key, self.url):
            return await self._objects.size(key)

    async def exists(self, key: str) -> bool:
        """Tell whether there is an object."""
        return await self.size(key) is not None

    async def names(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, sorted."""
        if self.folder is not None and await self._objects.size(prefix) is None:
            return []  # what was never asked for: much cheaper than a listing
        with library_errors("list", prefix or "all", self.url):

            async def listed() -> list[str]:
                found: Any = obstore.list(self._store, prefix)  # pyright: ignore[reportUnknownMemberType] - arrow is not there
                return sorted(str(meta["path"]) for meta in await found.collect_async())

            return await patiently(listed)

    async def listing(self, prefix: str, begin: str = "", *, timed: str | None = None) -> list[tuple[str, float]]:
        """Return the keys of what is in the folders of a folder, and when it was written; in no order.

        Args:
            prefix: The folder.
            begin: Only what is in folders whose names begin so.
            timed: The end of the names of those whose times are wanted (seconds since 1970); of others there may be none, 0.
        """
        with library_errors("list", prefix, self.url):
            return await self._objects.listing(prefix, begin, timed)

    async def children(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of the folders and of the objects right in a folder, sorted; what is below is not listed."""
        with library_errors("list", prefix, self.url):
            return await self._objects.children(prefix)

    async def holds(self, prefix: str) -> bool:
        """Tell whether there is any object below a prefix, without listing them all."""
        if self.folder is not None:
            return await asyncio.to_thread(any_file, self.folder / prefix)
        with library_errors("list", prefix, self.url):

            async def any_object() -> bool:
                found: Any = obstore.list(self._store, prefix, chunk_size=1)  # pyright: ignore[reportUnknownMemberType] - as in `names`
                async for some in found:
                    return bool(some)
                return False

            return await patiently(any_object)

    async def may_hold(self, prefix: str) -> bool:
        """Tell by one look whether there can be any object below a prefix; of a bucket that is always so."""
        with library_errors("look for", prefix, self.url):
            return self.folder is None or await self._objects.size(prefix) is not None

    async def delete(self, key: str) -> None:
        """Remove an object; it is fine if there is none."""
        with library_errors("delete", key, self.url), suppress(FileNotFoundError):
            await self._objects.delete(key)

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove many objects; it is fine if some are not there. Folders that are empty then are removed too."""
        if keys:
            with library_errors("delete", keys[0], self.url):
                await self._objects.remove(keys)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading and seeking, without fetching it whole."""
        with library_errors("open", key, self.url, may_be_missing=True):
            if self.folder is not None:
                return (self.folder / key).open("rb")
            size = patiently_here(lambda: obstore.head(self._store, key))["size"]

            def read_range(start: int, length: int) -> bytes:
                return bytes(patiently_here(lambda: obstore.get_range(self._store, key, start=start, length=length)))

            return io.BufferedReader(Reader(read_range, size), 1024 * 1024)

    async def signed(self, key: str, seconds: float) -> str:
        """Return a link to an object in a bucket that anybody can read it by, for so long.

        Raises:
            LibraryError: The store or its credentials sign nothing.
        """
        store: Any = self._store  # which of them can sign is not known before
        with library_errors("sign a link to", key, self.url):
            return str(await obstore.sign_async(store, "GET", key, timedelta(seconds=seconds)))

    def uri(self, key: str) -> str:
        """Return the address of an object, which ``locate`` finds again."""
        check_key(key)
        return f"{self.url}/{quote_from_bytes(os.fsencode(key))}" if self.folder is not None else f"{self.url}/{key}"

    def key(self, uri: str) -> str | None:
        """Return the key of an address below this root, or None where it is elsewhere."""
        below = uri[len(self.url) + 1 :] if uri.startswith(f"{self.url}/") else None
        if self.folder is None or (below and _PLAIN_KEY.fullmatch(below)):  # what it mostly is, at a tenth of a path's cost
            return below
        path = local_folder(uri)
        return path.relative_to(self.folder).as_posix() if path and path.is_relative_to(self.folder) else None


def _refuse_file(folder: Path) -> None:
    """Refuse a folder that is none, or that can never be one because of what is above it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is a file")


_stores_used = False


def _used(store: ObjectStore) -> ObjectStore:
    """Note that this process uses an object store: of folders, most is done without."""
    global _stores_used
    _stores_used = True
    return store


def _settle() -> None:
    """Give the object store's threads a moment to let go of Python's objects.

    Without it a process that ends right behind an operation of obstore is aborted (SIGABRT) now and then, after its work is
    done: a thread of Rust takes the interpreter's lock while the interpreter is being taken down.
    """
    if _stores_used:
        time.sleep(0.2)


atexit.register(_settle)
