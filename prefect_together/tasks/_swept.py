"""What a sweep did, as a small value with a text for people. Does nothing itself."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from prefect_together._internal.text import counted


class RestartedRun(BaseModel):
    """A run that stands for one that crashed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    crashed: UUID
    """The run that died."""
    restarted: UUID
    """The run that was started instead, with its parameters."""
    name: str
    """What the new run is called."""
    number: int
    """Which restart it is."""


class Sweep(BaseModel):
    """What a sweep found and did."""

    model_config = ConfigDict(use_attribute_docstrings=True)

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
        lines = [f"Started again: {run.name}" for run in self.restarted]
        jobs = f"{counted(self.kept, 'result')} kept, {counted(self.failed, 'job')} failed, {self.open:,} still running"
        again, resumed = counted(len(self.restarted), "crashed run"), counted(len(self.resumed), "suspended run")
        return "\n".join([*lines, f"{again} started again, {resumed} resumed; {jobs}."])
