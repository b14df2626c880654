"""How the files that a request names are written into its body. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Frames:
    """A clip is written into a body as pictures that are cut out of it evenly, each as ``picture`` is."""

    count: int

    def named(self) -> dict[str, Any]:
        """Return what of it makes a request another one."""
        return {"frames": self.count}


@dataclass(frozen=True)
class Recording:
    """A recording, or the sound of a clip or film, goes into a form as a file: as it is, where Together takes it so.

    Args:
        start: Seconds at which what is sent begins; None: at its start.
        end: Seconds at which it ends; None: at its end.
    """

    start: float | None = None
    end: float | None = None

    def named(self) -> dict[str, Any]:
        """Return what of it makes a request another one."""
        return {name: value for name, value in (("start", self.start), ("end", self.end)) if value is not None}


Form = Literal["data_url", "base64", "picture"] | Frames | Recording
"""How a file is written into a body: as a ``data:`` URL, as bare base64, as a picture scaled down to what models see, or in
another way that takes several words."""
