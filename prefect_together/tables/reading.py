"""Reads tables row by row: CSV, TSV, JSON lines and Parquet, here or in an object store, and frames. Makes no requests."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from prefect_together.errors import InvalidRequest
from prefect_together.storage import Storage, local_folder, locate
from prefect_together.tables.extras import library

FORMATS = ("csv", "tsv", "jsonl", "ndjson", "parquet")
_PARQUET_ROWS = 1024
_FIELD = 16 * 1024 * 1024  # the csv module's own limit of 128 KB is below what a prompt column may hold


class BadRow(ValueError):
    """A row that cannot be read; the rows after it can."""


@dataclass(frozen=True)
class Source:
    """Where rows come from: a file that is read anew each time, or a frame or list in memory."""

    what: Any
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return str(self.what) if isinstance(self.what, (str, Path)) else type(self.what).__name__

    def columns(self) -> list[str] | None:
        """Return the names of the columns, or None where every row names its own (JSON lines).

        Raises:
            InvalidRequest: There is no such table, or it is none.
        """
        kind = self._kind()
        if kind in {"csv", "tsv"}:
            with self._text() as file:
                return _header(file, kind, str(self))
        if kind == "parquet":
            with self._open() as file:
                return [str(name) for name in _parquet(file, str(self)).schema_arrow.names]
        return None if kind in {"jsonl", "ndjson", "rows"} else list(_frame(self.what).columns)

    def rows(self) -> Iterator[dict[str, Any] | BadRow]:
        """Yield the rows, a few of them in memory at a time; one that cannot be read comes as the error that says why."""
        kind = self._kind()
        if kind in {"csv", "tsv"}:
            with self._text() as file:
                yield from _separated(file, _header(file, kind, str(self)), kind)
        elif kind in {"jsonl", "ndjson"}:
            with self._text() as file:
                yield from _json_lines(file)
        elif kind == "parquet":
            with self._open() as file:
                for batch in _parquet(file, str(self)).iter_batches(_PARQUET_ROWS):
                    yield from batch.to_pylist()
        elif kind == "rows":
            for row in cast("Sequence[Any]", self.what):
                bad = BadRow(f"a row is a mapping, and this is {type(row).__name__}")
                yield dict(cast("Mapping[str, Any]", row)) if isinstance(row, Mapping) else bad
        else:
            yield from _frame(self.what).iter_rows(named=True)

    def __len__(self) -> int:
        """Count the rows; a file is read for it."""
        kind = self._kind()
        if kind == "rows":
            return len(self.what)
        if kind == "frame":
            return len(_frame(self.what))
        if kind == "parquet":
            with self._open() as file:
                return int(_parquet(file, str(self)).metadata.num_rows)
        return sum(1 for _ in self.rows())

    def _kind(self) -> str:
        if isinstance(self.what, (str, Path)):
            ending = str(self.what).split("?", 1)[0].rpartition(".")[2].lower()
            if ending not in FORMATS:
                raise InvalidRequest(f"{self.what} is no table: its name should end in .{', .'.join(FORMATS)}.")
            return ending
        return "rows" if isinstance(self.what, (list, tuple)) else "frame"

    def _open(self) -> BinaryIO:
        name = str(self.what)
        path = local_folder(name)
        try:
            if path is not None:
                return path.open("rb")
            storage, key = locate(name)
            if self.options:
                folder, _, key = name.rpartition("/")
                storage = Storage(folder, self.options)
            return storage.open(key)
        except FileNotFoundError:
            raise InvalidRequest(f"There is no table {name!r}.") from None
        except OSError as error:
            raise InvalidRequest(f"The table {name!r} cannot be read: {error.strerror or error}.") from None

    def _text(self) -> io.TextIOWrapper:
        # The mark that Excel puts in front is not part of a column's name; a byte that is no UTF-8 spoils one row only.
        return io.TextIOWrapper(self._open(), encoding="utf-8-sig", errors="surrogateescape", newline="")


def _header(file: io.TextIOWrapper, kind: str, name: str) -> list[str]:
    csv.field_size_limit(_FIELD)
    reader = csv.reader(_clean(file), delimiter="\t" if kind == "tsv" else ",")
    names = next(reader, list[str]())
    names = [column.strip() for column in names]
    if not any(names):
        raise InvalidRequest(f"The table {name} is empty: its first line should name the columns.")
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise InvalidRequest(f"The table {name} has two columns {twice[0]!r}.")
    return names


def _separated(file: io.TextIOWrapper, names: list[str], kind: str) -> Iterator[dict[str, Any] | BadRow]:
    """Read the rows below the header, which has been read from the same file."""
    # What spreadsheets write as TSV is quoted; what other programs write may hold single quotation marks inside a cell,
    # which the csv module takes as they are.
    reader = csv.reader(_clean(file), delimiter="\t" if kind == "tsv" else ",")
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(f"it cannot be read: {error}")
            continue
        if not cells:
            continue  # an empty line
        if len(cells) > len(names):
            yield BadRow(f"it has {len(cells)} cells for {len(names)} columns")
        else:
            yield dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=True))


def _json_lines(file: io.TextIOWrapper) -> Iterator[dict[str, Any] | BadRow]:
    for line in _clean(file):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            yield BadRow(f"it is not JSON: {error}")
        else:
            yield cast("dict[str, Any]", row) if isinstance(row, dict) else BadRow("it is not a JSON object")


def _clean(file: io.TextIOWrapper) -> Iterator[str]:
    """Make bytes that are no UTF-8 visible instead of failing later, and drop NUL, which no cell can hold."""
    for line in file:
        yield (
            line.replace("\0", "") if line.isascii() else line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        )


def _parquet(file: BinaryIO, name: str) -> Any:
    arrow, parquet = library("pyarrow", "Parquet files"), library("pyarrow.parquet", "Parquet files")
    try:
        return parquet.ParquetFile(file)
    except arrow.ArrowInvalid as error:
        raise InvalidRequest(f"The table {name} is no Parquet file: {str(error).splitlines()[0]}") from None


def _frame(frame: Any) -> Any:
    """Return a frame of any library behind one interface; what is lazy is computed."""
    try:
        found = library("narwhals", "Frames").from_native(frame)
    except TypeError:
        kinds = "a path or URL, a list of mappings, or a pandas, Polars, PyArrow or DuckDB frame"
        raise InvalidRequest(f"This {type(frame).__name__} is no table: give {kinds}.") from None
    return found.collect() if hasattr(found, "collect") else found
