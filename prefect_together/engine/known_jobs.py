"""What a sweep has read of the open jobs of a library, for the next one: one object in place of two for each job.

It is a copy and no record: what is not in it is read anew, and what is no longer open is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from prefect_together._internal.json import compact
from prefect_together.errors import LibraryError
from prefect_together.storage.storage import Storage

PATH = "waits/known-jobs"


class OpenJob(NamedTuple):
    """A job that was accepted and is not kept yet."""

    key: str
    """The attempt that it is of."""
    kind: str
    """The generation type."""
    job_id: str | None
    """Together's id; None where no job was made."""
    record: str | None
    """The record of the batch at Together that it is a line of, where it is one."""
    account: str | None
    """Whose it is, as a short hash."""
    environment: str | None
    """Whether Together has it or a sandbox."""
    accepted_at: str
    """ISO 8601."""


async def read_known(storage: Storage) -> dict[str, OpenJob]:
    """Return what the last sweep knew, by key; nothing where it cannot be read."""
    try:
        lines = (await storage.read(PATH)).splitlines()
        return {job.key: job for job in (OpenJob(*json.loads(line)) for line in lines)}
    except (FileNotFoundError, LibraryError, ValueError, TypeError):
        return {}


async def write_known(storage: Storage, jobs: Sequence[OpenJob]) -> None:
    """Write down what is known, for the next sweep."""
    await storage.write(PATH, b"".join(compact(list(job)) + b"\n" for job in jobs))
