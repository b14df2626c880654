"""Files that are read piece by piece: their checksums, and the face of one for an object store. Opens nothing itself."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from typing import Any, BinaryIO

_CHUNK = 1024 * 1024


def checksum(file: BinaryIO, feed: Callable[[bytes], None] | None = None) -> tuple[str, int]:
    """Return the SHA-256 of what is left of a file, in hex, and its size in bytes.

    Args:
        file: Open where it begins.
        feed: Is given all of it too, a part at a time.
    """
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        if feed is not None:
            feed(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


class Reader(io.RawIOBase):
    """A file in an object store with the interface of a Python file, which Pillow, PyAV and shutil expect.

    It asks for each range by itself: obstore's own reader looks for a prefix twice before 0.12, the first for which
    Python 3.10 has no wheel.

    Args:
        read_range: Returns that many bytes from that offset.
        size: How many bytes there are.
    """

    def __init__(self, read_range: Callable[[int, int], bytes], size: int) -> None:
        self._read_range = read_range
        self._size = size
        self._offset = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}, which is before the first byte")
        self._offset = start + offset
        return self._offset

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and return how many bytes came."""
        wanted = min(len(buffer), self._size - self._offset)
        if wanted <= 0:
            return 0
        data = self._read_range(self._offset, wanted)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)

    def readall(self) -> bytes:
        """Return all that is left in one request; the piece by which Python would ask for it is 8 KiB."""
        return self.read(max(0, self._size - self._offset)) or b""
