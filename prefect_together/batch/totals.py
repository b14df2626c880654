"""What came of some requests, added up: counts, money, the first problem, some files. Runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from prefect_together.batch.results import OUTCOMES, BatchResult, Outcome
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.registry import read_result
from prefect_together.generations.results import Generated
from prefect_together.generations.summary import Tally

SAMPLE = 48
"""Files that are remembered for a picture of the batch, at least."""


@dataclass
class Came:
    """What came of a row and its line does not say."""

    results: Sequence[Generated] = ()
    """What was made of it, or found."""
    reused: int = 0
    """How many results were taken from an earlier manifest as they were."""
    problem: str | None = None
    """Why it has no result, without what was paid for it."""
    retryable: bool = False
    """Whether running it again can help."""
    made: Mapping[str, str] | None = None
    """The columns that are made of it, where they depend on what is asked, with their types."""


class Totals(BaseModel):
    """What came of some requests. Of parts of a batch they are merged in the order of their rows."""

    counts: dict[Outcome, int] = {}
    """How many requests had which outcome."""
    tally: Tally = Tally(of="batch")
    """What was paid now."""
    maybe_paid: int = 0
    """Requests without a result that may have been charged."""
    retryable: int = 0
    """Requests for which running again can help."""
    first_problem: tuple[int, str] | None = None
    """The first row without a result, and why, without what was paid for it: the batch itself says what it paid."""
    names: dict[str, None] = {}
    """The columns of all rows, in the order in which they came."""
    made: dict[str, str] = {}
    """The columns that are made, where they depend on what is asked, with their types."""
    shown: list[tuple[str, dict[str, Any]]] = []
    """The types and fields of some results, evenly spread."""
    stride: int = 1
    """Every so manieth result is among those."""

    @property
    def done(self) -> int:
        """How many requests are over."""
        return sum(self.counts.values())

    @property
    def good(self) -> int:
        """How many have a result that is what was asked for."""
        return self.counts.get("kept", 0) + self.counts.get("reused", 0)

    def told(self) -> list[tuple[Outcome, int]]:
        """Return the counts that are not 0, in the order in which they are told."""
        return [(outcome, self.counts[outcome]) for outcome in OUTCOMES if self.counts.get(outcome)]

    def take(self, line: Mapping[str, Any], came: Came) -> None:
        """Add what came of a row.

        Args:
            line: Its line of the manifest.
            came: What the line does not say.
        """
        outcome: Outcome = line["outcome"]
        self.counts[outcome] = self.counts.get(outcome, 0) + 1
        for result in came.results:
            self.tally.add(result)
        self.tally.reused += came.reused
        self.maybe_paid += line.get("paid") == "maybe" and came.problem is not None
        self.retryable += came.retryable
        if came.problem is not None:
            self._problem(line["row"], came.problem)
        if "columns" in line:
            self.names.update(dict.fromkeys(line["columns"]))
        if came.made:
            self.made.update(came.made)
        if line.get("files"):
            self._show(line["kind"], line["files"][0])

    def _problem(self, row: int, why: str) -> None:
        self.first_problem = min(self.first_problem or (row, why), (row, why))

    def _show(self, kind: str, fields: dict[str, Any]) -> None:
        """Remember every so manieth result: twice as many as are shown at most, then every second is let go."""
        if self.good % self.stride == 0 or self.good == 1:
            self.shown.append((kind, fields))
            self._thin()

    def add(self, other: Totals) -> None:
        """Add what came of the rows behind these."""
        self.counts = dict(Counter(self.counts) + Counter(other.counts))
        self.tally = _sum(self.tally, other.tally)
        self.maybe_paid += other.maybe_paid
        self.retryable += other.retryable
        if other.first_problem:
            self._problem(*other.first_problem)
        self.names |= other.names
        self.made |= other.made
        self.shown += other.shown
        self._thin()

    def result(self, **more: Any) -> BatchResult:
        """Return it as the result of a batch."""
        return BatchResult(
            **{str(outcome): self.counts.get(outcome, 0) for outcome in OUTCOMES},  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            cost=self.tally.reported,
            estimated_cost=self.tally.estimated,
            unknown_costs=self.tally.unknown,
            maybe_paid=self.maybe_paid,
            **more,
        )

    def files(self) -> list[KeptFile]:
        """Return some of the files, evenly spread, for a contact sheet."""
        results = [read_result(kind, fields) for kind, fields in self.shown]
        return [result for result in results if isinstance(result, KeptFile)]

    def _thin(self) -> None:
        while len(self.shown) > 2 * SAMPLE:
            self.shown = self.shown[::2]
            self.stride *= 2


def _sum(one: Tally, other: Tally) -> Tally:
    return Tally(
        _added(one.reported, other.reported),
        _added(one.estimated, other.estimated),
        one.unknown + other.unknown,
        one.paid + other.paid,
        one.reused + other.reused,
        of=one.of,
    )


def _added(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else one + other
