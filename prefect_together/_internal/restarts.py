"""The names by which automations, the sweep and restarted runs know each other. Asks no server and changes nothing."""

from __future__ import annotations

TAG = "together"
"""The tag of the runs that are looked after, unless another one is named."""
SWEEP = "sweep"
"""The name of the flow whose deployments look after the others."""
LOST = "No heartbeat: its process is taken for dead."
"""The message of the state of a run whose heartbeats stopped: by it those are told from runs that crashed in other ways."""
UNSTARTED = "It was Pending for long and never began: its worker is taken for dead."
"""The message of the state of a run that a worker took and nobody began."""
_KEY = "prefect-together-restart"


def restart_key(run: str, number: int) -> str:
    """Return the idempotency key of the run that stands for a dead one: Prefect makes one run for each key, whoever asks.

    Args:
        run: Id of the run that was the first.
        number: Which of its restarts it is, from 1.
    """
    return f"{_KEY}/{run}/{number}"


def restart_of(key: str | None) -> tuple[str, int] | None:
    """Return the first run that a run stands for, and which restart it is; None where it is none.

    Args:
        key: The idempotency key of the run.
    """
    named, _, rest = (key or "").partition("/")
    run, _, number = rest.partition("/")
    return (run, int(number)) if named == _KEY and run and number.isdecimal() else None


def first_of(run: str, key: str | None) -> str:
    """Return the first run that a run stands for, which may be itself."""
    found = restart_of(key)
    return found[0] if found else run
