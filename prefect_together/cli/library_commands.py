"""The commands that look into a library: ledger, spending, bill, trace, replay, verify. None of them imports Prefect."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from prefect_together._internal.text import clipped, counted
from prefect_together.cli.libraries import Library, account, library_above, located, opened
from prefect_together.cli.output import say, say_json, say_table
from prefect_together.cli.progress import progress
from prefect_together.cli.readers import Moment, Month, moment

if TYPE_CHECKING:
    from prefect_together.engine.trace import Story
    from prefect_together.ledger.ledger import State
    from prefect_together.ledger.queries import LedgerRow

Json = Annotated[bool, Parameter(name="--json", help="As JSON.")]
JsonLines = Annotated[bool, Parameter(name="--json", help="As JSON: one object a line.")]
ShownState = Literal["kept", "adopted", "failed", "resolved", "lost", "accepted", "refused", "unknown", "claimed"]
_TITLE = 48
_TOGETHER = 1000
"""Rows whose columns are made equally wide."""


def ledger(
    *,
    library: Library = None,
    state: ShownState | None = None,
    since: Moment = None,
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    json: JsonLines = False,
) -> None:
    """Show what was asked, when, by which flow run, what became of it and what it cost, the newest first.

    Args:
        state: Only attempts in this state.
        since: Only what was asked then or later (UTC), such as 2026-11-27 or 2026-11-27T08:00.
        limit: Only the newest so many.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.ledger.queries import newest_attempts, state_of

    storage = opened(library)

    async def work() -> None:
        states: set[State] | None = None if state is None else {state_of(state)}
        rows = newest_attempts(storage, states=states, since=moment(since) if since else None, limit=limit)
        if not json:
            await _say_rows(rows)
            return
        async for row in rows:
            say_json(as_json(row))

    run(work())


async def _say_rows(rows: AsyncIterator[LedgerRow]) -> None:
    """Print rows as they are read: columns are as wide as the first so many need, and wider below where that is needed."""
    count, widths, cells = 0, None, list[tuple[str, ...]]()

    def show() -> Sequence[int]:
        headings = ("asked (UTC)", "state", "cost", "kind", "model", "what and where")
        return say_table(headings, cells, right=("cost",), after=widths)

    async for row in rows:
        count += 1
        cells.append(_cells(row))
        if len(cells) >= _TOGETHER:
            widths = show()
            cells = []
    if cells or widths is None:
        show()
    say(f"{counted(count, 'attempt')}.")


def spending(
    *,
    library: Library = None,
    by: Literal["day", "month", "model", "kind", "flow-run"] = "day",
    month: Month = None,
    json: JsonLines = False,
) -> None:
    """Add up what this library's ledger says was spent; nothing is asked of Together, and the bill counts.

    Args:
        by: What a line is of. Days and months are UTC, by the clock of the machine that asked.
        month: Only this one, such as 2026-11.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.engine.bill import usd
    from prefect_together.engine.spending import spending as spent
    from prefect_together.http.account import together_url
    from prefect_together.http.urls import api_origin, environment

    storage = opened(library)
    with progress("Reading the ledger") as shown:
        told, here = partial(shown, "Reading the ledger"), environment(api_origin(together_url()))
        found, elsewhere = run(spent(storage, by, here, month=month, progress=told))
    not_counted = f"In no sum: {counted(elsewhere, 'request')} sent elsewhere, such as to a sandbox."
    if json:
        for name, sums in found.items():
            say_json({by.replace("-", "_"): name, **vars(sums)})
        if elsewhere:
            print(not_counted, file=sys.stderr)
        return
    say_table(
        (by, "requests", "reported", "estimated", "uncertain", "of unknown cost"),
        [
            (name, f"{sums.requests:,}", *map(usd, (sums.reported, sums.estimated, sums.uncertain)), f"{sums.unknown:,}")
            for name, sums in found.items()
        ],
        right=("requests", "reported", "estimated", "uncertain", "of unknown cost"),
    )
    say("Reported by answers, estimated by list price; uncertain is what may have been paid for. The bill counts.")
    if here == "loopback":
        say("These are a sandbox's prices, as TOGETHER_BASE_URL says: nothing was paid.")
    if elsewhere:
        say(not_counted)


def bill(
    *, library: Library = None, month: Month = None, granularity: Literal["day", "hour"] = "day", json: Json = False
) -> None:
    """Hold Together's bill beside the ledger, by hour or day and model: reported, estimated, billed, difference.

    Args:
        month: Such as 2026-11; left out, that of yesterday, the last billed day (UTC).
        granularity: What a line is of.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.http.account import usable_key

    storage = opened(library)
    usable_key(None)  # without one nothing is imported that asks
    from prefect_together.engine.bill import last_billed_month
    from prefect_together.engine.billing import bill as billed

    async def work() -> Any:
        return await billed(storage, account(), month or last_billed_month(), granularity=granularity)

    with progress("Asking for the bill"):
        found = run(work())
    say(found.model_dump_json() if json else found.text())


def trace(file: str, /, *, library: Library = None, json: Json = False) -> None:
    """Say how a file or an answer was made, and from which inputs.

    Args:
        file: A kept file or a copy of one, or a key of the ledger.
    """
    story = _story(library, file)
    if json:
        say_json(_told(story))
    else:
        say(story.text())


def replay(file: str, /, *, library: Library = None, json: Json = False) -> None:
    """Print the request that made a file or an answer, as Python that builds it again.

    Args:
        file: A kept file or a copy of one, or a key of the ledger.
        json: As JSON instead.
    """
    from prefect_together.errors import InvalidRequest
    from prefect_together.generations.code import as_code

    request = _story(library, file, depth=0).request
    if request is None:
        raise InvalidRequest(f"{file} was made on this machine from other files: `prefect-together trace` names them.")
    say(request.model_dump_json(exclude_unset=True) if json else as_code(request))


def verify(*, library: Library = None, quick: bool = False, json: Json = False) -> int:
    """Look whether all that a library keeps is there and unchanged; exit with 1 where something is not.

    Args:
        quick: Compare sizes only, and read no file.
    """
    from prefect_together._internal.event_loop import run
    from prefect_together.engine.verification import verify as looked_at

    storage = opened(library)
    with progress("Looking at files") as shown:
        found = run(looked_at(storage, content=not quick, progress=partial(shown, "Looking at files")))
    say(found.model_dump_json() if json else found.text())
    return 0 if found.good else 1


def pack(*, library: Library = None, json: Json = False) -> None:
    """Pack what is settled: many small objects of the ledger become few, in which everything is found as before."""
    from prefect_together._internal.event_loop import run
    from prefect_together.errors import InvalidRequest
    from prefect_together.ledger.packing import pack as packed

    storage = opened(library)
    with progress("Packing") as shown:
        done = run(packed(storage, progress=partial(shown, "Packing")))
    if done.busy:
        raise InvalidRequest("Another process packs this library: nothing was done. Run it again when that one has ended.")
    if json:
        say_json({"packed": done.attempts, "removed": done.removed})
    else:
        say(f"{counted(done.attempts, 'attempt')} packed, {counted(done.removed, 'small object')} removed.")


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
        "sandbox": None if row.environment is None else row.environment == "loopback",
        "files": [one["uri"] for one in row.results if "uri" in one],
        "why": row.outcome.get("why"),
    }


def _cells(row: LedgerRow) -> tuple[str, ...]:
    from prefect_together.catalog.money import dollars
    from prefect_together.storage.addresses import where

    cost = "unknown" if row.estimated is None else f"about {dollars(row.estimated)}"
    cost = cost if row.reported is None else dollars(row.reported)
    cost += " (sandbox)" if row.environment == "loopback" else ""
    files = ", ".join(where(str(one["uri"])) for one in row.results if "uri" in one)
    place = files or (f"job {row.job_id}" if row.job_id else "") or row.key
    what = f"{clipped(row.title(), _TITLE)}  {place}"
    return f"{row.asked_at:%Y-%m-%d %H:%M}", row.shown_state, cost, row.kind, row.model, what


def _story(library: str | None, file: str, depth: int | None = None) -> Story:
    """Return how a file was made, by the library that is named or that it lies in; one that says so itself needs none."""
    from prefect_together._internal.event_loop import run
    from prefect_together.engine.trace import trace as traced

    storage = opened(library) if library else located(library_above(file))
    with progress("Looking for it"):
        return run(traced(storage, file) if depth is None else traced(storage, file, depth=depth))


def _told(story: Story) -> dict[str, Any]:
    """Return how a file was made as plain values; of an input that nothing is known of, its address."""
    return {
        "file": story.file,
        "request": None if story.request is None else story.request.model_dump(mode="json", exclude_unset=True),
        "result": story.media,
        "known_from": story.source,
        "flow_run": story.row.flow_run if story.row else None,
        "made_from": [one if isinstance(one, str) else _told(one) for one in story.inputs],
    }
