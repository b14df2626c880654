"""Puts this process on another machine, with another clock, or in a hurry, as a job says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from errand import Job

from prefect_together._internal import process as owner
from prefect_together.batch import provider_runner, shard_lines, shards
from prefect_together.engine import attempt, batch_output, batch_record, batch_taking, claims
from prefect_together.engine import ingest as keeping
from prefect_together.engine import polling as waiting
from prefect_together.generations.policy import Pace
from prefect_together.ledger import heartbeats, leases
from prefect_together.storage import busy


def pretend(job: Job) -> None:
    """Put this process on another machine, with another clock, or in a hurry."""
    if machine := job.get("machine"):
        owner._machine = lambda: machine  # type: ignore[assignment]  # pyright: ignore[reportPrivateUsage]
        owner._this_process.cache_clear()  # pyright: ignore[reportPrivateUsage]
    if overdue := job.get("overdue"):
        leases.FIRST_BEAT, heartbeats.BEAT = overdue / 8, overdue / 3.2
        heartbeats.patience_from(lambda: overdue)
    if stale := job.get("stale"):
        claims._STALE = stale  # pyright: ignore[reportPrivateUsage]
    if "patience" in job:
        attempt.PATIENCE = keeping.PATIENCE = busy.PATIENCE = job["patience"]
    if grace := job.get("grace"):
        waiting.NOT_FOUND_GRACE = grace
    if skew := job.get("skew"):

        class Skewed(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Skewed:
                return super().now(tz) + timedelta(seconds=skew)

        for name, module in list(sys.modules.items()):
            if name.startswith("prefect_together.") and getattr(module, "datetime", None) is datetime:
                module.__dict__["datetime"] = Skewed

    def pauses(self: Pace) -> Iterator[float]:
        while True:
            yield 0.1

    Pace.pauses = pauses
    shard_lines.SAVE_EVERY, shards.LOOK_AGAIN = 0.1, 0.1
    batch_output.LOOK_AGAIN, batch_record.LOOK_AGAIN = 0.1, 0.1
    batch_taking.__dict__["LOOK_AGAIN"], provider_runner.LOOK_AGAIN = 0.1, 0.1
    keeping.__dict__["backoff"] = lambda *_, **__: 0.02  # pyright: ignore[reportUnknownLambdaType]
