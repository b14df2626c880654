"""Who listens to a generation under Prefect: a progress bar and events. Knows how neither is made."""

from __future__ import annotations

import re

from prefect_together.events import emit
from prefect_together.happenings import Happening, Tell
from prefect_together.progress import Progress, share
from prefect_together.sheet import clipped, escaped


def listener(*, shows: bool = True) -> Tell:
    """Return a listener. Call it in the context of the run that the request belongs to.

    Args:
        shows: Whether each job that is waited for gets a bar.
    """
    bars: dict[str, Progress] = {}

    def hear(happening: Happening) -> None:
        emit(happening)
        if happening.what == "waiting":
            if shows:
                _wait(bars, happening)
        elif happening.job_id in bars and bars[happening.job_id].begun:
            ended = happening.what in {"kept", "reused"}
            text = "The clip is kept." if ended else f"It is {happening.what}."
            bars[happening.job_id].at(100.0 if ended else 0.0, f"{text}<br>{_title(happening)}", now=True)

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
