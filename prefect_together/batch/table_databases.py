"""Tables in databases: which addresses mean one, how a query is read, and how a table is replaced. Shows no credentials."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from prefect_together._internal.optional import library
from prefect_together.errors import ConfigurationError, InvalidRequest, LibraryError, TogetherError
from prefect_together.storage.addresses import REMOTE_SCHEMES

_SCHEME = re.compile(r"(?i)\s*([a-z][a-z0-9_.+-]+)://")
_OTHERS = frozenset({"file", "http", "https", "s3a", "s3n", "gcs", "azure", "abfs", "abfss", "adl", *REMOTE_SCHEMES})
_TABLE = re.compile(r"[^@/\s#][^@/#]*")
_FILES = frozenset({"sqlite", "duckdb"})
_DRIVERS = {
    "postgresql": ("psycopg", "psycopg2", "pg8000"),
    "mysql": ("MySQLdb", "pymysql"),
    "mariadb": ("MySQLdb", "pymysql"),
}
"""Drivers of addresses that name none, as modules: the first that is installed is taken."""
_PACKAGES = {
    "MySQLdb": "PyMySQL",  # asked for where no driver is named, and mysqlclient needs a compiler
    "mysql": "mysql-connector-python",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "duckdb": "duckdb-engine",
}
"""What pip calls what brings a module or a database, where it has another name."""
_CHUNK = 1000
"""Rows that a database is asked for at once."""


class TableName(NamedTuple):
    """A table, and the schema that it is in."""

    schema: str | None
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table


def is_database(address: object) -> bool:
    """Tell whether an address is that of a database: a URL of none of the schemes that files have."""
    found = _SCHEME.match(address) if isinstance(address, str) else None
    return found is not None and found[1].lower() not in _OTHERS


@dataclass(frozen=True)
class Database:
    """A database by its SQLAlchemy URL, which may hold a password: it is in no text, error or repr."""

    address: str = field(repr=False)
    """The URL; behind a # the table, as ``table`` or ``schema.table``."""
    named: str | None = None
    """The table, where it is given by itself: then the URL has none."""

    def __str__(self) -> str:
        """Return what may be shown: the kind of database, where it is, and the table."""
        url = self.url
        place = f"{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"
        return f"{url.get_backend_name()}://{place}{f'#{self.table}' if self.table else ''}"

    @property
    def table(self) -> TableName | None:
        """The table that is named, if one is."""
        name = self.named if self.named is not None else self._parts[1]
        if not name:
            return None
        schema, _, table = name.rpartition(".")
        return TableName(schema or None, table)

    @cached_property
    def url(self) -> Any:
        """The URL as SQLAlchemy has it.

        Raises:
            InvalidRequest: It is none.
            ConfigurationError: The extra ``sql`` is not installed.
        """
        sql = library("sqlalchemy", "Databases", extra="sql")
        try:
            url = sql.make_url(self._parts[0].strip())
        except Exception:  # its words repeat what it cannot read
            raise InvalidRequest(
                "The address of this database is no SQLAlchemy URL, such as postgresql://host/name."
            ) from None
        if url.drivername == "postgres":  # as some hosts spell it
            url = url.set(drivername="postgresql")
        driver = next(filter(find_spec, _DRIVERS.get(url.drivername, ())), None)
        return url.set(drivername=f"{url.drivername}+{driver.lower()}") if driver else url

    @property
    def kind(self) -> str:
        """Which database it is, such as ``postgresql``."""
        return str(self.url.get_backend_name())

    @contextmanager
    def connected(self, *, writes: bool) -> Generator[Any]:
        """Yield a connection in one transaction: kept at the end of the block where it writes, else undone.

        Raises:
            InvalidRequest: It cannot be read.
            LibraryError: It cannot be written; nothing has changed.
            ConfigurationError: Its driver is not installed.
        """
        sql = library("sqlalchemy", "Databases", extra="sql")
        if not writes and self.missing:
            raise InvalidRequest(f"There is no database {self}.")
        engine = self._engine(sql, writes=writes)
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                yield connection
                if not writes:
                    transaction.rollback()
        except TogetherError:
            raise
        except (sql.exc.SQLAlchemyError, ValueError, OverflowError) as problem:  # and what drivers say of single cells
            said = self._said(problem)
            hint = self._hint(said)
            if not writes:
                raise InvalidRequest(f"{self} cannot be read: {said}.{hint}") from None
            what = f"{self} cannot be written: {said}.{hint}"
            raise LibraryError(
                what, advice="Nothing has changed there; mend that and write it again.", retryable=True
            ) from None
        finally:
            engine.dispose()

    @property
    def missing(self) -> Path | None:
        """The file that it would be, where it is one and is not there: whoever opens it makes it."""
        path = self.url.database or ""
        if self.kind not in _FILES or not path or path.startswith((":", "md:", "file:")):
            return None
        return None if Path(path).exists() else Path(path)

    def _engine(self, sql: Any, *, writes: bool) -> Any:
        try:
            engine = sql.create_engine(self.url, poolclass=sql.pool.NullPool, hide_parameters=True)
        except sql.exc.NoSuchModuleError:
            package = _PACKAGES.get(self.kind)
            what = f"pip install {package}" if package else "install its package"
            raise ConfigurationError(
                f"SQLAlchemy knows no database {self.url.drivername!r} here: {what}, or mend the address."
            ) from None
        except ImportError as missing:
            module = (missing.name or self.url.get_driver_name()).partition(".")[0]
            # SQLAlchemy asks for MySQLdb by its module, whoever names it means that one.
            named = self.url.drivername.endswith("+mysqldb")
            package = "mysqlclient" if named else _PACKAGES.get(module, module)
            what = f"The driver of {self.url.drivername} is not installed: pip install {package}."
            raise ConfigurationError(what) from None
        except sql.exc.ArgumentError:
            raise ConfigurationError(f"SQLAlchemy does not take the address of {self}.") from None
        if self.kind == "sqlite":
            _one_transaction(sql, engine, "BEGIN IMMEDIATE" if writes else "BEGIN")
        return engine

    def _hint(self, said: str) -> str:
        """Return what a dot in the name of a table means, where the database does not know what stands before it."""
        schema = self.table and self.table.schema
        if not schema:
            return ""
        missing = re.search(r"(?i)not exist|unknown database|no such|no files", said)
        if not (missing and re.search(rf"\b{re.escape(schema)}\b", said)):
            return ""
        return f" Before the dot of {self.table} stands a schema: where there is none, give a name without a dot."

    def _said(self, problem: Exception) -> str:
        """Return the first line of what went wrong, without what the address keeps to itself."""
        words = str(getattr(problem, "orig", None) or problem).strip().splitlines() or [type(problem).__name__]
        said = words[0].rstrip(".")
        values = [value if isinstance(value, str) else " ".join(value) for value in self.url.query.values()]
        for secret in filter(None, (self.url.password, self._parts[0], *values)):
            said = said.replace(str(secret), "***")
        return said.replace(f'"{self.url.username}"', '"***"')

    @cached_property
    def _parts(self) -> tuple[str, str]:
        if self.named is not None:
            return self.address, ""
        address, mark, name = self.address.rpartition("#")
        return (address, name.strip()) if mark and _TABLE.fullmatch(name) else (self.address, "")


def _one_transaction(sql: Any, engine: Any, begin: str) -> None:
    """Let SQLite begin and end transactions where SQLAlchemy does: by itself its driver ends one where a table is made."""

    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    sql.event.listen(engine, "connect", on_connect)
    sql.event.listen(engine, "begin", on_begin)


class Query:
    """The rows of a query, or of a whole table.

    Args:
        database: Where.
        sql: What is asked; left out, all of the table that the address names.

    Raises:
        InvalidRequest: Neither is given, or both are.
    """

    def __init__(self, database: Database, sql: str | None) -> None:
        if (sql is None) == (database.table is None):
            example = 'query="SELECT …", or the table behind the address: …#products'
            both = "Give one of a query and a table" if sql else "Say what is to be read"
            raise InvalidRequest(f"{both} of {database}: {example}.")
        self.database = database
        self._sql = sql

    def names(self) -> list[str]:
        """Return the names of its columns.

        Raises:
            InvalidRequest: The database does not answer it.
        """
        with self._answered() as answer:
            return list(answer.keys())

    def chunks(self) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield its rows, some at a time; no more are in memory.

        Raises:
            InvalidRequest: The database does not answer it.
        """
        with self._answered() as answer:
            yield from answer.partitions(_CHUNK)

    @contextmanager
    def _answered(self) -> Generator[Any]:
        with self.database.connected(writes=False) as connection:
            options = {"stream_results": True, "max_row_buffer": _CHUNK, "no_parameters": True}  # a % is one
            answer = connection.execution_options(**options).exec_driver_sql(self._statement(connection))
            if not answer.returns_rows:
                raise InvalidRequest(f"This query of {self.database} returns no rows: give a SELECT.")
            with answer:
                yield answer

    def _statement(self, connection: Any) -> str:
        if self._sql is not None:
            return self._sql
        quote, table = connection.dialect.identifier_preparer.quote, self.database.table
        named = ".".join(quote(part) for part in table or () if part)
        return f"SELECT * FROM {named}"  # noqa: S608 - quoted by the dialect
