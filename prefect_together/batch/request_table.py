"""Turns the rows of a table into requests: by column name, by template, by constant. A bad row stops no other."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from prefect_together._internal.notebook_view import Rows, ShownInNotebooks, View
from prefect_together._internal.text import with_article
from prefect_together.batch.binding import Binding, Mapper, nested_fields
from prefect_together.batch.cells import NoText, as_json, is_empty, plain
from prefect_together.batch.column_names import alike
from prefect_together.batch.column_readings import ColumnReadings
from prefect_together.batch.row_fields import asked_for, where_wrong
from prefect_together.batch.row_reader import RowReader, digest_of
from prefect_together.batch.table_assets import read_in_a_run
from prefect_together.batch.table_databases import is_database
from prefect_together.batch.table_frames import Framed
from prefect_together.batch.table_reader import Source
from prefect_together.batch.table_schema import TableSchema
from prefect_together.batch.templates import Missing, Reading
from prefect_together.batch.text_formats import BadRow, mended, spoilt
from prefect_together.errors import InvalidRequest
from prefect_together.generations.registry import spec_of
from prefect_together.generations.request import Request

_LISTED = 5  # rows that a notebook shows
_BINDINGS = 64
"""Sets of columns that are remembered."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table, or one request of a list."""

    number: int
    """From 1; the header is not counted."""
    request: Request | None
    error: str | None = None
    """Why there is no request: the row and the column that are wrong."""
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What stands in the table, as plain Python."""


def requests_from_table(
    source: Any,
    *,
    request: type[Request] | None = None,
    type: str | None = None,
    columns: Mapping[str, str] | None = None,
    templates: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    rows: int | None = None,
    query: str | None = None,
    options: Mapping[str, Any] | None = None,
    encoding: str | None = None,
    by_name: bool = True,
) -> RequestTable:
    """Return the requests of a table, one for each row; rows are read when they are needed, and as often as needed.

    A column whose name is that of a field fills it (``Prompt`` fills ``prompt``), unless a template uses the column or
    ``columns`` names another; other columns are carried along. Empty cells leave a field unset, and refuse the row where a
    template needs them. ``filled()`` of the table, and ``plan``, say which column fills which field.

    Cells become text the same way whatever they came in, without the spaces at their edges: ``3``, ``0.5``, ``1.10``,
    ``True``, ``2026-01-31``, ``2026-01-31 12:00:00``. In a column of whole numbers with gaps, of which frames make
    fractions, 3.0 is ``3``; in a column of moments that are all midnight, days are meant.

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
            a pandas, Polars, PyArrow or DuckDB frame; or the SQLAlchemy URL of a database, with a ``query`` or with a table
            behind it (``postgresql://host/shop#products``).
        request: What every row asks for; by default an ``ImageRequest``.
        type: The same by the name of its generation type, such as ``"chat"``.
        columns: The column of a field, where their names differ: ``{"prompt": "Caption"}``; also where two columns would
            fill one field, or a column that a template uses is to fill the field of its name as well.
        templates: The text of a field with columns in braces: ``{"prompt": "a photo of {product}"}``. Parts of nested cells
            are ``{product[name]}``, formats as in ``str.format`` (``{price:.2f}``), braces that are meant ``{{`` and ``}}``.
        constants: The value of a field for all rows; a row's own non-empty cell outranks it.
        rows: How many rows to take, from the first; by default all.
        query: The SQL that a database is asked, once and when its rows are needed first; nothing that it changes is kept.
        options: Settings of the object store in obstore's names, for a URL; left out, those of a library in the same bucket
            that this process has opened, or the store's own environment variables.
        encoding: Of a CSV, TSV or JSON lines file; left out, UTF-8, or UTF-16 where the file says so.
        by_name: Whether a column fills the field of its name. False, where the table came out of another batch, whose
            ``prompt``, ``model`` and ``seed`` are those of its own requests: ``columns`` and ``templates`` alone count.

    Raises:
        InvalidRequest: There is no such table, a field or column that is named does not exist, two columns have one name or
            would fill one field, or ``request`` is of no type that this release knows.
        ConfigurationError: The extra ``tables`` is needed and not installed.
    """
    asked = asked_for(request, type)
    for name, given in (("columns", columns), ("templates", templates), ("constants", constants)):
        if given is not None and not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            found = with_article(given.__class__.__name__)
            raise InvalidRequest(f'{name}= is {found}: give it by field, {name}={{"prompt": …}}.')
    mapper = Mapper(asked, columns or {}, templates or {}, constants or {}, by_name=by_name)
    if query is not None and not is_database(source):
        raise InvalidRequest("query= is for a database: give its SQLAlchemy URL first, such as postgresql://host/shop.")
    found = Source(source, options, encoding, query)
    table = RequestTable(found, mapper, rows)
    table.check()
    read_in_a_run(found.address)
    return table


class RequestTable(ShownInNotebooks, Framed):
    """The requests of a table: iterate over its rows as often as you like. Made by ``requests_from_table``."""

    def __init__(
        self,
        source: Source,
        mapper: Mapper,
        rows: int | None = None,
    ) -> None:
        self.source = source
        self.request = mapper.request
        self.rows = rows
        self._constants = dict(mapper.constants)
        self._mapper = mapper
        self._bindings: dict[tuple[str, ...], Binding | str] = {}
        self._nested = nested_fields(mapper.request)
        self._first: Binding | None = None

    def __repr__(self) -> str:
        return f"RequestTable({str(self.source)!r}, {self.request.__name__})"

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[TableRow]:
        return self.reader().rows(range(1, sys.maxsize))

    def reader(self) -> RowReader[Any, TableRow]:
        """Return what reads rows from any place."""
        reading = ColumnReadings(self.source.values, typed=self.source.typed).text
        return RowReader(lambda: itertools.islice(self.source.rows(), self.rows), partial(self._row, reading))

    def digest(self) -> str:
        """Return a hash of all that its requests are made of: of equal tables, wherever they are, it is equal."""
        return digest_of(itertools.chain([self._mapper.asked(), self.rows], self.source.pieces()))

    @cached_property
    def _length(self) -> int:
        if self.rows is not None and isinstance(self.source.what, (str, Path)):
            return sum(1 for _ in itertools.islice(self.source.rows(), self.rows))
        length = len(self.source)
        return length if self.rows is None else min(length, self.rows)

    def check(self) -> None:
        """Say now what is wrong with all rows alike.

        Raises:
            InvalidRequest: What is asked for is of no type that this release knows, a column that is named does not exist,
                or there is no such table.
        """
        spec_of(self.request)
        there = self.source.columns()
        problem: str | None = None
        for names in [tuple(there)] if there is not None else self._names():
            bound = self._bind(names)
            if isinstance(bound, Binding):
                self._first = bound
                return
            problem = problem or bound
        if problem is not None:
            raise InvalidRequest(problem)

    def filled(self) -> dict[str, list[str]]:
        """Return which columns fill which field; where every row names its own columns, those of the first good row."""
        return self._first.filled() if self._first else {}

    def notes(self) -> list[str]:
        """Return in sentences what a person might not expect of how the columns are used."""
        reserved = self._first.reserved if self._first else dict[str, str]()
        return [
            f"The column {column!r} fills no field of its own, for the template of {name} uses it."
            for column, name in reserved.items()
        ]

    def table_rows(self) -> tuple[Iterator[dict[str, Any]], dict[str, str], TableSchema]:
        """Return the rows as they were read, and the types of their columns."""
        names = {name: None for row in self for name in row.columns} if self.source.columns() is None else {}
        cells = ({name: as_json(plain(cell)) for name, cell in row.columns.items()} for row in self)
        return cells, {}, self.schema(names)

    def notebook_view(self) -> View:
        """Return what a notebook shows: what fills which field, and the first rows."""
        filled = [f"{name} from {' and '.join(columns)}" for name, columns in self.filled().items()]
        rows = [] if self.source.waits else list(itertools.islice(self, _LISTED))
        names = list(dict.fromkeys(name for row in rows for name in row.columns))
        cells = [[*(str(row.columns.get(name, "")) for name in names), row.error or ""] for row in rows]
        wrong = any(row.error for row in rows)
        table = Rows([*names, "why refused"] if wrong else names, cells if wrong else [line[:-1] for line in cells])
        return View(repr(self), filled, tables=[table] if rows else [], notes=self.notes())

    def schema(self, names: Mapping[str, Any], made: Mapping[str, str] | None = None) -> TableSchema:
        """Return the columns of the table, by which a table that comes out has them too.

        Args:
            names: The columns that were seen, for tables whose rows name their own.
            made: The columns that are made, where they depend on what was asked; those of the constants come anyway.
        """
        there = self.source.columns()
        types = self.source.types()
        every = list(types or names) if there is None else there
        spec = spec_of(self.request)
        makes = {**spec.columns_of(self._constants), **(made or {})} if spec.columns_of else {}
        return TableSchema.of(every, types, text=not self.source.typed, kind=spec.kind, made=makes)

    def _names(self) -> Iterator[tuple[str, ...]]:
        """Yield the columns of rows that name their own."""
        for row in itertools.islice(self.source.rows(), self.rows):
            if not isinstance(row, BadRow):
                yield tuple(row)

    def _bind(self, names: tuple[str, ...]) -> Binding | str:
        """Return what fills the fields of rows with these columns, or why nothing does."""
        found = self._bindings.get(names)
        if found is None:
            try:
                found = self._mapper.bind(names, self.source.label)
            except InvalidRequest as error:
                found = str(error)
            if len(self._bindings) >= _BINDINGS:  # rows that all name other columns
                self._bindings.clear()
            self._bindings[names] = found
        return found

    def _row(self, reading: Reading, number: int, cells: dict[str, Any] | BadRow) -> TableRow:
        bad = isinstance(cells, BadRow)
        return TableRow(number, None, f"Row {number}: {cells}.") if bad else self._of_cells(reading, number, cells)

    def _of_cells(self, reading: Reading, number: int, cells: dict[str, Any]) -> TableRow:
        wrong = {column: why for column, cell in cells.items() if isinstance(cell, str) and (why := spoilt(cell))}
        cells |= {column: mended(cells[column]) for column in wrong}
        bound = self._bind(tuple(cells))
        if isinstance(bound, str) and self._first:
            # What a row that names its own columns leaves out is empty in it, as it would be in a table with a header.
            there = {alike(name) for name in cells}
            bound = self._bind((*cells, *(name for name in self._first.used() if alike(name) not in there)))
        if isinstance(bound, str):
            return TableRow(number, None, f"Row {number}: {bound}", cells)
        origin = bound.filled()
        if column := next((column for used in origin.values() for column in used if column in wrong), None):
            return TableRow(number, None, f"Row {number}, column {column!r}: {wrong[column]}.", cells)
        given = dict(self._constants)
        for name, column in bound.columns.items():
            cell = cells.get(column)
            if not is_empty(cell):
                given[name] = self._value(name, column, cell, reading)
        name = ""
        try:
            for name, filler in bound.fillers.items():
                given[name] = filler.fill(cells, reading)
        except Missing as missing:
            return TableRow(number, None, f"Row {number}, column {str(missing)!r}: it is empty, and {name} needs it.", cells)
        except NoText as error:
            return TableRow(number, None, f"Row {number}: the template of {name} cannot be filled: {error}.", cells)
        try:
            return TableRow(number, self.request(**given), None, cells)
        except InvalidRequest as error:
            return TableRow(number, None, where_wrong(number, error, origin), cells)

    def _value(self, name: str, column: str, cell: Any, reading: Reading) -> Any:
        """Return what a cell gives a field: its text, for fields read numbers from it; what is nested, as it is."""
        if isinstance(cell, (list, dict)):
            return plain(cell)
        try:
            text = reading(column, cell)
        except NoText:
            return cell  # such as a generated file: the field knows whether it takes one
        if name in self._nested and text[:1] in "[{":
            try:
                return json.loads(text)  # what is nested stands in tables of text as JSON
            except ValueError:
                return text
        return text
