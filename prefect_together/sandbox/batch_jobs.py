"""Batches as the sandbox remembers them: how one looks at a moment; runs nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 24 * 3600
"""Within which a batch is due; the only window that there is."""
ENDED = frozenset({"COMPLETED", "FAILED", "EXPIRED", "CANCELLED"})


@dataclass(frozen=True, kw_only=True)
class BatchJob:
    """One batch; its lines are charged one by one, not here."""

    id: str
    account: str
    endpoint: str
    """The path to which its lines go."""
    input_file_id: str
    content: str
    """The name under which the store keeps the input file's bytes: deleting the file does not end the batch."""
    size: int
    """Bytes of the input file."""
    model: str | None
    """That of the first line, if it names one."""
    created: float
    """Unix seconds."""
    seconds: float
    """How long it takes."""
    fate: str | None = None
    """The fault that it carries for its whole life (see `faults.Place.BATCH`)."""
    fate_seconds: float = 0.0
    status: str = "VALIDATING"
    progress: float = 0.0
    """0 to 100."""
    output_file_id: str | None = None
    error_file_id: str | None = None
    error: str | None = None
    ended: float | None = None
    """Unix seconds."""

    def view(self, now: float) -> dict[str, Any]:
        """Return the job as the API answers it; `now` in Unix seconds."""
        view: dict[str, Any] = {
            "id": self.id, "user_id": f"user_{self.account}", "input_file_id": self.input_file_id,
            "file_size_bytes": self.size, "status": self.status, "job_deadline": _time(self.created + WINDOW_SECONDS),
            "created_at": _time(self.created), "endpoint": self.endpoint, "progress": self._shown_progress(),
        }  # fmt: skip
        late = self.fate == "late_output" and self.ended is not None and now < self.ended + self.fate_seconds
        further = {
            "model_id": self.model,
            "output_file_id": None if late else self.output_file_id,
            "error_file_id": None if late else self.error_file_id,
            "error": self.error,
            "completed_at": None if self.ended is None else _time(self.ended),
        }
        return {**view, **{name: value for name, value in further.items() if value is not None}}

    def _shown_progress(self) -> float:
        if self.fate == "progress_backwards" and self.status == "IN_PROGRESS":
            return round(100 - self.progress, 2)
        return round(self.progress, 2)


def _time(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
