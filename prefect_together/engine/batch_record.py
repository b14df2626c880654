"""A provider's batch as the library has it written down, from before it is created until its answers are kept. Pays nothing.

The record is an append-only log: of all who write its next entry, one wins. So whoever finds that its process is gone and
writes ``abandoned`` can be sure that nobody creates the batch any more. What was ``uploaded`` may have been created, which
Together's list of batches tells::

    provider-batches/<id>/attempts.jsonl     the attempts that are its lines, by their keys
                          00000001.json      intent: how many lines, the file's SHA-256, the account
                          00000002.json      uploaded: the file's id, and the batches that were made of it before
                          00000003.json      created: Together's id of the batch
                          00000004.json      taken: every line's answer is in the ledger

Instead of ``created`` it may say ``refused``, ``abandoned``, or ``unknown``: nobody knows whether it was created.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from prefect_together._internal.json import compact, read
from prefect_together._internal.logs import Log
from prefect_together._internal.readers import as_list, as_mapping, as_number, as_text
from prefect_together.engine.attempt import Acceptance
from prefect_together.errors import APIError, ConnectionFailed, LibraryError, UnknownOutcome
from prefect_together.generations.spec import Line, ResponseFormatError
from prefect_together.ledger.append_log import AppendLog
from prefect_together.storage.storage import Storage

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient

ROOT = "provider-batches"
"""Where the records are in a library."""
PATH = "/v1/batches"
LOOKS = 4
"""Times that the list is looked through for a batch that may have been created a moment ago."""
LOOK_AGAIN = 1.0
"""Seconds until the second look; each pause is twice as long as the one before it."""

State = Literal["new", "intent", "uploaded", "created", "taken", "refused", "abandoned", "unknown"]
OVER = frozenset({"COMPLETED", "FAILED", "EXPIRED", "CANCELLED"})
"""Together's words for a batch that will not go on."""
_STAMPS = ("version", "at", "owner", "token")
_ADVICE = "Look at it; restore it, or delete the folder once no entry of the ledger names it."


class BatchRecord:
    """The record of one provider's batch.

    Args:
        storage: The library.
        id: What the record is called.
    """

    def __init__(self, storage: Storage, id: str) -> None:
        self.id = id
        self.turn = asyncio.Lock()
        """Held by whoever of this process takes its answers, or finds out whether it was created."""
        self._storage = storage
        self._log = AppendLog(storage, f"{ROOT}/{id}", advice=_ADVICE)

    @classmethod
    def begin(cls, storage: Storage) -> BatchRecord:
        """Return a record of which nothing is written yet."""
        return record_of(storage, uuid.uuid4().hex)

    @property
    def state(self) -> State:
        """What became of it, as far as was known when it was read."""
        return self._log.last.get("state", "new")

    @property
    def facts(self) -> dict[str, Any]:
        """All that is known of it."""
        return {name: value for name, value in self._log.last.items() if name not in _STAMPS}

    @property
    def batch_id(self) -> str | None:
        """Together's id of the batch, once that is known."""
        return self.facts.get("batch_id")

    @property
    def account(self) -> str | None:
        """Whose it is, as a short hash."""
        return self.facts.get("account")

    @property
    def at_stake(self) -> Decimal | None:
        """USD at most that the batch costs, or None where a price is not known."""
        known = self.facts.get("at_most")
        return None if known is None else Decimal(known)

    def __str__(self) -> str:
        return f"batch {self.batch_id or f'(record {self.id})'}"

    async def read(self) -> State:
        """Read what was written since, and return what became of it."""
        await self._log.read()
        return self.state

    async def advance(self, state: State, **facts: Any) -> bool:
        """Write what became of it; return False where somebody else wrote something before: it is read then.

        Raises:
            LibraryError: It cannot be written.
        """
        if await self._log.add({**self.facts, **facts, "state": state}):
            return True
        await self._log.read()
        return False

    async def keep_attempts(self, keys: Sequence[str]) -> None:
        """Write down which attempts are its lines, before anything else is."""
        await self._storage.write(self._attempts, b"".join(compact(key) + b"\n" for key in keys))

    async def attempts(self) -> list[str]:
        """Return the keys of the attempts that are its lines.

        Raises:
            LibraryError: They are gone.
        """
        try:
            return [str(read(line)) for line in (await self._storage.read(self._attempts)).splitlines()]
        except (FileNotFoundError, ValueError):
            raise LibraryError(f"{self._attempts} cannot be read.", paid="maybe", advice="Restore it.") from None

    @property
    def path(self) -> str:
        """Where it is in the library."""
        return f"{ROOT}/{self.id}"

    @property
    def _attempts(self) -> str:
        return f"{self.path}/attempts.jsonl"

    def acceptance(self) -> Acceptance:
        """Return what its lines were accepted as, once it is created."""
        at = datetime.fromisoformat(self.facts["created_at"])
        return Acceptance(at, Line(str(self.batch_id), self.id), self.account)

    def why_unknown(self) -> str:
        """Return in words why nobody knows whether it was created."""
        lines = self.facts["lines"]
        return f"A batch of {lines:,} requests was sent, and whether Together made it is not known"

    async def created(self, batch_id: str, *, others: Sequence[str] = ()) -> bool:
        """Write down Together's id; return as ``advance`` does."""
        at = datetime.now(timezone.utc).isoformat()
        return await self.advance("created", batch_id=batch_id, created_at=at, others=list(others))


@lru_cache(maxsize=64)
def record_of(storage: Storage, id: str) -> BatchRecord:
    """Return a record, the same for all of this process: what was read of it is not read again."""
    return BatchRecord(storage, id)


async def find_out(record: BatchRecord, client: TogetherClient, log: Log) -> State:
    """Find out what became of a batch whose process is gone, or never heard an answer; write it down and return it.

    What had not come so far that it could have been created is given up; of what had, Together's list is asked.

    Raises:
        UnknownOutcome: Together's list cannot be had, or the batch is another account's.
        LibraryError: The record cannot be read or written.
    """
    async with record.turn:
        while (state := await record.read()) in {"new", "intent"}:
            await record.advance("abandoned", why="The process that was to send it ended before")
        if state != "uploaded":
            return state
        if record.account not in {None, client.account}:
            advice = "Use that account's key: only it knows whether the batch was made."
            raise UnknownOutcome(f"{record.why_unknown()}: it is another account's.", advice=advice, at_risk=record.at_stake)
        try:
            found = await _made_since(record, client)
        except (APIError, ConnectionFailed) as error:
            what = f"{record.why_unknown()}: {error.what}"
            advice = "Run it again: it is looked for in the list of batches before anything is sent."
            raise UnknownOutcome(what, advice=advice, at_risk=record.at_stake) from error
        if not found:
            await record.advance("unknown", why=record.why_unknown())
        elif await record.created(found[0], others=found[1:]):
            log.info("Batch %s was made by a process that never heard of it: its answers are waited for.", found[0])
            if others := ", ".join(found[1:]):
                log.warning("Together has further batches of the same file, which may be charged too: %s.", others)
        return record.state


async def _made_since(record: BatchRecord, client: TogetherClient) -> list[str]:
    """Return the batches that were made of a record's file since it was to be made, the oldest first."""
    before, pause = set(record.facts["before"]), LOOK_AGAIN
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(pause)
            pause *= 2
        if found := [one for one in await batches_of(client, record.facts["file_id"]) if one not in before]:
            return found
    return []


async def batches_of(client: TogetherClient, file_id: str) -> list[str]:
    """Return the ids of all batches of a file, the oldest first.

    Raises:
        APIError: The list cannot be had.
        ConnectionFailed: Likewise.
    """
    from prefect_together.http.files import patiently  # imports the HTTP client, which is slow

    def parse(answer: Any) -> list[str]:
        listed: Any = as_mapping(answer).get("data") if isinstance(answer, dict) else answer
        if not isinstance(listed, list):
            raise ResponseFormatError("the list of batches is none")
        jobs = [job for job in map(as_mapping, as_list(listed)) if job.get("input_file_id") == file_id and job.get("id")]
        return [str(job["id"]) for job in sorted(jobs, key=lambda job: str(job.get("created_at")))]

    return await patiently(lambda: client.get(PATH, parse))


async def create(record: BatchRecord, client: TogetherClient, endpoint: str) -> str:
    """Create a batch, once, and return its id. Raises as ``TogetherClient.send_paid``."""

    def parse(answer: Any) -> str:
        found = as_text(as_mapping(as_mapping(answer).get("job")).get("id"))
        if not found:
            raise ResponseFormatError("the answer names no batch")
        return found

    body = {"input_file_id": record.facts["file_id"], "endpoint": endpoint}
    return await client.send_paid(PATH, body, parse, client.permit(PATH))


class BatchStatus:
    """What asking for a batch answers.

    Args:
        answer: Its JSON.

    Raises:
        ResponseFormatError: It is no batch.
    """

    def __init__(self, answer: Any) -> None:
        found = as_mapping(answer)
        if not found.get("id") or not found.get("status"):
            raise ResponseFormatError("the answer is no batch")
        self.status = str(found["status"]).upper()
        self.progress = as_number(found.get("progress")) or 0.0
        """Of a hundred; may go back."""
        self.output = as_text(found.get("output_file_id"))
        self.errors = as_text(found.get("error_file_id"))
        self.error = as_text(found.get("error")) or as_text(as_mapping(found.get("error")).get("message"))

    @property
    def over(self) -> bool:
        """Whether it will not go on."""
        return self.status in OVER


async def status_of(client: TogetherClient, batch_id: str) -> BatchStatus:
    """Ask for a batch, once."""
    return await client.get(f"{PATH}/{quote(batch_id, safe='')}", BatchStatus)
