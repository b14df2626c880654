"""The commands that look after a library: ledger, reconcile, bill, trace and replay. They print; the work is elsewhere."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from prefect_together._internal.event_loop import run
from prefect_together._internal.text import clipped
from prefect_together.catalog.money import dollars
from prefect_together.engine.trace import trace
from prefect_together.errors import InvalidRequest
from prefect_together.generations.code import as_code
from prefect_together.generations.derived import DERIVED
from prefect_together.generations.summary import where
from prefect_together.ledger.ledger import ROOT as LEDGER
from prefect_together.ledger.queries import LedgerRow, newest_attempts
from prefect_together.storage.storage import Storage

_LOG = logging.getLogger("prefect.together")
_TITLE = 48
_TOGETHER = 1000  # rows whose columns are made equally wide


def show_ledger(given: argparse.Namespace) -> None:
    """Print the ledger as a table, or as JSON lines: as it is read, however long it is."""
    storage = opened(given)

    async def work() -> None:
        states = None if given.state is None else {given.state}
        rows = newest_attempts(storage, states=states, since=given.since, limit=given.limit)
        if given.json:
            async for row in rows:
                print(json.dumps(as_json(row), ensure_ascii=False, default=str))
        else:
            await _show_table(rows)

    run(work())


async def _show_table(rows: AsyncIterator[LedgerRow]) -> None:
    """Print a table, whose columns are as wide as the first so many rows need, and those after them where they need more."""
    count, widths, heading = 0, [0] * 5, [("asked (UTC)", "state", "cost", "kind", "model", "what and where")]
    cells: list[tuple[str, ...]] = heading

    def show() -> None:
        widths[:] = [max(width, *(len(row[column]) for row in cells)) for column, width in enumerate(widths)]
        for asked, state, cost, kind, model, what in cells:
            known = (asked, state, cost.rjust(widths[2]), kind, model)
            print("  ".join([*(cell.ljust(width) for cell, width in zip(known, widths, strict=True)), what]))

    async for row in rows:
        count += 1
        cells.append(_cells(row))
        if len(cells) > _TOGETHER:
            show()
            cells = []
    if cells:
        show()
    print(f"{count} attempt(s).")


def run_reconcile(given: argparse.Namespace) -> None:
    """Reconcile, forget or resubmit, and print what was done."""
    from prefect_together.cli.progress_bar import ProgressBar
    from prefect_together.engine.reconcile import forget, reconcile, resubmit

    storage = opened(given)
    if given.forget:
        row = run(forget(storage, given.forget))
        print(f"Settled: {row.key}. Its request may be sent again, and is then paid for.")
        return

    async def work() -> str:
        client = _client()
        if given.resubmit:
            media = await resubmit(storage, client, given.resubmit, log=_LOG)
            return "\n".join(f"Kept: {file}" for file in media)
        with ProgressBar() as progress:
            return (await reconcile(storage, client, log=_LOG, wait=given.wait, progress=progress)).text()

    print(run(work()))


def run_pack(given: argparse.Namespace) -> None:
    """Pack what is settled, and print what was done."""
    from prefect_together.cli.progress_bar import ProgressBar
    from prefect_together.ledger.packing import pack

    with ProgressBar() as progress:
        done = run(pack(opened(given), progress=partial(progress, "Packing")))
    if done.busy:
        raise InvalidRequest("Another process packs this library: nothing was done. Run it again when that one has ended.")
    print(f"{done.attempts:,} attempt(s) packed, {done.removed:,} small object(s) removed.")


def show_bill(given: argparse.Namespace) -> None:
    """Print the bill beside the ledger, as a table or as JSON."""
    from prefect_together.engine.bill import last_billed_month
    from prefect_together.engine.billing import bill

    storage, month = opened(given), given.month or last_billed_month()

    async def work() -> str:
        found = await bill(storage, _client(), month, granularity=given.granularity)
        return found.model_dump_json() if given.json else found.text()

    print(run(work()))


def show_trace(given: argparse.Namespace) -> None:
    """Print how a file was made."""
    print(run(trace(_searched(given), given.file)).text())


def show_replay(given: argparse.Namespace) -> None:
    """Print the request that made a file."""
    request = run(trace(_searched(given), given.file, depth=0)).request
    if request is None:
        raise InvalidRequest(f"{given.file} was made on this machine from other files: `prefect-together trace` names them.")
    print(request.model_dump_json(exclude_unset=True) if given.json else as_code(request))


def run_verify(given: argparse.Namespace) -> int:
    """Look at every file, print what is wrong, and return the exit code."""
    from prefect_together.engine.verification import verify

    found = run(verify(opened(given), content=not given.quick))
    print(found.model_dump_json() if given.json else found.text())
    return 0 if found.good else 1


def as_json(row: LedgerRow) -> dict[str, Any]:
    """Return a row as plain values: money as text, unknown as null."""
    return {
        "key": row.key,
        "asked_at": row.asked_at.isoformat(),
        "state": row.shown_state,
        "kind": row.kind,
        "model": row.model,
        "request": row.claim.get("request"),
        "flow_run": row.flow_run,
        "job_id": row.job_id,
        "cost": None if row.reported is None else str(row.reported),
        "estimated_cost": None if row.estimated is None else str(row.estimated),
        "files": [one["uri"] for one in row.results if "uri" in one],
        "why": row.outcome.get("why"),
    }


def _cells(row: LedgerRow) -> tuple[str, str, str, str, str, str]:
    cost = "unknown" if row.estimated is None else f"about {dollars(row.estimated)}"
    cost = cost if row.reported is None else dollars(row.reported)
    files = ", ".join(where(str(one["uri"])) for one in row.results if "uri" in one)
    place = files or (f"job {row.job_id}" if row.job_id else "") or row.key
    what = f"{clipped(row.title(), _TITLE)}  {place}"
    return f"{row.asked_at:%Y-%m-%d %H:%M}", row.shown_state, cost, row.kind, row.model, what


def opened(given: argparse.Namespace) -> Storage:
    """Return the library that a command is about; looking for it creates nothing.

    Raises:
        InvalidRequest: There is none.
    """
    storage = _library(given)
    if not any(run(storage.holds(root)) for root in (LEDGER, DERIVED)):
        nothing = "there is no such folder" if storage.folder and not storage.folder.exists() else "it holds no ledger"
        raise InvalidRequest(
            f"There is no media library at {where(storage.url)}: {nothing}. Check the address; a library begins with "
            "the first generation that is kept in it."
        )
    return storage


def _searched(given: argparse.Namespace) -> Storage:
    """Return where a file is looked for: one that says itself how it was made needs no library."""
    return opened(given) if given.library else _library(given)


def _library(given: argparse.Namespace) -> Storage:
    if given.library is not None:
        return Storage(given.library)
    from prefect_together.blocks.library import MediaLibrary  # imports Prefect, whose settings say where the library is

    return MediaLibrary().storage()


def _client() -> Any:
    from prefect_together.blocks.credentials import TogetherCredentials

    return TogetherCredentials().get_client()
