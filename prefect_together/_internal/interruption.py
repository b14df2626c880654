"""What a process that is cut off leaves going on elsewhere, in words for whoever cut it off. Ends nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

_SHOWN = 3
_jobs: dict[str, None] = {}  # in the order in which they were waited for


@contextmanager
def waiting_for(job_id: str | None) -> Generator[None, None, None]:
    """Know during the block that a job is waited for, and afterwards where the wait was cut off."""
    if job_id is not None:
        _jobs[job_id] = None
    try:
        yield
    except asyncio.CancelledError:
        raise
    except BaseException:  # it ended, whatever it ended with: nothing is left to speak of
        _jobs.pop(str(job_id), None)
        raise
    _jobs.pop(str(job_id), None)


def last_words() -> str:
    """Return what becomes of the jobs that were waited for, or nothing where there were none."""
    if not _jobs:
        return ""
    shown = ", ".join(list(_jobs)[:_SHOWN]) + (", …" if len(_jobs) > _SHOWN else "")
    what, go, it = (
        ("job", "is paid for and goes", "it makes") if len(_jobs) == 1 else ("jobs", "are paid for and go", "they make")
    )
    return f"Interrupted: {what} {shown} {go} on at Together; the next run fetches what {it}, for free."
