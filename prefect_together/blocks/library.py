"""MediaLibrary: the block that says where media and their ledger are kept. The work is done by ``storage``."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, ClassVar, TypeAlias

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, HttpUrl, field_validator

from prefect_together._internal.text import with_article
from prefect_together.blocks.credentials import DOCUMENTATION, LOGO
from prefect_together.blocks.settings import current_settings
from prefect_together.errors import ConfigurationError, InvalidRequest, LibraryError
from prefect_together.storage.addresses import local_folder, scheme_of
from prefect_together.storage.opening import search_default, shared
from prefect_together.storage.storage import Storage

_SLUG = "together-media-library"


class MediaLibrary(Block):
    """Where generated media are kept, together with the ledger of what was paid for: a folder or an object store.

    Example:
        Load a stored library and give it to a task:
        ```python
        from prefect_together import MediaLibrary

        library = MediaLibrary.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Media Library"
    _block_type_slug: ClassVar[str | None] = _SLUG
    _logo_url: ClassVar[HttpUrl | None] = LOGO
    _documentation_url: ClassVar[HttpUrl | None] = DOCUMENTATION

    url: str = Field(
        default_factory=lambda: current_settings().library_url(),
        title="URL",
        description="A folder path, file://, s3://, gs:// or az://; left out, PREFECT_INTEGRATIONS_TOGETHER_LIBRARY or a "
        "folder under Prefect's home is used.",
    )
    options: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        description="Settings of the object store in obstore's names, such as endpoint, region, access_key_id and "
        "secret_access_key; left out, the store's own environment variables are used.",
    )

    @field_validator("url", mode="before")
    @classmethod
    def _as_text(cls, url: Any) -> Any:
        given = str(url) if isinstance(url, PurePath) else url
        # What is stored is read in other folders too, and a relative path would be another library in each.
        with suppress(ConfigurationError):  # said where it is opened
            if isinstance(given, str) and not scheme_of(given) and not given.strip().startswith("~"):
                return str(local_folder(given))
        return given

    def storage(self) -> Storage:
        """Return the storage itself, opened once per process; references to its files name the block, if it is a stored one.

        Raises:
            ConfigurationError: The URL or an option is not understood.
        """
        options: dict[str, Any] = self.options.get_secret_value()
        name = None if self._is_anonymous else self._block_document_name
        return shared(self.url, options, block=f"{_SLUG}/{name}" if name else None)


AnyLibrary: TypeAlias = "MediaLibrary | str | Path"
"""A library, or where one is: a folder, ``s3://…``, and so on; ``together-media-library/NAME`` is a stored block."""


async def storage_of(library: AnyLibrary | None) -> Storage:
    """Return the storage of what was given as a library; of None, that of the settings.

    Raises:
        ConfigurationError: The address is not understood, or there is no such block.
        InvalidRequest: It is no library at all.
    """
    if library is None:
        return MediaLibrary().storage()
    if isinstance(library, MediaLibrary):
        return library.storage()
    if not isinstance(library, (str, Path)):  # pyright: ignore[reportUnnecessaryIsInstance] - anything comes
        raise InvalidRequest(
            f"library is {with_article(type(library).__name__)}: give a MediaLibrary, or the address of a folder or bucket."
        )
    block_type, _, name = str(library).partition("/")
    if block_type != _SLUG or not name:
        return MediaLibrary(url=str(library)).storage()
    return await _stored(name)


async def _stored(name: str) -> Storage:
    try:
        block = await MediaLibrary.aload(name)
    except ValueError as error:
        raise ConfigurationError(f"There is no stored MediaLibrary {name!r}: {str(error).rstrip('.')}.") from None
    except Exception as error:  # whatever Prefect's client raises: no connection, a temporary server that does not start
        what = f"The stored MediaLibrary {name!r} cannot be had: Prefect's server does not answer ({error})."
        advice = "Start it (prefect server start) and set PREFECT_API_URL, or give the library's address."
        raise LibraryError(what, advice=advice, retryable=True) from error
    return block.storage()


def open_block(block: str) -> Storage:
    """Open the library of a stored block, waiting for it, wherever: on the thread of an event loop as well.

    Args:
        block: The block, as ``together-media-library/NAME``.

    Raises:
        ConfigurationError: There is no such block, or its address is not understood.
    """
    context, name = contextvars.copy_context(), block.partition("/")[2]
    with ThreadPoolExecutor(1, "prefect-together-block") as thread:  # with a loop of its own
        return thread.submit(context.run, asyncio.run, _stored(name)).result()


search_default(lambda: MediaLibrary().storage())
