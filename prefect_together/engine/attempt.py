"""One attempt, bound to its ledger and to the log of whoever works on it: entries written with patience, read as values."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from prefect_together._internal.logs import Log
from prefect_together._internal.retry import backoff
from prefect_together._internal.text import counted
from prefect_together.errors import GenerationFailed, LibraryError, Paid
from prefect_together.generations.registry import read_result
from prefect_together.generations.results import Generated
from prefect_together.generations.spec import Blobs, Job, Line, Links, Payload, Value
from prefect_together.ledger.ledger import Attempt, Event, Ledger, State, entry_set, new_token

PATIENCE = 60.0
"""Seconds for which an entry about something paid is tried to be written."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What Together took, when, and for which account."""

    at: datetime
    payload: Payload
    account: str | None = None
    """Whose it is, as a short hash: a job is only known to the account that made it."""

    @property
    def job_id(self) -> str | None:
        """Together's id of the job, where it is one."""
        return self.payload.id if isinstance(self.payload, Job) else None

    @property
    def inside(self) -> Value | Blobs | None:
        """What came inside the answer: no other process can have it again, so it is kept at once."""
        return self.payload if isinstance(self.payload, (Blobs, Value)) else None

    def entry(self) -> dict[str, Any]:
        """Return it for the ledger; what came inside the answer is not in it."""
        urls = list(self.payload.urls) if isinstance(self.payload, Links) else []
        line = {"provider_batch": self.payload.record} if isinstance(self.payload, Line) else {}
        return {"accepted_at": self.at.isoformat(), "job_id": self.job_id, "urls": urls, "account": self.account, **line}

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Acceptance:
        """Read it from the ledger."""
        job_id = entry["job_id"]
        payload = Links(tuple(entry["urls"])) if job_id is None else Job(job_id)
        if record := entry.get("provider_batch"):
            payload = Line(str(job_id), record)
        return cls(datetime.fromisoformat(entry["accepted_at"]), payload, entry.get("account"))

    def __str__(self) -> str:
        if isinstance(self.payload, Line):
            return f"a line of batch {self.payload.id}"
        if isinstance(self.payload, Job):
            return f"job {self.payload.id}"
        return counted(len(self.payload.urls), "hosted file") if isinstance(self.payload, Links) else "an answer"


@dataclass(frozen=True, slots=True)
class BoundAttempt:
    """One attempt at a request, with the ledger that it is in and the log of whoever works on it."""

    ledger: Ledger
    attempt: Attempt
    log: Log

    @property
    def key(self) -> str:
        """Its name for people and commands."""
        return self.attempt.key

    @property
    def state(self) -> State:
        """What became of it, as far as was known when it was read."""
        return self.attempt.state

    def other(self, attempt: Attempt) -> BoundAttempt:
        """Return another attempt of the same ledger."""
        return replace(self, attempt=attempt)

    def with_events(self, *events: str) -> BoundAttempt:
        """Return the attempt as it is after these entries."""
        return replace(self, attempt=replace(self.attempt, events=entry_set(events)))

    async def refreshed(self) -> BoundAttempt:
        """Return the attempt as it is now."""
        history = await self.ledger.history(self.attempt.fingerprint)
        same = [known for known in history.within(self.attempt.scope) if known.number == self.attempt.number]
        return self.other(same[0]) if same else self

    async def entry(self, event: Event) -> dict[str, Any] | None:
        """Return an entry, or None where there is none."""
        return await self.ledger.entry(self.attempt, event)

    async def record(self, event: Event, entry: dict[str, Any]) -> bool:
        """Write an entry, trying once; return False where there was one already."""
        return await self.ledger.record(self.attempt, event, entry)

    async def record_paid(self, event: Event, entry: dict[str, Any], *, patience: float | None = None) -> bool:
        """Write an entry that must not be lost: a library that fails for a moment is tried again.

        Args:
            event: What the entry says.
            entry: Its content.
            patience: Seconds for which it is tried; by default a minute.

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
                return await self.record(event, entry)
            except LibraryError as error:
                if time.monotonic() - began > (PATIENCE if patience is None else patience):
                    job = f" Job {entry['job_id']} was accepted." if entry.get("job_id") else ""
                    error.what = f"{error.what}{job} It was to be recorded as {event} for {self.key}."
                    error.paid = _PAID_BY.get(event, "yes")
                    error.retryable = False
                    raise
                self.log.warning("%s Trying again.", error.what)
                await asyncio.sleep(backoff(tries, first=0.5, longest=5.0))

    async def acceptance(self) -> Acceptance:
        """Return what was accepted.

        Raises:
            LibraryError: The entry is gone.
        """
        return Acceptance.read(await self._needed("accepted"))

    async def results(self, kind: str) -> list[Generated]:
        """Return the results that were kept.

        Args:
            kind: Their generation type.

        Raises:
            LibraryError: The entry is gone.
        """
        return [read_result(kind, fields) for fields in (await self._needed("stored"))["media"]]

    async def _needed(self, event: Event) -> dict[str, Any]:
        entry = await self.entry(event)
        if entry is None:
            raise LibraryError(f"The ledger entry {self.key} ({event}) is gone.", paid="yes", advice="Restore it.")
        return entry


_PAID_BY: dict[Event, Paid] = {"claimed": "nothing", "refused": "nothing", "unknown": "maybe", "failed": "maybe"}


def failure_of(entry: dict[str, Any], *, advice: str) -> GenerationFailed:
    """Return the error of a failure that was written down.

    Args:
        entry: What was written.
        advice: What to do next.
    """
    cost = entry.get("cost")
    return GenerationFailed(
        str(entry.get("why")),
        paid="maybe" if cost is None else "nothing" if float(cost) == 0 else "yes",
        advice=advice,
        job_id=entry.get("job_id"),
        status=str(entry.get("status")),
        code=entry.get("code"),
    )


def result_fields(result: Generated) -> dict[str, Any]:
    """Return a result as it is written down: whether it was reused is the call's, and its scope the attempt's."""
    return result.model_dump(mode="json", exclude={"reused", "scope"}, exclude_none=True)


def sidecar(key: str) -> str:
    """Return where the JSON file beside a kept file is."""
    return f"{key}.json"


def sidecar_entry(attempt: str, result: Generated, flow_run: str | None) -> dict[str, Any]:
    """Return what stands in a sidecar: the reference, and where the ledger has the rest."""
    return {"attempt": attempt, "kind": result.kind, "flow_run": flow_run, "media": result_fields(result)}
