"""What stands in a cell, as plain Python, as text and as JSON: the same whatever it came in. Reads nothing."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from prefect_together._internal.json import compact
from prefect_together.generations.validation import unfinished

INVISIBLE = "\ufeff\u200b"
"""Marks that spreadsheets and editors leave at the edges of a text, and nobody sees."""
_PLAIN = frozenset({str, int, bool, type(None), bytes, date, datetime, time, timedelta, Decimal})
_MISSING = frozenset({"NAType", "NaTType"})
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII)
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
"""A number as JSON has it."""
_INEXACT = 1e16
"""From here on fractions are whole, and are written with an exponent."""
_DURATION = TypeAdapter(timedelta)


class NoText(ValueError):
    """A cell that is nothing a text could be made of."""


class Written(float):
    """A number of JSON that knows how it was written: 1.10 is a price."""

    text: str

    def __new__(cls, text: str) -> Written:  # noqa: PYI034 - Self is of Python 3.11
        """Read one."""
        found = super().__new__(cls, text)
        found.text = in_digits(text)
        return found


def plain(value: Any, *, nan: float | None = None) -> Any:
    """Return a cell as plain Python: arrays are lists, what says that nothing is there is None.

    What is none of it, such as a generated file in a row of a list, stays as it is.

    Args:
        value: The cell.
        nan: What comes of a NaN: in pandas and in Python's lists it says that nothing is there, in Arrow's columns it is a
            value beside the gaps.
    """
    kind = cast("type[object]", type(value))
    if kind in _PLAIN:
        return value
    if kind is float:
        return nan if math.isnan(value) else value
    if kind.__name__ in _MISSING:
        return None
    if kind.__module__.partition(".")[0] == "numpy":
        return plain(_from_numpy(value), nan=nan)
    if isinstance(value, Mapping):
        return {str(name): plain(inner, nan=nan) for name, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner, nan=nan) for inner in cast("list[Any]", value)]
    return _of_a_class(value)


def _of_a_class(value: Any) -> Any:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, (PurePath, UUID)):
        return str(value)
    if isinstance(value, datetime):  # pandas has its own; one that counts nanoseconds stays, for Python's would lose them
        exact = getattr(value, "to_pydatetime", None)
        return value if exact is None or getattr(value, "nanosecond", 0) else exact()
    if isinstance(value, timedelta):
        if getattr(value, "nanoseconds", 0):  # pandas' own
            return duration_of(int(cast("Any", value).value))
        exact = getattr(value, "to_pytimedelta", None)
        return exact() if exact else value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(cast("bytes", value))
    return value


def _from_numpy(value: Any) -> Any:
    kind = str(getattr(getattr(value, "dtype", None), "kind", ""))
    if kind not in {"m", "M"}:
        return value.tolist()
    if value.ndim:
        return [_from_numpy(one) for one in value]
    unit = str(value.dtype).partition("[")[2].rstrip("]")
    if kind == "m" and unit in {"", "Y", "M"}:  # years and months have no length, nor what has no unit
        return None if str(value) == "NaT" else str(value)
    coarse = value.astype(f"{kind}8[us]")  # of finer ones numpy makes numbers, as of those that are beyond Python's
    exact = coarse.tolist()
    if exact is None or (not isinstance(exact, int) and coarse == value):
        return exact
    return duration_of(int(value.astype(int))) if kind == "m" and unit == "ns" else str(value).replace("T", " ")


def duration_of(nanoseconds: int) -> str:
    """Return a duration that is finer than Python's, as ISO 8601 writes it."""
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    return f"{'-' if nanoseconds < 0 else ''}PT{seconds}.{fraction:09d}S"


def is_empty(cell: Any) -> bool:
    """Tell whether nothing stands in a plain cell: None, NaN, blank text, or a list or object with nothing in it."""
    if isinstance(cell, str):
        return not trimmed(cell)
    if isinstance(cell, float):
        return math.isnan(cell)
    if isinstance(cell, Decimal):
        return cell.is_nan()
    return cell is None or (isinstance(cell, (list, dict)) and not cell)


def trimmed(text: str) -> str:
    """Return a text without what nobody sees at its edges."""
    return text.strip().strip(INVISIBLE).strip() if text[:1] in INVISIBLE or text[-1:] in INVISIBLE else text.strip()


def text_of(cell: Any) -> str:
    """Return the text of a plain cell that is not empty: dates as 2026-01-31, moments as 2026-01-31 12:00:00.

    Raises:
        NoText: It is an object, or bytes that are no text.
    """
    if isinstance(cell, str):
        return _moment(trimmed(cell))
    if isinstance(cell, datetime):
        return _moment(cell.isoformat(sep=" "))
    if isinstance(cell, (date, time)):
        return _moment(cell.isoformat())
    if isinstance(cell, (float, Decimal)) and math.isinf(cell):
        raise NoText("it holds an infinite number")
    if isinstance(cell, float):
        return cell.text if isinstance(cell, Written) else digits_of(cell)
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, (list, dict)):
        return compact(as_json(plain(cell))).decode()
    if isinstance(cell, bytes):
        return _decoded(cell)
    _check(cell)
    return str(cell)


def in_digits(text: str) -> str:
    """Return a number that is written down without an exponent, and otherwise as it stands.

    From 1e16 on what ends in ``.0`` is a fraction that has no other digits behind its point, and one text whoever wrote it.
    """
    number = float(text)
    fraction = not set(text).isdisjoint("eE") or (text.endswith(".0") and abs(number) >= _INEXACT)
    return digits_of(number) if fraction and math.isfinite(number) else text


def digits_of(number: float) -> str:
    """Return a number without an exponent, which every program writes its own way: 1e16, 1e+16, 1E16."""
    if abs(number) >= _INEXACT:
        return f"{number:.1f}"  # all its digits, as the whole number has them of which a frame made it
    text = repr(number)
    return text if "e" not in text else f"{Decimal(text):f}"


def _decoded(cell: bytes) -> str:
    try:
        return _moment(trimmed(cell.decode()))
    except UnicodeDecodeError:
        raise NoText("it holds bytes that are no text") from None


def _check(cell: Any) -> None:
    kind = cast("type[object]", type(cell))
    if hint := unfinished(cell):
        raise NoText(f"it holds a {kind.__name__}: {hint}")
    if isinstance(cell, BaseModel) or (kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__):
        raise NoText(f"it holds a {kind.__name__}, which is no text")


def _moment(text: str) -> str:
    """Return moments and times of day in one spelling, other texts as they are."""
    if not text[:1].isdigit():
        return text
    if found := _MOMENT.fullmatch(text):
        day, clock, fraction, offset = found.groups("")
        return f"{day} {clock}{_fraction(fraction)}{_offset(offset)}"
    if found := _TIME.fullmatch(text):
        clock, fraction, offset = found.groups("")
        return f"{clock}{_fraction(fraction)}{_offset(offset)}"
    return text


def _offset(written: str) -> str:
    if written in {"Z", "UTC"}:
        return "+00:00"
    return f"{written[:3]}:{written[3:] or '00'}" if written and ":" not in written else written


def _fraction(digits: str) -> str:
    digits = digits.rstrip("0")
    return f".{digits}" if digits else ""


def formatted(text: str, spec: str) -> str:
    """Return the text of a cell as a format specification wants it: numbers as numbers, dates as dates.

    Raises:
        ValueError: It is nothing that can be formatted so.
    """
    if NUMBER.fullmatch(text):
        number = float(text) if set(".eE") & set(text) else int(text)
        if math.isinf(number):
            raise OverflowError(f"{text} is too large")
        return format(int(number) if spec[-1:] == "d" and number == int(number) else number, spec)
    if "%" in spec:
        for read in (date.fromisoformat, datetime.fromisoformat, time.fromisoformat):
            try:
                return format(read(text.replace("Z", "+00:00")), spec)
            except ValueError:  # noqa: PERF203 - there are three
                continue
    return format(text, spec)


def as_json(cell: Any) -> Any:
    """Return a plain cell as it stands in a manifest and in tables of text: bytes as Base64, durations as ISO 8601."""
    if isinstance(cell, (str, int)) or cell is None:
        return cell
    if isinstance(cell, float):
        return float(cell) if math.isfinite(cell) else str(cell)
    if isinstance(cell, bytes):
        return base64.b64encode(cell).decode()
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, timedelta):
        return _DURATION.dump_python(cell, mode="json")
    if isinstance(cell, list):
        return [as_json(inner) for inner in cast("list[Any]", cell)]
    if isinstance(cell, dict):
        return {name: as_json(inner) for name, inner in cast("dict[str, Any]", cell).items()}
    return str(cell)


def row_as_json(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stood in a row as a manifest has it."""
    return {name: as_json(cell) for name, cell in cells.items()}
