"""Reads tables row by row: CSV, TSV, JSON lines and Parquet, here or in an object store, and frames. Makes no requests."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from prefect_together._internal.optional import library
from prefect_together.batch.arrow_cells import kind_of, values
from prefect_together.batch.cells import plain, trimmed
from prefect_together.batch.column_names import cleaned, twice
from prefect_together.batch.frames import Frame
from prefect_together.batch.query_rows import QueryRows
from prefect_together.batch.table_databases import Database, Query, is_database
from prefect_together.batch.text_formats import BadRow, decoded, header, json_lines, separated
from prefect_together.errors import ConfigurationError, InvalidRequest
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.opening import locate

FORMATS = ("csv", "tsv", "jsonl", "ndjson", "parquet")
_PARQUET_ROWS = 1024


@dataclass(frozen=True)
class Source:
    """Where rows come from: a file that is read anew each time, or a frame or list in memory."""

    what: Any = field(repr=False)
    """A path or URL, which may hold a password, a frame, or a list."""
    options: Mapping[str, Any] | None = field(default=None, repr=False)
    """Settings of the object store; secrets among them."""
    encoding: str | None = None
    """Of a text; None where its first bytes tell, or it is UTF-8."""
    query: str | None = field(default=None, repr=False)
    """What a database is asked; None where its address names a table."""

    def __str__(self) -> str:
        if is_database(self.what):
            return str(Database(self.what))
        return str(self.what) if isinstance(self.what, (str, Path)) else type(self.what).__name__

    @property
    def address(self) -> str | None:
        """Where it is, without credentials, as it is called where a table is written; None of what is in memory."""
        if not isinstance(self.what, (str, Path)):
            return None
        local = None if is_database(self.what) else local_folder(str(self.what))
        return local.as_uri() if local else str(self)

    @property
    def label(self) -> str:
        """What a sentence calls it."""
        return f"The table {self}" if isinstance(self.what, (str, Path)) else f"This {self}"

    @property
    def typed(self) -> bool:
        """Whether it tells texts from numbers."""
        return self._kind() not in {"csv", "tsv"}

    @property
    def waits(self) -> bool:
        """Whether its rows have to be asked for first, which may take long."""
        return self._kind() == "sql" and not self._answer.here

    def columns(self) -> list[str] | None:
        """Return the names of the columns, or None where every row names its own (JSON lines, and rows of a list).

        Raises:
            InvalidRequest: There is no such table, or it is none.
        """
        kind = self._kind()
        if kind == "sql":
            return self._answer.names
        if kind in {"csv", "tsv"}:
            with self._text() as file:
                return header(file, kind, str(self))
        if kind == "parquet":
            with self._open() as file:
                return cleaned(_parquet(file, str(self)).schema_arrow.names, self.label)
        if kind in {"jsonl", "ndjson"}:
            with self._text():  # whether it is there, and a text
                return None
        return None if kind == "rows" else self._frame.names

    def rows(self) -> Iterator[dict[str, Any] | BadRow]:
        """Yield the rows, a few of them in memory at a time; one that cannot be read comes as the error that says why."""
        kind = self._kind()
        if kind in {"csv", "tsv"}:
            with self._text() as file:
                yield from separated(file, header(file, kind, str(self)), kind)
        elif kind in {"jsonl", "ndjson"}:
            with self._text() as file:
                yield from map(_named, json_lines(file))
        elif kind == "parquet":
            with self._open() as file:
                yield from _batches(_parquet(file, str(self)), self.label)
        elif kind == "sql":
            yield from self._answer
        elif kind == "rows":
            yield from map(_named, cast("Sequence[Any]", self.what))
        else:
            yield from self._frame.rows()

    def values(self, column: str) -> Iterator[Any]:
        """Yield what stands in a column, row by row; None, where a row has no such column."""
        kind = self._kind()
        if kind in {"frame", "sql"}:
            return (self._frame if kind == "frame" else self._answer).values(column)
        if kind == "parquet":
            return self._parquet_values(column)
        return (row.get(column) for row in self.rows() if not isinstance(row, BadRow))

    def types(self) -> dict[str, Any] | None:
        """Return Arrow's type of each column, or None where the table does not say: in files of text.

        For a list of rows they are those that hold all its cells, where Arrow is installed.
        """
        kind = self._kind()
        if kind == "parquet":
            with self._open() as file:
                schema = _parquet(file, str(self)).schema_arrow
            return dict(zip(cleaned(schema.names, self.label), map(kind_of, schema), strict=True))
        if kind in {"frame", "sql"}:
            return (self._frame if kind == "frame" else self._answer).types()
        return _learnt(row for row in self.rows() if not isinstance(row, BadRow)) if kind == "rows" else None

    def pieces(self) -> Iterator[Any]:
        """Yield all that is in it, in pieces that are equal for equal tables: of a file its bytes, else its rows."""
        yield self._kind(), self.encoding
        if isinstance(self.what, (str, Path)) and not is_database(self.what):
            with self._open() as file:
                yield from iter(partial(file.read, 1024 * 1024), b"")
        else:
            yield from self.rows()

    def __len__(self) -> int:
        """Count the rows; a file is read for it."""
        kind = self._kind()
        if kind == "rows":
            return len(self.what)
        if kind in {"frame", "sql"}:
            return len(self._frame if kind == "frame" else self._answer)
        if kind == "parquet":
            with self._open() as file:
                return int(_parquet(file, str(self)).metadata.num_rows)
        return sum(1 for _ in self.rows())

    def _kind(self) -> str:
        if is_database(self.what):
            return "sql"
        if isinstance(self.what, (str, Path)):
            ending = str(self.what).split("?", 1)[0].rpartition(".")[2].lower()
            if ending not in FORMATS:
                raise InvalidRequest(f"{self.what} is no table: its name should end in .{', .'.join(FORMATS)}.")
            return ending
        return "rows" if isinstance(self.what, (list, tuple)) else "frame"

    @cached_property
    def _answer(self) -> QueryRows:
        return QueryRows(Query(Database(self.what), self.query), self.label)

    @cached_property
    def _frame(self) -> Frame:
        return Frame(self.what)

    def _parquet_values(self, column: str) -> Iterator[Any]:
        with self._open() as file:
            table = _parquet(file, str(self))
            # By its place: the name may have spaces in the file.
            place = cleaned(table.schema_arrow.names, self.label).index(column)
            name = table.schema_arrow.names[place]
            for batch in _read(table, [name]):
                if isinstance(batch, BadRow):
                    return
                yield from values(batch.column(0))

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


def _named(row: Any) -> dict[str, Any] | BadRow:
    """Return a row that names its own columns, under clean names and with plain cells."""
    if isinstance(row, BadRow):
        return row
    if not isinstance(row, Mapping):
        return BadRow(f"a row is a mapping, and this is {type(row).__name__}")
    cells = cast("Mapping[Any, Any]", row)
    given = [str(name) for name in cells]
    names = [trimmed(name) for name in given]
    if len(set(names)) < len(names):
        return BadRow(f"it has {twice(given, names)}")
    return dict(zip(names, map(plain, cells.values()), strict=True))


def _learnt(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    cells: dict[str, list[Any]] = {}
    count = 0
    for count, row in enumerate(rows, 1):
        for name, cell in row.items():
            column = cells.setdefault(name, [])
            column += [None] * (count - 1 - len(column))
            column.append(cell)
    try:
        return {name: kind_of(column) for name, column in cells.items()}
    except ConfigurationError:  # Arrow is not installed, and only Arrow's tables need its types
        return None


def _parquet(file: BinaryIO, name: str) -> Any:
    arrow, parquet = library("pyarrow", "Parquet files"), library("pyarrow.parquet", "Parquet files")
    try:
        return parquet.ParquetFile(file)
    except arrow.ArrowInvalid as error:
        raise InvalidRequest(f"The table {name} is no Parquet file: {str(error).splitlines()[0]}") from None


def _read(file: Any, names: list[str] | None) -> Iterator[Any]:
    """Yield the batches of a Parquet file, and a bad row where one cannot be read."""
    arrow = library("pyarrow", "Parquet files")
    try:
        yield from file.iter_batches(_PARQUET_ROWS, columns=names)
    except (arrow.ArrowException, OSError) as error:
        yield BadRow(f"it cannot be read, nor can what comes after it: {str(error).splitlines()[0]}")


def _batches(file: Any, table: str) -> Iterator[dict[str, Any] | BadRow]:
    names = cleaned(file.schema_arrow.names, table)
    for batch in _read(file, None):
        if isinstance(batch, BadRow):
            yield batch
        else:
            yield from (dict(zip(names, row, strict=True)) for row in zip(*map(values, batch.columns), strict=True))
