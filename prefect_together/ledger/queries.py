"""The whole ledger as rows: what was asked, when, by which run, what became of it and what it cost. Changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.ledger.ledger import ROOT, Attempt, Ledger, State, attempts
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")
_AT_ONCE = 64  # entries read at the same time
_BUNDLE = 1024  # attempts held at the same time


def in_words(state: State) -> str:
    """Return a state as users read it: what is kept is called so everywhere but in the ledger's own entries."""
    return "kept" if state == "stored" else state


@dataclass(frozen=True)
class LedgerRow:
    """One attempt: a paid request that was sent, or was about to be."""

    attempt: Attempt
    claim: dict[str, Any]
    outcome: dict[str, Any]
    """The entry that made it what it is: stored, failed, unknown, …; empty where there is none."""

    @property
    def state(self) -> State:
        """What became of it."""
        return self.attempt.state

    @property
    def shown_state(self) -> str:
        """The same in the words that users read."""
        return in_words(self.state)

    @property
    def key(self) -> str:
        """Its name for ``--forget`` and ``--resubmit``."""
        return self.attempt.key

    @property
    def asked_at(self) -> datetime:
        """When it was claimed, by the clock of the machine that claimed it."""
        return datetime.fromisoformat(str(self.claim["at"]))

    @property
    def kind(self) -> str:
        """The generation type."""
        return str(self.claim.get("kind", ""))

    @property
    def model(self) -> str:
        """Together's model id."""
        return str(self.claim.get("model", ""))

    @property
    def flow_run(self) -> str | None:
        """The flow run that asked, where one did."""
        return self.claim.get("flow_run")

    @property
    def environment(self) -> str | None:
        """Whether it was sent to Together or to a sandbox; None where that is not known."""
        return self.claim.get("realm")

    @property
    def job_id(self) -> str | None:
        """Together's id of the job, where it made one."""
        return self.outcome.get("job_id") or next((str(one["job_id"]) for one in self.results if "job_id" in one), None)

    @property
    def estimated(self) -> Decimal | None:
        """USD by the catalogue."""
        return _money(self.claim.get("estimated_cost"))

    @property
    def reported(self) -> Decimal | None:
        """USD as Together reported it."""
        costs = [_money(file.get("cost")) for file in self.results] or [_money(self.outcome.get("cost"))]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results that were kept, as they are in the ledger."""
        return list(self.outcome.get("media", []))

    def title(self) -> str:
        """Return what a person would call it."""
        asked = self.claim.get("request", {})
        return " ".join(str(self.claim.get("title") or asked.get("prompt") or self.model).split())


async def stream_attempts(storage: Storage, prefix: str = "") -> AsyncIterator[LedgerRow]:
    """Yield the attempts of a library in no order, holding few of them at a time.

    Args:
        storage: The library.
        prefix: Only requests whose fingerprint begins with this.

    Raises:
        LibraryError: The ledger cannot be read.
    """
    ledger, slots = Ledger(storage), asyncio.Semaphore(_AT_ONCE)
    below = f"{ROOT}/{prefix[:2]}" if len(prefix) >= 2 else ROOT
    known = [attempt for attempt in attempts(await storage.names(below)) if attempt.fingerprint.startswith(prefix)]

    async def read(attempt: Attempt) -> LedgerRow | None:
        async with slots:
            try:
                claim = await ledger.entry(attempt, "claimed")
                outcome = {} if attempt.state == "claimed" else await ledger.entry(attempt, attempt.state)
            except LibraryError as error:  # one broken entry must not hide all the others
                _log.warning("%s %s is left out.", error.what, attempt.key)
                return None
            # A claim that somebody removed by hand leaves nothing to say.
            return None if claim is None else LedgerRow(attempt, claim, outcome or {})

    for begin in range(0, len(known), _BUNDLE):
        for row in await asyncio.gather(*map(read, known[begin : begin + _BUNDLE])):
            if row is not None:
                yield row


async def list_attempts(storage: Storage, prefix: str = "") -> list[LedgerRow]:
    """Return the attempts of a library, the newest first; arguments and errors are those of ``stream_attempts``."""
    found = [row async for row in stream_attempts(storage, prefix)]
    return sorted(found, key=lambda row: (row.asked_at, row.key), reverse=True)


async def find_attempt(storage: Storage, key: str) -> LedgerRow:
    """Return the attempt with a key, or with the only key that begins like that.

    Raises:
        InvalidRequest: There is none, or more than one.
        LibraryError: The ledger cannot be read.
    """
    fingerprint = key.partition("/")[0]
    found = [row for row in await list_attempts(storage, fingerprint) if row.key.startswith(key)]
    if len(found) != 1:
        what = "no attempt" if not found else f"{len(found)} attempts"
        raise InvalidRequest(f"The ledger of {storage.url} has {what} whose key begins with {key!r}.")
    return found[0]


def _money(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
