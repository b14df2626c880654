"""Tables in real databases: read by a query, replaced whole or not at all, with columns of their types, and no secret shown."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportPrivateUsage=false
# SQLAlchemy and its drivers need not be installed.

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from prefect_together import BatchResult, check_table_path, plan, requests_from_table, write_table
from prefect_together.batch.table_databases import Database
from prefect_together.errors import ConfigurationError, InvalidRequest, LibraryError
from prefect_together.sandbox import Sandbox

from .asking import run_batch

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of drivers
sql: Any = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed here")
pytest.importorskip("pyarrow", reason="pyarrow is not installed here")
CONSTANTS: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro", "width": 64, "height": 64, "seed": 1}


def _skip_without(*modules: str) -> None:
    for name in modules:
        pytest.importorskip(name, reason=f"{name} is not installed here, which this database needs")


@pytest.fixture
def server(postgresql: str) -> str:
    """Return the URL of a database of PostgreSQL."""
    _skip_without("psycopg")
    return postgresql


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    if request.param == "duckdb":
        _skip_without("duckdb", "duckdb_engine")
        return f"duckdb:///{tmp_path}/a.duckdb"
    found = str(request.getfixturevalue("server"))
    with Database(found).connected(writes=True) as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    return found


def _ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with Database(url).connected(writes=False) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).fetchall()]


def _do(url: str, *statements: str) -> None:
    with Database(url).connected(writes=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _frame() -> Any:
    arrow = pytest.importorskip("pyarrow")
    kinds = [
        ("item", arrow.string()), ("n", arrow.int32()), ("big", arrow.int64()), ("price", arrow.decimal128(9, 2)),
        ("part", arrow.float64()), ("good", arrow.bool_()), ("day", arrow.date32()), ("at", arrow.timestamp("us", "UTC")),
        ("raw", arrow.binary()), ("tags", arrow.list_(arrow.string())),
    ]  # fmt: skip
    row = {
        "item": "teapot", "n": 4, "big": 2**40, "price": Decimal("1.10"), "part": 0.5, "good": True, "day": date(2026, 1, 31),
        "at": datetime(2026, 1, 31, 12, tzinfo=timezone.utc), "raw": b"\xff\x00", "tags": ["a", "b"],
    }  # fmt: skip
    return arrow.Table.from_pylist([row, {"item": "lamp"}], schema=arrow.schema(kinds))


TYPES = {
    "sqlite": ("SELECT type FROM pragma_table_info('pictures')", "TEXT BIGINT BIGINT NUMERIC(9, 2) DOUBLE BOOLEAN DATE DATETIME BLOB JSON"),
    "duckdb": (
        "SELECT data_type FROM information_schema.columns WHERE table_name = 'pictures' ORDER BY ordinal_position",
        "VARCHAR INTEGER BIGINT DECIMAL(9,2) DOUBLE BOOLEAN DATE TIMESTAMP WITH TIME ZONE BLOB VARCHAR[]",
    ),
    "postgresql": (
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'pictures'::regclass AND attnum > 0 ORDER BY attnum",
        "text bigint bigint numeric(9,2) double precision boolean date timestamp with time zone bytea jsonb",
    ),
}  # fmt: skip


def test_a_batch_goes_into_a_database_and_out_again(url: str, together_sandbox: Sandbox) -> None:
    """Its columns are of their types, money is exact, and what was made is read by a query: each picture paid once."""
    result = run_batch(requests_from_table(_frame(), templates={"prompt": "{n} {item}s"}, constants=CONSTANTS))
    assert isinstance(result, BatchResult)
    assert result.write_table(url, table="pictures") == str(Database(url, "pictures"))
    kind = Database(url).kind
    query, types = TYPES[kind]
    assert types.split(" ")[:1] == [str(row[0]) for row in _ask(url, query)][:1]
    assert types == " ".join(str(row[0]) for row in _ask(url, query)[:10])
    table = requests_from_table(
        url, query="SELECT item, status, estimated_cost FROM pictures WHERE item LIKE 'tea%' ORDER BY item",
        templates={"prompt": "a {item}"}, constants=CONSTANTS, by_name=False,
    )  # fmt: skip
    (row,) = table
    assert {"item": "teapot", "status": "kept"} == {name: row.columns[name] for name in ("item", "status")}
    assert Decimal("0.03") == Decimal(str(row.columns["estimated_cost"]))
    assert 1 == len(together_sandbox.charges())


def test_a_table_is_replaced_by_one_of_other_columns(url: str) -> None:
    """What stood in it is gone, and so are its columns; so is what had the same ones, where nothing comes."""
    write_table([{"a": 1, "b": "x"}, {"a": 2, "b": None}], url, table="t")
    write_table([{"a": 3, "b": "y"}], url, table="t")
    assert [(3, "y")] == _ask(url, "SELECT a, b FROM t")
    write_table([{"c": True}], f"{url}#t")
    assert [(1,)] == [(int(one),) for (one,) in _ask(url, "SELECT * FROM t")]
    write_table([], url, table="t", columns={"c": bool, "cost": Decimal})
    assert [] == _ask(url, "SELECT c, cost FROM t")


KILLED = """
import os, sys
import pyarrow as arrow
from prefect_together.batch.table_databases import Database
from prefect_together.batch.table_replacing import replace

def batches():
    yield arrow.RecordBatch.from_pylist([{"a": 9}] * 10, schema=schema)
    os._exit(9)

schema = arrow.schema([(sys.argv[2], arrow.int64())])
replace(Database(sys.argv[1], "t"), arrow.schema([(sys.argv[2], arrow.int64())]), batches())
"""


TYPED: dict[str, Any] = {
    "day": date(2026, 11, 28),
    "at": datetime(2026, 11, 28, 8, 30, tzinfo=timezone.utc),
    "here": datetime(2026, 11, 28, 8, 30),  # noqa: DTZ001
    "price": Decimal("0.03"),
    "good": True,
    "raw": b"\x00\xff",
    "count": 7,
}


def test_columns_are_of_the_types_of_their_cells(url: str) -> None:
    """The database knows a date for a date and money for money; columns in which nothing stands are of the type that is said."""
    write_table([{**dict.fromkeys(TYPED), "never": None}, TYPED], url, table="t", columns={"never": date})
    names = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't'"
    kinds = dict(_ask(url, "SELECT name, type FROM pragma_table_info('t')" if "sqlite" in url else names))
    said = {
        "day": "DATE", "at": "TIMESTAMP|DATETIME", "here": "TIMESTAMP|DATETIME", "price": "DECIMAL|NUMERIC", "good": "BOOL",
        "raw": "BLOB|BYTEA", "count": "BIGINT", "never": "DATE",
    }  # fmt: skip
    assert said.keys() == {name for name, kind in said.items() if re.match(kind, kinds[name].upper())}
    (found,) = _ask(url, "SELECT day, price, good, raw, count FROM t WHERE day IS NOT NULL")
    day, price, good, raw, count = found
    assert ("2026-11-28", True, TYPED["raw"], 7) == (str(day), bool(good), bytes(raw), count)
    assert TYPED["price"] == Decimal(str(price))


@pytest.mark.parametrize("column", ["a", "other"])
def test_a_process_that_is_killed_leaves_the_table_as_it_was(column: str, url: str) -> None:
    """Between its rows, into the same columns and into other ones: readers see all of the old ones, and the next one writes."""
    write_table([{"a": 1}, {"a": 2}], url, table="t")
    script = KILLED.replace('"a": 9', f'"{column}": 9')
    run = subprocess.run([sys.executable, "-c", script, url, column], capture_output=True, timeout=120, check=False)
    assert 9 == run.returncode, run.stderr.decode()[-2000:]
    assert [(1,), (2,)] == _ask(url, "SELECT a FROM t ORDER BY a")
    write_table([{"a": 3}], url, table="t")
    assert [(3,)] == _ask(url, "SELECT a FROM t")


def test_what_a_database_does_not_take_changes_nothing(server: str) -> None:
    """PostgreSQL has no text with a NUL: the error says so, nothing has changed, and there are no leftovers."""
    _do(server, "DROP TABLE IF EXISTS t")
    write_table([{"a": "x"}], server, table="t")
    with pytest.raises(LibraryError, match=r"(?i)cannot be written: .*(NUL|0x00)") as caught:
        write_table([{"a": "y"}] * 5000 + [{"a": "\0"}], server, table="t")
    assert "Nothing has changed there" in str(caught.value)
    assert [("x",)] == _ask(server, "SELECT a FROM t")


def test_two_who_write_one_table_come_one_after_the_other(server: str) -> None:
    """The table is one's or the other's, never both."""
    _do(server, "DROP TABLE IF EXISTS t")
    start = threading.Barrier(4)
    failed: list[Exception] = []

    def write(number: int) -> None:
        start.wait()
        try:
            write_table([{"a": number}] * 50, server, table="t")
        except Exception as error:
            failed.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == failed
        assert [(50, 1)] == _ask(server, "SELECT count(*), count(DISTINCT a) FROM t")


def test_rights_and_views_stay_where_columns_do(server: str) -> None:
    """A dashboard that reads a view goes on doing so; where a view needs a column that goes, nothing is replaced."""
    _do(server, "DROP TABLE IF EXISTS t CASCADE")
    write_table([{"a": 1}], server, table="t")
    _do(server, "CREATE VIEW seen AS SELECT a FROM t")
    write_table([{"a": 2}], server, table="t")
    assert [(2,)] == _ask(server, "SELECT a FROM seen")
    with pytest.raises(LibraryError, match="depend"):
        write_table([{"b": 2}], server, table="t")
    assert [(2,)] == _ask(server, "SELECT a FROM seen")


def test_a_query_is_asked_once(server: str) -> None:
    """However often its rows are read, in parts and by column, and over more of them than come at a time."""
    _do(server, "DROP SEQUENCE IF EXISTS s", "CREATE SEQUENCE s")
    query = "SELECT nextval('s') AS n, 'a 100% fox :x at 12:30' AS prompt FROM generate_series(1, 2500)"
    table = requests_from_table(server, query=query, constants={"model": "m"})
    assert 2500 == len(table) == sum(1 for _ in table)
    numbers = [row.columns["n"] for row in table]
    assert list(range(numbers[0], numbers[0] + 2500)) == numbers
    assert 2500 <= _ask(server, "SELECT last_value FROM s")[0][0] <= 3500  # to learn its columns, some are looked at
    assert "a 100% fox :x at 12:30" == next(row.request for row in table if row.request).label()
    assert "int64" == str(table.to_arrow().schema.field("n").type)


def test_a_named_batch_of_a_query_is_paid_once(url: str, together_sandbox: Sandbox) -> None:
    """The next run asks the database anew, finds the same rows, and reuses what they brought; a new row alone is paid for."""
    rows = [{"prompt": "a fox"}, {"prompt": "a hen"}]
    for there, charged in ((rows, 2), (rows, 2), ([*rows, {"prompt": "a newt"}], 3)):
        write_table(there, url, table="t")
        table = requests_from_table(url, query="SELECT prompt FROM t ORDER BY prompt", constants=CONSTANTS)
        assert len(there) == len(run_batch(table, name="shop").media)
        assert charged == len(together_sandbox.charges())


def test_a_query_changes_nothing(url: str) -> None:
    """Even one that deletes what it returns; PostgreSQL does not take it at all."""
    write_table([{"prompt": "a fox"}, {"prompt": "a hen"}], url, table="t")
    deleting: dict[str, Any] = {"query": "DELETE FROM t RETURNING prompt", "constants": {"model": "m"}}
    if url.startswith("postgresql"):
        with pytest.raises(InvalidRequest, match="cannot be read: syntax error"):
            requests_from_table(url, **deleting)
    else:
        assert ["a fox", "a hen"] == sorted(str(row.columns["prompt"]) for row in requests_from_table(url, **deleting))
    assert [(2,)] == _ask(url, "SELECT count(*) FROM t")


def test_a_whole_table_is_read_by_its_name(url: str) -> None:
    """Behind the address, with a schema where there is one."""
    write_table([{"prompt": "a fox"}], url, table="t")
    schema = {"sqlite": "main.", "duckdb": "main.", "postgresql": "public."}[Database(url).kind]
    for name in ("t", f"{schema}t"):
        (row,) = requests_from_table(f"{url}#{name}", constants={"model": "m"})
        assert {"prompt": "a fox"} == dict(row.columns)


def test_no_secret_is_shown(server: str, caplog: pytest.LogCaptureFixture, together_sandbox: Sandbox) -> None:
    """Not in a table's repr, in what is returned, in errors of any kind, nor in the log: neither the password nor the user."""
    host = server.rpartition("@")[2]
    user, _, quoted = server.partition("://")[2].partition("@")[0].partition(":")
    wrong = server.replace(user, "nobody-else")
    seen: list[str] = []
    with caplog.at_level(logging.DEBUG):
        write_table([{"prompt": "a fox"}], server, table="t")
        table = requests_from_table(f"{server}#t", constants=CONSTANTS)
        seen += [repr(table), str(table.source), repr(table.source), repr(Database(server)), str(plan(table))]
        seen += [write_table([{"a": 1}], server, table="u"), str(table._repr_mimebundle_())]
        run_batch(table)
        for broken in (
            wrong, server.replace(host, "127.0.0.1:1/x"), server.replace("postgresql", "postgresql+nothing"),
            server.replace("postgresql", "nothing"), server.replace(host, "127.0.0.1:port/x"), f"{server}?sslmode=no",
        ):  # fmt: skip
            for ask in (
                lambda broken=broken: requests_from_table(broken, query="SELECT 1 AS prompt"),
                lambda broken=broken: write_table([{"a": 1}], broken, table="t"),
                lambda broken=broken: check_table_path(broken, table="t"),
                lambda broken=broken: run_batch(broken),
            ):
                with pytest.raises((InvalidRequest, LibraryError, ConfigurationError)) as caught:
                    ask()
                seen += [
                    str(caught.value),
                    repr(caught.value),
                    str(caught.value.__cause__),
                    str(caught.value.__context__ or ""),
                ]
    for text in (*seen, caplog.text):
        for secret in (unquote(quoted), f"{user}:{quoted}", f"{user}:"):
            assert secret not in text


def test_a_database_is_looked_at_before_anything_is_paid(url: str, tmp_path: Path) -> None:
    """Whether a table could be written is known before, and finding out leaves nothing."""
    check_table_path(url, table="t")
    check_table_path(f"{url}#t")
    assert [] == [path for path in tmp_path.iterdir() if path.name.startswith("a.")]
    listed = {"sqlite": "SELECT name FROM sqlite_master", "duckdb": "SELECT table_name FROM information_schema.tables"}
    write_table([{"a": 1}], url, table="t")
    check_table_path(url, table="t")
    known = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert [("t",)] == _ask(url, listed.get(Database(url).kind, known))


WRONG: dict[str, tuple[Any, str]] = {
    "no table": (lambda _: check_table_path("sqlite:///a.db"), "Name the table in sqlite:///a.db"),
    "another database": (lambda _: check_table_path("mssql://h/x#t") if sql else None, "PostgreSQL, SQLite and DuckDB do"),
    "a file's table": (lambda folder: write_table([{"a": 1}], folder / "a.csv", table="t"), "is of a database"),
    "a file's query": (lambda folder: requests_from_table(folder / "a.csv", query="SELECT 1"), "query= is for a database"),
    "nothing asked": (lambda folder: requests_from_table(f"sqlite:///{folder}/a.db"), "Say what is to be read"),
    "both": (lambda folder: requests_from_table(f"sqlite:///{folder}/a.db#t", query="SELECT 1"), "Give one of a query and"),
    "not there": (lambda folder: requests_from_table(f"sqlite:///{folder}/a.db#t"), "There is no database"),
    "no rows": (lambda _: requests_from_table("sqlite://", query="CREATE TABLE t (a)"), "returns no rows"),
    "not SQL": (lambda _: requests_from_table("sqlite://", query="SELEKT 1"), "syntax error"),
    "not known": (lambda _: requests_from_table("htp://x/a", query="SELECT 1"), "knows no database 'htp'"),
    "one name": (lambda _: requests_from_table("sqlite://", query="SELECT 1 AS a, 2 AS a"), "two columns|'a'"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(what: str, tmp_path: Path) -> None:
    """Before anything is read or written; a database that is not there is not made."""
    wrong, said = WRONG[what]
    with pytest.raises((InvalidRequest, ConfigurationError), match=said):
        wrong(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which extra brings databases is in the error."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigurationError, match=r"prefect-together\[sql\]"):
        requests_from_table("sqlite:///a.db#t")
