"""What a batch task was called with, checked before anything is claimed or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from prefect_together.batch.request_table import RequestTable
from prefect_together.batch.results import Retry
from prefect_together.blocks.credentials import TogetherCredentials
from prefect_together.blocks.library import AnyLibrary
from prefect_together.blocks.settings import current_settings
from prefect_together.engine.batch_lines import MAX_LINES
from prefect_together.engine.context import RunContext
from prefect_together.errors import InvalidRequest
from prefect_together.generations.policy import OnUnknown, Reuse
from prefect_together.ledger.budget import Budget
from prefect_together.ledger.spend_limit import SpendLimit
from prefect_together.tasks._batch_requests import Requests, check
from prefect_together.tasks._checks import Money, one_of, seconds, spend_limit, text, usd, whole
from prefect_together.tasks._context import run_context
from prefect_together.tasks._suspension import Waiting, check_suspendable, or_suspended

if TYPE_CHECKING:
    from prefect_together.batch.batch_rows import Options
    from prefect_together.batch.provider_rows import HoldOn

FailOn = Literal["any", "all", "never"]
"""Whether the task fails when any request failed, when all did, or never."""

Via = Literal["requests", "batch"]
"""How requests go out: one by one, or as files in batches that Together works at by itself."""
Resend = Literal["batch", "requests"]
"""How goes out again what such a batch did not answer."""

CONCURRENCY = 32
TIMEOUT = 1800.0
"""Seconds that a job is waited for, counted from its submission."""
BATCH_TIMEOUT = 3 * 24 * 3600.0
"""Seconds that a provider's batch is waited for, counted from its creation: Together may take three days."""

LARGEST_SHARD = 2000
"""Rows that a process takes at a time at most, where nobody says how many."""
SHARDS = 64
"""Parts that a table has at least, unless these had fewer rows than run at once: so that processes end at the same time."""


@dataclass(frozen=True)
class BatchArguments:
    """What a batch task was called with."""

    requests: Requests
    credentials: TogetherCredentials | None = None
    library: AnyLibrary | None = None
    reuse: Reuse = "auto"
    on_unknown: OnUnknown = "auto"
    timeout: float | None = None
    concurrency: int | str = CONCURRENCY
    stop_after_failures: int | None = None
    fail_on: FailOn = "all"
    max_cost: Money | None = None
    limit: SpendLimit | None = None
    chunk_size: int | None = None
    name: str | None = None
    retry: Retry = "failed"
    via: Via = "requests"
    resend: Resend = "batch"
    wait: Waiting = "poll"

    def check(self) -> None:
        """Refuse options that make no sense.

        Raises:
            InvalidRequest: One of them does not.
        """
        one_of("fail_on", self.fail_on, FailOn)
        one_of("retry", self.retry, Retry)
        one_of("via", self.via, Via)
        one_of("resend", self.resend, Resend)
        one_of("wait", self.wait, Waiting)
        if self.wait == "suspend" and self.via != "batch":
            raise InvalidRequest('wait="suspend" is for batches at Together: give via="batch", or leave it out.')
        if self.wait == "suspend" and self.max_cost is not None:
            what = 'max_cost is counted by the process of a call, which wait="suspend" ends'
            raise InvalidRequest(f"{what}: give limit=SpendLimit(name=…, usd=…) instead, which is kept in the library.")
        check_suspendable(self.wait, self.reuse)
        if self.timeout is not None:
            seconds("timeout", self.timeout)
        if self.via == "batch" and self.chunk_size is not None and self.name is None:
            raise InvalidRequest('chunk_size splits via="batch" among processes, which share a name: give name= too.')
        (text if isinstance(self.concurrency, str) else whole)("concurrency", self.concurrency)
        if self.stop_after_failures is not None:
            whole("stop_after_failures", self.stop_after_failures)
        if self.chunk_size is not None:
            whole("chunk_size", self.chunk_size)
        if self.name is not None:
            text("name", self.name)
        spend_limit(self.limit)
        if self.max_cost is not None:
            usd("max_cost", self.max_cost)
        check(self.requests)

    def options(self) -> Options:
        """Return how the batch runs."""
        from prefect_together.batch.batch_rows import Options  # is slow to import

        width = self.concurrency if isinstance(self.concurrency, int) else CONCURRENCY
        usual = TIMEOUT if self.via == "requests" else BATCH_TIMEOUT
        timeout = usual if self.timeout is None else self.timeout
        return Options(width, timeout, self.stop_after_failures, self.retry, current_settings().trace_prompts)

    def hold_on(self, context: RunContext) -> HoldOn | None:
        """Return what has the run suspended while its batches run, where that is wanted."""
        if self.wait == "poll":
            return None
        return partial(or_suspended, context, self.options().timeout, self.wait)

    def rules(self) -> tuple[Any, ...]:
        """Return by which rules its rows are run: of those that share the work they are the same."""
        return self.reuse, self.on_unknown, self.retry, self.via, self.resend

    def shard_size(self, total: int) -> int:
        """Return how many rows a process takes at a time, of so many in all."""
        if self.chunk_size is not None:
            return self.chunk_size
        if self.via == "batch":
            return MAX_LINES
        return max(self.options().concurrency, min(LARGEST_SHARD, -(-total // SHARDS)))

    async def total(self) -> int | None:
        """Return how many rows there are, where that can be told before they are read."""
        if isinstance(self.requests, RequestTable):
            return await asyncio.to_thread(len, self.requests)
        return len(cast("Sequence[Any]", self.requests)) if hasattr(self.requests, "__len__") else None

    async def context(self, *, sends: bool = True) -> RunContext:
        """Return what all requests have in common; without a key, where they are only looked at."""
        from prefect_together.batch.manifest import short

        common = await run_context(
            credentials=self.credentials,
            library=self.library,
            reuse=self.reuse,
            on_unknown=self.on_unknown,
            sends=sends,
            alone=False,
        )
        budget = None
        if self.max_cost is not None or self.limit is not None:
            budget = Budget(
                worst_case=current_settings().worst_case,
                max_cost=None if self.max_cost is None else usd("max_cost", self.max_cost),
                limit=self.limit,
                storage=common.storage,
                environment=common.client.environment,
            )
        return replace(common, budget=budget, share=short(self.name) if self.name else None, batched=self.via == "batch")
