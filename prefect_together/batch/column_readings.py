"""How the cells of a column read where one cell alone does not tell: whole numbers, yes and no, days. Knows no requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal

from prefect_together.batch.cells import NUMBER, NoText, in_digits, is_empty, plain, text_of

Kind = Literal["whole", "boolean", "days", "numbers"]

_WHOLE = re.compile(r"-?\d+(\.0)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d( 00:00:00)?", re.ASCII)
_MIDNIGHT = " 00:00:00"
_BOOLEANS = {"true": "True", "false": "False"}


class ColumnReadings:
    """Returns the texts of cells.

    Four things are seen only in a whole column, and only where one of its cells gives cause is it gone through, once:
    whole numbers with gaps, of which frames make fractions (3.0 is 3 then); yes and no, which every format writes its own
    way; days, which pandas keeps as moments at midnight; and numbers with an exponent, which in CSV could be names.

    Args:
        values: Returns what stands in a column, row by row.
        typed: Whether the table tells texts from numbers. Where it does not, as in CSV, a text may be either.
    """

    def __init__(self, values: Callable[[str], Iterable[Any]], *, typed: bool) -> None:
        self._values = values
        self._typed = typed
        self._kinds: dict[str, Kind | None] = {}

    def text(self, column: str, cell: Any) -> str:
        """Return the text of a plain cell that is not empty.

        Raises:
            NoText: It is nothing a text could be made of.
        """
        text = text_of(cell)
        if not self._could_be(text, cell):
            return text
        if column not in self._kinds:
            self._kinds[column] = self._found(column)
        kind = self._kinds[column]
        if kind == "whole":
            return _in_digits(text, cell).removesuffix(".0")
        if kind == "numbers":
            return _in_digits(text, cell)
        if kind == "boolean":
            return _BOOLEANS.get(text.lower(), text)
        return text.removesuffix(_MIDNIGHT) if kind == "days" else text

    def _could_be(self, text: str, cell: Any) -> bool:
        """Tell whether the text of a cell depends on its column."""
        if text.endswith(_MIDNIGHT):
            return True
        if self._typed:
            return isinstance(cell, (float, Decimal)) and text.endswith(".0")
        return text.endswith(".0") or text.lower() in _BOOLEANS or _in_digits(text, cell) != text

    def _found(self, column: str) -> Kind | None:
        kinds: dict[Kind, bool] = {"whole": True, "boolean": True, "days": True, "numbers": True}
        gaps = False
        for value in self._values(column):
            cell = plain(value)
            if is_empty(cell):
                gaps = True
                continue
            try:
                text = text_of(cell)
            except NoText:
                return None
            a_text = self._typed and isinstance(cell, str)
            kinds["whole"] &= not a_text and _WHOLE.fullmatch(_in_digits(text, cell)) is not None
            kinds["boolean"] &= not a_text and text.lower() in _BOOLEANS
            kinds["days"] &= _DAY.fullmatch(text) is not None
            kinds["numbers"] &= not a_text and NUMBER.fullmatch(text) is not None
            if not any(kinds.values()):
                return None
        kinds["whole"] &= gaps
        return next((kind for kind, holds in kinds.items() if holds), None)


def _in_digits(text: str, cell: Any) -> str:
    """Return a number without an exponent; one that is exact is none of a fraction's, and stays as it is."""
    return in_digits(text) if NUMBER.fullmatch(text) and not isinstance(cell, Decimal) else text
