"""What a batch would do and cost, as a value that a person can read. Finds out nothing itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from prefect_together import catalog
from prefect_together._internal.described import Described
from prefect_together._internal.notebook_view import Rows, ShownInNotebooks, View
from prefect_together._internal.text import clipped
from prefect_together.catalog.money import dollars

PROBLEMS = 20
"""Reasons for refused rows that a plan has at most."""
SHOWN = 50
"""Requests to send that a plan names at most."""
_TITLE = 80
_LISTED = 10  # requests that a notebook lists


class PlannedRequest(Described, BaseModel):
    """A request that would be sent, and what it would cost."""

    model_config = ConfigDict(frozen=True)

    row: int
    """Its row, or its place in the list, from 1."""
    title: str
    """What a person would call it."""
    model: str
    """Together's model id."""
    seed: int | None = None
    """Its seed, where it has one."""
    cost: Decimal | None = None
    """USD by list price; None is not known."""

    def cells(self) -> tuple[str, str, str, str]:
        """Return model, price, seed and title, as a person reads them."""
        price = "price unknown" if self.cost is None else f"about {dollars(self.cost)}"
        seed = "" if self.seed is None else f"seed {self.seed}"
        return self.model.rpartition("/")[2], price, seed, clipped(self.title, _TITLE)


class Plan(ShownInNotebooks, Described, BaseModel):
    """What a batch would do if it ran now, and what that would cost in USD."""

    model_config = ConfigDict(frozen=True)

    send: int = 0
    """Requests that would be sent and paid for."""
    reused: int = 0
    """Requests whose files are kept already, or would be by an equal request of the same batch."""
    waiting: int = 0
    """Requests that are accepted or being sent already: they would be waited for, and nothing paid."""
    unknown: int = 0
    """Requests that were sent and may have been paid for; ``on_unknown`` decides whether they are sent again."""
    refused: int = 0
    """Rows that are wrong, and requests that their models are documented not to take."""
    cost: Decimal = Decimal(0)
    """USD by list price for what would be sent and has one."""
    cost_at_most: Decimal = Decimal(0)
    """USD for the same with ``repairs``, and at the upper end where a price is a range or depends on what is left open."""
    repairs: int = 0
    """Requests that may follow those to send, at most, because answers are not what was asked for."""
    online_cost: Decimal | None = None
    """USD by list price for the same, sent one by one; None where it would be."""
    unknown_prices: int = 0
    """Requests that would be sent and whose price nobody knows."""
    unbounded: int = 0
    """Those of them of which not even the most that they may cost is known."""
    unknown_repairs: int = 0
    """Repairs whose price nobody knows."""
    worst_case: Decimal = Decimal(0)
    """USD that each request counts as of which not even the most is known."""
    at_risk: Decimal | None = None
    """USD at most by list price for the unknown ones, were they sent again; None where a price is not known."""
    over: int = 0
    """Requests that ``max_cost`` would refuse, if they went in order."""
    longest_wait: float | None = None
    """Seconds that the clips to send would usually take; None where the library has not learnt how long their models do."""
    models: dict[str, int] = {}
    """How many requests would be sent to each model."""
    to_send: list[PlannedRequest] = []
    """What would be sent, in order: the first fifty."""
    problems: list[str] = []
    """Why rows are refused: the first twenty."""
    columns: dict[str, list[str]] = {}
    """Which columns of a table fill which field of its requests."""
    notes: list[str] = []
    """What a person might not expect, such as of how columns are used, or of what is not known yet."""
    to_approve: int = 0
    """Requests among those to send that are sent only if a person approves what they are made of."""
    to_approve_cost: Decimal = Decimal(0)
    """USD by list price of those; part of ``cost``."""
    warnings: list[str] = []
    """What may not come out as it was meant, such as keyframes that differ in shape: the first twenty."""

    @property
    def total(self) -> int:
        """How many rows there are."""
        return self.send + self.reused + self.waiting + self.unknown + self.refused

    @property
    def most(self) -> Decimal:
        """USD at most: known prices at their upper end, and the worst case for each that has none."""
        return self.cost_at_most + (self.unbounded + self.unknown_repairs) * self.worst_case

    @property
    def least(self) -> Decimal:
        """USD by list price if nothing is approved that a person has to approve."""
        return self.cost - self.to_approve_cost

    def if_approved(self) -> Plan:
        """Return it as the plan of what is done only with what a person approves: all of it, or less, or nothing.

        Example:
            ```python
            from prefect_together import ImageRequest, VideoRequest, expected, plan

            still = ImageRequest(prompt="a fox", model="black-forest-labs/FLUX.2-pro", seed=7)
            clip = VideoRequest(prompt="push in", model="minimax/hailuo-02", frame_images=[expected(still)], seed=7)
            print(plan([still]) + plan([clip]).if_approved())
            ```
        """
        return self.model_copy(update={"to_approve": self.send, "to_approve_cost": self.cost})

    def noting(self, *sentences: str) -> Plan:
        """Return it with sentences that stand below its sum, such as on what depends on an answer that is still to come.

        Args:
            sentences: One each, with its full stop; the same one is shown once.
        """
        return self.model_copy(update={"notes": [*self.notes, *sentences]})

    def __add__(self, other: Plan) -> Plan:
        """Return the plan of both, one after the other."""
        if not isinstance(other, Plan):  # pyright: ignore[reportUnnecessaryIsInstance] - Python asks with anything
            return NotImplemented
        risks = [plan.at_risk for plan in (self, other) if plan.unknown]
        known = [risk for risk in risks if risk is not None]
        waits = [wait for wait in (self.longest_wait, other.longest_wait) if wait is not None]
        counts = (
            *("send", "reused", "waiting", "unknown", "refused", "over", "to_approve"),
            *("unknown_prices", "unbounded", "repairs", "unknown_repairs"),
        )
        return Plan(
            **{name: getattr(self, name) + getattr(other, name) for name in counts},
            cost=self.cost + other.cost,
            online_cost=_both(self, other),
            cost_at_most=self.cost_at_most + other.cost_at_most,
            worst_case=max(self.worst_case, other.worst_case),
            at_risk=sum(known, Decimal(0)) if risks and len(known) == len(risks) else None,
            longest_wait=sum(waits) if waits else None,
            models=dict(Counter(self.models) + Counter(other.models)),
            to_send=(self.to_send + other.to_send)[:SHOWN],
            problems=(self.problems + other.problems)[:PROBLEMS],
            columns={
                name: list(dict.fromkeys((*self.columns.get(name, ()), *other.columns.get(name, ()))))
                for name in {**self.columns, **other.columns}
            },
            notes=list(dict.fromkeys((*self.notes, *other.notes))),
            to_approve_cost=self.to_approve_cost + other.to_approve_cost,
            warnings=list(dict.fromkeys((*self.warnings, *other.warnings)))[:PROBLEMS],
        )

    def text(self) -> str:
        """Return it with what would be sent, what fills which field, why rows are refused, and warnings, a line each."""
        rows = [request.cells() for request in self.to_send]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False) if width), row[3]])
            for row in rows
        ]
        return "\n".join([*lines, *self.more(), self._summary(), *self.used(), *self.problems, *self.warnings])

    def notebook_view(self) -> View:
        """Return what a notebook shows: the sum, what would be sent, why rows are refused, and warnings."""
        rows = [request.cells() for request in self.to_send[:_LISTED]]
        tables = [Rows(("model", "price", "seed", "what"), rows, more=self.send - len(rows))] if rows else []
        return View(self._summary(), tables=tables, notes=[*self.used(), *self.problems, *self.warnings])

    def more(self) -> list[str]:
        """Return a line that says how many are not named, where there are any."""
        left = self.send - len(self.to_send)
        return [f"… and {left:,} more."] if left > 0 else []

    def used(self) -> list[str]:
        """Return in sentences which columns fill which field, and what a person might not expect."""
        return [*([f"Columns: {columns_text(self.columns)}."] if self.columns else []), *self.notes]

    def __str__(self) -> str:
        return " ".join([self._summary(), *self.used()])

    def _summary(self) -> str:
        parts = [f"{self.send:,} to send"] + [
            f"{count:,} {name}"
            for name, count in (
                ("reused", self.reused),
                ("under way", self.waiting),
                ("of unknown outcome", self.unknown),
                ("refused", self.refused),
            )
            if count
        ]
        if not self.send and not self.unknown:
            return f"{', '.join(parts)}: nothing to pay."
        least = f"{dollars(self.least)} to " if self.to_approve_cost else ""
        price = f"about {least}{dollars(self.cost)} by list price of {catalog.as_of().isoformat()}"
        if self.cost_at_most > self.cost:
            repairs = f" with {self.repairs:,} repair{'s' if self.repairs > 1 else ''}" if self.repairs else ""
            price += f" (at most {dollars(self.cost_at_most)}{repairs})"
        if self.online_cost is not None:
            price += f" in batches at Together, {dollars(self.online_cost)} one by one"
        if self.to_approve:
            price += f", for {self.to_approve:,} of them are sent only if what they are made of is approved"
        if self.unknown_prices:
            price += f", and {self.unknown_prices:,} of unknown price (at most {dollars(self.most)} in all)"
        over = f" {self.over:,} of them would exceed max_cost." if self.over else ""
        wait = f" Usually done within {self.longest_wait:,.0f} s." if self.longest_wait is not None else ""
        warned = f" {len(self.warnings):,} with a warning, see its warnings." if self.warnings else ""
        return f"{', '.join(parts)}: {price}.{over}{wait}{warned}"


def _both(one: Plan, other: Plan) -> Decimal | None:
    """Return what two plans would cost one by one, where one of them would go in batches at Together."""
    if one.online_cost is None and other.online_cost is None:
        return None
    return sum((plan.cost if plan.online_cost is None else plan.online_cost for plan in (one, other)), Decimal(0))


def columns_text(columns: Mapping[str, list[str]]) -> str:
    """Return which columns fill which field in words, e.g. ``prompt from 'product' and 'style', seed from 'Seed'``."""
    return ", ".join(f"{name} from {' and '.join(map(repr, found))}" for name, found in columns.items() if found)
