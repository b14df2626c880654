"""Lines on this machine's disk, which come in any order and are read in theirs. Knows nothing of what they say."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator


class Spool:
    """Lines that come in any order and are read in theirs."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed by close()
        self._first = 0
        self._at = array("q")
        self._end = 0

    def put(self, number: int, data: bytes) -> None:
        """Add the line of a row, counted from 1, as it is written; where the row has one, the later one counts."""
        if not self._at:
            self._first = number
        if number < self._first:
            self._at = array("q", [-1] * (self._first - number)) + self._at
            self._first = number
        place = number - self._first
        if place >= len(self._at):
            self._at.extend([-1] * (place + 1 - len(self._at)))
        self._at[place] = self._end
        self._file.write(data)
        self._end += len(data)

    def __iter__(self) -> Iterator[bytes]:
        self._file.flush()
        for at in self._at:
            if at >= 0:
                self._file.seek(at)
                yield self._file.readline()
        self._file.seek(self._end)

    def close(self) -> None:
        """Forget the lines."""
        self._file.close()
