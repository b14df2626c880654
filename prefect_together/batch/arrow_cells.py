"""Between Arrow's columns and plain cells: values out of columns, and what a manifest says of them back into columns."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from typing import Any, cast

from pydantic import TypeAdapter

from prefect_together._internal.json import compact
from prefect_together._internal.optional import library
from prefect_together.batch.cells import duration_of, plain

MOST_DIGITS = 38
"""Digits of an exact number that Parquet and all databases keep; with more of them it stays text."""
_ROWS = 1024
"""Rows whose cells are Python's objects at once."""
_DURATION = TypeAdapter(timedelta)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EXACT = Context(prec=100)
_FRACTION = re.compile(r"\.(\d{7,9})")
_OFFSET = re.compile(r"([+-]\d\d)(\d\d)$")  # as Arrow writes it, and Python 3.10 does not read it


def batches(columns: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Yield rows of columns, which are Arrow's or lists."""
    for start in range(0, count, _ROWS):
        cells = [values(column[start : start + _ROWS]) for column in columns.values()]
        yield from (dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True))


def values(column: Any) -> list[Any]:
    """Return the cells of a column, Arrow's or a list, as plain Python; Arrow's NaN, which is no gap, stays one."""
    if isinstance(column, list):
        return cast("list[Any]", column)
    arrow = library("pyarrow", "Frames and Parquet files")
    types, kind = arrow.types, column.type
    if types.is_float32(kind) or types.is_float16(kind):
        # 0.1 in 32 bits is 0.1, as every library shows it, and not the 0.10000000149011612 that 64 bits make of it.
        return [None if text is None else float(text) for text in column.cast(arrow.string()).to_pylist()]
    if (types.is_temporal(kind) or types.is_duration(kind)) and getattr(kind, "unit", "") == "ns":
        column = _microseconds(column, arrow)
    return [plain(value, nan=math.nan) for value in column.to_pylist()]


def _microseconds(column: Any, arrow: Any) -> Any:
    """Return moments, times or durations of nanoseconds as those that Python has, or as text where that would lose some."""
    kind, types = column.type, arrow.types
    coarse = arrow.timestamp("us", kind.tz) if types.is_timestamp(kind) else arrow.time64("us")
    try:
        return column.cast(arrow.duration("us") if types.is_duration(kind) else coarse)
    except arrow.ArrowInvalid:
        if types.is_duration(kind):
            numbers = column.cast(arrow.int64()).to_pylist()
            return arrow.array([None if number is None else duration_of(number) for number in numbers], arrow.string())
        return column.cast(arrow.string())


def kind_of(column: Any) -> Any:
    """Return Arrow's type of a column, its own or the one that holds all cells of a list; text, where none does."""
    arrow = library("pyarrow", "Frames and Parquet files")
    if not isinstance(column, list):
        kind = column.type
        return kind.storage_type if isinstance(kind, arrow.BaseExtensionType) else kind
    try:
        found = type_of(cast("list[Any]", column))
    except (arrow.ArrowException, ArithmeticError, TypeError, ValueError):
        return arrow.string()
    return arrow.string() if found == arrow.null() or is_hollow(found, arrow.types) else found


def type_of(cells: list[Any]) -> Any:
    """Return Arrow's type of cells; for whole numbers beyond 64 bits that of exact numbers, which holds 38 digits.

    Raises:
        OverflowError, TypeError, ArrowException: No type holds them all exactly.
    """
    arrow = library("pyarrow", "Frames and Parquet files")
    if any(isinstance(cell, time) and cell.tzinfo for cell in cells):
        raise TypeError("Arrow's times have no offset, and it would drop that of these")
    try:
        return arrow.array(cells).type
    except (OverflowError, arrow.ArrowInvalid):
        if all(cell is None or (type(cell) is int and abs(cell) < 10**MOST_DIGITS) for cell in cells):
            return arrow.decimal128(MOST_DIGITS, 0)
        raise


def is_hollow(kind: Any, types: Any) -> bool:
    """Tell whether there is an object without a field in a type, which Parquet has not: what holds one is JSON as text."""
    if types.is_struct(kind):
        return not kind.num_fields or any(is_hollow(kind.field(place).type, types) for place in range(kind.num_fields))
    return types.is_nested(kind) and hasattr(kind, "value_type") and is_hollow(kind.value_type, types)


def narrowed_schema(schema: Any) -> Any:
    """Return a schema without numbers of 256 bits, which Polars and DuckDB have not: text, where 38 digits are too few."""
    arrow = library("pyarrow", "Frames and Parquet files")
    return arrow.schema([field.with_type(_narrowed(field.type, arrow)) for field in schema])


def _narrowed(kind: Any, arrow: Any) -> Any:
    types = arrow.types
    if types.is_decimal256(kind):
        fits = kind.precision <= MOST_DIGITS
        return arrow.decimal128(kind.precision, kind.scale) if fits else arrow.string()
    if types.is_struct(kind):
        inner = [kind.field(place) for place in range(kind.num_fields)]
        return arrow.struct([field.with_type(_narrowed(field.type, arrow)) for field in inner])
    if types.is_map(kind):
        return arrow.map_(_narrowed(kind.key_type, arrow), _narrowed(kind.item_type, arrow))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        value = kind.value_field.with_type(_narrowed(kind.value_type, arrow))
        if types.is_fixed_size_list(kind):
            return arrow.list_(value, kind.list_size)
        return arrow.large_list(value) if types.is_large_list(kind) else arrow.list_(value)
    return kind


def restored(value: Any, kind: Any, types: Any) -> Any:
    """Return what Arrow takes for a cell of a type, made of what stands in a manifest.

    Args:
        value: What stands there.
        kind: Arrow's type of the column.
        types: The module ``pyarrow.types``.

    Raises:
        ValueError: It is none of that type.
    """
    if value is None:
        return None
    for holds, read in _READERS:
        if getattr(types, holds, _never)(kind):
            return read(value, kind, types)
    return value


def _never(kind: Any) -> bool:  # noqa: ARG001 - an older Arrow has not all types
    return False


def _text(value: Any, kind: Any, types: Any) -> Any:  # noqa: ARG001
    if isinstance(value, str):
        return value
    return compact(value).decode() if isinstance(value, (list, dict)) else str(value)


def _bytes(value: Any, kind: Any, types: Any) -> Any:  # noqa: ARG001
    return base64.b64decode(value, validate=True)


def _fine(value: str) -> tuple[str, int]:
    """Return a text without a fraction of a second that is finer than Python's, and the nanoseconds of that fraction."""
    found = _FRACTION.search(value)
    return _FRACTION.sub("", value), int(found[1].ljust(9, "0")) if found else 0


def _units(since: timedelta, nanoseconds: int, kind: Any) -> int:
    microseconds = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    return (microseconds * 1000 + nanoseconds) // _NANOSECONDS[kind.unit]


def _moment(value: Any, kind: Any, types: Any) -> Any:  # noqa: ARG001
    coarse, nanoseconds = _fine(value)
    read = datetime.fromisoformat(_OFFSET.sub(r"\1:\2", coarse.replace("Z", "+00:00")))
    return _units((read if read.tzinfo else read.replace(tzinfo=timezone.utc)) - _EPOCH, nanoseconds, kind)


def _time(value: Any, kind: Any, types: Any) -> Any:  # noqa: ARG001
    coarse, nanoseconds = _fine(value)
    return _units(datetime.combine(_EPOCH, time.fromisoformat(coarse), timezone.utc) - _EPOCH, nanoseconds, kind)


def _duration(value: Any, kind: Any, types: Any) -> Any:  # noqa: ARG001
    coarse, nanoseconds = _fine(value)
    return _units(_DURATION.validate_python(coarse), -nanoseconds if value.startswith("-") else nanoseconds, kind)


def _list(value: Any, kind: Any, types: Any) -> Any:
    return [restored(inner, kind.value_type, types) for inner in value]


def _struct(value: Any, kind: Any, types: Any) -> Any:
    fields = [kind.field(place) for place in range(kind.num_fields)]
    return {field.name: restored(value.get(field.name), field.type, types) for field in fields}


def _map(value: Any, kind: Any, types: Any) -> Any:
    return [(restored(key, kind.key_type, types), restored(inner, kind.item_type, types)) for key, inner in value]


_READERS: tuple[tuple[str, Callable[[Any, Any, Any], Any]], ...] = (
    ("is_string", _text),
    ("is_large_string", _text),
    ("is_string_view", _text),
    ("is_timestamp", _moment),
    ("is_date", lambda value, _, __: date.fromisoformat(str(value)[:10])),
    ("is_time", _time),
    ("is_duration", _duration),
    ("is_decimal", lambda value, kind, _: Decimal(str(value)).quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)),
    ("is_floating", lambda value, _, __: float(value)),
    ("is_binary", _bytes),
    ("is_large_binary", _bytes),
    ("is_fixed_size_binary", _bytes),
    ("is_binary_view", _bytes),
    ("is_map", _map),
    ("is_list", _list),
    ("is_large_list", _list),
    ("is_fixed_size_list", _list),
    ("is_list_view", _list),
    ("is_large_list_view", _list),
    ("is_struct", _struct),
    ("is_dictionary", lambda value, kind, types: restored(value, kind.value_type, types)),
)
"""By the question that tells a type of Arrow's, what reads a cell of it."""
