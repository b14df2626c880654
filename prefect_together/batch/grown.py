"""The lines of a batch that has not come to its end: read from what there is of its shards, in order. Writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from prefect_together._internal.event_loop import run
from prefect_together._internal.json import read
from prefect_together.batch.spool import Spool
from prefect_together.errors import LibraryError
from prefect_together.storage.opening import locate
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage


def grown(uri: str, block: str | None = None) -> Iterator[dict[str, Any]] | None:
    """Return what there is of the lines of a manifest that is not written yet; None, where there is nothing.

    Args:
        uri: Where the manifest will be.
        block: The stored block of its library.

    Raises:
        LibraryError: It cannot be read.
    """
    storage, key = locate(uri, block=block)
    shards = defaultdict[str, list[str]](list)
    for name in run(storage.names(key.removesuffix(".jsonl"))):
        if name.endswith(".jsonl"):
            shards[name.rpartition("/")[2].partition("-")[0]].append(name)
    return _lines(storage, shards) if shards else None


def _lines(storage: Storage, shards: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    for _, names in sorted(shards.items()):
        # A shard that is done has a manifest; its parts, and those of others who worked on it, say the same or less.
        whole = [name for name in names if name.rpartition("/")[2].count("-") == 1]
        with closing(Spool()) as spool:
            for name in whole[:1] or names:
                for line in _read(storage, name):
                    spool.put(read(line)["row"], line + b"\n")
            for line in spool:
                yield to_addresses(read(line), storage)


def _read(storage: Storage, name: str) -> list[bytes]:
    try:
        return run(storage.read(name)).splitlines()
    except FileNotFoundError:  # it has become a part of something larger meanwhile
        return []
    except LibraryError as error:
        error.advice = f"{error.advice} The batch goes on meanwhile."
        raise
