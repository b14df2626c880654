"""A file on its way into a form, as a value that knows nothing of where it came from or where it goes. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Literal

Encoding = Literal["json", "form"]
"""How a body is written: as JSON, or as a form, in which files are sent as they are."""


@dataclass(frozen=True)
class Upload:
    """A file that is sent in a form. It is open; whoever opened it closes it when it is sent."""

    name: str
    """What it is called in the form, with the extension of its format."""
    media_type: str
    """What it is."""
    file: BinaryIO
    """Open for reading and seeking: it is read from its start each time that it is sent."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()
