"""What suspended flow runs wait for, written down in the library: one small object for each run. Asks nobody, pays nothing.

``waits/<flow run>.json`` is written before the run is suspended, so that whoever looks finds either what it waits for, or a
run that was not suspended. It stays until the run is over: by it, a run that goes on knows since when it has waited.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from prefect_together._internal.logs import Log
from prefect_together.errors import LibraryError
from prefect_together.ledger.ledger import VERSION
from prefect_together.storage.storage import Storage

ROOT = "waits"


class Wait(BaseModel):
    """What one flow run waits for."""

    version: int = VERSION
    run: str
    """Id of the flow run."""
    pause: str
    """The key of the pause: a run that is suspended with another one waits for something else, such as a person."""
    since: dict[str, datetime]
    """Since when it has waited for what, as ``GenerationTimeout.waits_for`` names it."""
    open: list[str]
    """What it was suspended for."""
    until: datetime
    """When it goes on in any case, because a time is up."""
    progress: str | None = None
    """Id of the progress artifact that says how much of it is over."""

    def beside(self, other: Wait | None) -> Wait:
        """Return it with what another process of the same run waits for, where both are one pause."""
        if other is None or other.pause != self.pause:
            return self
        both = {
            "since": {**self.since, **other.since},
            "open": list(dict.fromkeys([*other.open, *self.open])),
            "until": min(self.until, other.until),
        }
        return self.model_copy(update=both)

    async def write(self, storage: Storage) -> None:
        """Write it in place of what the run waited for before."""
        await storage.write(_path(self.run), self.model_dump_json(indent=1).encode() + b"\n")


def _path(run: str) -> str:
    return f"{ROOT}/{run}.json"


async def read_wait(storage: Storage, run: str) -> Wait | None:
    """Return what a flow run waits for or waited for, or None where it never did.

    Raises:
        LibraryError: That cannot be read.
    """
    try:
        return Wait.model_validate_json(await storage.read(_path(run)))
    except FileNotFoundError:
        return None
    except ValueError:
        advice = "Look at it, or delete it: the run waits anew then, once somebody resumes it."
        raise LibraryError(f"What flow run {run} waits for cannot be read: {_path(run)}.", advice=advice) from None


async def all_waits(storage: Storage, log: Log) -> list[Wait]:
    """Return what all runs wait for that are written down; one that cannot be read is logged, and hides no other."""
    found = list[Wait]()
    for name in await storage.names(ROOT):
        if name.endswith(".json"):
            try:
                wait = await read_wait(storage, name.rpartition("/")[2].removesuffix(".json"))
            except LibraryError as error:
                log.warning("%s", error)
            else:
                found += [wait] if wait else []
    return found


async def forget_wait(storage: Storage, run: str) -> None:
    """Remove what a run waited for that is over."""
    await storage.delete(_path(run))
