"""Runs many requests, a bounded number at a time, each for itself: what fails is written down and stops no other.

Every request goes through ``lifecycle.generate`` with a ledger entry of its own, so a batch that is killed anywhere is
simply run again. Knows nothing of Prefect: who shows progress is told now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from prefect_together._internal.logs import Log
from prefect_together.batch.cells import as_json
from prefect_together.batch.manifest import Spool
from prefect_together.batch.quiet_log import Quiet
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.results import GOOD, OUTCOMES, Outcome, Retry, without_row
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.lifecycle import generate
from prefect_together.engine.tracing import span
from prefect_together.errors import (
    AuthenticationError,
    BudgetExceeded,
    ConfigurationError,
    GenerationFailed,
    InsufficientBalance,
    InvalidRequest,
    TogetherError,
    UnknownOutcome,
)
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import read_result, spec_of
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated, GenerationTimeout
from prefect_together.generations.summary import Tally

Line: TypeAlias = "dict[str, Any]"
"""A line of a manifest."""

REPORT_EVERY = 5.0
"""Seconds between reports of progress."""
_FATAL = (AuthenticationError, InsufficientBalance, ConfigurationError)  # the next request would hear the same
_REFUSED = (InvalidRequest, BudgetExceeded)
SAMPLE = 48
"""Files that are remembered for a picture of the batch, at least."""


@dataclass(frozen=True)
class Options:
    """How a batch runs."""

    concurrency: int = 32
    timeout: float = 1800.0
    stop_after_failures: int | None = None
    retry: Retry = "failed"
    trace_prompts: bool = False


class Batch:
    """One run of many requests.

    Args:
        context: What all requests have in common: of whom they are asked, where results are kept, by which rules.
        options: How it runs.
        before: The manifest's line of each request of the last run under the same name, by fingerprint.
    """

    def __init__(self, context: RunContext, options: Options, before: Mapping[str, Line] | None = None) -> None:
        self.context = replace(context, run=replace(context.run, log=Quiet(context.run.log)))
        self.options = options
        self.spool = Spool(context.storage)
        self.first_problem: tuple[int, str] | None = None
        """The first row without a result, and why, without what was paid for it: the batch itself says what it paid."""
        self.counts: Counter[Outcome] = Counter()
        self.tally = Tally()
        self.maybe_paid = 0
        self.retryable = 0
        self.problems: Counter[str] = Counter()
        self._shown: list[tuple[str, dict[str, Any]]] = []
        self.began = time.monotonic()
        self.names: dict[str, None] = {}
        """The columns of all rows so far, in the order in which they came."""
        self.made: dict[str, str] = {}
        """The columns that are made, where they depend on what is asked, with their types."""
        self.stopped: str | None = None
        """Why it stopped before its end."""
        self._before = before or {}
        self._seen: set[str] = set()
        self._stride = 1

    @property
    def done(self) -> int:
        """How many requests are over."""
        return sum(self.counts.values())

    @property
    def removed(self) -> int:
        """How many requests of the last run did not come again."""
        return len(self._before.keys() - self._seen)

    async def run(self, rows: Iterable[TableRow]) -> None:
        """Run the requests of some rows; returns when all of them are over."""
        coming = iter(rows)
        workers = [asyncio.create_task(self._work(coming)) for _ in range(self.options.concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def report(self, say: Callable[[Batch], Awaitable[None]]) -> None:
        """Tell now and then how it goes, until cancelled."""
        while True:
            await asyncio.sleep(REPORT_EVERY)
            await say(self)

    async def _work(self, coming: Iterator[TableRow]) -> None:
        for row in coming:
            if row.request is None:
                self._over(row, None, "refused", error=InvalidRequest(row.error or "The row is no request."))
            elif self.stopped:
                self._over(row, row.request, "skipped", said=self.stopped)
            else:
                await self._one(row, row.request)
            # A worker that never has to wait would keep the others, and everything else on the loop, from running.
            if row.number % 64 == 0:
                await asyncio.sleep(0)

    async def _one(self, row: TableRow, request: Request) -> None:
        began, fingerprint = time.monotonic(), None
        try:
            fingerprint = await fingerprint_of(request, environment=self.context.client.environment)
            if self._before:
                self._seen.add(fingerprint)
            if (last := self._before.get(fingerprint)) and await self._as_before(row, request, last):
                return
            results = await self._generated(self.context.of(request), fingerprint)
        except Exception as error:  # whatever is wrong with one request must not take the others with it
            self._wrong(row, request, error, began, fingerprint)
            return
        self._made(row, request, results, began, fingerprint)

    def _wrong(self, row: TableRow, request: Request, error: Exception, began: float, fingerprint: str | None) -> None:
        """Note that a row has no result, and why."""
        if not isinstance(error, TogetherError):
            self.log.warning("Row %d met something unexpected.", row.number, exc_info=error)
        # A request that was to be sent again and is over the budget may have been charged the first time.
        unknown = isinstance(error, UnknownOutcome) or (isinstance(error, BudgetExceeded) and error.paid == "maybe")
        outcome: Outcome = "unknown" if unknown else "refused" if isinstance(error, _REFUSED) else "failed"
        seconds = time.monotonic() - began
        self._over(row, request, outcome, error=error, seconds=seconds, fingerprint=fingerprint)
        if isinstance(error, _FATAL):
            self.stopped = f"Not tried, because it would have failed like row {row.number}: {error}"

    def _made(
        self, row: TableRow, request: Request, results: Sequence[Generated], began: float, fingerprint: str | None
    ) -> None:
        """Note what a row has come to."""
        problem = spec_of(request).problem
        wrong = problem(results[-1]) if problem else None
        outcome: Outcome = "invalid" if wrong else "reused" if all(result.reused for result in results) else "kept"
        seconds = time.monotonic() - began
        self._over(row, request, outcome, results=results, error=wrong, seconds=seconds, fingerprint=fingerprint)

    async def _generated(self, context: GenerationContext, fingerprint: str) -> list[Generated]:
        context.check()
        with span(context.request, prompt=self.options.trace_prompts) as note:
            note.results = await generate(context, timeout=self.options.timeout, fingerprint=fingerprint)
        return list(note.results)

    async def _as_before(self, row: TableRow, request: Request, last: Line) -> bool:
        """Take over what the last run says of a request, where nothing is to be done; return whether that was so."""
        began = time.monotonic()
        left = last.get("left") or last["outcome"]
        if self.options.retry == "none" and left in {"failed", "unknown"}:
            said = f'It was {left} in an earlier run, and retry is "none".'
            self.counts["skipped"] += 1
            self.spool.put(row.number, {**last, "row": row.number, "outcome": "skipped", "left": left, "error": said})
            return True
        if last["outcome"] not in GOOD or self.context.reuse == "never":
            return False
        # What was kept stays kept, so the ledger need not be asked again: only whether the files are still there.
        storage = self.context.storage
        kept = [(storage.key(str(file["uri"])), file.get("size")) for file in last["files"] if "uri" in file]
        if not all([key is not None and await storage.size(key) == size for key, size in kept]):
            return False
        self.counts["reused"] += 1
        self.tally.reused += len(last["files"])
        self._show(request.kind, last["files"][0])
        files = [{**file, "reused": True} for file in last["files"]]
        line = {
            **last,
            "row": row.number,
            "outcome": "reused",
            "seconds": round(time.monotonic() - began, 3),
            "files": files,
        }
        self.spool.put(row.number, {**line, "columns": self._columns(row)})
        return True

    def _over(
        self,
        row: TableRow,
        request: Request | None,
        outcome: Outcome,
        *,
        results: Sequence[Generated] = (),
        error: Exception | None = None,
        said: str | None = None,
        seconds: float = 0.0,
        fingerprint: str | None = None,
    ) -> None:
        self.counts[outcome] += 1
        for result in results:
            self.tally.add(result)
        line: dict[str, Any] = {"row": row.number, "outcome": outcome, "seconds": round(seconds, 3)}
        if request is not None:
            line |= {"kind": request.kind, "model": request.model, "seed": getattr(request, "seed", None)}
            line["fingerprint"] = fingerprint
            if (spec := spec_of(request)).columns_of:
                self.made.update(spec.columns_of(request.__dict__))
            line["job_id"] = results[0].job_id if results else _job_of(error)
        if error is not None or said:
            line["error"] = said or str(error)
            reason = said or (error.without_money() if isinstance(error, TogetherError) else str(error))
            problem = row.number, without_row(row.number, reason)
            self.first_problem = min(self.first_problem or problem, problem)
        if error is not None:
            line |= {"error_type": type(error).__name__, "paid": error.paid if isinstance(error, TogetherError) else "maybe"}
            self._note(line, error)
        if row.columns:
            line["columns"] = self._columns(row)
        if results:
            line["files"] = [result.model_dump(mode="json", exclude_none=True) for result in results]
            self._show(str(line["kind"]), line["files"][0])
        self.spool.put(row.number, line)
        most = self.options.stop_after_failures
        if most is not None and not self.stopped and self.counts["failed"] + self.counts["unknown"] >= most:
            self.stopped = f"Not tried, because {most:,} requests had failed, the most that stop_after_failures allows."

    def _columns(self, row: TableRow) -> Line:
        """Return what stood in the table as a manifest has it."""
        self.names.update(dict.fromkeys(row.columns))
        return {name: as_json(cell) for name, cell in row.columns.items()}

    def _note(self, line: dict[str, Any], error: Exception) -> None:
        """Count a problem, and say it where it is the first of its kind."""
        self.maybe_paid += line["paid"] == "maybe"
        self.retryable += bool(getattr(error, "retryable", False))
        self.problems[line["error_type"]] += 1
        if self.problems[line["error_type"]] <= 3:
            self.log.warning("Row %d was %s: %s", line["row"], line["outcome"], without_row(line["row"], line["error"]))

    def _show(self, kind: str, file: dict[str, Any]) -> None:
        """Remember every so manieth file: twice as many as are shown at most, then every second is let go."""
        good = self.counts["kept"] + self.counts["reused"]
        if good % self._stride == 0 or good == 1:
            self._shown.append((kind, file))
        if len(self._shown) > 2 * SAMPLE:
            self._shown = self._shown[::2]
            self._stride *= 2

    def shown(self) -> list[KeptFile]:
        """Return some of the files, evenly spread, for a contact sheet."""
        results = [read_result(kind, fields) for kind, fields in self._shown]
        return [result for result in results if isinstance(result, KeptFile)]

    @property
    def log(self) -> Log:
        """Where to say what a person should read: not each warning of each request."""
        log = self.context.run.log
        return log.logger if isinstance(log, Quiet) else log

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[outcome]:,} {outcome}" for outcome in OUTCOMES if self.counts[outcome])
        rate = self.done / max(0.001, time.monotonic() - self.began)
        return f"{counts or 'nothing yet'}; {rate:.1f} per second. {self.tally}"

    def succeeded(self) -> bool:
        """Tell whether every request has its file."""
        return all(outcome in GOOD for outcome, count in self.counts.items() if count)


def _job_of(error: Exception | None) -> str | None:
    if isinstance(error, GenerationTimeout):
        return error.job.id if error.job else None
    return error.job_id if isinstance(error, GenerationFailed) else None
