"""What came of bringing ledger and library together again, as a small value with a text for people. Does nothing itself."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel

from prefect_together._internal.described import Described
from prefect_together._internal.notebook_view import ShownInNotebooks, View
from prefect_together._internal.text import clipped, counted
from prefect_together.catalog.money import dollars
from prefect_together.engine.bill import Bill
from prefect_together.generations.registry import AnyResult
from prefect_together.ledger.queries import LedgerRow

_TITLE = 60


class Entry(BaseModel):
    """One attempt in a report."""

    key: str
    """Its name for ``--forget`` and ``--resubmit``."""
    kind: str
    model: str
    title: str
    asked_at: datetime
    estimated_cost: Decimal | None = None
    """USD by the catalogue; None is not known."""
    why: str = ""
    """The reason, where there is one."""

    @classmethod
    def of(cls, row: LedgerRow, why: str = "") -> Entry:
        """Return the entry of a row of the ledger."""
        said = why or str(row.outcome.get("why") or "")
        about = {"key": row.key, "kind": row.kind, "model": row.model, "title": clipped(row.title(), _TITLE), "why": said}
        return cls(**about, asked_at=row.asked_at, estimated_cost=row.estimated)  # pyright: ignore[reportArgumentType]

    def __str__(self) -> str:
        price = "price unknown" if self.estimated_cost is None else f"about {dollars(self.estimated_cost)}"
        why = f": {self.why.rstrip('.')}." if self.why else ""
        return f"{self.kind} by {self.model} of {self.asked_at:%Y-%m-%d %H:%M} ({price}), {self.title!r}{why}"


class Reconciliation(ShownInNotebooks, Described, BaseModel):
    """What was found, and what was done about it."""

    kept: list[AnyResult] = []
    """Results that were paid for and had not been kept: they are now."""
    running: list[Entry] = []
    """Jobs that still render, or are being worked on by somebody."""
    undecided: list[Entry] = []
    """Requests that may have been paid for, or whose files expired: each needs a decision."""
    failed: list[Entry] = []
    """Jobs that turned out to have failed, or could not be asked for, each with the reason."""
    elsewhere: int = 0
    """Attempts of another environment: the sandbox's where Together was asked, or the other way round."""
    packed: int = 0
    """Settled attempts whose small entries became part of few large objects."""
    bill: Bill | None = None
    """The bill beside the ledger, where it was asked for."""

    def newest_first(self) -> None:
        """Put what is listed into the order in which it was asked for."""
        for entries in (self.running, self.undecided, self.failed):
            entries.sort(key=lambda entry: (entry.asked_at, entry.key), reverse=True)

    def at_stake(self) -> tuple[Decimal, int]:
        """Return what the undecided ones may have cost in USD by the catalogue, and how many have no known price."""
        known = [entry.estimated_cost for entry in self.undecided if entry.estimated_cost is not None]
        return sum(known, Decimal(0)), len(self.undecided) - len(known)

    def __str__(self) -> str:
        return self.text()

    def notebook_view(self) -> View:
        """Return what a notebook shows: what was kept, and the report."""
        return View("Ledger and library", files=self.kept, texts=[self.text()])

    def text(self) -> str:
        """Return the report: what was kept, what runs, and what to do about each undecided one."""
        lines = [f"Kept: {file}" for file in self.kept]
        lines += [f"Still running: {entry}" for entry in self.running]
        lines += [f"Failed: {entry}" for entry in self.failed]
        for entry in self.undecided:
            lines += [
                f"Undecided: {entry}",
                f"  Not charged, or never mind:  prefect-together reconcile --forget {entry.key}",
                f"  Send it again, and pay:      prefect-together reconcile --resubmit {entry.key}",
            ]
        amount, unpriced = self.at_stake()
        money = f"Money that may have been spent without a file: {dollars(amount)} by the catalogue"
        money += f", and {unpriced} of unknown price." if unpriced else "."
        counts = f"{len(self.kept)} kept, {len(self.running)} running, {len(self.failed)} failed"
        others = f" Left alone: {counted(self.elsewhere, 'attempt')} of another environment." if self.elsewhere else ""
        packed = f" Packed: {counted(self.packed, 'settled attempt')}." if self.packed else ""
        end = f"{counts}, {len(self.undecided)} undecided. {money}{others}{packed}"
        return "\n".join([*lines, end, *(["", self.bill.text()] if self.bill else [])])
