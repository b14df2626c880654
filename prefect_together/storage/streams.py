"""Files that are read piece by piece: their checksums, and the face of one for an object store. Opens nothing itself."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any, BinaryIO

_CHUNK = 1024 * 1024


def checksum(file: BinaryIO) -> tuple[str, int]:
    """Return the SHA-256 of what is left of a file, in hex, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


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
