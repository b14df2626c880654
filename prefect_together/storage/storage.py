"""Objects by key in a folder, S3, GCS or Azure: put once, stream, read, list. Knows nothing of media, ledgers or Prefect."""

from __future__ import annotations

import asyncio
import atexit
import io
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote_from_bytes, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from prefect_together.errors import ConfigurationError, LibraryError
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.failures import brief, check_key, library_errors
from prefect_together.storage.local import Folder
from prefect_together.storage.object_store import Bucket, open_store
from prefect_together.storage.streams import Reader, checksum

# obstore's defaults (12 parts of 5 MiB in flight) would hold 60 MB for one stream; two are as fast from one source.
_PART_SIZE = 5 * 1024 * 1024
_PARTS_IN_FLIGHT = 2

# Of objects that have addresses: derived/film.mp4, images/2026-11-27/fox.jpg, batches/unnamed/2026-11-27/run.jsonl.
_SHORTEST_KEY, _LONGEST_KEY = 2, 4


class Storage:
    """One root (a folder, or a prefix in a bucket) and the objects below it.

    Opening and reading create nothing: a folder is made by what is first written into it.

    Args:
        url: A folder path, ``file://``, ``s3://``, ``gs://`` or ``az://``.
        options: Settings of the object store in obstore's own names, such as ``endpoint``, ``access_key_id``, ``region``;
            ``client_options`` and ``retry_config`` go to obstore under those names.

    Raises:
        ConfigurationError: The URL or an option is not understood.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.folder = local_folder(url)
        self.options = options
        try:
            if self.folder is not None:
                _refuse_file(self.folder)
                self.url = self.folder.as_uri().rstrip("/")
                self._opened: ObjectStore | None = None
                self._objects: Folder | Bucket = Folder(self.folder)
            else:
                self.url = url.rstrip("/")
                self._opened = open_store(self.url, dict(options or {}))
                self._objects = Bucket(self._opened, self.url)
        except (BaseError, ValueError, TypeError, OSError) as error:
            raise ConfigurationError(f"The media library {url!r} cannot be opened: {brief(error)}.") from None
        register(self)

    def __repr__(self) -> str:
        return f"Storage({self.url!r})"

    @property
    def _store(self) -> ObjectStore:
        """What streams and lists: of a folder, only for one that is there or is about to be written."""
        if self._opened is None:
            self._opened = LocalStore(self.folder, mkdir=True)
        return self._opened

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
            await obstore.put_async(
                self._store, key, chunks, chunk_size=_PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT, use_multipart=True
            )

    def put_file(self, key: str, file: BinaryIO) -> None:
        """Write an object from an open file, waiting for it; it appears whole or not at all."""
        with library_errors("write", key, self.url):
            obstore.put(self._store, key, file, chunk_size=_PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT)

    async def read(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            FileNotFoundError: There is no such object.
            LibraryError: It cannot be read.
        """
        with library_errors("read", key, self.url, may_be_missing=True):
            return await self._objects.read(key)

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        with library_errors("look for", key, self.url):
            return await self._objects.size(key)

    async def exists(self, key: str) -> bool:
        """Tell whether there is an object."""
        return await self.size(key) is not None

    async def names(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, sorted."""
        if self.folder is not None and not os.path.exists(f"{self.folder}/{prefix}"):  # noqa: PTH110, ASYNC240 - quick
            return []  # what was never asked for: much cheaper than a listing
        with library_errors("list", prefix or "all", self.url):
            found: Any = obstore.list(self._store, prefix)  # pyright: ignore[reportUnknownMemberType] - arrow is not there
            return sorted(str(meta["path"]) for meta in await found.collect_async())

    async def holds(self, prefix: str) -> bool:
        """Tell whether there is any object below a prefix, without listing them all."""
        if self.folder is not None:
            return await asyncio.to_thread(_any_file, self.folder / prefix)
        with library_errors("list", prefix, self.url):
            found: Any = obstore.list(self._store, prefix, chunk_size=1)  # pyright: ignore[reportUnknownMemberType] - as in `names`
            async for some in found:
                return bool(some)
            return False

    async def delete(self, key: str) -> None:
        """Remove an object; it is fine if there is none."""
        with library_errors("delete", key, self.url), suppress(FileNotFoundError):
            await self._objects.delete(key)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading and seeking, without fetching it whole."""
        with library_errors("open", key, self.url, may_be_missing=True):
            if self.folder is not None:
                return (self.folder / key).open("rb")
            size = obstore.head(self._store, key)["size"]

            def read_range(start: int, length: int) -> bytes:
                return bytes(obstore.get_range(self._store, key, start=start, length=length))

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
        if self.folder is None:
            return uri[len(self.url) + 1 :] if uri.startswith(f"{self.url}/") else None
        path = local_folder(uri)
        return path.relative_to(self.folder).as_posix() if path and path.is_relative_to(self.folder) else None


_known: dict[str, Storage] = {}
_default: list[Callable[[], Storage]] = []
_shared: dict[tuple[str, str], Storage] = {}
_known_lock = threading.Lock()


def register(storage: Storage) -> None:
    """Remember how a root was opened, so that references below it open with the same options in this process."""
    with _known_lock:
        _known[storage.url] = storage


def shared(url: str, options: Mapping[str, Any] | None = None) -> Storage:
    """Return the storage at a URL, the same one for everybody in this process who opens it with the same options."""
    name = (url, repr(sorted((options or {}).items())))
    with _known_lock:
        if found := _shared.get(name):
            return found
    storage = Storage(url, options)
    with _known_lock:
        return _shared.setdefault(name, storage)


def search_default(default: Callable[[], Storage]) -> None:
    """Have files that are not where they were looked for in the library that is used by default, too."""
    _default[:] = [default]


def open_moved(uri: str, sha256: str | None = None) -> tuple[BinaryIO, Storage, str]:
    """Open an object by the address that it once had, for reading and seeking.

    Where it is not there, the libraries that this process has opened and the default one are asked for an object of the
    same key: whoever renames, mounts or copies a library keeps the keys below its root.

    Args:
        uri: An address that ``Storage.uri`` returned, on whatever machine.
        sha256: The hash of its bytes, in hex; an object elsewhere that has another one is another object.

    Returns:
        The open file, and the storage and key where it is.

    Raises:
        FileNotFoundError: It is nowhere.
        LibraryError: It cannot be read where it should be, and is nowhere else.
    """
    failed: Exception | None = None
    first = locate(uri)
    for storage, key in (first, *_others(uri)):
        try:
            file = storage.open(key)
        except FileNotFoundError:
            continue
        except (LibraryError, ConfigurationError) as error:
            failed = error if (storage, key) == first else failed  # what other libraries have to say is no answer
            continue
        # What is at its own address and has another hash was changed, which whoever verifies it has to see.
        if (storage, key) == first or sha256 is None or checksum(file)[0] == sha256:
            file.seek(0)
            return file, storage, key
        file.close()
    raise failed or FileNotFoundError(uri)


def _others(uri: str) -> Iterator[tuple[Storage, str]]:
    """Yield under which keys of which other libraries an object may be."""
    with _known_lock:
        roots = list(_known.values())
    parts = unquote(urlsplit(uri).path).strip("/").split("/")
    with suppress(ConfigurationError):
        roots += [default() for default in _default]
    for storage in dict.fromkeys(roots):
        for length in range(_LONGEST_KEY, _SHORTEST_KEY - 1, -1):
            key = "/".join(parts[-length:])
            if length <= len(parts):
                yield storage, key


def locate(uri: str, options: Mapping[str, Any] | None = None) -> tuple[Storage, str]:
    """Return the storage and key behind an address.

    Without options, a root that this process has opened is used with its own, and so is another place in the same bucket;
    any other object store is opened with what its own environment variables say (``AWS_ENDPOINT``,
    ``AWS_ACCESS_KEY_ID``, …), any other file as the file it is.

    Raises:
        ConfigurationError: The address is of no kind that we can open.
    """
    with _known_lock:
        roots = sorted(_known.values(), key=lambda storage: len(storage.url), reverse=True)
    if not options:
        for storage in roots:
            if key := storage.key(uri):
                return storage, key
    if path := local_folder(uri):
        return Storage(str(path.parent)), path.name
    parts = urlsplit(uri)
    bucket = f"{parts.scheme}://{parts.netloc}"
    near = next((storage.options for storage in roots if f"{storage.url}/".startswith(f"{bucket}/")), None)
    return Storage(bucket, options or near), parts.path.lstrip("/")


def _refuse_file(folder: Path) -> None:
    """Refuse a folder that is none, or that can never be one because of what is above it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is a file")


def _any_file(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _settle() -> None:
    """Give the object store's threads a moment to let go of Python's objects.

    Without it a process that ends right behind an operation of obstore is aborted (SIGABRT) now and then, after its work is
    done: a thread of Rust takes the interpreter's lock while the interpreter is being taken down.
    """
    if _known:
        time.sleep(0.2)


atexit.register(_settle)
