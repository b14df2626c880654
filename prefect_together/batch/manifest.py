"""The manifest of a batch: one JSON line for each request, in order. Decides nothing.

While the batch runs, its lines are in the library in parts (``shard_lines``, ``grown``); when it ends, in one object.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from prefect_together._internal.json import compact, read
from prefect_together._internal.text import slug
from prefect_together.batch.results import ROOT, read_lines
from prefect_together.batch.table_schema import ENDING, TableSchema
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage


def folder(name: str | None) -> str:
    """Return where the manifests of a batch are in a library."""
    return f"{ROOT}/{short(name)}" if name else f"{ROOT}/unnamed/{datetime.now(timezone.utc).date().isoformat()}"


def short(name: str) -> str:
    """Return a name as it stands in paths: its words, and a hash that tells like names apart."""
    return f"{slug(name)}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def new_key(name: str | None) -> str:
    """Return the key of a new manifest, without its ending; later ones sort behind earlier ones."""
    return f"{folder(name)}/{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}"


async def write(storage: Storage, key: str, lines: Iterable[bytes], schema: TableSchema | None) -> str:
    """Write a manifest into the library, in order, and the columns of its table beside it; return where it is."""

    async def chunks() -> AsyncIterator[bytes]:
        held, size = list[bytes](), 0
        for line in lines:
            held.append(line)
            size += len(line)
            if size > 1024 * 1024:
                yield b"".join(held)
                held, size = [], 0
        yield b"".join(held)

    if schema is not None:
        await storage.write(f"{key}{ENDING}", schema.model_dump_json(exclude_none=True).encode())
    await storage.write_stream(f"{key}.jsonl", chunks())
    return storage.uri(f"{key}.jsonl")


def write_here(storage: Storage, lines: Iterable[bytes], schema: TableSchema | None) -> str:
    """Write a manifest that its library does not take into a folder of this machine's for passing things; return where."""
    folder = Path(tempfile.mkdtemp(prefix="prefect-together-batch-"))
    if schema is not None:
        (folder / f"manifest{ENDING}").write_bytes(schema.model_dump_json(exclude_none=True).encode())
    with (folder / "manifest.jsonl").open("wb") as file:
        for line in lines:
            file.write(compact(to_addresses(read(line), storage)) + b"\n")
    return (folder / "manifest.jsonl").as_uri()


class Index(Mapping[str, dict[str, Any]]):
    """The lines of manifests by fingerprint: on this machine's disk, for a million of them would fill its memory.

    Args:
        uris: Where they are; what a later one says of a request counts.
    """

    def __init__(self, *uris: str) -> None:
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed by close()
        self._at: dict[str, int] = {}
        end = 0
        for line in itertools.chain.from_iterable(map(read_lines, uris)):
            if fingerprint := line.get("fingerprint"):
                self._at[fingerprint] = end
                end += self._file.write(compact(line) + b"\n")

    def __getitem__(self, fingerprint: str) -> dict[str, Any]:
        self._file.seek(self._at[fingerprint])
        return read(self._file.readline())

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)

    def close(self) -> None:
        """Forget the lines."""
        self._file.close()


@dataclass(frozen=True)
class Standing:
    """The manifests that there are of a named batch, by their keys without ending; the last ones come last."""

    whole: list[str]
    """Those of runs that came to their end."""
    growing: list[str]
    """Those of which there are parts: of runs that are under way, or were killed."""


async def standing(storage: Storage, name: str) -> Standing:
    """Return which manifests there are of a named batch."""
    whole, growing, home = set[str](), set[str](), folder(name)
    for key in await storage.names(home):
        if key.endswith(".jsonl"):
            first, _, inside = key[len(home) + 1 :].partition("/")
            (growing if inside else whole).add(f"{home}/{first.removesuffix('.jsonl')}")
    return Standing(sorted(whole), sorted(growing))


async def remove(storage: Storage, key: str) -> None:
    """Remove the parts that a manifest consisted of while it grew."""
    await storage.remove(await storage.names(key))


async def earlier(storage: Storage, name: str, *, but: str | None = None) -> tuple[str | None, list[str]]:
    """Return where the manifest of the last run under a name is that came to its end, and those of later ones that did not.

    Args:
        storage: The library.
        name: What the batch is called.
        but: The key of a run that is not meant.
    """
    found = await standing(storage, name)
    whole = next((key for key in reversed(found.whole) if key != but), None)
    later = [key for key in found.growing if key != but and key > (whole or "") and key not in found.whole]
    where = [storage.uri(f"{key}.jsonl") for key in (*([whole] if whole else []), *later)]
    return (where[0], where[1:]) if whole else (None, where)
