"""What keeps a database from being read or written is one sentence, by which it can be mended."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# SQLAlchemy and its drivers need not be installed.

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prefect_together import requests_from_table, write_table
from prefect_together.batch.table_databases import Database
from prefect_together.errors import ConfigurationError, InvalidRequest, LibraryError

from .databases import ask, do, skip_without

DRIVERS = {
    "mysql://host/shop#t": "PyMySQL",
    "mariadb://host/shop#t": "PyMySQL",
    "mysql+pymysql://host/shop#t": "pymysql",
    "mysql+mysqldb://host/shop#t": "mysqlclient",
    "mysql+mysqlconnector://host/shop#t": "mysql-connector-python",
    "postgresql+psycopg2://host/shop#t": "psycopg2-binary",
    "postgresql+pg8000://host/shop#t": "pg8000",
    "mssql+pyodbc://host/shop#t": "pyodbc",
}


@pytest.mark.parametrize("url", DRIVERS)
def test_a_missing_driver_is_named_as_pip_knows_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as Python imports it: nobody finds MySQLdb. Where none is named, it is one that installs without a compiler."""
    skip_without("sqlalchemy")
    for module in ("MySQLdb", "pymysql", "mysql", "psycopg2", "pg8000", "pyodbc"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("prefect_together.batch.table_databases.find_spec", lambda _: None)  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(ConfigurationError, match=f"pip install {DRIVERS[url]}\\."):
        list(requests_from_table(url, constants={"prompt": "a", "model": "m"}))


def test_a_driver_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address names a database, and any of its drivers will do; one that names a driver means that one."""
    skip_without("sqlalchemy")
    there = {"pymysql": ModuleType("pymysql")}
    monkeypatch.setattr("prefect_together.batch.table_databases.find_spec", there.get)
    assert "mysql+pymysql" == Database("mysql://host/shop").url.drivername
    assert "mysql+mysqldb" == Database("mysql+mysqldb://host/shop").url.drivername


def test_a_dialect_that_is_missing_is_named() -> None:
    """The package of DuckDB's is known, others are told as what they are."""
    skip_without("sqlalchemy")
    with pytest.raises(ConfigurationError, match="install its package, or mend"):
        requests_from_table("snowflake://host/shop#t")
    with pytest.raises(ConfigurationError, match="pip install duckdb-engine, or mend"):
        write_table([{"a": 1}], "duckdb+other:///shop.duckdb", table="t")


@pytest.mark.parametrize("rows", [[], [{}]], ids=["no-row", "an-empty-one"])
def test_a_table_without_columns_is_refused(rows: list[Any], database_url: str) -> None:
    """No database has one; what was there stays. With columns= an empty table is made."""
    do(database_url, "CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (7)")
    with pytest.raises(InvalidRequest, match=r"without rows only columns= says which"):
        write_table(rows, database_url, table="t")
    assert [(7,)] == ask(database_url, "SELECT a FROM t")
    write_table(rows, database_url, table="t", columns={"a": int})
    assert len(rows) == len(ask(database_url, "SELECT a FROM t"))


def test_what_stands_before_a_dot_is_a_schema(database_url: str, tmp_path: Path) -> None:
    """Where there is none of that name, the sentence says so: somebody meant the name of a file, or a dot."""
    with pytest.raises(
        LibraryError, match=r"Before the dot of shop\.csv stands a schema: where there is none, give a name without a dot\."
    ):
        write_table([{"a": 1}], database_url, table="shop.csv")
    do(database_url, "CREATE TABLE t (a INTEGER)")
    with pytest.raises(
        InvalidRequest,
        match=r"Before the dot of shop\.csv stands a schema: where there is none, give a name without a dot\.",
    ):
        list(requests_from_table(f"{database_url}#shop.csv", constants={"prompt": "a", "model": "m"}))
