"""The rows of a query: asked for once, kept on this machine's disk and read from there as often as needed."""

from __future__ import annotations

import pickle
import tempfile
import threading
import weakref
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from prefect_together._internal.optional import library
from prefect_together.batch.arrow_cells import kind_of
from prefect_together.batch.cells import plain
from prefect_together.batch.column_names import cleaned
from prefect_together.batch.table_databases import Query


class QueryRows:
    """What a query returns. A plan and the batch after it have the same rows, and no connection stays open meanwhile.

    Args:
        query: The query.
        label: What a sentence calls its table.
    """

    def __init__(self, query: Query, label: str) -> None:
        self._query = query
        self._label = label
        self._lock = threading.Lock()
        self._read: tuple[Any, list[tuple[int, int]]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return QueryRows, (self._query, self._label)  # another process asks by itself

    @cached_property
    def names(self) -> list[str]:
        """The names of the columns."""
        return cleaned(self._query.names(), self._label)

    @property
    def here(self) -> bool:
        """Whether they have been asked for."""
        return self._read is not None

    def __len__(self) -> int:
        return sum(count for _, count in self._kept()[1])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for rows in self._chunks():
            for row in rows:
                yield dict(zip(self.names, row, strict=True))

    def values(self, column: str) -> Iterator[Any]:
        """Yield what stands in a column."""
        place = self.names.index(column)
        return (row[place] for rows in self._chunks() for row in rows)

    def types(self) -> dict[str, Any]:
        """Return Arrow's type of each column that holds all its cells; text, where none does."""
        arrow = library("pyarrow", "Databases", extra="sql")
        found: dict[str, Any] = {}
        for rows in self._chunks():
            for name, cells in zip(self.names, map(list, zip(*rows, strict=True)), strict=True):
                if any(cell is not None for cell in cells):
                    kind = kind_of(cells)
                    found[name] = _both(arrow, found[name], kind) if name in found else kind
        return {name: found.get(name, arrow.string()) for name in self.names}

    def _chunks(self) -> Iterator[list[tuple[Any, ...]]]:
        file, places = self._kept()
        for at, _ in places:
            with self._lock:  # several may read it at once
                file.seek(at)
                rows: list[tuple[Any, ...]] = pickle.load(file)  # noqa: S301 - a file of this process that has no name
            yield rows

    def _kept(self) -> tuple[Any, list[tuple[int, int]]]:
        """Return the file that the rows are in, and where in it how many of them are."""
        with self._lock:
            if self._read is None:
                self._read = self._fetch()
            return self._read

    def _fetch(self) -> tuple[Any, list[tuple[int, int]]]:
        file = tempfile.TemporaryFile(buffering=1024 * 1024)  # noqa: SIM115 - closed with the last who reads it
        weakref.finalize(self, file.close)
        places: list[tuple[int, int]] = []
        for rows in self._query.chunks():
            places.append((file.tell(), len(rows)))
            pickle.dump([tuple(map(plain, row)) for row in rows], file, protocol=pickle.HIGHEST_PROTOCOL)
        return file, places


def _both(arrow: Any, before: Any, now: Any) -> Any:
    """Return a type that holds what two types hold; text, where there is none."""
    try:
        schemas = [arrow.schema([("", kind)]) for kind in (before, now)]
        return arrow.unify_schemas(schemas, promote_options="permissive").field(0).type
    except arrow.ArrowException:
        return arrow.string()
