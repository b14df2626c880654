"""How a run of a named batch ended: a small object beside its manifest, the same for all who took part. Runs nothing."""

from __future__ import annotations

from pydantic import BaseModel

from prefect_together.batch.results import BatchResult
from prefect_together.batch.totals import Totals
from prefect_together.storage.storage import Storage

ENDING = ".result.json"
"""How the name of the object ends."""


class Conclusion(BaseModel):
    """How a run ended."""

    totals: Totals
    """What came of all its rows."""
    removed: int = 0
    """How many requests of the last run are not in it any more."""
    seconds: float = 0.0
    """How long it took whoever wrote the manifest."""
    previous: str | None = None
    """The manifest of the last run under this name, by its key."""
    sheet: bool = False
    """Whether there is a picture of some of its pictures."""

    def result(self, storage: Storage, key: str, name: str | None) -> BatchResult:
        """Return it as a result.

        Args:
            storage: The library.
            key: Where the manifest is, without ending.
            name: What the batch is called.
        """
        return self.totals.result(
            manifest=storage.uri(f"{key}.jsonl"),
            block=storage.block,
            name=name,
            removed=self.removed,
            seconds=self.seconds,
            contact_sheet=storage.uri(f"{key}.webp") if self.sheet else None,
            previous=storage.uri(self.previous) if self.previous else None,
        )

    async def write(self, storage: Storage, key: str) -> None:
        """Write it down, where nobody has done so.

        Raises:
            LibraryError: It cannot be written.
        """
        told = self.model_copy(update={"totals": self.totals.model_copy(update={"shown": []})})
        await storage.create(f"{key}{ENDING}", told.model_dump_json().encode())


async def conclusion(storage: Storage, key: str) -> Conclusion | None:
    """Return how a run ended, or None where it has not.

    Raises:
        LibraryError: It cannot be read.
    """
    try:
        return Conclusion.model_validate_json(await storage.read(f"{key}{ENDING}"))
    except FileNotFoundError:
        return None
