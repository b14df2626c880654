"""Who listens to a generation under Prefect: a progress bar, events and the day's spending. Knows how none is made."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial

from prefect_together._internal.text import clipped, slug
from prefect_together.engine.daily_spend import spending
from prefect_together.engine.lifecycle_events import LifecycleEvent, Listener
from prefect_together.generations.registry import spec_of
from prefect_together.storage.storage import Storage
from prefect_together.ui.events import emit, emit_exceeded
from prefect_together.ui.progress import Progress, share
from prefect_together.ui.text import escaped


def prefect_listener(storage: Storage, environment: str, alert: Decimal | None, *, alone: bool = True) -> Listener:
    """Return a listener. Call it on the background loop, in the context of the run that the request is of.

    Args:
        storage: The library, which knows what is spent in a day.
        environment: Whose money it is: Together's, or that of a sandbox.
        alert: USD in a day above which an event says so.
        alone: Whether the request has events and a bar of its own. One of a batch has events where somebody may have to act:
            thousands of others would keep Prefect's server busier than the pictures keep Together.
    """
    moving: dict[str, Progress] = {}
    day = (
        None
        if alert is None
        else spending(storage, environment, alert, partial(emit_exceeded, limit=alert, environment=environment))
    )

    def on_event(event: LifecycleEvent) -> None:
        if alone or event.what in {"failed", "unknown"}:
            emit(event)
        if day:
            day.hear(event)
        if event.what == "waiting":
            if alone:
                _wait(moving, event)
        elif event.job_id in moving and moving[event.job_id].begun:
            ended = event.what in {"kept", "reused"}
            text = f"The {spec_of(event.request).noun} is kept." if ended else f"It is {event.what}."
            moving[event.job_id].at(100.0 if ended else 0.0, f"{text}<br>{_title(event)}", now=True)

    return on_event


def _wait(bars: dict[str, Progress], event: LifecycleEvent) -> None:
    job, seconds = event.job_id or "", event.seconds or 0.0
    bar = bars.setdefault(job, Progress(_key(event, job)))
    if not bar.due:
        return  # a thousand jobs are looked at often, and the words take longer than the look
    usual = "" if event.usual is None else f", usually {event.usual:.0f} s"
    status = (event.status or "no status").replace("_", " ")
    bar.at(share(seconds, event.usual), f"**{status}**, {seconds:.0f} s{usual}<br>{_title(event)}")


def _key(event: LifecycleEvent, job: str) -> str:
    """Return what the bar is called: by its words, and by the end of the job's id, which no other has."""
    return f"waiting-for-{slug(event.request.label())}-{re.sub(r'[^a-z0-9]+', '', job.lower())[-6:]}"


def _title(event: LifecycleEvent) -> str:
    return f"{escaped(event.request.model.rpartition('/')[2])}: {escaped(clipped(event.request.label(), 80))}"
