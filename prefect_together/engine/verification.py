"""Whether all that a library keeps is there and is what was kept. Reads only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel

from prefect_together._internal.described import Described
from prefect_together.errors import MediaError, TogetherError
from prefect_together.generations.derived import DERIVED
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.request import MediaReference
from prefect_together.ledger.ledger import Attempt, Ledger
from prefect_together.ledger.scan import Progress, scan
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage

_AT_ONCE = 16
_CHUNK = 1024  # notes whose tasks are in memory at once
_Judged = Literal["whole", "missing", "changed"]


class Verification(Described, BaseModel):
    """What a look at every file of a library found."""

    whole: int = 0
    """Files that are there as they were kept."""
    missing: list[MediaReference] = []
    """Files that are not there, where they should be now."""
    changed: list[MediaReference] = []
    """Files whose bytes are others than those that were kept."""
    unreadable: list[str] = []
    """Ledger entries, notes and files that cannot be read or looked at, each with the reason."""

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.changed or self.unreadable)

    def text(self) -> str:
        """Return the report for people: what is wrong, then the counts."""
        lines = [f"Missing: {file.uri}" for file in self.missing]
        lines += [f"Changed: {file.uri}" for file in self.changed]
        lines += [f"Unreadable: {why}" for why in self.unreadable]
        counts = f"{self.whole:,} whole, {len(self.missing):,} missing, {len(self.changed):,} changed"
        unreadable = f", {len(self.unreadable):,} unreadable" if self.unreadable else ""
        advice = "" if self.good else " Restore them from a backup: what was paid for is not made again by itself."
        return "\n".join([*lines, f"{counts}{unreadable}.{advice}"])


async def verify(storage: Storage, *, content: bool = True, progress: Progress | None = None) -> Verification:
    """Look at every file that the ledger and the notes of derived files tell of.

    Args:
        storage: The library.
        content: Read all files and compare their hashes; otherwise only whether they are there and of the size they had.
        progress: Hears what part of the ledger has been gone through: 0 to 1.

    Raises:
        LibraryError: The library cannot be listed.
    """
    found, turns = Verification(), asyncio.Semaphore(_AT_ONCE)
    ledger = Ledger(storage)

    async def look(name: str, read: Callable[[], Awaitable[list[dict[str, Any]]]]) -> None:
        async with turns:
            try:
                for fields in await read():
                    known = {field: fields.get(field) for field in MediaReference.model_fields}
                    file = MediaReference.model_validate(known)
                    judged = await _judge(storage, file, content=content)
                    if judged == "whole":
                        found.whole += 1
                    else:
                        (found.missing if judged == "missing" else found.changed).append(file)
            except (TogetherError, FileNotFoundError, ValueError, TypeError, KeyError) as error:
                found.unreadable.append(f"{name}: {getattr(error, 'what', error)}")

    async def stored(attempt: Attempt) -> list[dict[str, Any]]:
        entry = await ledger.entry(attempt, "stored") or {}
        return [fields for fields in entry["media"] if "uri" in fields]

    async def derived(key: str) -> list[dict[str, Any]]:
        return [to_addresses(json.loads(await storage.read(key))["media"], storage)]

    async for seen in scan(storage, states={"stored"}, progress=progress):
        kept = [one.attempt for one in seen]
        await asyncio.gather(*(look(attempt.key, partial(stored, attempt)) for attempt in kept))
    notes = [key for key in await storage.names(DERIVED) if key.endswith(".json")]
    for start in range(0, len(notes), _CHUNK):
        await asyncio.gather(*(look(key, partial(derived, key)) for key in notes[start : start + _CHUNK]))
    return found


async def _judge(storage: Storage, file: MediaReference, *, content: bool) -> _Judged:
    key = storage.key(file.uri)
    size = None if key is None else await storage.size(key)
    if size is None:
        return "missing"
    if size != file.size:
        return "changed"
    if content:
        try:
            await asyncio.to_thread(KeptFile.model_validate(file.model_dump()).verify)
        except MediaError:
            return "changed"
    return "whole"
