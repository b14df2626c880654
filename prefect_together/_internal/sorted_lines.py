"""Sorts lines, however many there are: all but some are held on the disk. Makes no sense of them."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from typing_extensions import Self

_HELD = 16 * 1024 * 1024  # bytes that are sorted in memory


class SortedLines:
    """Takes lines in any order and hands them out sorted, as often as is wanted; to be used in a ``with`` block.

    Args:
        reverse: The last first.
    """

    def __init__(self, *, reverse: bool = False) -> None:
        self._reverse = reverse
        self._size = 0
        self._held: list[bytes] = []
        self._runs: list[IO[bytes]] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, line: bytes) -> None:
        """Take a line, which ends with the only line feed in it."""
        self._held.append(line)
        self._size += len(line)
        if self._size >= _HELD:
            file = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - the next line does
            run = self._open.enter_context(file)
            run.writelines(sorted(self._held, reverse=self._reverse))
            self._runs.append(run)
            self._held, self._size = [], 0

    def __iter__(self) -> Iterator[bytes]:
        self._held.sort(reverse=self._reverse)
        for run in self._runs:
            run.seek(0)
        return heapq.merge(*self._runs, self._held, reverse=self._reverse)
