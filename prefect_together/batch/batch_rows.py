"""What came of the rows of a batch: counted, and written down as the lines of its manifest. Runs none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from prefect_together._internal.logs import Log
from prefect_together.batch.cells import row_as_json
from prefect_together.batch.quiet_log import Quiet
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.results import GOOD, Outcome, Retry, without_row
from prefect_together.batch.shard_lines import ShardLines
from prefect_together.batch.totals import Came, Totals
from prefect_together.engine.context import RunContext
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
from prefect_together.generations.registry import read_result, spec_of
from prefect_together.generations.request import Request
from prefect_together.generations.results import Generated, GenerationTimeout

Line: TypeAlias = "dict[str, Any]"
"""A line of a manifest."""

_FATAL = (AuthenticationError, InsufficientBalance, ConfigurationError)  # the next request would hear the same
_REFUSED = (InvalidRequest, BudgetExceeded)


@dataclass(frozen=True)
class Options:
    """How a batch runs."""

    concurrency: int = 32
    timeout: float = 1800.0
    stop_after_failures: int | None = None
    retry: Retry = "failed"
    trace_prompts: bool = False


class BatchRows:
    """The rows of one run of many requests, and what came of each.

    Args:
        context: What all requests have in common: of whom they are asked, where results are kept, by which rules.
        options: How it runs.
        before: The manifest's line of each request of the last run under the same name, by fingerprint.
    """

    def __init__(self, context: RunContext, options: Options, before: Mapping[str, Line] | None = None) -> None:
        self.context = replace(context, run=replace(context.run, log=Quiet(context.run.log)))
        self.options = options
        self.totals = Totals()
        """What came of all rows so far."""
        self.began = time.monotonic()
        self.stopped: str | None = None
        """Why it stopped before its end."""
        self.elsewhere: Callable[[], int] = lambda: 0
        """Returns how many requests of the same batch other processes have done."""
        self._before = before or {}
        self._seen: set[str] = set()
        self._problems: Counter[str] = Counter()
        self._whole = ShardLines(context.storage)
        self._shards: list[tuple[range, ShardLines]] = []

    @property
    def done(self) -> int:
        """How many requests are over."""
        return self.totals.done + self.elsewhere()

    @property
    def removed(self) -> int:
        """How many requests of the last run did not come again."""
        return len(self._before.keys() - self._seen)

    @contextmanager
    def writing(self, lines: ShardLines, numbers: range) -> Generator[None]:
        """Have what comes of rows with these numbers written into some lines, for as long as the block lasts."""
        entry = numbers, lines
        self._shards.append(entry)
        try:
            yield
        finally:
            self._shards.remove(entry)

    def lines_of(self, number: int) -> ShardLines:
        """Return the lines into which goes what comes of a row."""
        return next((lines for numbers, lines in self._shards if number in numbers), self._whole)

    def close(self) -> None:
        """Forget the lines that are on this machine."""
        self._whole.close()

    def as_it_was(self, row: TableRow, line: Line) -> None:
        """Take over what a process that is dead says of a row of this very run: it was paid for by the run."""
        request = row.request
        columns_made = spec_of(request).columns_of if request else None
        made = columns_made(request.__dict__) if columns_made and request else None
        results = [read_result(line["kind"], fields) for fields in line["files"]]
        self._put(line, Came(results=results, made=made))

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

    async def _as_before(self, row: TableRow, last: Line) -> bool:
        """Take over what the last run says of a request, where nothing is to be done; return whether that was so."""
        began = time.monotonic()
        left = last.get("left") or last["outcome"]
        if self.options.retry == "none" and left in {"failed", "unknown"}:
            said = f'It was {left} in an earlier run, and retry is "none".'
            self._put({**last, "row": row.number, "outcome": "skipped", "left": left, "error": said}, Came())
            return True
        if last["outcome"] not in GOOD or self.context.reuse == "never":
            return False
        # What was kept stays kept, so the ledger need not be asked again: only whether the files are still there.
        storage = self.context.storage
        kept = [(storage.key(str(file["uri"])), file.get("size")) for file in last["files"] if "uri" in file]
        if not all([key is not None and await storage.size(key) == size for key, size in kept]):
            return False
        files = [{**file, "reused": True} for file in last["files"]]
        line = {
            **last,
            "row": row.number,
            "outcome": "reused",
            "seconds": round(time.monotonic() - began, 3),
            "files": files,
        }
        self._put({**line, "columns": row_as_json(row.columns)}, Came(reused=len(files)))
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
        line: Line = {"row": row.number, "outcome": outcome, "seconds": round(seconds, 3)}
        came = Came(results=results)
        if request is not None:
            line |= {"kind": request.kind, "model": request.model, "seed": getattr(request, "seed", None)}
            line["fingerprint"] = fingerprint
            if (spec := spec_of(request)).columns_of:
                came.made = spec.columns_of(request.__dict__)
            line["job_id"] = results[0].job_id if results else _job_of(error)
        if error is not None or said:
            line["error"] = said or str(error)
            reason = said or (error.without_money() if isinstance(error, TogetherError) else str(error))
            came.problem = without_row(row.number, reason)
        if error is not None:
            line |= {"error_type": type(error).__name__, "paid": error.paid if isinstance(error, TogetherError) else "maybe"}
            came.retryable = bool(getattr(error, "retryable", False))
            self._warn(line)
        if row.columns:
            line["columns"] = row_as_json(row.columns)
        if results:
            line["files"] = [result.model_dump(mode="json", exclude_none=True) for result in results]
        self._put(line, came)
        most, counts = self.options.stop_after_failures, self.totals.counts
        if most is not None and not self.stopped and counts.get("failed", 0) + counts.get("unknown", 0) >= most:
            self.stopped = f"Not tried, because {most:,} requests had failed, the most that stop_after_failures allows."

    def _put(self, line: Line, came: Came) -> None:
        """Write down what came of a row, and count it."""
        lines = self.lines_of(line["row"])
        for totals in (self.totals, lines.totals):
            totals.take(line, came)
        lines.put(line["row"], line)

    def _warn(self, line: Line) -> None:
        """Say what is wrong with a row, where it is among the first of its kind."""
        self._problems[line["error_type"]] += 1
        if self._problems[line["error_type"]] <= 3:
            self.log.warning("Row %d was %s: %s", line["row"], line["outcome"], without_row(line["row"], line["error"]))

    @property
    def log(self) -> Log:
        """Where to say what a person should read: not each warning of each request."""
        log = self.context.run.log
        return log.logger if isinstance(log, Quiet) else log

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in self.totals.told())
        rate = self.totals.done / max(0.001, time.monotonic() - self.began)
        others = f" Other processes have done {elsewhere:,}." if (elsewhere := self.elsewhere()) else ""
        return f"{counts or 'nothing yet'}; {rate:.1f} per second. {self.totals.tally}{others}"


def _job_of(error: Exception | None) -> str | None:
    if isinstance(error, GenerationTimeout):
        return error.job.id if error.job else None
    return error.job_id if isinstance(error, GenerationFailed) else None
