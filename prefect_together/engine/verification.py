"""Whether all that a library keeps is there and is what was kept. Reads only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from prefect_together.errors import LibraryError, MediaError
from prefect_together.generations.derived import DERIVED
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.request import MediaReference
from prefect_together.ledger.ledger import ROOT, Attempt, Ledger, attempts
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage

_AT_ONCE = 16
_Judged = Literal["whole", "missing", "changed"]


class Verification(BaseModel):
    """What a look at every file of a library found."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    whole: int = 0
    """Files that are there as they were kept."""
    missing: list[MediaReference] = []
    """Files that are not there, where they should be now."""
    changed: list[MediaReference] = []
    """Files whose bytes are others than those that were kept."""
    unreadable: list[str] = []
    """Ledger entries and notes that cannot be read, so that nobody knows of which files they tell; each with the reason."""

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
        advice = (
            "" if self.good else " Restore them from a backup; what is missing is paid for, and would be paid for again."
        )
        return "\n".join([*lines, f"{counts}{unreadable}.{advice}"])


async def verify(storage: Storage, *, content: bool = True) -> Verification:
    """Look at every file that the ledger and the notes of derived files tell of.

    Args:
        storage: The library.
        content: Read all files and compare their hashes; otherwise only whether they are there and of the size they had.

    Raises:
        LibraryError: The library cannot be listed.
    """
    found, turns = Verification(), asyncio.Semaphore(_AT_ONCE)

    async def look(file: MediaReference) -> None:
        async with turns:
            judged = await _judge(storage, file, content=content)
        if judged == "whole":
            found.whole += 1
        else:
            (found.missing if judged == "missing" else found.changed).append(file)

    looking: set[asyncio.Task[None]] = set()
    async for file in _files(storage, found.unreadable):
        if len(looking) >= 2 * _AT_ONCE:
            done, looking = await asyncio.wait(looking, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        looking.add(asyncio.create_task(look(file)))
    await asyncio.gather(*looking)
    return found


async def _files(storage: Storage, unreadable: list[str]) -> AsyncIterator[MediaReference]:
    """Yield what the library should hold, and note which of its entries cannot be read."""

    async def stored(attempt: Attempt) -> list[dict[str, Any]]:
        entry = await Ledger(storage).entry(attempt, "stored") or {}
        return [fields for fields in entry["media"] if "uri" in fields]

    async def derived(key: str) -> list[dict[str, Any]]:
        return [to_addresses(json.loads(await storage.read(key))["media"], storage)]

    kept = [(attempt.key, stored(attempt)) for attempt in attempts(await storage.names(ROOT)) if attempt.state == "stored"]
    notes = [key for key in await storage.names(DERIVED) if key.endswith(".json")]
    for name, reading in [*kept, *((key, derived(key)) for key in notes)]:
        try:
            for fields in await reading:
                yield MediaReference.model_validate({field: fields.get(field) for field in MediaReference.model_fields})
        except (LibraryError, FileNotFoundError, ValueError, TypeError, KeyError) as error:  # noqa: PERF203 - each for itself
            unreadable.append(f"{name}: {getattr(error, 'what', error)}")


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
