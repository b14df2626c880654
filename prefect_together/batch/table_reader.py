"""Reads tables row by row: CSV, TSV, JSON lines and Parquet, here or in an object store, and frames. Makes no requests."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from prefect_together._internal.optional import library
from prefect_together.batch.text_formats import BadRow, decoded, header, json_lines, separated
from prefect_together.errors import InvalidRequest
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.storage import locate

FORMATS = ("csv", "tsv", "jsonl", "ndjson", "parquet")
_PARQUET_ROWS = 1024


@dataclass(frozen=True)
class Source:
    """Where rows come from: a file that is read anew each time, or a frame or list in memory."""

    what: Any
    options: Mapping[str, Any] | None = field(default=None, repr=False)
    """Settings of the object store; secrets among them."""
    encoding: str | None = None
    """Of a text; None where its first bytes tell, or it is UTF-8."""

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
                return header(file, kind, str(self))
        if kind == "parquet":
            with self._open() as file:
                return [str(name) for name in _parquet(file, str(self)).schema_arrow.names]
        if kind in {"jsonl", "ndjson"}:
            with self._text():  # whether it is there, and a text
                return None
        return None if kind == "rows" else list(_frame(self.what).columns)

    def rows(self) -> Iterator[dict[str, Any] | BadRow]:
        """Yield the rows, a few of them in memory at a time; one that cannot be read comes as the error that says why."""
        kind = self._kind()
        if kind in {"csv", "tsv"}:
            with self._text() as file:
                yield from separated(file, header(file, kind, str(self)), kind)
        elif kind in {"jsonl", "ndjson"}:
            with self._text() as file:
                yield from json_lines(file)
        elif kind == "parquet":
            with self._open() as file:
                yield from _batches(_parquet(file, str(self)))
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
            storage, key = locate(name, self.options)
            return storage.open(key)
        except FileNotFoundError:
            raise InvalidRequest(f"There is no table {name!r}.") from None
        except OSError as error:
            raise InvalidRequest(f"The table {name!r} cannot be read: {error.strerror or error}.") from None

    def _text(self) -> io.TextIOWrapper:
        file = self._open()
        try:
            return decoded(file, str(self), self.encoding)
        except BaseException:  # whatever it is, nobody else has the file to close it
            file.close()
            raise


def _parquet(file: BinaryIO, name: str) -> Any:
    arrow, parquet = library("pyarrow", "Parquet files"), library("pyarrow.parquet", "Parquet files")
    try:
        return parquet.ParquetFile(file)
    except arrow.ArrowInvalid as error:
        raise InvalidRequest(f"The table {name} is no Parquet file: {str(error).splitlines()[0]}") from None


def _batches(file: Any) -> Iterator[dict[str, Any] | BadRow]:
    arrow = library("pyarrow", "Parquet files")
    try:
        for batch in file.iter_batches(_PARQUET_ROWS):
            yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        yield BadRow(f"it cannot be read, nor can what comes after it: {str(error).splitlines()[0]}")


def _frame(frame: Any) -> Any:
    """Return a frame of any library behind one interface; what is lazy is computed."""
    try:
        found = library("narwhals", "Frames").from_native(frame)
    except TypeError:
        kinds = "a path or URL, a list of mappings, or a pandas, Polars, PyArrow or DuckDB frame"
        raise InvalidRequest(f"This {type(frame).__name__} is no table: give {kinds}.") from None
    return found.collect() if hasattr(found, "collect") else found
