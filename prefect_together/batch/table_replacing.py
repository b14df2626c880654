"""Replaces a table of a database by rows, whole or not at all: its columns are of the types that Arrow knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prefect_together._internal.optional import library
from prefect_together._internal.tokens import unique_token
from prefect_together.batch.arrow_cells import narrowed_schema
from prefect_together.batch.cells import as_json, plain
from prefect_together.batch.table_databases import Database, TableName
from prefect_together.errors import InvalidRequest

WRITTEN = frozenset({"postgresql", "sqlite", "duckdb"})
"""Databases that make and remove tables within a transaction."""


def check(database: Database) -> None:
    """Refuse a database in which no table could be made: one is made, and undone.

    Raises:
        InvalidRequest: No table is named, or it is of no kind that is written.
        LibraryError: It cannot be written.
        ConfigurationError: The extra ``sql``, or its driver, is not installed.
    """
    schema = _expect(database).schema
    sql = library("sqlalchemy", "Databases", extra="sql")
    fresh = database.missing
    with database.connected(writes=True) as connection:
        probe = sql.Table(f"probe_{unique_token()[:16]}", sql.MetaData(), sql.Column("a", sql.Integer), schema=schema)
        probe.create(connection)
        probe.drop(connection)
    if fresh:
        fresh.unlink(missing_ok=True)


def replace(database: Database, schema: Any, batches: Iterable[Any]) -> str:
    """Replace a table by rows, or make it, in one transaction; return the address that may be shown.

    Args:
        database: Where, with the name of the table.
        schema: Arrow's schema of the rows.
        batches: The rows, as Arrow's record batches.

    Raises:
        InvalidRequest: No table is named, or it is of no kind that is written.
        LibraryError: It cannot be written; what was there is there.
        ConfigurationError: The extra ``sql``, or its driver, is not installed.
    """
    sql, name = library("sqlalchemy", "Databases", extra="sql"), _expect(database)
    if not schema.names:
        told = (
            "a table of a database has columns, and without rows only columns= says which, such as columns={'picture': str}"
        )
        raise InvalidRequest(f"{database} was not written: {told}.")
    schema = _told_apart(schema, database.kind)
    with database.connected(writes=True) as connection:
        if database.kind == "duckdb":
            _into_duckdb(sql, connection, name, schema, batches)
        else:
            _into_others(sql, connection, database, schema, batches)
    return str(database)


def _into_others(sql: Any, connection: Any, database: Database, schema: Any, batches: Iterable[Any]) -> None:
    table, readers = _table(sql, database, schema)
    if database.kind == "postgresql":  # two who write one table come one after the other
        connection.execute(sql.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": str(database.table)})
    if _same(sql, connection, table):  # it stays, with its rights, indexes and views, and gets other rows
        connection.execute(table.delete())
    else:
        table.drop(connection, checkfirst=True)
        table.create(connection)
    for batch in batches:
        columns = [list(map(read, column.to_pylist())) for read, column in zip(readers, _plain(batch), strict=True)]
        rows = [dict(zip(schema.names, row, strict=True)) for row in zip(*columns, strict=True)]
        if rows:
            connection.execute(table.insert(), rows)


def _into_duckdb(sql: Any, connection: Any, name: TableName, schema: Any, batches: Iterable[Any]) -> None:
    """Replace a table of DuckDB, which reads Arrow's columns itself, nested ones too: row by row it takes minutes."""
    given = f"given_{unique_token()[:16]}"
    quote = connection.dialect.identifier_preparer.quote
    table = ".".join(quote(part) for part in name if part)
    register, arrow = sql.text("register(:name, :df)"), library("pyarrow", "Databases", extra="sql")
    schema = narrowed_schema(schema)
    connection.execute(register, {"name": given, "df": schema.empty_table()})
    connection.exec_driver_sql(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {given}")  # noqa: S608 - as below
    for batch in batches:
        rows = arrow.Table.from_batches([batch]).rename_columns(schema.names).cast(schema)
        connection.execute(register, {"name": given, "df": rows})
        connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {given}")  # noqa: S608 - quoted by the dialect


def _expect(database: Database) -> TableName:
    """Return the table that is to be replaced.

    Raises:
        InvalidRequest: None is named, or tables are not replaced there.
    """
    if database.table is None:
        raise InvalidRequest(f'Name the table in {database}: table="pictures", or behind the address: …#pictures.')
    if database.kind not in WRITTEN:
        whole = f"Tables are replaced whole or not at all, which {database.kind} does not promise"
        raise InvalidRequest(f"{whole}: PostgreSQL, SQLite and DuckDB do.")
    return database.table


def _table(sql: Any, database: Database, schema: Any) -> tuple[Any, list[Callable[[Any], Any]]]:
    """Return the table, and what makes the cell of each column what its driver takes."""
    kinds = [_kind(sql, field.type, database.kind) for field in schema]
    columns = [sql.Column(field.name, kind) for field, (kind, _) in zip(schema, kinds, strict=True)]
    where = _expect(database)
    return sql.Table(where.table, sql.MetaData(), *columns, schema=where.schema), [read for _, read in kinds]


def _kind(sql: Any, kind: Any, database: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return the type of a column in a database, and what makes its cells."""
    types = library("pyarrow", "Databases", extra="sql").types
    if types.is_dictionary(kind):
        return _kind(sql, kind.value_type, database)
    if types.is_nested(kind):
        json = sql.JSON(none_as_null=True)
        own = sql.dialects.postgresql.JSONB(none_as_null=True) if database == "postgresql" else json
        return own, lambda cell: as_json(plain(cell))
    if database == "sqlite" and _beyond_64_bits(kind, types):
        return sql.Text(), _text  # exactly: as numbers it keeps the nearest of 64 bits
    if types.is_decimal(kind):
        # SQLite has no exact numbers: what it keeps is the nearest of 64 bits.
        return sql.Numeric(kind.precision, kind.scale, asdecimal=database != "sqlite"), _as_it_is
    found = {
        "is_boolean": sql.Boolean(),
        "is_uint64": sql.Numeric(20, 0),
        "is_integer": sql.BigInteger(),
        "is_floating": sql.Double(),
        "is_date": sql.Date(),
        "is_time": sql.Time(),
        "is_timestamp": sql.DateTime(timezone=getattr(kind, "tz", None) is not None),
        "is_binary": sql.LargeBinary(),
        "is_large_binary": sql.LargeBinary(),
        "is_fixed_size_binary": sql.LargeBinary(),
    }
    own = next((column for holds, column in found.items() if getattr(types, holds)(kind)), None)
    return (sql.Text(), _text) if own is None else (own, _as_it_is)


def _beyond_64_bits(kind: Any, types: Any) -> bool:
    """Tell whether whole numbers of a type need more than the 64 bits, with a sign, that all databases have."""
    return bool(types.is_uint64(kind) or (types.is_decimal(kind) and not kind.scale and kind.precision > 18))


def _plain(batch: Any) -> list[Any]:
    """Return columns whose cells are Python's: its moments have microseconds."""
    arrow = library("pyarrow", "Databases", extra="sql")
    fine = [arrow.types.is_timestamp(column.type) and column.type.unit == "ns" for column in batch.columns]
    return [
        column.cast(arrow.timestamp("us", column.type.tz), safe=False) if cut else column
        for column, cut in zip(batch.columns, fine, strict=True)
    ]


def _told_apart(schema: Any, kind: str) -> Any:
    """Return a schema whose names a database can tell apart: SQLite and DuckDB do not by capitals."""
    if kind == "postgresql":
        return schema
    taken, names = set[str](), list[str]()
    for name in schema.names:
        number, other = 1, name
        while other.casefold() in taken:
            number += 1
            other = f"{name}_{number}"
        taken.add(other.casefold())
        names.append(other)
    arrow = library("pyarrow", "Databases", extra="sql")
    return arrow.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])


def _text(cell: Any) -> Any:
    return cell if cell is None else str(as_json(plain(cell)))


def _as_it_is(cell: Any) -> Any:
    return cell


def _same(sql: Any, connection: Any, table: Any) -> bool:
    """Tell whether there is a table of these columns and types."""
    there = sql.inspect(connection)
    if not there.has_table(table.name, schema=table.schema) or table.name in there.get_view_names(schema=table.schema):
        return False
    found = there.get_columns(table.name, schema=table.schema)
    spelt = [(one["name"], one["type"].compile(connection.dialect)) for one in found]
    return spelt == [(column.name, column.type.compile(connection.dialect)) for column in table.columns]
