"""What a process that is cut off leaves going on elsewhere, in words for whoever cut it off. Ends nothing itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

IN_GENERAL = "Interrupted: what was paid for is kept or in the ledger, and the next run goes on from there."

_SHOWN = 3
_JUST = 60.0  # seconds: a call that was cut off so long ago has to do with how the process ends
_jobs: dict[str, None] = {}  # in the order in which they were waited for
_cut_off_at: float | None = None
_flow_gone = _said = False


@contextmanager
def waiting_for(job_id: str | None) -> Generator[None, None, None]:
    """Know during the block that a job is waited for, and afterwards where the wait was cut off."""
    if job_id is not None:
        note_wait(job_id)
    try:
        yield
    except asyncio.CancelledError:
        raise
    except BaseException:  # it ended, whatever it ended with: nothing is left to speak of
        note_waited(str(job_id))
        raise
    note_waited(str(job_id))


def note_wait(job_id: str) -> None:
    """Note that a job is waited for from now on."""
    _jobs[job_id] = None


def note_waited(job_id: str) -> None:
    """Note that a job is not waited for any more, whatever came of it."""
    _jobs.pop(job_id, None)


def note_cut_off() -> None:
    """Note that a call was cut off right now."""
    global _cut_off_at
    _cut_off_at = time.monotonic()


def note_flow_gone() -> None:
    """Note that a call is about to be cut off because its flow is gone: it may have returned, so that it raises nothing."""
    global _flow_gone
    _flow_gone = True


def unsaid_words() -> str:
    """Return the last words where a flow was gone and nobody has said them, else nothing."""
    return last_words() if _flow_gone and not _said else ""


def last_words() -> str:
    """Return what becomes of the jobs that were waited for, or nothing where no call was cut off. Whoever asks says it."""
    global _said
    _said = True
    if not _jobs:
        return IN_GENERAL if _cut_off_at is not None and time.monotonic() - _cut_off_at < _JUST else ""
    shown = ", ".join(list(_jobs)[:_SHOWN]) + (", …" if len(_jobs) > _SHOWN else "")
    what, go, it = (
        ("job", "is paid for and goes", "it makes") if len(_jobs) == 1 else ("jobs", "are paid for and go", "they make")
    )
    return f"Interrupted: {what} {shown} {go} on at Together; the next run fetches what {it}, for free."
