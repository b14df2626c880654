"""Small objects in an object store, by obstore. Knows nothing of what they hold."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import obstore
import obstore.store
from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore

from prefect_together.errors import ConfigurationError
from prefect_together.storage import busy
from prefect_together.storage.busy import patiently

_AT_ONCE = 64  # objects that are read at the same time


class Bucket:
    """A prefix in a bucket, with the operations that ``folder.Folder`` has."""

    def __init__(self, store: ObjectStore, url: str) -> None:
        self._store = store
        self._url = url
        self._locks = False

    async def create(self, key: str, data: bytes) -> bool:
        """Write a new object; of all who try, on whatever machine, one wins. Return whether it was this one.

        Where the store was busy, what is there may be this very one though False is returned: what it says has to tell.
        """
        if not self._locks:
            await self._prove()
        return await self._create(key, data)

    async def write(self, key: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        await patiently(lambda: obstore.put_async(self._store, key, data))

    async def read(self, key: str) -> bytes:
        """Return an object's bytes, or raise FileNotFoundError."""

        async def read() -> bytes:
            return bytes(await (await obstore.get_async(self._store, key)).bytes_async())

        return await patiently(read)

    async def delete(self, key: str) -> None:
        """Remove an object, or raise FileNotFoundError."""
        await patiently(lambda: obstore.delete_async(self._store, key))

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove many objects, also where some are not there."""
        try:
            await patiently(lambda: obstore.delete_async(self._store, list(keys)))  # S3 takes a thousand at once
        except FileNotFoundError:  # of other stores, which take one at a time and stop there
            for key in keys:
                with suppress(FileNotFoundError):
                    await self.delete(key)

    async def size(self, key: str) -> int | None:
        """Return an object's size in bytes, or None where there is none."""
        try:
            return (await patiently(lambda: obstore.head_async(self._store, key)))["size"]
        except FileNotFoundError:
            return None

    async def read_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of many objects; None of those that are not there."""

        async def read(key: str) -> bytes | None:
            with suppress(FileNotFoundError):
                return await self.read(key)
            return None

        found: list[bytes | None] = []
        for begin in range(0, len(keys), _AT_ONCE):
            found += await asyncio.gather(*map(read, keys[begin : begin + _AT_ONCE]))
        return found

    async def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return some of an object's bytes, or raise FileNotFoundError."""
        return bytes(await patiently(lambda: obstore.get_range_async(self._store, key, start=start, length=length)))

    async def listing(self, prefix: str, begin: str, timed: str | None) -> list[tuple[str, float]]:  # noqa: ARG002 - times are free
        """Return the keys below a prefix; see ``Storage.listing``."""
        below = f"{prefix}/{begin}"

        async def listed() -> list[tuple[str, float]]:
            found: Any = obstore.list(self._store, prefix)  # pyright: ignore[reportUnknownMemberType] - arrow is not there
            return [
                (str(meta["path"]), meta["last_modified"].timestamp())
                async for some in found
                for meta in some
                if str(meta["path"]).startswith(below)
            ]

        return await patiently(listed)

    async def children(self, prefix: str) -> tuple[list[str], list[str]]:
        """Return the names of what is as a folder, and of the objects, right below a prefix, sorted."""
        found: Any = await patiently(lambda: obstore.list_with_delimiter_async(self._store, prefix))  # pyright: ignore[reportUnknownMemberType] - as above
        folders = sorted(str(path).rstrip("/").rpartition("/")[2] for path in found["common_prefixes"])
        return folders, sorted(str(meta["path"]).rpartition("/")[2] for meta in found["objects"])

    async def _create(self, key: str, data: bytes) -> bool:
        try:
            await patiently(lambda: obstore.put_async(self._store, key, data, mode="create"))
        except AlreadyExistsError:
            return False
        return True

    async def _prove(self) -> None:
        """See to it that a second create fails: some servers that speak S3 accept the condition and ignore it."""
        key = f"probe-{uuid.uuid4().hex}"
        await self._create(key, b"")
        won_twice = await self._create(key, b"")
        with suppress(FileNotFoundError):  # of a removal that was done and had to be asked for again
            await self.delete(key)
        if won_twice:
            raise ConfigurationError(
                f"{self._url} lets two writers create the same object, so nothing there can tell who pays: "
                "choose a store with conditional writes (If-None-Match)."
            )
        self._locks = True


def open_store(url: str, options: dict[str, Any], *, patient: bool = False) -> ObjectStore:
    """Return the store at a URL.

    Args:
        url: Where it is.
        options: Settings in obstore's names.
        patient: Whether obstore asks again by itself for as long as ``busy`` does: for streams, whose parts nobody else can.
    """
    client_options = dict(options.pop("client_options", None) or {})
    retry_config = options.pop("retry_config", None)
    if patient and retry_config is None:
        retry_config = {"max_retries": 1000, "retry_timeout": timedelta(seconds=busy.PATIENCE)}
    endpoint = next((str(value) for name, value in options.items() if "endpoint" in name.lower()), "")
    if endpoint.startswith("http://"):
        client_options.setdefault("allow_http", True)
    stores: Any = obstore.store  # typed for each store in turn, and which one it is only the URL says
    return stores.from_url(url, config=options, client_options=client_options or None, retry_config=retry_config)
