"""Brings ledger and library together again: fetches what was paid for, lists what nobody knows. Never pays unasked."""

from __future__ import annotations

import asyncio

from prefect_together._internal.logs import Log
from prefect_together.engine.context import Ask, Caller
from prefect_together.engine.lifecycle import keep, obtain
from prefect_together.engine.reconciliation import Entry, Reconciliation
from prefect_together.engine.recovery import bury
from prefect_together.errors import InvalidRequest, TogetherError
from prefect_together.generations.policy import Rules
from prefect_together.generations.results import GeneratedImage, GeneratedMedia, GeneratedVideo, GenerationTimeout
from prefect_together.http.client import TogetherClient
from prefect_together.ledger.leases import Watch
from prefect_together.ledger.ledger import Ledger
from prefect_together.ledger.queries import Row, find, rows
from prefect_together.storage.storage import Storage

_AT_ONCE = 32
_UNDECIDED = frozenset({"unknown", "lost"})


async def reconcile(
    storage: Storage, client: TogetherClient, *, log: Log, rules: Rules | None = None, wait: float = 0.0
) -> Reconciliation:
    """Adopt everything that was accepted and never kept, and list what needs a decision.

    Args:
        storage: The library; nothing else is needed, on whatever machine.
        client: The account that paid.
        log: Where to say what happens.
        rules: What is allowed.
        wait: Seconds to wait for each job that still renders; 0 asks each once.

    Raises:
        LibraryError: The ledger cannot be read.
    """
    report, slots = Reconciliation(), asyncio.Semaphore(_AT_ONCE)

    async def look(row: Row) -> None:
        async with slots:
            await _look(row, storage, client, log, rules, report, wait)

    await asyncio.gather(*(look(row) for row in await rows(storage) if row.state in {"claimed", "accepted", *_UNDECIDED}))
    return report


async def _look(
    row: Row, storage: Storage, client: TogetherClient, log: Log, rules: Rules | None, report: Reconciliation, wait: float
) -> None:
    ledger = Ledger(storage)
    if row.realm not in {None, client.realm}:
        report.elsewhere += 1
        return
    if row.state not in _UNDECIDED and await Watch(ledger, row.attempt).settled():
        report.running.append(Entry.of(row))
        return
    if row.state == "claimed":
        await bury(ledger, row.attempt, log)
        row = await find(storage, row.key)
    if row.state in _UNDECIDED:
        report.undecided.append(Entry.of(row))
    elif row.state == "accepted":
        try:
            ask = _ask(row, storage, client, log, rules)
        except ValueError as error:  # a request that this release cannot read
            report.failed.append(Entry.of(row, str(error)))
            return
        await _adopt(row, ask, report, wait)


async def forget(storage: Storage, key: str) -> Row:
    """Note that an undecided attempt is settled: it was not charged, or does not matter. Its request may be sent again.

    Raises:
        InvalidRequest: There is no such attempt, or it is not undecided.
    """
    row = await _undecided(storage, key)
    await Ledger(storage).record(row.attempt, "resolved", {"how": "forgotten"})
    return row


async def resubmit(
    storage: Storage, client: TogetherClient, key: str, *, log: Log, rules: Rules | None = None, timeout: float = 1800.0
) -> list[GeneratedMedia]:
    """Send the request of an undecided attempt again, which is paid for, and keep what comes.

    Raises:
        InvalidRequest: There is no such attempt, or it is not undecided.
        TogetherError: As the tasks raise.
    """
    row = await _undecided(storage, key)
    await Ledger(storage).record(row.attempt, "resolved", {"how": "resubmitted by hand"})
    ask = _ask(row, storage, client, log, rules)
    return await obtain(ask, timeout=timeout, fingerprint=row.attempt.fingerprint)


async def _adopt(row: Row, ask: Ask, report: Reconciliation, wait: float) -> None:
    try:
        media = await keep(ask, row.attempt, timeout=wait)
        report.kept += [file for file in media if isinstance(file, (GeneratedImage, GeneratedVideo))]
    except GenerationTimeout:
        report.running.append(Entry.of(row))
    except TogetherError as error:
        after = await find(ask.storage, row.key)
        if after.state in _UNDECIDED:
            report.undecided.append(Entry.of(after))
        else:
            report.failed.append(Entry.of(row, str(error)))


def _ask(row: Row, storage: Storage, client: TogetherClient, log: Log, rules: Rules | None) -> Ask:
    caller = Caller(log=log, flow_run=row.flow_run)
    return Ask(row.request(), client, storage, caller, rules or Rules(), in_scope=row.attempt.scope)


async def _undecided(storage: Storage, key: str) -> Row:
    row, ledger = await find(storage, key), Ledger(storage)
    if row.state == "accepted" and not await Watch(ledger, row.attempt).settled():
        # Somebody who names it wants to be rid of it: a job that nobody can fetch is as good as lost.
        await ledger.record(row.attempt, "lost", {"why": "It was given up by hand", "job_id": row.job_id})
        row = await find(storage, row.key)
    if row.state not in _UNDECIDED:
        raise InvalidRequest(f"{row.key} is {row.state}: only what is unknown or lost needs a decision.")
    return row
