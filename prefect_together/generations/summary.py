"""What came out of a run, in lines that a person reads: files, money kept apart by what is known of it. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from prefect_together.catalog.money import dollars
from prefect_together.generations.kept_file import KeptFile
from prefect_together.generations.results import Generated
from prefect_together.generations.validation import items_of
from prefect_together.storage.addresses import where


def summary(results: Iterable[KeptFile | Generated]) -> str:
    """Return one line for each file and a last one for the money, e.g. ``Paid in this run: $0.49 reported, …``.

    Args:
        results: What the run was handed or made on this machine, in the order of the lines.
    """
    found = items_of("summary", results, (KeptFile, Generated), "results")
    rows = [(one.noun, *_paid(one), _shape(one), _what(one)) for one in found]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]) for row in rows]
    return "\n".join([*lines, money(one for one in found if isinstance(one, Generated))])


def money(results: Iterable[Generated]) -> str:
    """Return what a run paid: reported, estimated and unknown costs are never added up with each other.

    Args:
        results: What the run was handed; what was ``reused`` is counted as such and costs it nothing.
    """
    tally = Tally()
    for result in items_of("money", results, (Generated,), "results"):
        tally.add(result)
    return str(tally)


@dataclass
class Tally:
    """What was paid, added up by what is known of it."""

    reported: Decimal | None = None
    """USD that Together reported."""
    estimated: Decimal | None = None
    """USD by list price for what has no reported cost."""
    unknown: int = 0
    """Results whose cost nobody knows."""
    paid: int = 0
    """Results that were paid for now."""
    reused: int = 0
    """Results that were paid for before."""
    of: str = "run"
    """Of what this is the sum."""

    def add(self, result: Generated) -> None:
        """Count a result."""
        if result.reused:
            self.reused += 1
            return
        self.paid += 1
        before = result.paid_before or Decimal(0)
        if result.cost is not None:
            self.reported = (self.reported or Decimal(0)) + result.cost - before
        elif result.estimated_cost is not None:
            self.estimated = (self.estimated or Decimal(0)) + result.estimated_cost - before
        else:
            self.unknown += 1

    def __str__(self) -> str:
        if not self.paid:
            return f"Paid in this {self.of}: nothing" + (f", all {self.reused:,} reused." if self.reused else ".")
        parts = [f"{dollars(self.reported)} reported"] if self.reported is not None else []
        parts += [f"about {dollars(self.estimated)} by list price"] if self.estimated is not None else []
        parts += [f"{self.unknown:,} of unknown cost"] if self.unknown else []
        return f"Paid in this {self.of}: " + ", ".join(parts) + (f"; {self.reused:,} reused." if self.reused else ".")


def _what(result: KeptFile | Generated) -> str:
    return where(result.uri) if isinstance(result, KeptFile) else str(result)


def _paid(result: KeptFile | Generated) -> tuple[str, str]:
    if not isinstance(result, Generated):
        return "made here", "free"
    return "reused" if result.reused else "paid", result.price()


def _shape(result: KeptFile | Generated) -> str:
    shape = result.shape
    parts = [f"{shape.width}x{shape.height}"] if shape.width and shape.height else []
    if shape.seconds:
        parts.append(f"{shape.seconds:g} s" + (f" at {shape.fps:g} fps" if shape.fps else ""))
    return ", ".join(parts)
