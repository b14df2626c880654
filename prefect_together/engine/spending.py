"""What a library's ledger says was spent, added up by day, model, kind or flow run. Asks nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timezone
from decimal import Decimal
from typing import Literal

from prefect_together.ledger.queries import LedgerRow, stream_attempts
from prefect_together.ledger.scan import Progress
from prefect_together.storage.storage import Storage

Grouping = Literal["day", "month", "model", "kind", "flow-run"]
FREE = frozenset({"refused", "adopted"})
"""What cost nothing, or is counted where it was taken over."""
_PAID = frozenset({"stored", "accepted", "lost"})
_NO_RUN = "outside of flows"
_GROUPS: dict[Grouping, Callable[[LedgerRow], str]] = {
    "day": lambda row: f"{row.asked_at.astimezone(timezone.utc):%Y-%m-%d}",
    "month": lambda row: f"{row.asked_at.astimezone(timezone.utc):%Y-%m}",
    "model": lambda row: row.model,
    "kind": lambda row: row.kind,
    "flow-run": lambda row: row.flow_run or _NO_RUN,
}


@dataclass
class Spent:
    """What the ledger knows of what some requests cost, each kind of knowledge apart. Money is USD."""

    requests: int = 0
    """Requests that were paid for, or may have been."""
    reported: Decimal = field(default_factory=Decimal)
    """What answers stated or proved."""
    estimated: Decimal = field(default_factory=Decimal)
    """List price of what was paid for and stated no cost."""
    uncertain: Decimal = field(default_factory=Decimal)
    """List price of what may have been paid for: it was sent, and nobody knows what became of it."""
    unknown: int = 0
    """Requests whose cost nobody knows; in no sum."""

    def add(self, row: LedgerRow) -> None:
        """Count one attempt, at what is known of it: the cost that was reported before the one by list price."""
        self.requests += 1
        if row.reported is not None:
            self.reported += row.reported
        elif row.estimated is None:
            self.unknown += 1
        elif row.state in _PAID:
            self.estimated += row.estimated
        else:
            self.uncertain += row.estimated


async def spending(
    storage: Storage, by: Grouping, environment: str, *, month: str | None = None, progress: Progress | None = None
) -> tuple[dict[str, Spent], int]:
    """Return what was spent, by day, model, …, in the order of these, and how many requests went elsewhere.

    Rows pass by, and only sums are kept.

    Args:
        storage: The library.
        by: What is added up together; days and months are UTC.
        environment: Where the requests that count were sent: what was paid at a sandbox is no money.
        month: Only what was asked in it, such as ``2026-11``.
        progress: Hears what part of the ledger has been gone through: 0 to 1.

    Raises:
        LibraryError: The ledger cannot be read.
    """
    found, elsewhere = dict[str, Spent](), 0
    async for row in stream_attempts(storage, progress=progress):
        if row.state in FREE or month not in {None, _GROUPS["month"](row)}:
            continue
        if row.environment not in {None, environment}:
            elsewhere += 1
            continue
        found.setdefault(_GROUPS[by](row), Spent()).add(row)
    return dict(sorted(found.items())), elsewhere
