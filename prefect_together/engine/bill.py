"""A month's bill beside the ledger, as a small value with a text for people. Does nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer, computed_field

from prefect_together._internal.described import Described
from prefect_together._internal.notebook_view import Rows, ShownInNotebooks, View
from prefect_together._internal.text import counted

Granularity = Literal["day", "hour"]
LENGTHS: dict[Granularity, timedelta] = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
HEADINGS = ("when (UTC)", "model", "reported", "estimated", "billed", "difference")
Money = Annotated[Decimal, PlainSerializer(lambda amount: f"{amount.normalize():f}", return_type=str, when_used="json")]
"""USD, which JSON has as a text without an exponent."""
_FINEST = Decimal("0.000001")
_A: dict[Granularity, str] = {"day": "a day", "hour": "an hour"}
_WHOSE = (
    "The bill is the whole organisation's: the difference is what its other keys, programs and libraries spent, what nobody "
    "knows the cost of, and list prices that are not exact. Nothing is made to match."
)
_NOTHING = Decimal(0)


class BillLine(Described, BaseModel):
    """What one model cost in one hour or day: by the ledger, and by the bill. Money is USD."""

    model_config = ConfigDict(frozen=True)

    start: AwareDatetime
    """When the hour or day begins (UTC)."""
    model: str
    """Together's model id, as the ledger has it."""
    requests: int = 0
    """Requests of the ledger that were paid for, or may have been."""
    reported: Money = _NOTHING
    """What answers stated or proved."""
    estimated: Money = _NOTHING
    """List price of what was paid for and stated no cost."""
    uncertain: Money = _NOTHING
    """List price of what may have been paid for: it was sent, and nobody knows what became of it. In no sum."""
    unknown: int = 0
    """Requests whose cost nobody knows; in no sum."""
    billed: Money | None = None
    """What the bill has for it; None where it has no line of it."""

    @computed_field
    @property
    def difference(self) -> Money | None:
        """What the bill has more than the ledger; None where the bill has no line of it."""
        return None if self.billed is None else self.billed - self.reported - self.estimated


class Unmatched(Described, BaseModel):
    """A line of the bill that names no model of the ledger."""

    model_config = ConfigDict(frozen=True)

    start: AwareDatetime
    """When its hour or day begins (UTC)."""
    product: str
    """What the bill calls it."""
    billed: Money
    """USD."""


class Bill(ShownInNotebooks, Described, BaseModel):
    """A month's bill beside the ledger. Money is USD; what nobody knows is counted, and in no sum."""

    model_config = ConfigDict(frozen=True)

    month: str
    """Such as ``2026-11``."""
    granularity: Granularity
    """What a line is of."""
    asked_at: AwareDatetime
    """When Together was asked (UTC)."""
    until: AwareDatetime
    """The end of the last hour or day that was over, or is on the bill: what came later is not billed yet."""
    lines: tuple[BillLine, ...] = ()
    """By hour or day, and model."""
    unmatched: tuple[Unmatched, ...] = ()
    """What else is on the bill."""

    @computed_field
    @property
    def reported(self) -> Money:
        """What answers stated or proved, as far as it is billed by now."""
        return _sum(line.reported for line in self._settled())

    @computed_field
    @property
    def estimated(self) -> Money:
        """List price of what stated no cost, as far as it is billed by now."""
        return _sum(line.estimated for line in self._settled())

    @computed_field
    @property
    def billed(self) -> Money:
        """All that is on the bill, with what matches no model."""
        return _sum(line.billed or _NOTHING for line in self.lines) + _sum(line.billed for line in self.unmatched)

    @computed_field
    @property
    def difference(self) -> Money:
        """What the bill has more than the ledger, of what is billed by now."""
        return self.billed - self.reported - self.estimated

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table in words, without its headings: the lines, and the sum of what is billed by now."""
        found = [(self._when(line.start), line.model, *self._amounts(line)) for line in self.lines]
        found += [(self._when(one.start), one.product, "-", "-", usd(one.billed), "-") for one in self.unmatched]
        label = "billed by now" if self._runs() else "in all"
        sums = (self.reported, self.estimated, self.billed, self.difference)
        return [*found, (label, "", *map(usd, sums))]

    def text(self) -> str:
        """Return the bill for people: a table, and what is to be known about it."""
        return "\n".join([self._head(), "", *aligned([HEADINGS, *self.rows()]), "", *self.remarks()])

    def __str__(self) -> str:
        return self.text()

    def notebook_view(self) -> View:
        """Return what a notebook shows: the table, and what is to be known about it."""
        return View(self._head(), tables=[Rows(HEADINGS, self.rows())], notes=self.remarks())

    def remarks(self) -> list[str]:
        """Return what is to be known about the table, a sentence each."""
        said = [_WHOSE]
        if self.unmatched:
            amount = usd(_sum(line.billed for line in self.unmatched))
            said.append(f"{amount} of it is for products that name no model which the ledger has in this month.")
        if self._runs():
            waits = _sum(line.reported + line.estimated for line in self.lines if line.start >= self.until)
            said.append(
                f"What was spent since {self.until.astimezone(timezone.utc):%Y-%m-%d %H:%M} is not billed yet, and in no "
                f"sum ({usd(waits)} by the ledger): Together bills {_A[self.granularity]} when it is over."
            )
        if unknown := sum(line.unknown for line in self.lines):
            said.append(f"In no sum: {counted(unknown, 'request')} of unknown cost.")
        if uncertain := _sum(line.uncertain for line in self.lines):
            said.append(
                f"{usd(uncertain)} may have been spent by requests of which nobody knows what became, and is in no sum: "
                "`prefect-together reconcile` lists them."
            )
        return said

    def _head(self) -> str:
        return f"{self.month} by {self.granularity}: what this library's ledger says, and what Together billed."

    def _runs(self) -> bool:
        """Tell whether there are hours or days of the month that began and are not billed yet."""
        until = self.until.astimezone(timezone.utc)
        return until <= self.asked_at and f"{until:%Y-%m}" == self.month

    def _settled(self) -> Iterable[BillLine]:
        return (line for line in self.lines if line.start < self.until)

    def _amounts(self, line: BillLine) -> tuple[str, ...]:
        waits = line.start >= self.until
        reported = usd(line.reported) if line.reported else "-"
        estimated = usd(line.estimated) if line.estimated else "-"
        billed = "not yet" if waits else "-" if line.billed is None else usd(line.billed)
        return reported, estimated, billed, "-" if line.difference is None else usd(line.difference)

    def _when(self, start: datetime) -> str:
        return f"{start.astimezone(timezone.utc):{'%Y-%m-%d' if self.granularity == 'day' else '%Y-%m-%d %H:00'}}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines whose columns stand below each other: words from the left, amounts to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def usd(amount: Decimal) -> str:
    """Return an amount as a bill shows it: to the millionth of a dollar, as tokens are billed."""
    if 0 < abs(amount) < _FINEST / 2:
        return "under $0.000001"
    whole, _, part = f"{abs(amount):,.6f}".partition(".")
    return f"{'-' if amount < 0 else ''}${whole}.{part.rstrip('0').ljust(2, '0')}"


def last_billed_month(now: datetime | None = None) -> str:
    """Return the month of yesterday (UTC), the last day that is on a bill: on the first of a month, the one before."""
    yesterday = (now or datetime.now(timezone.utc)).astimezone(timezone.utc) - LENGTHS["day"]
    return f"{yesterday:%Y-%m}"


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _NOTHING)
