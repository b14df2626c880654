"""The face of a Python file for what reads an object store piece by piece. Opens nothing itself."""

from __future__ import annotations

import io
import os
from typing import Any


class Reader(io.RawIOBase):
    """Gives obstore's reader the interface of a Python file, which Pillow, PyAV and shutil expect."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        return self._reader.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and return how many bytes came."""
        data = bytes(self._reader.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the reader too."""
        if not self.closed:
            self._reader.close()
        super().close()
