"""Writes tables: CSV, TSV, JSON lines and Parquet, a part of it in memory at a time. Knows nothing of batches."""

from __future__ import annotations

import csv
import io
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from prefect_together._internal.json import compact, read
from prefect_together._internal.optional import library
from prefect_together._internal.process import unique_token
from prefect_together.batch.table_reader import FORMATS
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.storage.addresses import local_folder
from prefect_together.storage.storage import locate

_CHUNK = 1024 * 1024
_ROWS = 4096
"""Rows that are in memory at once, and in one row group of a Parquet file."""
_FINEST = Decimal("0.000001")


def frame(records: Iterable[dict[str, Any]], types: Mapping[str, str]) -> Any:
    """Return records as a narwhals DataFrame.

    Args:
        records: The rows.
        types: Types of columns that may be empty in all rows; all columns, where there are no rows.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    narwhals = library("narwhals", "Frames")
    with closing(_Spool(records, types)) as spool:
        columns = _Columns(spool)
        table = columns.arrow.Table.from_batches(columns.batches(), schema=columns.schema())
    return narwhals.from_native(table, eager_only=True)


def write(
    path: str | Path,
    records: Iterable[dict[str, Any]],
    types: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
) -> str:
    """Write records to a path or an object-store URL, whole or not at all, and return where they are.

    Args:
        path: Where; its ending says in which format.
        records: The rows.
        types: Types of columns that may be empty in all rows; all columns, where there are no rows.
        options: Settings of the object store.

    Raises:
        InvalidRequest: Its ending is of no format that we write.
        LibraryError: It cannot be written.
    """
    name = str(path)
    kind = name.rpartition(".")[2].lower()
    if kind not in FORMATS:
        raise InvalidRequest(f"{name} is no table: its name should end in .{', .'.join(FORMATS)}.")
    with tempfile.TemporaryFile() as file, closing(_Spool(records, types)) as spool:
        if kind == "parquet":
            _parquet(file, _Columns(spool))
        elif kind in {"jsonl", "ndjson"}:
            file.writelines(spool.lines())
        else:
            _separated(file, spool, "\t" if kind == "tsv" else ",")
        file.seek(0)
        local = local_folder(name)
        if local is not None:
            return _copy(file, local).as_uri()
        storage, key = locate(name, options)
        storage.put_file(key, file)
        return name


def _copy(file: BinaryIO, path: Path) -> Path:
    partial = path.with_name(f".{path.name}.{unique_token()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as copy:
            shutil.copyfileobj(file, copy, _CHUNK)
        return partial.replace(path)
    except OSError as error:
        what = f"The table {path} cannot be written: {error.strerror or error}."
        raise LibraryError(what, advice="Check that its folder has room and may be written to.", retryable=True) from error
    finally:
        with suppress(OSError):
            partial.unlink()  # where it did not become the table


class _Spool:
    """Records on this machine's disk: what columns there are, and of what types, is known only when all have been seen."""

    def __init__(self, records: Iterable[dict[str, Any]], types: Mapping[str, str]) -> None:
        self.types = types
        self._file = tempfile.TemporaryFile(buffering=_CHUNK)  # noqa: SIM115 - closed by close()
        names: dict[str, None] = {}
        for record in records:
            names.update(dict.fromkeys(record))
            self._file.write(compact(record) + b"\n")
        self.names = list(names or types)
        """All columns, in the order of their first appearance; our own, where there are no rows."""

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
    writer = csv.DictWriter(text, spool.names, delimiter=delimiter, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(spool.records())
    text.flush()
    text.detach()


def _parquet(file: BinaryIO, columns: _Columns) -> None:
    parquet = library("pyarrow.parquet", "Parquet files")
    with parquet.ParquetWriter(file, columns.schema()) as writer:
        for batch in columns.batches():
            writer.write_batch(batch)


class _Columns:
    """Records as Arrow's columns: one type for each column, found by going through all of it."""

    def __init__(self, spool: _Spool) -> None:
        self.arrow = arrow = library("pyarrow", "Frames and Parquet files")
        self._unfit = (arrow.ArrowInvalid, arrow.ArrowTypeError, ArithmeticError, TypeError, ValueError)
        self._spool = spool
        self._types: dict[str, Any] = {}
        for chunk in spool.chunks():
            for name in spool.names:
                self._learn(name, [record.get(name) for record in chunk])

    def schema(self) -> Any:
        """Return names and types; a column in which nothing stands is one of text."""
        text, nothing = self.arrow.string(), self.arrow.null()
        found = [(name, self._types.get(name, nothing)) for name in self._spool.names]
        return self.arrow.schema([(name, text if kind == nothing else kind) for name, kind in found])

    def batches(self) -> Iterator[Any]:
        """Yield the rows, some at a time."""
        schema = self.schema()
        for chunk in self._spool.chunks():
            arrays = [self._array([record.get(field.name) for record in chunk], field.type) for field in schema]
            yield self.arrow.RecordBatch.from_arrays(arrays, schema=schema)

    def _learn(self, name: str, values: list[Any]) -> None:
        """Find the type of a column, or widen it, by some of its values; where none fits, it is text."""
        before, own = self._types.get(name), self._spool.types.get(name.removeprefix("together_"))
        try:
            kind = self._own(own, values) if before is None and own else None
            kind = kind or (self.arrow.array(values).type if before is None else self._both(before, values))
        except self._unfit:
            kind = self.arrow.string()
        self._types[name] = kind

    def _own(self, own: str, values: list[Any]) -> Any:
        """Return the type of a column of ours, or None where it is one of the table's with our name."""
        arrow = self.arrow
        try:
            if own == "money":
                return self._array(values, arrow.decimal128(18, 6)).type
            # Asked for whole numbers, Arrow cuts off fractions without a word: what is there decides.
            kind, there = getattr(arrow, own)(), arrow.array(values).type
        except self._unfit:
            return None
        return kind if there in {kind, arrow.null()} or (own == "float64" and arrow.types.is_integer(there)) else None

    def _both(self, before: Any, values: list[Any]) -> Any:
        """Return a type for what came before and for these values."""
        arrow = self.arrow
        if arrow.types.is_string(before) or arrow.types.is_decimal(before):
            return self._array(values, before).type
        schemas = [arrow.schema([("", kind)]) for kind in (before, arrow.array(values).type)]
        return arrow.unify_schemas(schemas, promote_options="permissive").field(0).type

    def _array(self, values: list[Any], kind: Any) -> Any:
        """Return values as an array of a type."""
        types = self.arrow.types
        if types.is_string(kind):
            values = [value if value is None or isinstance(value, str) else str(value) for value in values]
        elif types.is_decimal(kind):
            values = [value if value is None else Decimal(str(value)).quantize(_FINEST) for value in values]
        elif types.is_floating(kind):  # beside fractions, whole numbers may be rounded
            values = [float(value) if isinstance(value, int) else value for value in values]
        return self.arrow.array(values, type=kind)
