"""What was sent to Together as batches, as a small value that any process can wait for. Sends and waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from prefect_together._internal.described import Described
from prefect_together._internal.notebook_view import ShownInNotebooks, View
from prefect_together.batch.request_table import TableRow
from prefect_together.batch.results import read_lines
from prefect_together.catalog.money import dollars
from prefect_together.errors import InvalidRequest
from prefect_together.generations.registry import read_request

ROWS = "provider-batches/submitted"
"""Where the rows of what was submitted are in a library."""


class ProviderBatch(ShownInNotebooks, Described, BaseModel):
    """Many requests that were sent to Together in batches: they are paid for, and can be waited for from any process."""

    model_config = ConfigDict(frozen=True)

    rows: str
    """Where its rows are kept in the library."""
    library: str
    """The library: a folder, or a prefix in a bucket."""
    batches: tuple[str, ...]
    """Together's ids of its batches."""
    records: tuple[str, ...]
    """What the library's records of these are called."""
    submitted_at: AwareDatetime
    """When it was sent (UTC, this machine's clock)."""
    name: str | None = None
    """The name under which it can be run again."""
    total: int = 0
    """How many rows there are."""
    waiting: int = 0
    """Rows that are at Together, or with somebody else who asks the same."""
    reused: int = 0
    """Rows whose results are kept already."""
    refused: int = 0
    """Rows that were not sent: wrong, or over the budget."""
    failed: int = 0
    """Rows that could not be sent for another reason."""
    at_most: Decimal | None = None
    """USD that its batches cost at most, discount taken off; None where a price is not known."""

    def __str__(self) -> str:
        price = "a price that is not known" if self.at_most is None else f"at most {dollars(self.at_most)}"
        counts = {"at Together": self.waiting, "reused": self.reused, "refused": self.refused, "failed": self.failed}
        said = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "no rows"
        if not self.batches:
            return f"{said}. Nothing was sent."
        return f"{said}. {len(self.batches):,} batch{'es' if self.batches[1:] else ''} for {price}."

    def notebook_view(self) -> View:
        """Return what a notebook shows: what was sent, and for how much."""
        return View(str(self), [f"{self.total:,} rows", f"sent {self.submitted_at:%Y-%m-%d %H:%M %Z}"], where=self.rows)


@dataclass(frozen=True)
class Submission:
    """What was sent for a batch, as whoever waits for it takes it up."""

    records: Sequence[str]
    """The records of its batches."""
    known: Mapping[int, tuple[str, str]]
    """Fingerprint and scope of each row that has a request."""


def submission(batch: ProviderBatch) -> Submission:
    """Return what was sent for a batch.

    Raises:
        LibraryError: Its rows are gone.
    """
    lines = ((line["row"], line["known"]) for line in read_lines(batch.rows))
    return Submission(batch.records, {row: (known[0], known[1]) for row, known in lines if known})


def rows_of(batch: ProviderBatch) -> Iterator[TableRow]:
    """Yield the rows of a batch as they were sent.

    Raises:
        LibraryError: They are gone.
    """
    for line in read_lines(batch.rows):
        request, error = None, line["error"]
        if "request" in line:
            request, error = _request(line)
        yield TableRow(line["row"], request, error, line["columns"])


def _request(line: dict[str, Any]) -> tuple[Any, str | None]:
    try:
        return read_request(line["kind"], line["request"]), None
    except InvalidRequest as error:
        return None, f"Row {line['row']}: {error}"
