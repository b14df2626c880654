"""The whole ledger as rows: what was asked, when, by which run, what became of it and what it cost. Changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, get_args

from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.ledger.ledger import Attempt, Ledger, State
from prefect_together.ledger.newest import NewestFirst
from prefect_together.ledger.scan import Progress, scan
from prefect_together.storage.storage import Storage

_log = logging.getLogger("prefect.together")
_AT_ONCE = 64  # entries read at the same time


def in_words(state: State) -> str:
    """Return a state as users read it: what is kept is called so everywhere but in the ledger's own entries."""
    return "kept" if state == "stored" else state


def state_of(words: str) -> State:
    """Return the state that users read as these words."""
    return next(state for state in get_args(State) if words == in_words(state))


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


async def stream_attempts(
    storage: Storage, prefix: str = "", *, states: Collection[State] | None = None, progress: Progress | None = None
) -> AsyncGenerator[LedgerRow, None]:
    """Yield the attempts of a library in no order, holding few of them at a time.

    Args:
        storage: The library.
        prefix: Only requests whose fingerprint begins with this.
        states: Only attempts in these states: of the others no entry is read. None is all.
        progress: Hears what part of the ledger has been gone through: 0 to 1.

    Raises:
        LibraryError: The ledger cannot be read.
    """
    async for seen in scan(storage, prefix, states=states, progress=progress):
        async for row in _rows(storage, (sighting.attempt for sighting in seen)):
            yield row


async def newest_attempts(
    storage: Storage, *, states: Collection[State] | None = None, since: datetime | None = None, limit: int | None = None
) -> AsyncGenerator[LedgerRow, None]:
    """Yield the attempts of a library, the newest first, holding few of them at a time.

    Args:
        storage: The library.
        states: Only attempts in these states. None is all.
        since: Only those that were claimed then or later, by the clocks of the machines that claimed them.
        limit: Only the newest so many. None is all.

    Raises:
        LibraryError: The ledger cannot be read.
    """
    with NewestFirst(storage, since, limit) as order:
        async for seen in scan(storage, states=states, least=order.least):
            await order.take(seen)
        async for row in _rows(storage, order.hand_out()):
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
    fingerprint, whole, _ = key.partition("/")
    if whole:
        known = list((await Ledger(storage).history(fingerprint)).attempts)
    else:
        known = [one.attempt async for seen in scan(storage, fingerprint) for one in seen]
    found = [attempt for attempt in known if attempt.key.startswith(key)]
    rows = [row async for row in _rows(storage, found[:2])]
    if len(found) != 1 or not rows:
        what = "no attempt" if not rows else f"{len(found)} attempts"
        raise InvalidRequest(f"The ledger of {storage.url} has {what} whose key begins with {key!r}.")
    return rows[0]


async def find_kept(storage: Storage, sha256: str) -> tuple[LedgerRow, dict[str, Any]] | None:
    """Return the attempt that a kept file is of, by the hash of its bytes, and what is recorded of it; raises likewise."""
    async with aclosing(stream_attempts(storage, states={"stored"})) as rows:
        async for row in rows:
            for result in row.results:
                if result.get("sha256") == sha256:
                    return row, result
    return None


async def _rows(storage: Storage, attempts: Iterable[Attempt]) -> AsyncGenerator[LedgerRow, None]:
    """Yield what the entries of attempts say, as many as are read at the same time."""
    ledger, rest = Ledger(storage), iter(attempts)

    async def read(attempt: Attempt) -> LedgerRow | None:
        try:
            claim = await ledger.entry(attempt, "claimed")
            outcome = {} if attempt.state == "claimed" else await ledger.entry(attempt, attempt.state)
        except LibraryError as error:  # one broken entry must not hide all the others
            _log.warning("%s %s is left out.", error.what, attempt.key)
            return None
        # A claim that somebody removed by hand leaves nothing to say.
        return None if claim is None else LedgerRow(attempt, claim, outcome or {})

    while some := list(islice(rest, _AT_ONCE)):
        # A disk answers at once, and tasks would cost more than it does.
        rows = [await read(one) for one in some] if storage.folder else await asyncio.gather(*map(read, some))
        for row in rows:
            if row is not None:
                yield row


def _money(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
