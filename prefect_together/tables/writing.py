"""Writes tables: CSV, TSV and JSON lines row by row, Parquet and frames through pyarrow. Knows nothing of batches."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from prefect_together.errors import InvalidRequest
from prefect_together.storage import Storage, local_folder
from prefect_together.tables.extras import library
from prefect_together.tables.reading import FORMATS

_CHUNK = 1024 * 1024
_FINEST = Decimal("0.000001")


def frame(records: list[dict[str, Any]]) -> Any:
    """Return records as a narwhals DataFrame.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    return library("narwhals", "Frames").from_native(_arrow(records), eager_only=True)


def write(path: str | Path, records: Iterable[dict[str, Any]]) -> str:
    """Write records to a path or an object-store URL, whole or not at all, and return where they are.

    Raises:
        InvalidRequest: Its ending is of no format that we write.
        LibraryError: It cannot be written.
    """
    name = str(path)
    kind = name.rpartition(".")[2].lower()
    if kind not in FORMATS:
        raise InvalidRequest(f"{name} is no table: its name should end in .{', .'.join(FORMATS)}.")
    with tempfile.TemporaryFile() as file:
        if kind == "parquet":
            _parquet(file, records)
        elif kind in {"jsonl", "ndjson"}:
            file.writelines(_json(record) for record in records)
        else:
            _separated(file, records, "\t" if kind == "tsv" else ",")
        file.seek(0)
        local = local_folder(name)
        if local is not None:
            return _copy(file, local).as_uri()
        folder, _, key = name.rpartition("/")
        Storage(folder).put_file(key, file)
        return name


def _copy(file: BinaryIO, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as copy:
        while chunk := file.read(_CHUNK):
            copy.write(chunk)
    return partial.replace(path)


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, ensure_ascii=False, default=str) + "\n").encode()


def _separated(file: BinaryIO, records: Iterable[dict[str, Any]], delimiter: str) -> None:
    """Write records below one header. Those with other columns than the first make a second pass necessary."""
    with tempfile.TemporaryFile() as spool:
        names: dict[str, None] = {}
        for record in records:
            names.update(dict.fromkeys(record))
            spool.write(_json(record))
        spool.seek(0)
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(names), delimiter=delimiter, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(json.loads(line) for line in spool)
        text.flush()
        text.detach()


def _parquet(file: BinaryIO, records: Iterable[dict[str, Any]]) -> None:
    # The columns' types are known only when all rows are: one that is empty in the first thousand rows may hold text later.
    table = _arrow(list(records))
    library("pyarrow.parquet", "Parquet files").write_table(table, file)


def _arrow(records: list[dict[str, Any]]) -> Any:
    arrow = library("pyarrow", "Parquet files")
    names = list(dict.fromkeys(name for record in records for name in record))
    return arrow.table({name: _array(arrow, name, [record.get(name) for record in records]) for name in names})


def _array(arrow: Any, name: str, values: list[Any]) -> Any:
    if kind := _TYPES.get(name):
        try:
            if kind == "money":
                values = [value if value is None else Decimal(value).quantize(_FINEST) for value in values]
                return arrow.array(values, type=arrow.decimal128(18, 6))
            return arrow.array(values, type=getattr(arrow, kind)())
        except (arrow.ArrowInvalid, arrow.ArrowTypeError, ArithmeticError, TypeError, ValueError):
            pass  # a column of the table's own with our name
    try:
        return arrow.array(values)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError):  # text beside numbers: all of it becomes text
        return arrow.array([None if value is None else str(value) for value in values])


_TYPES = {
    "status": "string", "uri": "string", "sha256": "string", "media_type": "string", "size": "int64", "width": "int64",
    "height": "int64", "model": "string", "seed": "int64", "cost": "money", "estimated_cost": "money",
    "seconds_taken": "float64", "reused": "bool_", "error": "string", "job_id": "string", "more_uris": "string",
}  # fmt: skip
"""Types of our own columns, which may be empty in all rows."""
