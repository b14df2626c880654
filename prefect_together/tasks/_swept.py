"""What a sweep did, as a small value with a text for people. Does nothing itself."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict


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

    def text(self) -> str:
        """Return it in words."""
        lines = [f"Started again: {run.name}" for run in self.restarted]
        return "\n".join([*lines, f"{len(self.restarted)} crashed run(s) started again."])
