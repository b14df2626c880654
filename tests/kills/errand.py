"""What a worker may be told."""

from __future__ import annotations

from typing import Any, TypedDict


class Errand(TypedDict):
    """What every worker is told."""

    base_url: str
    """Of the local Together."""
    api_key: str
    library: str
    requests: list[dict[str, Any]]
    """Fields of the requests, each with its ``kind``; they are made one after the other."""


class Job(Errand, total=False):
    """What a worker may be told besides."""

    options: dict[str, Any]
    """Of the object store."""
    on_unknown: str
    flow_run: str | None
    kill: str | None
    """The point at which it kills itself."""
    by: str
    """Which signal it does it with."""
    gate: str
    """A file that lets it begin when it is there; it says before that it is ready."""
    threads: int
    """How many threads make the same requests at once."""
    all_at_once: bool
    """Whether the requests are made all at once, and what came of each is said."""
    per_process: str
    """USD that may be sent again of what one dead process had in flight."""
    flow: str
    """Which Prefect flow to run, instead of calling the package's inner door."""
    batch: bool
    """Whether to make the requests by way of Together's batches."""
    named: dict[str, Any]
    """What `generate_batch` is given besides the requests, to make them in a named batch; `limit` as name and USD."""
    reconcile: bool
    """Whether to reconcile instead of making anything."""
    pack: str
    """Pack instead of making anything: once, or again and again until there is a file of this name."""
    resume: str
    """Which flow run to run again."""
    machine: str
    """On which machine it believes to be."""
    skew: float
    """Seconds that its clock is ahead."""
    overdue: float
    """Seconds after which a lease is overdue; the beats are scaled with it."""
    stale: float
    """Seconds after which a claim is looked at once more before its request is sent."""
    patience: float
    """Seconds for which an entry about something paid is tried to be written."""
    grace: float
    """Seconds for which a job that nobody knows counts as not yet known."""
    memory: bool
    """Whether to measure the memory that a generation takes."""
