"""Rows from any place of what can be read again, and whether two processes were given the same. Makes no requests."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_Row = TypeVar("_Row")


class RowReader(Generic[_T, _Row]):
    """Rows by their numbers. Going forward is cheap; going back begins anew.

    Args:
        begin: Returns what the rows are made of, from the first on.
        make: Makes a row of its number, from 1, and of what is there.
    """

    def __init__(self, begin: Callable[[], Iterator[_T]], make: Callable[[int, _T], _Row]) -> None:
        self._begin = begin
        self._make = make
        self._coming: Iterator[_T] = iter(())
        self._next = 0

    def go_to(self, first: int) -> None:
        """Go to a row; rows that are passed over are made into nothing."""
        if not 0 < self._next <= first:
            self._coming, self._next = self._begin(), 1
        for _ in itertools.islice(self._coming, first - self._next):
            pass  # to ask for them is to pass over them
        self._next = first

    def rows(self, numbers: range) -> Iterator[_Row]:
        """Yield the rows with these numbers, as far as they are there. Of several such iterators one is read at a time."""
        if not numbers:
            return
        self.go_to(numbers[0])
        for number in numbers:
            there = next(self._coming, self)
            if there is self:
                return
            self._next = number + 1
            yield self._make(number, there)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - not self


def digest_of(pieces: Iterable[Any]) -> str:
    """Return a hash of some values as Python writes them: equal for equal ones, in every process."""
    found = hashlib.sha256()
    for piece in pieces:
        data = piece if isinstance(piece, bytes) else repr(piece).encode("utf-8", "surrogatepass")
        found.update(b"%d\n" % len(data))
        found.update(data)
    return found.hexdigest()
