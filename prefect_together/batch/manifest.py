"""The manifest of a batch: one JSON line for each request, in order, written while the batch runs. Decides nothing.

Lines go to a file on this machine as their requests finish, and into the library in order when the batch ends. A batch
that is killed leaves none and loses nothing: the ledger knows what is paid for.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from prefect_together._internal.json import compact, read
from prefect_together._internal.text import slug
from prefect_together.batch.results import ROOT, read_lines
from prefect_together.batch.table_schema import ENDING, TableSchema
from prefect_together.storage.references import to_addresses, written
from prefect_together.storage.storage import Storage


class Spool:
    """Lines that come in any order and are read in theirs.

    Args:
        storage: The library in which the manifest will be.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed by close()
        self._at = array("q")
        self._end = 0

    def put(self, number: int, line: dict[str, Any]) -> None:
        """Add the line of a row, counted from 1."""
        data = written(line, self._storage, compact) + b"\n"
        if number > len(self._at):
            self._at.extend([-1] * (number - len(self._at)))
        self._at[number - 1] = self._end
        self._file.write(data)
        self._end += len(data)

    def __iter__(self) -> Iterator[bytes]:
        self._file.flush()
        for at in self._at:
            if at >= 0:
                self._file.seek(at)
                yield self._file.readline()
        self._file.seek(self._end)

    def close(self) -> None:
        """Forget the lines."""
        self._file.close()


def folder(name: str | None) -> str:
    """Return where the manifests of a batch are in a library."""
    return f"{ROOT}/{short(name)}" if name else f"{ROOT}/unnamed/{datetime.now(timezone.utc).date().isoformat()}"


def short(name: str) -> str:
    """Return a name as it stands in paths: its words, and a hash that tells like names apart."""
    return f"{slug(name)}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def new_key(name: str | None) -> str:
    """Return the key of a new manifest, without its ending; later ones sort behind earlier ones."""
    return f"{folder(name)}/{datetime.now(timezone.utc):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}"


async def write(storage: Storage, key: str, spool: Spool, schema: TableSchema | None) -> str:
    """Write a manifest into the library, in order, and the columns of its table beside it; return where it is."""

    async def chunks() -> AsyncIterator[bytes]:
        held, size = list[bytes](), 0
        for line in spool:
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


def write_here(storage: Storage, spool: Spool, schema: TableSchema | None) -> str:
    """Write a manifest that its library does not take into a folder of this machine's for passing things; return where."""
    folder = Path(tempfile.mkdtemp(prefix="prefect-together-batch-"))
    if schema is not None:
        (folder / f"manifest{ENDING}").write_bytes(schema.model_dump_json(exclude_none=True).encode())
    with (folder / "manifest.jsonl").open("wb") as file:
        for line in spool:
            file.write(compact(to_addresses(read(line), storage)) + b"\n")
    return (folder / "manifest.jsonl").as_uri()


class Index(Mapping[str, dict[str, Any]]):
    """The lines of a manifest by fingerprint: on this machine's disk, for a million of them would fill its memory."""

    def __init__(self, uri: str) -> None:
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed by close()
        self._at: dict[str, int] = {}
        end = 0
        for line in read_lines(uri):
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


async def latest(storage: Storage, name: str) -> str | None:
    """Return where the manifest of the last run under a name is, if there was one."""
    found = [key for key in await storage.names(folder(name)) if key.endswith(".jsonl")]
    return storage.uri(found[-1]) if found else None
