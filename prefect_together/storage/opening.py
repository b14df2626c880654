"""From addresses to storages: one for each root in a process, and where an object is now whose library was moved."""

from __future__ import annotations

import io
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from prefect_together.errors import ConfigurationError, LibraryError
from prefect_together.storage import known
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.named import library_of, why_not
from prefect_together.storage.storage import Storage
from prefect_together.storage.streams import checksum

# Of objects that have addresses: derived/film.mp4, images/2026-11-27/fox.jpg, batches/unnamed/2026-11-27/run.jsonl.
_SHORTEST_KEY, _LONGEST_KEY = 2, 4

_KEPT = re.compile(r"/(derived|[^/]+/\d{4}-\d\d-\d\d)/[^/]*-[0-9a-f]{8}[^/]*$")
"""How the address of a file ends that a library keeps: in its name is what tells it from all others."""

_default: list[Callable[[], Storage]] = []
_shared: dict[tuple[str, str], Storage] = {}
_shared_lock = threading.Lock()


def shared(url: str, options: Mapping[str, Any] | None = None, *, block: str | None = None) -> Storage:
    """Return the storage at a URL, the same one for everybody in this process who opens it with the same options.

    Args:
        url: A folder path, ``file://``, ``s3://``, ``gs://`` or ``az://``.
        options: Settings of the object store in obstore's own names.
        block: The stored block that says so; from then on references to its files name it.

    Raises:
        ConfigurationError: The URL or an option is not understood.
    """
    name = (url, repr(sorted((options or {}).items())))
    with _shared_lock:
        storage = _shared.get(name)
    if storage is None:
        opened = Storage(url, options, block=block)
        with _shared_lock:
            storage = _shared.setdefault(name, opened)
    if block is not None:
        storage.block = block
    return storage


def search_default(default: Callable[[], Storage]) -> None:
    """Have files that are not where they were looked for in the library that is used by default, too."""
    _default[:] = [default]


def open_moved(
    uri: str, sha256: str | None = None, *, size: int | None = None, sure: bool = False, block: str | None = None
) -> tuple[BinaryIO, Storage, str]:
    """Open an object by the address that it once had, for reading and seeking.

    Where it is not there, the libraries that this process has opened and the default one are asked for an object of the
    same key: whoever renames, mounts or copies a library keeps the keys below its root. Before them the library of the block
    that it names is asked, where this process has not opened the library of the address.

    Args:
        uri: An address that ``Storage.uri`` returned, on whatever machine.
        sha256: The hash of its bytes, in hex; an object elsewhere that has another one is another object.
        size: Its bytes; where the one at its address has another size, it is looked for elsewhere too.
        sure: Compare the hash at its address as well, which reads it.
        block: The stored block of its library, as ``together-media-library/NAME``.

    Returns:
        The open file, and the storage and key where it is.

    Raises:
        FileNotFoundError: It is nowhere.
        LibraryError: It cannot be read where it should be, and is nowhere else; or the block that it takes is gone, or names
            another library.
    """
    failed: Exception | None = None
    block = None if _below_opened(uri) else block
    first = locate(uri, block=block)
    there = False
    for storage, key in itertools.chain((first,), _others(uri, block)):
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
    raise (block and why_not(block, uri)) or failed or FileNotFoundError(uri)


def open_file(path: Path) -> tuple[BinaryIO, str]:
    """Open a file by its path, and return its address with it; one that a library kept is found where that is now.

    Such a path is all that a table says of it: it is taken for the file of the same key, whose name tells it from others.

    Raises:
        OSError: It cannot be opened, or is nowhere.
        LibraryError: It cannot be read where it should be, and is nowhere else.
    """
    uri = Path(os.path.abspath(path)).as_uri()  # noqa: PTH100 - symlinks stay as they are
    try:
        return path.open("rb"), uri
    except FileNotFoundError:
        if not _KEPT.search(uri):
            raise
    file, storage, key = open_moved(uri)
    return file, storage.uri(key)


def _same(file: BinaryIO, size: int | None, sha256: str | None) -> bool:
    """Tell whether an open file is of a size and has a hash, as far as they are given; it is read from its start then."""
    same = size is None or file.seek(0, io.SEEK_END) == size
    file.seek(0)
    same = same and (sha256 is None or checksum(file)[0] == sha256)
    file.seek(0)
    return same


def _others(uri: str, block: str | None) -> Iterator[tuple[Storage, str]]:
    """Yield under which keys of which other libraries an object may be."""
    roots = cast("list[Storage]", known.roots())
    parts = unquote(urlsplit(uri).path).strip("/").split("/")
    with suppress(ConfigurationError):
        roots = [library_of(block, uri), *roots] if block else roots
    with suppress(ConfigurationError):
        roots += [default() for default in _default]
    for storage in dict.fromkeys(roots):
        for length in range(_LONGEST_KEY, _SHORTEST_KEY - 1, -1):
            key = "/".join(parts[-length:])
            if length <= len(parts):
                yield storage, key


def locate(uri: str, options: Mapping[str, Any] | None = None, *, block: str | None = None) -> tuple[Storage, str]:
    """Return the storage and key behind an address.

    Without options, a root that this process has opened is used with its own; else, in a bucket, the block's library, or
    what is known of another place in the bucket; any other object store is opened with what its own environment variables
    say (``AWS_ENDPOINT``, ``AWS_ACCESS_KEY_ID``, …), any other file as the file it is.

    Args:
        uri: The address.
        options: Settings of the object store in obstore's own names.
        block: The stored block of its library, as ``together-media-library/NAME``; one that is gone is as none.

    Raises:
        ConfigurationError: The address is of no kind that we can open.
    """
    if not options and (opened := _below_opened(uri)):
        return opened
    if path := local_folder(uri):
        return Storage(str(path.parent), remembered=False), path.name
    if block and not options:
        with suppress(ConfigurationError):
            named = library_of(block, uri)
            if key := named.key(uri):
                return named, key
    parts = urlsplit(uri)
    roots = _roots()
    bucket = f"{parts.scheme}://{parts.netloc}"
    near = next((storage.options for storage in roots if f"{storage.url}/".startswith(f"{bucket}/")), None)
    return Storage(bucket, options or near, remembered=False), parts.path.lstrip("/")


def _below_opened(uri: str) -> tuple[Storage, str] | None:
    """Return the innermost root that this process has opened above an address, and the key there."""
    return next(((storage, key) for storage in _roots() if (key := storage.key(uri))), None)


def _roots() -> list[Storage]:
    return sorted(cast("list[Storage]", known.roots()), key=lambda storage: len(storage.url), reverse=True)
