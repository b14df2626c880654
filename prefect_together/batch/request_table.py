"""Turns the rows of a table into requests: by column name, by template, by constant. A bad row stops no other."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prefect_together.batch.table_reader import Source
from prefect_together.batch.text_formats import BadRow, mended, spoilt
from prefect_together.errors import InvalidRequest
from prefect_together.generations.registry import default_spec, spec_of
from prefect_together.generations.request import Request


@dataclass(frozen=True)
class TableRow:
    """One row of a table, or one request of a list."""

    number: int
    """From 1; the header is not counted."""
    request: Request | None
    error: str | None = None
    """Why there is no request: the row and the column that are wrong."""
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What stands in the table."""


def requests_from_table(
    source: Any,
    *,
    request: type[Request] | None = None,
    columns: Mapping[str, str] | None = None,
    templates: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    rows: int | None = None,
    options: Mapping[str, Any] | None = None,
    encoding: str | None = None,
) -> RequestTable:
    """Return the requests of a table, one for each row; rows are read when they are needed, and as often as needed.

    A column whose name is that of a field fills it (``Prompt`` fills ``prompt``); other columns are carried along. Empty
    cells leave a field unset.

    Example:
        ```python
        from prefect_together import requests_from_table

        table = requests_from_table(
            [{"product": "teapot", "style": "watercolour"}, {"product": "lamp", "style": "ink"}],
            templates={"prompt": "a photo of {product}, {style}"},
            constants={"model": "black-forest-labs/FLUX.2-pro", "seed": 7},
        )
        ```

    Args:
        source: A path or object-store URL that ends in ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``; a list of mappings;
            or a pandas, Polars, PyArrow or DuckDB frame.
        request: What every row asks for; by default an ``ImageRequest``.
        columns: The column of a field, where their names differ: ``{"prompt": "Caption"}``.
        templates: The text of a field with columns in braces: ``{"prompt": "a photo of {product}"}``.
        constants: The value of a field for all rows; a row's own non-empty cell outranks it.
        rows: How many rows to take, from the first; by default all.
        options: Settings of the object store in obstore's names, for a URL; left out, those of a library in the same bucket
            that this process has opened, or the store's own environment variables.
        encoding: Of a CSV, TSV or JSON lines file; left out, UTF-8, or UTF-16 where the file says so.

    Raises:
        InvalidRequest: There is no such table, a field or column that is named does not exist, or ``request`` is of no type
            that this release knows.
        ConfigurationError: The extra ``tables`` is needed and not installed.
    """
    table = RequestTable(
        Source(source, options, encoding),
        request or default_spec().request,
        {name: columns[name] for name in columns} if columns else {},
        dict(templates or {}),
        dict(constants or {}),
        rows,
    )
    table.check()
    return table


class RequestTable:
    """The requests of a table: iterate over its rows as often as you like. Made by ``requests_from_table``."""

    def __init__(
        self,
        source: Source,
        request: type[Request],
        columns: dict[str, str],
        templates: dict[str, str],
        constants: dict[str, Any],
        rows: int | None = None,
    ) -> None:
        self.source = source
        self.request = request
        self.columns = columns
        self.templates = templates
        self.constants = constants
        self.rows = rows

    def __repr__(self) -> str:
        return f"RequestTable({str(self.source)!r}, {self.request.__name__})"

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[TableRow]:
        names = {name.lower(): name for name in self.request.model_fields if name != "extra"}
        for number, cells in enumerate(itertools.islice(self.source.rows(), self.rows), 1):
            if isinstance(cells, BadRow):
                yield TableRow(number, None, f"Row {number}: {cells}.")
            else:
                yield self._row(number, {str(name): cell for name, cell in cells.items()}, names)

    @cached_property
    def _length(self) -> int:
        if self.rows is not None and isinstance(self.source.what, (str, Path)):
            return sum(1 for _ in itertools.islice(self.source.rows(), self.rows))
        length = len(self.source)
        return length if self.rows is None else min(length, self.rows)

    def check(self) -> None:
        """Say now what is wrong with all rows alike.

        Raises:
            InvalidRequest: What is asked for is of no type that this release knows, a field or column that is named does
                not exist, or there is no such table.
        """
        spec_of(self.request)
        fields = self.request.model_fields
        for name in (*self.columns, *self.templates, *self.constants):
            if name not in fields:
                raise InvalidRequest(f"{self.request.__name__} has no field {name!r}: it has {', '.join(fields)}.")
        there = self.source.columns()
        used = [column for template in self.templates.values() for column in _used(template)]
        if there is None:
            return
        wanted = [*self.columns.values(), *used]
        for column in wanted:
            if column not in there:
                raise InvalidRequest(f"{self.source} has no column {column!r}: it has {', '.join(there)}.")
        filled = {*self.columns, *self.templates, *self.constants, *(column.lower() for column in there)}
        for name, about in fields.items():
            if about.is_required() and name not in filled:
                raise InvalidRequest(
                    f"{self.source} has no column for {name}, which every {self.request.__name__} needs: it has "
                    f"{', '.join(there)}. Name one in columns=, or give a template or a constant."
                )

    def _row(self, number: int, cells: dict[str, Any], names: dict[str, str]) -> TableRow:
        given, origin = dict(self.constants), dict[str, list[str]]()
        wrong = {column: why for column, cell in cells.items() if isinstance(cell, str) and (why := spoilt(cell))}
        cells |= {column: mended(cells[column]) for column in wrong}
        mapped = set(self.columns.values())
        for column, cell in cells.items():
            name = names.get(column.strip().lower())
            if name and column not in mapped and name not in self.columns and name not in self.templates:
                origin[name] = [column]
                _put(given, name, cell)
        for name, column in self.columns.items():
            if column not in cells:
                return TableRow(number, None, f"Row {number} has no column {column!r}.", cells)
            origin[name] = [column]
            _put(given, name, cells[column])
        for name, template in self.templates.items():
            used = origin[name] = _used(template)
            if empty := [column for column in used if _empty(cells.get(column))]:
                return TableRow(number, None, f"Row {number}, column {empty[0]!r}: it is empty, and {name} needs it.", cells)
            try:
                given[name] = template.format_map(cells)
            except (ValueError, LookupError, AttributeError) as error:
                return TableRow(number, None, f"Row {number}: the template of {name} cannot be filled: {error}.", cells)
        if column := next((column for used in origin.values() for column in used if column in wrong), None):
            return TableRow(number, None, f"Row {number}, column {column!r}: {wrong[column]}.", cells)
        try:
            return TableRow(number, self.request(**given), None, cells)
        except InvalidRequest as error:
            return TableRow(number, None, _where(number, error, origin), cells)


def _put(given: dict[str, Any], name: str, cell: Any) -> None:
    if not _empty(cell):
        # Frames hold whole numbers of a column with gaps as floats; text cells are read by the field.
        given[name] = int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def _empty(cell: Any) -> bool:
    """Tell whether nothing stands in a cell: None, NaN, NaT or blank text."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return True
    return not cell.strip() if isinstance(cell, str) else type(cell).__name__ in {"NAType", "NaTType"}


def _used(template: str) -> list[str]:
    """Return the columns that a template names.

    Raises:
        InvalidRequest: It is no template.
    """
    try:
        return [name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name]
    except ValueError as error:
        raise InvalidRequest(f"The template {template!r} cannot be read: {error}.") from None


def _where(number: int, error: InvalidRequest, origin: dict[str, list[str]]) -> str:
    """Return an error with the row and the column that it comes from."""
    cause = error.__context__
    wrong = [str(found["loc"][0]) for found in cause.errors() if found["loc"]] if isinstance(cause, ValidationError) else []
    column = next((", ".join(origin[name]) for name in wrong if name in origin), None)
    missing = next((name for name in wrong if name not in origin), None)
    place = f", column {column!r}" if column else f", field {missing!r}" if missing else ""
    return f"Row {number}{place}: {error}"
