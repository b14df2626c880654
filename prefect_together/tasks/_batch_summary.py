"""What the Prefect UI shows of a batch: how far it is, then counts, money, problems and pictures. Never fails a task."""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol

from prefect.context import FlowRunContext, TaskRunContext
from prefect.events import emit_event
from prefect.logging.loggers import get_logger

from prefect_together._internal.logs import Log
from prefect_together._internal.text import clipped
from prefect_together.batch.plan import Plan
from prefect_together.batch.results import BatchItem, BatchResult, without_row
from prefect_together.ui import progress
from prefect_together.ui.artifacts import publish_markdown, wanted
from prefect_together.ui.contact_sheet import data_uri
from prefect_together.ui.events import money_text
from prefect_together.ui.text import escaped

ENDED = "prefect-together.batch.ended"
_LONGEST = 500
_PROBLEMS = 20


class Running(Protocol):
    """A batch that runs: how many of its requests are over, and in words how it goes."""

    @property
    def done(self) -> int:
        """How many requests are over."""
        ...


class Progress:
    """Says how a batch goes: a line in the log, and one progress artifact that is kept up to date.

    Args:
        total: How many requests there are, where that is known.
        log: Where to say it.
    """

    def __init__(self, total: int | None, log: Log) -> None:
        self._total = total
        self._log = log
        self._bar = progress.Progress("batch-progress")

    async def say(self, batch: Running) -> None:
        """Say how far it is."""
        of = f" of {self._total:,}" if self._total is not None else ""
        self._log.info("%d%s done: %s", batch.done, of, batch)
        if self._total:
            self._bar.at(100.0 * batch.done / self._total, escaped(str(batch)), now=True)

    def end(self, batch: Running) -> None:
        """Say that it is over, where it was said that it runs."""
        if self._bar.begun:
            self._bar.at(100.0, escaped(str(batch)), now=True)


async def show_batch(result: BatchResult, sheet: bytes | None) -> None:
    """Give a batch its summary: counts and money in a line, a contact sheet, and the first problems."""
    if wanted():
        await publish_markdown("batch", await asyncio.to_thread(_summary, result, sheet), escaped(str(result)))


def _summary(result: BatchResult, sheet: bytes | None) -> str:
    problems = list(itertools.islice((item for item in result.stream() if item.error), _PROBLEMS))
    parts = [f"# {escaped(result.name or 'Batch')}"]
    parts += [f"![Some of the pictures]({data_uri(sheet)})"] if sheet else []
    if problems:
        parts.append("| row | outcome | |\n|---|---|---|\n" + "\n".join(_problem(item) for item in problems))
    return "\n\n".join([*parts, f"[The manifest]({result.manifest})"])


def _problem(item: BatchItem) -> str:
    return f"| {item.row} | {item.outcome} | {escaped(clipped(without_row(item.row, str(item.error)), _LONGEST))} |"


async def show_plan(plan: Plan) -> None:
    """Show what a batch would send and what that would cost."""
    parts = ["# Plan"]
    if plan.to_send:
        rows = [" | ".join(escaped(cell) for cell in request.cells()) for request in plan.to_send]
        parts.append("\n".join(["| model | price | seed | what |", "|---|---|---|---|", *(f"| {row} |" for row in rows)]))
        parts += plan.more()
    parts += [f"* {escaped(line)}" for line in (*plan.used(), *plan.problems, *plan.warnings)]
    if wanted():
        await publish_markdown("plan", "\n\n".join(parts), escaped(str(plan)))


def emit_batch(result: BatchResult) -> None:
    """Put the event into Prefect's queue that a batch has ended, where there is a run that it belongs to."""
    if FlowRunContext.get() is None and TaskRunContext.get() is None:
        return
    name = result.name or "unnamed"
    found = {"name": result.name, "manifest": result.manifest, "seconds": round(result.seconds, 1), **result.counts}
    found |= {"cost": money_text(result.cost), "estimated_cost": money_text(result.estimated_cost)}
    found |= {"unknown_costs": result.unknown_costs, "maybe_paid": result.maybe_paid}
    try:
        emit_event(
            ENDED,
            resource={"prefect.resource.id": f"prefect-together.batch.{name}", "prefect.resource.name": f"Batch {name}"},
            payload={key: value for key, value in found.items() if value is not None},
        )
    except Exception as error:  # decoration: whatever it raises, the batch is done
        get_logger("together").debug("Nobody heard that the batch has ended: %s: %s", type(error).__name__, error)
