"""What a batch would do and cost, before money: looks at rows, the catalogue and the ledger. Sends and writes nothing."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from prefect_together.batch.plan import PROBLEMS, SHOWN, Plan, PlannedRequest
from prefect_together.batch.request_table import TableRow
from prefect_together.engine.attempt import BoundAttempt
from prefect_together.engine.context import GenerationContext, RunContext
from prefect_together.engine.delivery import Delivery
from prefect_together.engine.parts import parts_of
from prefect_together.engine.poll_schedule import typical_durations
from prefect_together.errors import InvalidRequest, MediaError
from prefect_together.generations.fingerprint import fingerprint_of
from prefect_together.generations.inputs import doubts, large_frames, missing
from prefect_together.generations.results import Generated
from prefect_together.ledger.ledger import UNDECIDED, History, Ledger

LOOKS = 32
"""Requests that are looked up at once."""


class Planner:
    """Looks through the rows of a batch.

    Args:
        context: What all requests would have in common.
        worst_case: USD that a request of unknown price counts as.
        max_cost: USD that the batch may spend, if that is limited.
        concurrency: How many would run at once.
    """

    def __init__(
        self, context: RunContext, *, worst_case: Decimal, max_cost: Decimal | None, concurrency: int = LOOKS
    ) -> None:
        self._concurrency = concurrency
        self._context = context
        self._ledger = Ledger(context.storage)
        self._worst_case = worst_case
        self._max_cost = max_cost
        self._counts: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._cost = self._online_cost = self._cost_at_most = self._fitting = self._at_risk = Decimal(0)
        self._risk_known = True
        self._unknown_prices = self._unbounded = self._unknown_repairs = self._repairs = self._over = 0
        self._problems: list[tuple[int, str]] = []
        self._warnings: dict[str, list[int]] = {}
        self._to_send: list[PlannedRequest] = []
        self._seen: set[str] = set()
        self._spent: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._bounds: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._costs: defaultdict[str, Decimal] = defaultdict(Decimal)

    async def plan(self, rows: Iterable[TableRow]) -> Plan:
        """Look at all rows."""
        coming = iter(rows)
        workers = [asyncio.create_task(self._work(coming)) for _ in range(LOOKS)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return Plan(
            **self._counts,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            cost=self._cost - sum((cost * (1 - self._share(model)) for model, cost in self._costs.items()), Decimal(0)),
            cost_at_most=self._cost_at_most,
            online_cost=self._online_cost if self._context.batched else None,
            unknown_prices=self._unknown_prices,
            unbounded=self._unbounded,
            repairs=self._repairs,
            unknown_repairs=self._unknown_repairs,
            worst_case=self._worst_case,
            at_risk=self._at_risk if self._risk_known and self._counts["unknown"] else None,
            over=self._over,
            longest_wait=await self._longest_wait(),
            models=dict(self._models.most_common()),
            to_send=[self._usual(planned) for planned in sorted(self._to_send, key=lambda planned: planned.row)],
            problems=[why for _, why in sorted(self._problems)],
            warnings=self._warned(),
        )

    def _share(self, model: str) -> Decimal:
        """Return which part of the most that a model's answers may cost those that are kept already did cost."""
        bound = self._bounds[model]
        return self._spent[model] / bound if bound else Decimal(1)

    def _usual(self, planned: PlannedRequest) -> PlannedRequest:
        if planned.cost is None or planned.model not in self._costs:
            return planned
        return planned.model_copy(update={"cost": planned.cost * self._share(planned.model)})

    async def _longest_wait(self) -> float | None:
        """Return how long all would take if they went at once by model: nine of ten jobs are over by then."""
        waits: list[float] = []
        for model, count in self._models.items():
            if durations := await typical_durations(self._context.storage, model):
                rounds = -(-count // self._concurrency)
                waits.append(rounds * durations[int(len(durations) * 0.9)])
        return max(waits, default=None)

    async def _work(self, coming: Iterator[TableRow]) -> None:
        for row in coming:
            if row.request is None:
                self._refuse(row, row.error or f"Row {row.number} is no request.")
                continue
            context = self._context.of(row.request)
            try:
                parts = await parts_of(context)
                looked = [(one, one.findings(), await self._known(one)) for one in parts or [context]]
            except InvalidRequest as error:
                self._refuse(row, f"Row {row.number}: {error}")
                continue
            for one, notes, fingerprint in looked:
                if fingerprint in self._seen and one.reuse != "never":
                    self._counts["reused"] += 1
                    continue
                self._seen.add(fingerprint)
                await self._look(row, one, notes, fingerprint)

    async def _known(self, context: GenerationContext) -> str:
        return await fingerprint_of(context.request, environment=context.client.environment)

    async def _look(self, row: TableRow, context: GenerationContext, notes: list[str], fingerprint: str) -> None:
        """Count a request that is sent by itself, a row's own or a part of that."""
        notes += await doubts(context.request)
        context, history, gone = await self._latest(context, fingerprint)
        if gone:
            self._refuse(row, f"Row {row.number}: {gone}")
        else:
            self._count(row.number, context, state := _state(history, context.scope()))
            self._warn(row.number, notes + (await large_frames(context.request) if state == "send" else []))

    async def _latest(self, context: GenerationContext, fingerprint: str) -> tuple[GenerationContext, History, str | None]:
        """Return what is asked, what is known of it, and which file is gone that was kept of it or that it needs, if one is.

        Where a kept answer is not what was asked for and may be asked for again, that is what asks again.
        """
        while True:
            history = await self._ledger.history(fingerprint)
            if (attempt := history.stored(context.scope())) is None:
                sends = _state(history, context.scope()) == "send"
                return context, history, await missing(context.request) if sends else None
            try:
                kept = await Delivery(context, fingerprint).stored(BoundAttempt(self._ledger, attempt, context.run.log))
            except MediaError as error:
                return context, history, str(error)
            self._learn(context, kept)
            better = context.spec.follow_up(context.request, kept[-1]) if context.spec.follow_up else None
            if better is None:
                return context, history, None
            context = replace(context.of(better), batched=False)  # they go out one by one
            fingerprint = await fingerprint_of(better, environment=context.client.environment)

    def _learn(self, context: GenerationContext, kept: Iterable[Generated]) -> None:
        """Note what answers did cost, and what they might have."""
        for result in kept if context.spec.cost else ():
            if result.cost is not None and result.estimated_cost:
                self._spent[result.model] += result.cost
                self._bounds[result.model] += result.estimated_cost

    def _warn(self, number: int, notes: Iterable[str]) -> None:
        for note in notes:
            if note in self._warnings or len(self._warnings) < PROBLEMS:
                self._warnings.setdefault(note, []).append(number)

    def _warned(self) -> list[str]:
        """Return each warning once, with the first row that it is of and how many others, in the order of the rows."""
        told = sorted((min(rows), len(rows) - 1, note) for note, rows in self._warnings.items())
        return [f"Row {first}{f' and {more:,} more' if more else ''}: {note}" for first, more, note in told]

    def _refuse(self, row: TableRow, why: str) -> None:
        self._counts["refused"] += 1
        if len(self._problems) < PROBLEMS:
            self._problems.append((row.number, why))

    def _count(self, number: int, context: GenerationContext, state: str) -> None:
        self._counts[state] += 1
        estimate, at_most = context.estimate, context.at_most
        repairs = context.repairs_at_most
        if state == "unknown":
            self._risk_known &= None not in (at_most, *repairs)
            self._at_risk += sum((usd or Decimal(0) for usd in (at_most, *repairs)), Decimal(0))
        if state != "send":
            return
        amount = self._worst_case if at_most is None else at_most
        if self._max_cost is not None and self._fitting + amount > self._max_cost:
            self._over += 1
        else:
            self._fitting += amount
        request = context.request
        if len(self._to_send) < SHOWN:
            seed: int | None = getattr(request, "seed", None)
            planned = PlannedRequest(row=number, title=request.label(), model=request.model, seed=seed, cost=estimate)
            self._to_send.append(planned)
        self._models[request.model] += 1
        self._unknown_prices += estimate is None
        self._unbounded += at_most is None
        self._cost += estimate or 0
        if context.spec.cost:  # answers prove what they cost, and mostly that is far below the bound
            self._costs[request.model] += estimate or 0
        self._online_cost += replace(context, batched=False).estimate or 0
        self._cost_at_most += sum((usd or Decimal(0) for usd in (at_most, *repairs)), Decimal(0))
        self._repairs += len(repairs)
        self._unknown_repairs += repairs.count(None)


def _state(history: History, scope: str) -> str:
    """Return what a batch would do about a request; whether a claim is still alive is not asked."""
    own = history.within(scope)
    if history.stored(scope):
        return "reused"
    if any(attempt.state == "accepted" for attempt in own):
        return "waiting"
    if own and own[-1].state in UNDECIDED:
        return "unknown"
    return "waiting" if own and own[-1].state == "claimed" else "send"
