"""What came of a batch: a small result that names its manifest, and the items that are read from it. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from prefect_together._internal.described import Described
from prefect_together._internal.json import read
from prefect_together._internal.notebook_view import ShownInNotebooks, View
from prefect_together.batch.batch_view import view_of, view_of_item
from prefect_together.batch.grown import grown
from prefect_together.batch.outcome_columns import column_types, our_names
from prefect_together.batch.table_frames import Framed
from prefect_together.batch.table_schema import ENDING, TableSchema
from prefect_together.errors import LibraryError, Paid, TogetherError
from prefect_together.generations.registry import default_spec, read_result, spec_named
from prefect_together.generations.results import Generated, GeneratedMedia
from prefect_together.generations.summary import Tally
from prefect_together.storage.opening import open_moved
from prefect_together.storage.references import to_addresses
from prefect_together.storage.storage import Storage

Outcome = Literal["kept", "reused", "invalid", "failed", "unknown", "refused", "skipped"]
OUTCOMES: tuple[Outcome, ...] = ("kept", "reused", "invalid", "failed", "unknown", "refused", "skipped")
ROOT = "batches"
"""Where manifests are in a library."""
GOOD = frozenset({"kept", "reused"})
Retry = Literal["failed", "none"]
"""What becomes of what failed in the last run under the same name: done again, or left."""


class BatchItem(ShownInNotebooks, Described, BaseModel):
    """What came of one request."""

    model_config = ConfigDict(frozen=True)

    row: int
    """Its place in the batch or the table, from 1."""
    outcome: Outcome
    """``kept``: paid for now; ``reused``: paid for before; ``invalid``: paid for, and not what was asked for, so that asking
    again would get the same; ``failed``; ``unknown``: it may have been paid for and nobody
    knows; ``refused``: the row is wrong, the model does not take it or the budget is spent; ``skipped``: not tried."""
    kind: str | None = None
    """Its generation type; None where the row is no request."""
    model: str | None = None
    """Together's model id."""
    seed: int | None = None
    """The seed that was asked for, if one was."""
    fingerprint: str | None = None
    """What was asked, as a hash."""
    seconds: float = 0.0
    """How long it took."""
    error: str | None = None
    """What went wrong, what was paid and what to do."""
    error_type: str | None = None
    """The class of the error."""
    paid: Literal["nothing", "maybe", "yes"] | None = None
    """What the error says was paid; None where there is none."""
    job_id: str | None = None
    """Together's id of the job, where one is known."""
    columns: dict[str, Any] = {}
    """What stood in the table, as JSON has it; the tables that are written have it as it was."""
    files: list[dict[str, Any]] = []
    """The results as JSON; ``results`` has them typed."""

    @property
    def results(self) -> list[Generated]:
        """What was made, in order."""
        return [read_result(str(self.kind), fields) for fields in self.files]

    @property
    def media(self) -> list[GeneratedMedia]:
        """Those of the results that are files, in order."""
        return [result for result in self.results if isinstance(result, GeneratedMedia)]

    def __str__(self) -> str:
        return f"row {self.row}: {self.outcome}" + (f", {self.error}" if self.error else "")

    def notebook_view(self) -> View:
        """Return what a notebook shows: its files and answers, what stood in its row, and what went wrong."""
        return view_of_item(self, [one for one in (self.model, self.job_id and f"job {self.job_id}") if one])

    def record(self, schema: TableSchema | None = None) -> dict[str, Any]:
        """Return the row of the table that comes out: the columns of the table that went in, then ours.

        Args:
            schema: What columns that table has, where that was written down; else those that this row had.
        """
        kind = self.kind or (schema.kind if schema else None)
        spec = spec_named(kind) if kind else default_spec()
        made = schema.made if schema and schema.made else spec.columns
        found = {
            "status": self.outcome,
            **dict.fromkeys(made),
            **spec.cells(self.files),
            "model": self.model,
            "seed": self.seed,
            "cost": _sum(self.files, "cost"),
            "estimated_cost": _sum(self.files, "estimated_cost"),
            "seconds_taken": self.seconds,
            "reused": self.outcome == "reused",
            "error": self.error,
            "job_id": self.job_id,
            "more_uris": " ".join(str(more["uri"]) for more in self.files[1:] if "uri" in more) or None,
        }
        theirs = {name: self.columns.get(name) for name in schema.names} if schema else self.columns
        return {**theirs, **dict(zip(our_names(found, theirs), found.values(), strict=True))}


class BatchResult(ShownInNotebooks, Framed, Described, BaseModel):
    """What came of a batch: counts, money, and where its manifest is. It stays this small for a million rows."""

    model_config = ConfigDict(frozen=True)

    manifest: str
    """Where the items are kept: JSON lines in the library, one for each request, in order."""
    name: str | None = None
    """The name under which it can be run again."""
    kept: int = 0
    """Requests that were paid for and kept."""
    reused: int = 0
    """Requests that were paid for before."""
    invalid: int = 0
    """Requests that were paid for and answered, and not with what was asked for."""
    failed: int = 0
    """Requests that failed."""
    unknown: int = 0
    """Requests that may have been paid for, and nobody knows."""
    refused: int = 0
    """Requests that were not sent: a wrong row, a rule of the model, the budget."""
    skipped: int = 0
    """Requests that were not tried."""
    removed: int = 0
    """Requests of the last run under this name that are not in this one; their files stay."""
    cost: Decimal | None = None
    """USD that Together reported for what was paid for now, or None where it reported nothing."""
    estimated_cost: Decimal | None = None
    """USD by list price for what was paid for now without a reported cost, or None."""
    unknown_costs: int = 0
    """Files that were paid for now and whose cost nobody knows."""
    maybe_paid: int = 0
    """Requests that failed or are unknown, and may have been charged."""
    seconds: float = 0.0
    """How long it took."""
    contact_sheet: str | None = None
    """Where a picture of some of its pictures is kept, if there is one."""
    previous: str | None = None
    """The manifest of the last run under this name."""
    running: bool = False
    """Whether it had not come to its end when this was read: these are the rows that were over by then."""
    block: str | None = None
    """The stored block of its library, ``together-media-library/NAME``, by which other processes open it."""
    tables: list[str] = []
    """Where tables of it were written, as far as whoever wrote them says so here."""

    @property
    def total(self) -> int:
        """How many requests there were."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many requests had which outcome."""
        return {outcome: getattr(self, outcome) for outcome in OUTCOMES}

    @property
    def items(self) -> list[BatchItem]:
        """What came of each request, in order; for very many, ``stream()`` is kinder to memory."""
        return list(self.stream())

    @property
    def results(self) -> list[Generated]:
        """All that was made, in the order of its requests."""
        return [result for item in self.stream() for result in item.results]

    @property
    def media(self) -> list[GeneratedMedia]:
        """All files, in the order of their requests."""
        return [file for item in self.stream() for file in item.media]

    @property
    def problems(self) -> list[BatchItem]:
        """The items that have no file."""
        return [item for item in self.stream() if item.outcome not in GOOD]

    def stream(self) -> Iterator[BatchItem]:
        """Yield what came of each request, in order.

        Raises:
            LibraryError: The manifest is gone.
        """
        for line in read_lines(self.manifest, self.block):
            yield BatchItem.model_validate(line)

    def table_rows(self) -> tuple[Iterator[dict[str, Any]], dict[str, str], TableSchema | None]:
        """Return the rows of its table, the types of our columns, and the columns of the table that went in."""
        schema = read_schema(self.manifest, self.block)
        return (item.record(schema) for item in self.stream()), column_types(schema), schema

    def notebook_view(self) -> View:
        """Return what a notebook shows: counts, money, the first files, and what went wrong first."""
        return view_of(
            str(self), self.stream(), name=self.name, manifest=self.manifest, bad=self.total - self.kept - self.reused
        )

    def money(self) -> str:
        """Return what was paid now: reported, estimated and unknown costs are never added up with each other."""
        paid = self.kept + self.invalid
        return str(Tally(self.cost, self.estimated_cost, self.unknown_costs, paid, self.reused, of="batch"))

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in self.counts.items() if count) or "no rows"
        maybe = f" {self.maybe_paid} may have been charged without a result." if self.maybe_paid else ""
        removed = f" {self.removed:,} of the last run are not in it any more." if self.removed else ""
        return f"{counts}. {self.money()}{maybe}{removed}"


class BatchFailed(TogetherError):
    """A batch went as its ``fail_on`` says that it must not. What was made is kept, and is in the result.

    Args:
        what: What happened, as one sentence.
        paid: None: the result says what was paid, item by item.
        advice: What to do next.
        retryable: Whether running it again can help; it sends only what failed.
        result: What came of every request.
    """

    def __init__(
        self,
        what: str,
        *,
        paid: Paid | None = None,
        advice: str = "",
        retryable: bool = False,
        result: BatchResult | None = None,
    ) -> None:
        super().__init__(what, paid=paid, advice=advice, retryable=retryable)
        self.result = result


def read_lines(uri: str, block: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines of a manifest, with the addresses that its files have now; while it grows, those that there are.

    Args:
        uri: Where it is.
        block: The stored block of its library.

    Raises:
        LibraryError: It is gone, or the block that it takes is, or that names another library.
    """
    try:
        file, storage, key = open_moved(uri, block=block)
    except FileNotFoundError:
        if growing := grown(uri, block):
            yield from growing
            return
        moved = "If its library was moved, name it where it is now: library=… or MediaLibrary(url=…)."
        advice = f"{moved} Else run the batch again, in its library: what is kept there is reused."
        raise LibraryError(f"The manifest {uri} is gone.", advice=advice) from None
    root, inside, _ = storage.uri(key).rpartition(f"/{ROOT}/")
    # A manifest that its library did not take is elsewhere, and its lines have addresses.
    library = Storage(root, storage.options, block=storage.block or block) if inside else None
    with file:
        for line in file:
            yield to_addresses(read(line), library) if library else read(line)


def read_schema(uri: str, block: str | None = None) -> TableSchema | None:
    """Return the columns of the table of a batch, or None where nobody wrote them down, as in release 0.1.

    Args:
        uri: Where the batch's manifest is.
        block: The stored block of its library.
    """
    try:
        with open_moved(uri.removesuffix(".jsonl") + ENDING, block=block)[0] as file:
            return TableSchema.model_validate_json(file.read())
    except FileNotFoundError:
        return None


def without_row(number: int, text: str) -> str:
    """Return what is wrong with a row without its number, for texts that have named it: rows of tables say it themselves."""
    row = f"Row {number}"
    for follows, instead in ((": ", ""), (", ", ""), (" is ", "it is ")):
        if text.startswith(row + follows):
            return instead + text[len(row + follows) :]
    return text


def _sum(files: list[dict[str, Any]], name: str) -> Decimal | None:
    """Return the sum of a cost over the files of one request, or None where one of them is not known."""
    costs = [file.get(name) for file in files]
    return sum((Decimal(str(cost)) for cost in costs), Decimal(0)) if costs and None not in costs else None
