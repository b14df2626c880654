"""Writes tables: CSV, TSV, JSON lines and Parquet, a part of it in memory at a time. Knows nothing of batches."""

from __future__ import annotations

import csv
import io
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from prefect_together._internal.json import compact, read
from prefect_together._internal.optional import library
from prefect_together.batch.arrow_cells import is_hollow, restored, type_of
from prefect_together.batch.own_rows import FROM_TEXT, OwnRows, arrow_type
from prefect_together.batch.table_assets import TableAsset
from prefect_together.batch.table_databases import Database, is_database
from prefect_together.batch.table_files import check_no_table, format_of, put
from prefect_together.batch.table_replacing import replace
from prefect_together.batch.table_schema import TableSchema

_CHUNK = 1024 * 1024
_ROWS = 4096
"""Rows that are in memory at once, and in one row group of a Parquet file."""
_UNFIT = (ArithmeticError, AttributeError, TypeError, ValueError)


def frame(records: Iterable[dict[str, Any]], types: Mapping[str, str], theirs: TableSchema | None = None) -> Any:
    """Return records as a narwhals DataFrame.

    Args:
        records: The rows.
        types: Types of our columns, which may be empty in all rows.
        theirs: The columns of the table that went in, where that is known.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    narwhals = library("narwhals", "Frames")
    with closing(_Spool(records, types, theirs)) as spool:
        columns = _Columns(spool)
        table = columns.arrow.Table.from_batches(columns.batches(), schema=columns.schema())
    return narwhals.from_native(table, eager_only=True)


def write_table(
    rows: Iterable[Mapping[str, Any]],
    path: str | Path,
    *,
    table: str | None = None,
    columns: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> str:
    """Write rows of one's own as a table, whole or not at all and a part of it in memory at a time; return where it is.

    Example:
        ```python
        from decimal import Decimal

        from prefect_together import write_table

        rows = [{"picture": "fox.png", "score": 7, "cost": Decimal("0.03")}, {"picture": "hen.png", "score": None}]
        write_table(rows, "scores.csv", columns={"picture": str, "score": int, "cost": Decimal})
        ```

    Args:
        rows: What stands in each row, by column; a column that a row has not is empty in it.
        path: A path or object-store URL that ends in .csv, .tsv, .jsonl or .parquet; or the SQLAlchemy URL of a database.
        table: The table of the database, such as ``scores``, or ``reports.scores`` of a schema: what is in it is replaced.
        columns: The types of columns, for Parquet and databases where nothing or nothing telling stands in one: ``str``,
            ``int``, ``float``, ``bool``, ``Decimal`` for money, ``date``, ``datetime``, ``time``, ``timedelta``, ``bytes``,
            and lists such as ``list[str]``.
        options: Settings of the object store in obstore's names, as for ``BatchResult.write_table``.

    Raises:
        InvalidRequest: Its ending is of no format that we write, a type is none of these, or a row is no mapping.
        LibraryError: It cannot be written.
        ConfigurationError: The extra ``tables`` is needed and not installed.
    """
    own = OwnRows(rows, columns)
    return write(path, own.records(), own.types, options, table=table)


def write(
    path: str | Path,
    records: Iterable[dict[str, Any]],
    types: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    theirs: TableSchema | None = None,
    *,
    table: str | None = None,
) -> str:
    """Write records to a path, an object-store URL or a database, whole or not at all, and return where they are.

    Args:
        path: Where; its ending says in which format.
        records: The rows.
        types: Types of our columns, which may be empty in all rows; asked for when all rows have been taken.
        options: Settings of the object store.
        theirs: The columns of the table that went in, where that is known.
        table: The table of a database, where its address does not name it.

    Raises:
        InvalidRequest: Its ending is of no format that we write.
        LibraryError: It cannot be written.
    """
    name, asset = str(path), TableAsset(records)
    if is_database(name):
        with closing(_Spool(asset.records(), types, theirs)) as spool:
            columns = _Columns(spool)
            return asset.written(replace(Database(name, table), columns.schema(), columns.batches()))
    check_no_table(name, table)
    kind = format_of(name)
    with tempfile.TemporaryFile() as file, closing(_Spool(asset.records(), types, theirs)) as spool:
        if kind == "parquet":
            _parquet(file, _Columns(spool))
        elif kind in {"jsonl", "ndjson"}:
            file.writelines(spool.lines())
        else:
            _separated(file, spool, "\t" if kind == "tsv" else ",")
        file.seek(0)
        return asset.written(put(file, name, options))


class _Spool:
    """Records on this machine's disk: what columns there are, and of what types, is known only when all have been seen."""

    def __init__(self, records: Iterable[dict[str, Any]], types: Mapping[str, str], theirs: TableSchema | None) -> None:
        self.types = types
        self.theirs = theirs
        self._file = tempfile.TemporaryFile(buffering=_CHUNK)  # noqa: SIM115 - closed by close()
        names: dict[str, None] = dict.fromkeys(theirs.names if theirs else ())
        seen = False
        try:
            for record in records:
                seen = True
                names.update(dict.fromkeys(record))
                self._file.write(compact(record) + b"\n")
        except BaseException:  # interrupted as well: nobody else has the file to close it
            self._file.close()
            raise
        self.names = list(names if seen and names else dict.fromkeys((*names, *types)))
        """All columns, in the order of their first appearance; the user's and ours, where no row has any."""

    def close(self) -> None:
        """Forget the records."""
        self._file.close()

    def lines(self) -> Iterator[bytes]:
        """Yield the records as JSON."""
        self._file.seek(0)
        yield from self._file

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the records: what is no JSON has become text."""
        return map(read, self.lines())

    def chunks(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the records, some at a time."""
        records = self.records()
        while chunk := list(itertools.islice(records, _ROWS)):
            yield chunk


def _separated(file: BinaryIO, spool: _Spool, delimiter: str) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(spool.names)
    writer.writerows([_cell(record.get(name)) for name in spool.names] for record in spool.records())
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    """Return a value as readers of CSV take it: what is nested as JSON, and true and false as all of them know it."""
    return compact(value).decode() if isinstance(value, (bool, list, dict)) else value


def _parquet(file: BinaryIO, columns: _Columns) -> None:
    parquet = library("pyarrow.parquet", "Parquet files")
    with parquet.ParquetWriter(file, columns.schema()) as writer:
        for batch in columns.batches():
            writer.write_batch(batch)


class _Columns:
    """Records as Arrow's columns: of the types that their table had, else one type for each that holds all of its cells."""

    def __init__(self, spool: _Spool) -> None:
        self.arrow = arrow = library("pyarrow", "Frames and Parquet files")
        self._unfit = (arrow.ArrowInvalid, arrow.ArrowTypeError, arrow.ArrowNotImplementedError, *_UNFIT)
        self._spool = spool
        self._declared: dict[str, Any] = spool.theirs.arrow() if spool.theirs else {}
        self._types: dict[str, Any] = {}
        for chunk in spool.chunks():
            for name in spool.names:
                self._learn(name, [record.get(name) for record in chunk])

    def schema(self) -> Any:
        """Return names and types; a column in which nothing stands, and whose type nobody knows, is one of text."""
        return self.arrow.schema([(name, self._type(name)) for name in self._spool.names])

    def _type(self, name: str) -> Any:
        found = self._types[name] if name in self._types else self._declared.get(name) or self._ours(name)
        untold = (
            found is None
            or (found == self.arrow.null() and name not in self._declared)
            or is_hollow(found, self.arrow.types)
        )
        return self.arrow.string() if untold else found

    def batches(self) -> Iterator[Any]:
        """Yield the rows, some at a time."""
        schema = self.schema()
        for chunk in self._spool.chunks():
            arrays = [self._array([record.get(field.name) for record in chunk], field.type) for field in schema]
            yield self.arrow.RecordBatch.from_arrays(arrays, schema=schema)

    def _learn(self, name: str, values: list[Any]) -> None:
        """Find the type of a column, or widen it, by some of its values; where none fits, it is text."""
        before, declared = self._types.get(name), self._declared.get(name)
        try:
            if declared is not None and before in {None, declared}:
                self._array(values, declared)
                self._types[name] = declared
                return
            kind = self._own(name, values) if before in {None, self._ours(name)} else None
            kind = kind or (type_of(values) if before is None else self._both(before, values))
        except self._unfit:
            kind = self.arrow.string()
        self._types[name] = kind

    def _ours(self, name: str) -> Any:
        """Return the type of a column of ours, or None where it is none."""
        theirs = self._spool.theirs
        own = self._spool.types.get(name if theirs else name.removeprefix("together_"))
        if own is None or (theirs and name in theirs.names):
            return None
        return arrow_type(self.arrow, own)

    def _own(self, name: str, values: list[Any]) -> Any:
        """Return the type of a column of ours, or None where it is one of the table's with our name."""
        kind, types = self._ours(name), self.arrow.types
        if kind is None:
            return None
        if types.is_string(kind) and all(value is None or isinstance(value, str) for value in values):
            return kind
        try:
            if types.is_decimal(kind) or self._spool.types.get(name) in FROM_TEXT:
                return self._array(values, kind).type
            if types.is_floating(kind) and all(value is None or type(value) in {int, float} for value in values):
                return self._array(values, kind).type
            # Asked for whole numbers, Arrow cuts off fractions without a word: what is there decides.
            return kind if type_of(values) in {kind, self.arrow.null()} else None
        except self._unfit:
            return None

    def _both(self, before: Any, values: list[Any]) -> Any:
        """Return a type for what came before and for these values."""
        arrow, types = self.arrow, self.arrow.types
        if types.is_string(before):
            return before
        both = (before, type_of(values))
        whole = [types.is_integer(kind) or types.is_null(kind) or types.is_decimal(kind) for kind in both]
        if any(map(types.is_decimal, both)) and not all(whole):  # fractions, which would be rounded
            raise TypeError
        schemas = [arrow.schema([("", kind)]) for kind in both]
        return arrow.unify_schemas(schemas, promote_options="permissive").field(0).type

    def _array(self, values: list[Any], kind: Any) -> Any:
        """Return values as an array of a type."""
        return self.arrow.array([restored(value, kind, self.arrow.types) for value in values], type=kind)
