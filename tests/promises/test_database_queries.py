"""Tables that are read out of databases by a query or by name: asked once, changed never, and paid for once."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportPrivateUsage=false
# SQLAlchemy and its drivers need not be installed.

from __future__ import annotations

from typing import Any

import pytest

from prefect_together import requests_from_table, write_table
from prefect_together.batch.table_databases import Database
from prefect_together.errors import InvalidRequest
from prefect_together.sandbox import Sandbox

from .asking import run_batch
from .databases import CONSTANTS, ask, do

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of drivers
sql: Any = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed here")
pytest.importorskip("pyarrow", reason="pyarrow is not installed here")


def test_a_query_is_asked_once(database_server: str) -> None:
    """However often its rows are read, in parts and by column, and over more of them than come at a time."""
    do(database_server, "CREATE SEQUENCE s")
    query = "SELECT nextval('s') AS n, 'a 100% fox :x at 12:30' AS prompt FROM generate_series(1, 2500)"
    table = requests_from_table(database_server, query=query, constants={"model": "m"})
    assert 2500 == len(table) == sum(1 for _ in table)
    numbers = [row.columns["n"] for row in table]
    assert list(range(numbers[0], numbers[0] + 2500)) == numbers
    assert 2500 <= ask(database_server, "SELECT last_value FROM s")[0][0] <= 3500  # to learn its columns, some are looked at
    assert "a 100% fox :x at 12:30" == next(row.request for row in table if row.request).label()
    assert "int64" == str(table.to_arrow().schema.field("n").type)


def test_a_named_batch_of_a_query_is_paid_once(database_url: str, together_sandbox: Sandbox) -> None:
    """The next run asks the database anew, finds the same rows, and reuses what they brought; a new row alone is paid for."""
    rows = [{"prompt": "a fox"}, {"prompt": "a hen"}]
    for there, charged in ((rows, 2), (rows, 2), ([*rows, {"prompt": "a newt"}], 3)):
        write_table(there, database_url, table="t")
        table = requests_from_table(database_url, query="SELECT prompt FROM t ORDER BY prompt", constants=CONSTANTS)
        assert len(there) == len(run_batch(table, name="shop").media)
        assert charged == len(together_sandbox.charges())


def test_a_query_changes_nothing(database_url: str) -> None:
    """Even one that deletes what it returns; PostgreSQL does not take it at all."""
    write_table([{"prompt": "a fox"}, {"prompt": "a hen"}], database_url, table="t")
    deleting: dict[str, Any] = {"query": "DELETE FROM t RETURNING prompt", "constants": {"model": "m"}}
    if database_url.startswith("postgresql"):
        with pytest.raises(InvalidRequest, match="cannot be read: syntax error"):
            requests_from_table(database_url, **deleting)
    else:
        assert ["a fox", "a hen"] == sorted(
            str(row.columns["prompt"]) for row in requests_from_table(database_url, **deleting)
        )
    assert [(2,)] == ask(database_url, "SELECT count(*) FROM t")


def test_a_whole_table_is_read_by_its_name(database_url: str) -> None:
    """Behind the address, with a schema where there is one."""
    write_table([{"prompt": "a fox"}], database_url, table="t")
    schema = {"sqlite": "main.", "duckdb": "main.", "postgresql": "public."}[Database(database_url).kind]
    for name in ("t", f"{schema}t"):
        (row,) = requests_from_table(f"{database_url}#{name}", constants={"model": "m"})
        assert {"prompt": "a fox"} == dict(row.columns)
