"""Frames of any library as named columns: Arrow's where its types hold the cells, else lists. Reads no files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from prefect_together._internal.optional import library
from prefect_together.batch.arrow_cells import batches, kind_of
from prefect_together.batch.cells import plain
from prefect_together.batch.column_names import cleaned
from prefect_together.errors import InvalidRequest


class Frame:
    """A pandas, Polars, PyArrow or DuckDB frame; what is lazy is computed, once.

    Args:
        native: The frame.

    Raises:
        InvalidRequest: It is no frame, two of its columns have one name, or a column has several.
        ConfigurationError: The extra ``tables`` is not installed.
    """

    def __init__(self, native: Any) -> None:
        narwhals = library("narwhals", "Frames")
        kind = type(native).__name__
        _check_levels(native, kind, narwhals)
        try:
            found = narwhals.from_native(_with_offsets(native, narwhals))
            found = found.collect() if hasattr(found, "collect") else found
            names = found.columns
        except TypeError:
            kinds = "a path or URL, a list of mappings, or a pandas, Polars, PyArrow or DuckDB frame"
            raise InvalidRequest(f"This {kind} is no table: give {kinds}.") from None
        except narwhals.exceptions.DuplicateError:
            cleaned(_native_names(native), f"This {kind}")  # says which they are
            raise
        self.names = cleaned(names, f"This {kind}")
        self._count = len(found)
        every = zip(self.names, found.iter_columns(), strict=True)
        self._columns = {name: _column(series, narwhals) for name, series in every}

    def __len__(self) -> int:
        return self._count

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows, as plain Python."""
        return batches(self._columns, self._count)

    def values(self, column: str) -> Iterator[Any]:
        """Yield what stands in a column."""
        return (row[column] for row in batches({column: self._columns[column]}, self._count))

    def types(self) -> dict[str, Any]:
        """Return Arrow's type of each column; text, where a column of Python's objects has none in it."""
        kinds = {name: kind_of(column) for name, column in self._columns.items()}
        arrow = library("pyarrow", "Frames")
        return {name: arrow.string() if kind == arrow.null() else kind for name, kind in kinds.items()}


def _column(series: Any, narwhals: Any) -> Any:
    """Return a column as Arrow's, or as a list where Arrow has no type for its cells."""
    arrow = library("pyarrow", "Frames")
    if series.dtype != narwhals.Object:
        # What each library says of cells that do not fit: they stay Python's.
        with suppress(arrow.ArrowException, TypeError, NotImplementedError):
            found = series.to_arrow()
            if not isinstance(found.type, arrow.BaseExtensionType):
                return found
    return [plain(cell) for cell in series.to_list()]


def _with_offsets(native: Any, narwhals: Any) -> Any:
    """Return a frame whose times of day keep their offsets: DuckDB has them, and makes Arrow's of them, which have none."""
    if not narwhals.dependencies.is_duckdb_relation(native):
        return native
    every = zip(native.columns, native.types, strict=True)
    named = ['"' + name.replace('"', '""') + '"' for name, kind in every if str(kind) == "TIME WITH TIME ZONE"]
    casts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in named)
    return native.project(f"* REPLACE ({casts})") if named else native


def _check_levels(native: Any, kind: str, narwhals: Any) -> None:
    if narwhals.dependencies.is_pandas_like_dataframe(native) and native.columns.nlevels > 1:
        first = native.columns[0] if len(native.columns) else ()
        raise InvalidRequest(
            f"The columns of this {kind} have names of {native.columns.nlevels} levels, such as {first!r}: give them one "
            'each, e.g. frame.columns = ["_".join(map(str, name)) for name in frame.columns].'
        )


def _native_names(native: Any) -> list[Any]:
    return list(native.column_names if hasattr(native, "column_names") else native.columns)
