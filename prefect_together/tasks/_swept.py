"""What a sweep did, as a small value with a text for people. Does nothing itself."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from prefect_together._internal.described import Described
from prefect_together._internal.notebook_view import Rows, ShownInNotebooks, View
from prefect_together._internal.text import counted

_LISTED = 10  # runs that a notebook shows


class RestartedRun(Described, BaseModel):
    """A run that stands for one that crashed."""

    crashed: UUID
    """The run that died."""
    restarted: UUID
    """The run that was started instead, with its parameters."""
    name: str
    """What the new run is called."""
    number: int
    """Which restart it is."""


class Sweep(ShownInNotebooks, Described, BaseModel):
    """What a sweep found and did."""

    restarted: list[RestartedRun] = []
    """Runs that crashed and were started again."""

    kept: int = 0
    """Results of jobs that were over."""
    failed: int = 0
    """Jobs that turned out to have failed."""
    open: int = 0
    """Jobs that still run."""
    resumed: list[UUID] = []
    """Suspended runs that go on, since what they waited for is over."""

    def text(self) -> str:
        """Return it in words."""
        return "\n".join([*(f"Started again: {run.name}" for run in self.restarted), self._counts()])

    def __str__(self) -> str:
        return self.text()

    def notebook_view(self) -> View:
        """Return what a notebook shows: the counts, and which runs go on."""
        again = [(run.name, str(run.restarted), str(run.crashed), str(run.number)) for run in self.restarted]
        tables = (
            [Rows(("started again", "run", "instead of", "restart"), again[:_LISTED], len(again) - _LISTED)] if again else []
        )
        resumed = [(str(run),) for run in self.resumed]
        tables += [Rows(("resumed",), resumed[:_LISTED], len(resumed) - _LISTED)] if resumed else []
        return View(self._counts(), tables=tables)

    def _counts(self) -> str:
        jobs = f"{counted(self.kept, 'result')} kept, {counted(self.failed, 'job')} failed, {self.open:,} still running"
        again, resumed = counted(len(self.restarted), "crashed run"), counted(len(self.resumed), "suspended run")
        return f"{again} started again, {resumed} resumed; {jobs}."
