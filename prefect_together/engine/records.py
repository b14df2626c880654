"""Entries about something that was paid for: written with patience, read back as what they mean."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from prefect_together._internal.logs import Log
from prefect_together._internal.retry import backoff
from prefect_together.errors import LibraryError
from prefect_together.generations.results import MEDIA, GeneratedMedia
from prefect_together.generations.spec import Acceptance
from prefect_together.ledger.ledger import Attempt, Event, Ledger, new_token

PATIENCE = 60.0
"""Seconds for which an entry about something paid is tried to be written."""


async def record_paid(
    ledger: Ledger, attempt: Attempt, event: Event, entry: dict[str, Any], log: Log, *, patience: float | None = None
) -> bool:
    """Write an entry that must not be lost: a library that fails for a moment is tried again, by default for a minute.

    Returns:
        Whether the entry is ours; False if it was there already.

    Raises:
        LibraryError: It could not be written. The error says what the entry would have said.
    """
    began, tries = time.monotonic(), 0
    if "token" not in entry:
        entry = {"token": new_token(), **entry}  # the same for every try
    while True:
        tries += 1
        try:
            return await ledger.record(attempt, event, entry)
        except LibraryError as error:
            if time.monotonic() - began > (PATIENCE if patience is None else patience):
                job = f" Job {entry['job_id']} was accepted." if entry.get("job_id") else ""
                error.what = f"{error.what}{job} It was to be recorded as {event} for {attempt.key}."
                error.paid = {"claimed": "nothing", "unknown": "maybe"}.get(event, "yes")  # pyright: ignore[reportAttributeAccessIssue]
                error.retryable = False
                raise
            log.warning("%s Trying again.", error.what)
            await asyncio.sleep(backoff(tries, first=0.5, longest=5.0))


async def read_acceptance(ledger: Ledger, attempt: Attempt) -> Acceptance:
    """Return what was accepted.

    Raises:
        LibraryError: The entry is gone.
    """
    entry = await ledger.entry(attempt, "accepted")
    if entry is None:
        raise LibraryError(f"The ledger entry {attempt.key} (accepted) is gone.", paid="yes", advice="Restore it.")
    return Acceptance.read(entry)


async def read_media(ledger: Ledger, attempt: Attempt, kind: str) -> list[GeneratedMedia]:
    """Return the references that were kept.

    Raises:
        LibraryError: The entry is gone.
    """
    entry = await ledger.entry(attempt, "stored")
    if entry is None:
        raise LibraryError(f"The ledger entry {attempt.key} (stored) is gone.", paid="yes", advice="Restore it.")
    return [MEDIA[kind].model_validate(media) for media in entry["media"]]


async def refreshed(ledger: Ledger, attempt: Attempt) -> Attempt:
    """Return the attempt as it is now."""
    history = await ledger.history(attempt.fingerprint)
    same = [known for known in history.within(attempt.scope) if known.number == attempt.number]
    return same[0] if same else attempt


def sidecar(key: str) -> str:
    """Return where the JSON file beside a kept file is."""
    return f"{key}.json"


def sidecar_entry(attempt: str, file: GeneratedMedia, flow_run: str | None) -> dict[str, Any]:
    """Return what stands in a sidecar: the reference, and where the ledger has the rest."""
    media = file.model_dump(mode="json", exclude={"reused"}, exclude_none=True)
    return {"attempt": attempt, "kind": file.request_kind, "flow_run": flow_run, "media": media}
