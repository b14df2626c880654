"""Rows of one's own on their way into a table: cells as JSON has them, and types of columns that JSON has no word for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast

from prefect_together._internal.text import with_article
from prefect_together.batch.arrow_cells import MOST_DIGITS
from prefect_together.batch.cells import plain, row_as_json
from prefect_together.errors import InvalidRequest
from prefect_together.generations.validation import unfinished

DIGITS = {"money": (18, 6), "fine_money": (24, 12)}
"""Digits of amounts of money, and those of them behind the point: a token costs millionths of a cent."""
_LARGE = 10**12
"""From here on a whole number does not fit beside amounts of money."""
FROM_TEXT = frozenset({"date32", "moment", "moment_utc", "time", "duration", "binary", "infinite"})
"""Types whose cells are text in JSON."""
_TYPES: dict[Any, str] = {
    str: "string", int: "int64", float: "float64", bool: "bool_", Decimal: "fine_money",
    date: "date32", datetime: "moment", time: "time", timedelta: "duration", bytes: "binary",
    list[str]: "list_string", list[int]: "list_int64", list[float]: "list_float64", list[bool]: "list_bool_",
}  # fmt: skip
_FRAMES = {"iloc": 'to_dict("records")', "to_pylist": "to_pylist()"}
"""How frames give their rows, by what they have."""
_SEEN: tuple[tuple[type, str], ...] = (
    (bool, "other"), (int, "int"), (datetime, "moment"), (date, "date32"), (time, "time"), (timedelta, "duration"),
    (bytes, "binary"),
)  # fmt: skip
"""What a cell is by its class: the first that fits."""


def arrow_type(arrow: Any, own: str) -> Any:
    """Return Arrow's type of a column by our name for it.

    Args:
        arrow: The module ``pyarrow``.
        own: Such as ``string``, ``fine_money``, ``list_int64``, ``moment_utc`` or ``decimal_4``: digits behind the point.
    """
    made = {
        "moment": lambda: arrow.timestamp("us"),
        "moment_utc": lambda: arrow.timestamp("us", "UTC"),
        "time": lambda: arrow.time64("us"),
        "duration": lambda: arrow.duration("us"),
        "infinite": arrow.float64,
    }
    if own in made:
        return made[own]()
    if own in DIGITS:
        return arrow.decimal128(*DIGITS[own])
    if own.startswith("decimal_"):
        return arrow.decimal128(MOST_DIGITS, int(own.removeprefix("decimal_")))
    if own.startswith("list_"):
        return arrow.list_(getattr(arrow, own.removeprefix("list_"))())
    return getattr(arrow, own)()


class OwnRows:
    """Rows as a spool takes them, of which is known afterwards what types their columns are.

    Args:
        rows: The rows, by column.
        columns: Types of columns, as the user gives them.

    Raises:
        InvalidRequest: A type is none of those that there are, or the rows are none.
    """

    def __init__(self, rows: Any, columns: Mapping[str, Any] | None) -> None:
        if unknown := next((kind for kind in (columns or {}).values() if kind not in _TYPES), None):
            names = ", ".join(kind.__name__ for kind in _TYPES if isinstance(kind, type) and not hasattr(kind, "__args__"))
            raise InvalidRequest(f"A column cannot be of {unknown!r}: give {names}, or a list such as list[str].")
        writes_itself = hasattr(rows, "write_table")
        if hasattr(rows, "columns") and not writes_itself:
            way = next((way for has, way in _FRAMES.items() if hasattr(rows, has)), "rows(named=True)")
            raise InvalidRequest(f"A table is written of rows, such as a list of dicts: of a frame, give frame.{way}.")
        if writes_itself or not hasattr(rows, "__iter__") or isinstance(rows, (str, bytes, dict)):
            own = ": it writes itself, by its write_table(path)" if writes_itself else ""
            given = with_article(type(cast("object", rows)).__name__)
            raise InvalidRequest(f"A table is written of rows, such as a list of dicts, and not of {given}{own}.")
        self._rows = rows
        self.types: dict[str, str] = {name: _TYPES[kind] for name, kind in (columns or {}).items()}
        """Types of columns by our names for them: complete when all rows have been taken."""
        self._seen: dict[str, set[str]] = {}
        self._digits: dict[str, tuple[int, int]] = {}

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows.

        Raises:
            InvalidRequest: One is no mapping.
        """
        for number, row in enumerate(self._rows, 1):
            if not isinstance(row, Mapping):
                found = with_article(type(row).__name__)
                raise InvalidRequest(f"Row {number} is {found}: give a mapping, such as {{'picture': 'fox.png'}}.")
            cells = {str(name): plain(cell) for name, cell in cast("Mapping[Any, Any]", row).items()}
            for name, cell in cells.items():
                if cell is None:
                    continue
                kind = self._kind(name, cell)
                if kind == "other" and not isinstance(cell, (str, bool)) and (hint := unfinished(cell)):
                    raise InvalidRequest(f"Row {number} has a {type(cell).__name__} in {name!r}: {hint}.")
                self._seen.setdefault(name, set()).add(kind)
            yield row_as_json(cells)
        for name, kinds in self._seen.items():
            self._settle(name, kinds)

    def _kind(self, name: str, cell: Any) -> str:
        if isinstance(cell, float):
            return "float" if math.isfinite(cell) else "infinite"
        if isinstance(cell, datetime) and cell.tzinfo:
            return "moment_utc"
        if isinstance(cell, time) and cell.tzinfo:
            return "other"  # Arrow's times have no offset: as text it stays
        if isinstance(cell, Decimal):
            if not cell.is_finite():
                return "other"
            self._count_digits(name, cell)
            return "decimal"
        if isinstance(cell, int) and abs(cell) >= _LARGE:
            self._count_digits(name, Decimal(cell))
        return next((kind for holds, kind in _SEEN if isinstance(cell, holds)), "other")

    def _count_digits(self, name: str, cell: Decimal) -> None:
        before, behind = self._digits.get(name, (0, 0))
        self._digits[name] = max(before, cell.adjusted() + 1), max(behind, -int(cell.as_tuple().exponent))

    def _settle(self, name: str, kinds: set[str]) -> None:
        """Decide on a column: as the user says, unless what is there does not fit in; text, where it is of several types."""
        said = self.types.get(name)
        if "decimal" in kinds and kinds <= {"decimal", "int"} and said in {None, "fine_money"}:
            self.types[name] = self._exact(name)
        elif "infinite" in kinds and kinds <= {"infinite", "float", "int"} and said in {None, "float64"}:
            self.types[name] = "infinite"
        elif len(kinds) == 1 and kinds <= FROM_TEXT and (said is None or {said} | kinds == {"moment", "moment_utc"}):
            self.types[name] = next(iter(kinds))

    def _exact(self, name: str) -> str:
        """Return a type that rounds nothing; the same for all usual amounts, so that a table of a database can stay."""
        before, behind = self._digits[name]
        digits, fine = DIGITS["fine_money"]
        if before <= digits - fine and behind <= fine:
            return "fine_money"
        return f"decimal_{behind}" if before + behind <= MOST_DIGITS else "string"
