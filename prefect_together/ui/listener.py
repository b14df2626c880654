"""Who listens to a generation under Prefect: a progress bar, events and the day's spending. Knows how none is made."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial

from prefect_together.engine.daily_spend import spending
from prefect_together.engine.lifecycle_events import Happening, Tell
from prefect_together.storage.storage import Storage
from prefect_together.ui.events import emit, emit_exceeded
from prefect_together.ui.markdown import clipped, escaped
from prefect_together.ui.progress import Progress, share


def listener(storage: Storage, realm: str, alert: Decimal | None, *, alone: bool = True) -> Tell:
    """Return a listener. Call it on the background loop, in the context of the run that the request is of.

    Args:
        storage: The library, which knows what is spent in a day.
        realm: Whose money it is: Together's, or that of a sandbox.
        alert: USD in a day above which an event says so.
        alone: Whether the request has events and a bar of its own. One of a batch has events where somebody may have to act:
            thousands of others would keep Prefect's server busier than the pictures keep Together.
    """
    moving: dict[str, Progress] = {}
    day = None if alert is None else spending(storage, realm, alert, partial(emit_exceeded, limit=alert, realm=realm))

    def hear(happening: Happening) -> None:
        if alone or happening.what in {"failed", "unknown"}:
            emit(happening)
        if day:
            day.hear(happening)
        if happening.what == "waiting":
            if alone:
                _wait(moving, happening)
        elif happening.job_id in moving and moving[happening.job_id].begun:
            ended = happening.what in {"kept", "reused"}
            text = "The clip is kept." if ended else f"It is {happening.what}."
            moving[happening.job_id].at(100.0 if ended else 0.0, f"{text}<br>{_title(happening)}", now=True)

    return hear


def _wait(bars: dict[str, Progress], happening: Happening) -> None:
    job, seconds = happening.job_id or "", happening.seconds or 0.0
    bar = bars.setdefault(job, Progress("waiting-" + re.sub(r"[^a-z0-9]+", "", job.lower())[-8:]))
    if not bar.due:
        return  # a thousand jobs are looked at often, and the words take longer than the look
    usual = "" if happening.usual is None else f", usually {happening.usual:.0f} s"
    status = (happening.status or "no status").replace("_", " ")
    bar.at(share(seconds, happening.usual), f"**{status}**, {seconds:.0f} s{usual}<br>{_title(happening)}")


def _title(happening: Happening) -> str:
    return f"{escaped(happening.request.model.rpartition('/')[2])}: {escaped(clipped(happening.request.title(), 80))}"
