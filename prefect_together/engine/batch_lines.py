"""The lines of provider batches, on this machine's disk until they are sent: sorted and split as Together takes them.

The same requests make the same file, byte for byte: what was uploaded before a crash is recognised by it.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from prefect_together.errors import InvalidRequest

MAX_LINES = 50_000
"""Lines that a file may have."""
MAX_BYTES = 100_000_000
"""Bytes that a file may have."""
MAX_LINE_BYTES = 10_000_000
"""Bytes that a line may have: Together looks at that only after it has begun to work at the batch, and fails it."""


@dataclass(frozen=True)
class Part:
    """The lines of one batch."""

    endpoint: str
    names: tuple[str, ...]
    """Their names, in order: fingerprints."""


class LineSpool:
    """Lines by the fingerprints of their requests, written to a temporary file as they come."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed by close()
        self._end = 0
        self._at: dict[str, tuple[int, int]] = {}
        self._group: dict[tuple[str, str], list[str]] = {}

    def put(self, name: str, line: dict[str, Any], endpoint: str, model: str) -> bool:
        """Add a line; return False where one of its name is there.

        Args:
            name: The fingerprint of its request.
            line: The line.
            endpoint: Where its batch goes.
            model: Who answers it: a batch is of one model.

        Raises:
            InvalidRequest: It is larger than Together takes.
        """
        if name in self._at:
            return False
        data = json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        if len(data) > MAX_LINE_BYTES:
            raise InvalidRequest(
                f"The request has {len(data):,} bytes, and a line of a batch may have {MAX_LINE_BYTES:,}: send it alone, "
                'with via="requests", or with smaller pictures.'
            )
        self._at[name] = (self._end, len(data))
        self._group.setdefault((endpoint, model), []).append(name)
        self._file.write(data)
        self._end += len(data)
        return True

    def parts(self) -> Iterator[Part]:
        """Yield what goes into each batch: sorted by name, and split where a file would be too large."""
        for (endpoint, _), names in sorted(self._group.items()):
            chosen, size = list[str](), 0
            for name in sorted(names):
                length = self._at[name][1]
                if chosen and (len(chosen) >= MAX_LINES or size + length > MAX_BYTES):
                    yield Part(endpoint, tuple(chosen))
                    chosen, size = [], 0
                chosen.append(name)
                size += length
            yield Part(endpoint, tuple(chosen))

    def write(self, names: Iterable[str], into: IO[bytes]) -> tuple[int, str]:
        """Write the lines of these names into a file, in this order; return its bytes and their SHA-256 in hex."""
        self._file.flush()
        digest, size = hashlib.sha256(), 0
        for name in names:
            at, length = self._at[name]
            self._file.seek(at)
            data = self._file.read(length)
            digest.update(data)
            size += into.write(data)
        self._file.seek(self._end)
        into.flush()
        return size, digest.hexdigest()

    def close(self) -> None:
        """Forget the lines."""
        self._file.close()
