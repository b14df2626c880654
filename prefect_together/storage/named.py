"""Libraries by the names of their blocks: loaded when a reference needs one, once per process. Knows nothing of Prefect."""

from __future__ import annotations

import threading
import time
from typing import cast

from prefect_together.errors import ConfigurationError, LibraryError
from prefect_together.storage import known
from prefect_together.storage.failures import brief
from prefect_together.storage.storage import Storage

_AGAIN = 30.0  # seconds for which a block that did not help is not asked for again
_lock = threading.Lock()
_loaded: dict[str, tuple[float, Storage | ConfigurationError]] = {}


def library_of(block: str, uri: str) -> Storage:
    """Return the library that a stored block names; once it is the one of an address, it is not loaded again.

    Args:
        block: The block, as ``together-media-library/NAME``.
        uri: The address of a file that is looked for.

    Raises:
        ConfigurationError: There is no such block, or it cannot be loaded.
    """
    with _lock:
        at, found = _loaded.get(block, (float("-inf"), None))
        of_it = isinstance(found, Storage) and found.key(uri) is not None
        if found is None or (not of_it and time.monotonic() - at > _AGAIN):
            found = _load(block)
            _loaded[block] = (time.monotonic(), found)
    if isinstance(found, ConfigurationError):
        raise found.with_traceback(None)
    return found


def why_not(block: str, uri: str) -> LibraryError | None:
    """Return why a file could not be opened by a block; None where the block is right, and the file is not there."""
    named = f"{uri} is kept in the library of the block {block}"
    advice = f"Save the library as {block} where PREFECT_API_URL leads, or open it first: MediaLibrary(url=…).storage()."
    try:
        storage = library_of(block, uri)
    except ConfigurationError as error:
        return LibraryError(f"{named}, which cannot be opened: {error.what.rstrip('.')}.", advice=advice)
    if storage.key(uri) is not None:
        return None
    return LibraryError(f"{named}, which names another library now ({storage.url}), and is not there.", advice=advice)


def _load(block: str) -> Storage | ConfigurationError:
    try:
        return cast("Storage", known.load(block))
    except ConfigurationError as error:
        return error
    except Exception as error:  # whatever Prefect's client raises where its server cannot be reached
        return ConfigurationError(f"the block could not be loaded: {brief(error) or type(error).__name__}.")
