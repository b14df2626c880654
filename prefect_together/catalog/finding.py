"""One thing that speaks against a request, in one sentence; what to do about it is the caller's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that speaks against a request."""

    severity: Literal["error", "warning"]
    """An error is a documented rule; a warning is a documented limit that may have changed since."""
    field: str
    """The request field it is about; "model" for the model itself."""
    message: str
    """One sentence that names the model, the field, the given value and what the model would take instead."""
