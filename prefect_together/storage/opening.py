"""From addresses to storages: one for each root in a process, and where an object is now whose library was moved."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from prefect_together.errors import ConfigurationError, LibraryError
from prefect_together.storage import known
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.storage import Storage
from prefect_together.storage.streams import checksum

# Of objects that have addresses: derived/film.mp4, images/2026-11-27/fox.jpg, batches/unnamed/2026-11-27/run.jsonl.
_SHORTEST_KEY, _LONGEST_KEY = 2, 4

_default: list[Callable[[], Storage]] = []
_shared: dict[tuple[str, str], Storage] = {}
_shared_lock = threading.Lock()


def shared(url: str, options: Mapping[str, Any] | None = None) -> Storage:
    """Return the storage at a URL, the same one for everybody in this process who opens it with the same options."""
    name = (url, repr(sorted((options or {}).items())))
    with _shared_lock:
        if found := _shared.get(name):
            return found
    storage = Storage(url, options)
    with _shared_lock:
        return _shared.setdefault(name, storage)


def search_default(default: Callable[[], Storage]) -> None:
    """Have files that are not where they were looked for in the library that is used by default, too."""
    _default[:] = [default]


def open_moved(
    uri: str, sha256: str | None = None, *, size: int | None = None, sure: bool = False
) -> tuple[BinaryIO, Storage, str]:
    """Open an object by the address that it once had, for reading and seeking.

    Where it is not there, the libraries that this process has opened and the default one are asked for an object of the
    same key: whoever renames, mounts or copies a library keeps the keys below its root.

    Args:
        uri: An address that ``Storage.uri`` returned, on whatever machine.
        sha256: The hash of its bytes, in hex; an object elsewhere that has another one is another object.
        size: Its bytes; where the one at its address has another size, it is looked for elsewhere too.
        sure: Compare the hash at its address as well, which reads it.

    Returns:
        The open file, and the storage and key where it is.

    Raises:
        FileNotFoundError: It is nowhere.
        LibraryError: It cannot be read where it should be, and is nowhere else.
    """
    failed: Exception | None = None
    first = locate(uri)
    there = False
    for storage, key in (first, *_others(uri)):
        try:
            file = storage.open(key)
        except FileNotFoundError:
            continue
        except (LibraryError, ConfigurationError) as error:
            failed = error if (storage, key) == first else failed  # what other libraries have to say is no answer
            continue
        at_home = (storage, key) == first
        there |= at_home
        if _same(file, size, None if at_home and not sure else sha256):
            return file, storage, key
        file.close()
    if there:  # it was changed, and is nowhere as it was: whoever compares it has to see that
        return first[0].open(first[1]), *first
    raise failed or FileNotFoundError(uri)


def _same(file: BinaryIO, size: int | None, sha256: str | None) -> bool:
    """Tell whether an open file is of a size and has a hash, as far as they are given; it is read from its start then."""
    same = size is None or file.seek(0, io.SEEK_END) == size
    file.seek(0)
    same = same and (sha256 is None or checksum(file)[0] == sha256)
    file.seek(0)
    return same


def _others(uri: str) -> Iterator[tuple[Storage, str]]:
    """Yield under which keys of which other libraries an object may be."""
    roots = cast("list[Storage]", known.roots())
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
    roots = sorted(cast("list[Storage]", known.roots()), key=lambda storage: len(storage.url), reverse=True)
    if not options:
        for storage in roots:
            if key := storage.key(uri):
                return storage, key
    if path := local_folder(uri):
        return Storage(str(path.parent), remembered=False), path.name
    parts = urlsplit(uri)
    bucket = f"{parts.scheme}://{parts.netloc}"
    near = next((storage.options for storage in roots if f"{storage.url}/".startswith(f"{bucket}/")), None)
    return Storage(bucket, options or near, remembered=False), parts.path.lstrip("/")
