"""Objects by key in a folder, S3, GCS or Azure: put once, stream, read, list. Knows nothing of media, ledgers or Prefect."""

from __future__ import annotations

import asyncio
import atexit
import io
import os
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import quote_from_bytes, urlsplit
from urllib.request import url2pathname

import obstore
import obstore.store
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore

from prefect_together.errors import ConfigurationError, LibraryError
from prefect_together.storage.addresses import scheme_of
from prefect_together.storage.local import Folder
from prefect_together.storage.object_store import Bucket
from prefect_together.storage.streams import Reader

# obstore's defaults (12 parts of 5 MiB in flight) would hold 60 MB for one stream; two are as fast from one source.
_PART_SIZE = 5 * 1024 * 1024
_PARTS_IN_FLIGHT = 2


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
                self._opened = _remote(self.url, dict(options or {}))
                self._objects = Bucket(self._opened, self.url)
        except (BaseError, ValueError, TypeError, OSError) as error:
            raise ConfigurationError(f"The media library {url!r} cannot be opened: {_brief(error)}.") from None
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
        with _errors("write", key, self.url):
            return await self._objects.create(key, data)

    async def write(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        with _errors("write", key, self.url):
            await self._objects.write(key, data)

    async def write_stream(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Write an object of any size; it appears whole when the stream ends, and not at all when the stream raises."""
        with _errors("write", key, self.url):
            await obstore.put_async(
                self._store, key, chunks, chunk_size=_PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT, use_multipart=True
            )

    def put_file(self, key: str, file: BinaryIO) -> None:
        """Write an object from an open file, waiting for it; it appears whole or not at all."""
        with _errors("write", key, self.url):
            obstore.put(self._store, key, file, chunk_size=_PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT)

    async def read(self, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            FileNotFoundError: There is no such object.
            LibraryError: It cannot be read.
        """
        with _errors("read", key, self.url, may_be_missing=True):
            return await self._objects.read(key)

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        with _errors("look for", key, self.url):
            return await self._objects.size(key)

    async def exists(self, key: str) -> bool:
        """Tell whether there is an object."""
        return await self.size(key) is not None

    async def names(self, prefix: str) -> list[str]:
        """Return the keys below a prefix, sorted."""
        if self.folder is not None and not os.path.exists(f"{self.folder}/{prefix}"):  # noqa: PTH110, ASYNC240 - quick
            return []  # what was never asked for: much cheaper than a listing
        with _errors("list", prefix or "all", self.url):
            found: Any = obstore.list(self._store, prefix)  # pyright: ignore[reportUnknownMemberType] - arrow is not there
            return sorted(str(meta["path"]) for meta in await found.collect_async())

    async def holds(self, prefix: str) -> bool:
        """Tell whether there is any object below a prefix, without listing them all."""
        if self.folder is not None:
            return await asyncio.to_thread(_any_file, self.folder / prefix)
        with _errors("list", prefix, self.url):
            found: Any = obstore.list(self._store, prefix, chunk_size=1)  # pyright: ignore[reportUnknownMemberType] - as in `names`
            async for some in found:
                return bool(some)
            return False

    async def delete(self, key: str) -> None:
        """Remove an object; it is fine if there is none."""
        with _errors("delete", key, self.url), suppress(FileNotFoundError):
            await self._objects.delete(key)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading and seeking, without fetching it whole."""
        with _errors("open", key, self.url, may_be_missing=True):
            if self.folder is not None:
                return (self.folder / key).open("rb")
            size = obstore.head(self._store, key)["size"]

            def read_range(start: int, length: int) -> bytes:
                return bytes(obstore.get_range(self._store, key, start=start, length=length))

            return io.BufferedReader(Reader(read_range, size), 1024 * 1024)

    def uri(self, key: str) -> str:
        """Return the address of an object, which ``locate`` finds again."""
        _check(key)
        return f"{self.url}/{quote_from_bytes(os.fsencode(key))}" if self.folder is not None else f"{self.url}/{key}"

    def key(self, uri: str) -> str | None:
        """Return the key of an address below this root, or None where it is elsewhere."""
        if self.folder is None:
            return uri[len(self.url) + 1 :] if uri.startswith(f"{self.url}/") else None
        path = local_folder(uri)
        return path.relative_to(self.folder).as_posix() if path and path.is_relative_to(self.folder) else None


_known: dict[str, Storage] = {}
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


def local_folder(url: str) -> Path | None:
    """Return the path that a folder path or a ``file://`` URL names, or None for an object store.

    Raises:
        ConfigurationError: The URL has a scheme that no library can have.
    """
    scheme = scheme_of(url)
    if not scheme:
        return Path(os.path.abspath(Path(url).expanduser()))  # noqa: PTH100 - symlinks stay as they are
    if scheme != "file":
        return None
    return Path(os.path.abspath(url2pathname(urlsplit(url).path)))  # noqa: PTH100 - symlinks stay as they are


def _refuse_file(folder: Path) -> None:
    """Refuse a folder that is none, or that can never be one because of what is above it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is a file")


def _any_file(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _remote(url: str, options: dict[str, Any]) -> ObjectStore:
    client_options = dict(options.pop("client_options", None) or {})
    retry_config = options.pop("retry_config", None)
    endpoint = next((str(value) for name, value in options.items() if "endpoint" in name.lower()), "")
    if endpoint.startswith("http://"):
        client_options.setdefault("allow_http", True)
    stores: Any = obstore.store  # typed for each store in turn, and which one it is only the URL says
    return stores.from_url(url, config=options, client_options=client_options, retry_config=retry_config)


class _errors:  # noqa: N801 - a context manager, as a class for its speed
    """Refuse keys that lead out of the root, and turn what a store or a disk raises into one error that says what to do."""

    def __init__(self, doing: str, key: str, url: str, *, may_be_missing: bool = False) -> None:
        self._doing, self._key, self._url, self._may_be_missing = doing, key, url, may_be_missing

    def __enter__(self) -> None:
        try:
            _check(self._key)
        except _BadKey as error:
            self._raise(error)

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        if not isinstance(error, (BaseError, OSError)) or (self._may_be_missing and isinstance(error, FileNotFoundError)):
            return
        self._raise(error)

    def _raise(self, error: BaseException) -> NoReturn:
        raise LibraryError(
            f"The media library {self._url} could not {self._doing} {self._key}: {_brief(error)}.",
            advice="Check that it exists, has room and may be written to.",
            retryable=True,
        ) from error


class _BadKey(ValueError):
    """A key that would leave the root."""


_NO_NAMES = frozenset({"", ".", ".."})


def _check(key: str) -> None:
    """Refuse keys that lead out of the root; obstore does so too, but Python's own paths do not."""
    if not _NO_NAMES.isdisjoint(key.split("/")):
        raise _BadKey(f"{key!r} is no key")


def _settle() -> None:
    """Give the object store's threads a moment to let go of Python's objects.

    Without it a process that ends right behind an operation of obstore is aborted (SIGABRT) now and then, after its work is
    done: a thread of Rust takes the interpreter's lock while the interpreter is being taken down.
    """
    if _known:
        time.sleep(0.2)


atexit.register(_settle)


def _brief(error: BaseException) -> str:
    """Return the first line of an error: obstore appends its debug source over many lines."""
    return str(error).strip().split("\n", 1)[0].rstrip(".")
