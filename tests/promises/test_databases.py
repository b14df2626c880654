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
from .databases import CONSTANTS, ask, do

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of drivers
sql: Any = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed here")
pytest.importorskip("pyarrow", reason="pyarrow is not installed here")


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


def test_a_batch_goes_into_a_database_and_out_again(database_url: str, together_sandbox: Sandbox) -> None:
    """Its columns are of their types, money is exact, and what was made is read by a query: each picture paid once."""
    result = run_batch(requests_from_table(_frame(), templates={"prompt": "{n} {item}s"}, constants=CONSTANTS))
    assert isinstance(result, BatchResult)
    assert result.write_table(database_url, table="pictures") == str(Database(database_url, "pictures"))
    kind = Database(database_url).kind
    query, types = TYPES[kind]
    assert types.split(" ")[:1] == [str(row[0]) for row in ask(database_url, query)][:1]
    assert types == " ".join(str(row[0]) for row in ask(database_url, query)[:10])
    table = requests_from_table(
        database_url, query="SELECT item, status, estimated_cost FROM pictures WHERE item LIKE 'tea%' ORDER BY item",
        templates={"prompt": "a {item}"}, constants=CONSTANTS, by_name=False,
    )  # fmt: skip
    (row,) = table
    assert {"item": "teapot", "status": "kept"} == {name: row.columns[name] for name in ("item", "status")}
    assert Decimal("0.03") == Decimal(str(row.columns["estimated_cost"]))
    assert 1 == len(together_sandbox.charges())


def test_a_table_is_replaced_by_one_of_other_columns(database_url: str) -> None:
    """What stood in it is gone, and so are its columns; so is what had the same ones, where nothing comes."""
    write_table([{"a": 1, "b": "x"}, {"a": 2, "b": None}], database_url, table="t")
    write_table([{"a": 3, "b": "y"}], database_url, table="t")
    assert [(3, "y")] == ask(database_url, "SELECT a, b FROM t")
    write_table([{"c": True}], f"{database_url}#t")
    assert [(1,)] == [(int(one),) for (one,) in ask(database_url, "SELECT * FROM t")]
    write_table([], database_url, table="t", columns={"c": bool, "cost": Decimal})
    assert [] == ask(database_url, "SELECT c, cost FROM t")


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


def test_columns_are_of_the_types_of_their_cells(database_url: str) -> None:
    """The database knows a date for a date and money for money; columns in which nothing stands are of the type that is said."""
    write_table([{**dict.fromkeys(TYPED), "never": None}, TYPED], database_url, table="t", columns={"never": date})
    names = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 't'"
    kinds = dict(ask(database_url, "SELECT name, type FROM pragma_table_info('t')" if "sqlite" in database_url else names))
    said = {
        "day": "DATE", "at": "TIMESTAMP|DATETIME", "here": "TIMESTAMP|DATETIME", "price": "DECIMAL|NUMERIC", "good": "BOOL",
        "raw": "BLOB|BYTEA", "count": "BIGINT", "never": "DATE",
    }  # fmt: skip
    assert said.keys() == {name for name, kind in said.items() if re.match(kind, kinds[name].upper())}
    (found,) = ask(database_url, "SELECT day, price, good, raw, count FROM t WHERE day IS NOT NULL")
    day, price, good, raw, count = found
    assert ("2026-11-28", True, TYPED["raw"], 7) == (str(day), bool(good), bytes(raw), count)
    assert TYPED["price"] == Decimal(str(price))


@pytest.mark.parametrize("column", ["a", "other"])
def test_a_process_that_is_killed_leaves_the_table_as_it_was(column: str, database_url: str) -> None:
    """Between its rows, into the same columns and into other ones: readers see all of the old ones, and the next one writes."""
    write_table([{"a": 1}, {"a": 2}], database_url, table="t")
    script = KILLED.replace('"a": 9', f'"{column}": 9')
    run = subprocess.run([sys.executable, "-c", script, database_url, column], capture_output=True, timeout=120, check=False)
    assert 9 == run.returncode, run.stderr.decode()[-2000:]
    assert [(1,), (2,)] == ask(database_url, "SELECT a FROM t ORDER BY a")
    write_table([{"a": 3}], database_url, table="t")
    assert [(3,)] == ask(database_url, "SELECT a FROM t")


def test_what_a_database_does_not_take_changes_nothing(database_server: str) -> None:
    """PostgreSQL has no text with a NUL: the error says so, nothing has changed, and there are no leftovers."""
    write_table([{"a": "x"}], database_server, table="t")
    with pytest.raises(LibraryError, match=r"(?i)cannot be written: .*(NUL|0x00)") as caught:
        write_table([{"a": "y"}] * 5000 + [{"a": "\0"}], database_server, table="t")
    assert "Nothing has changed there" in str(caught.value)
    assert [("x",)] == ask(database_server, "SELECT a FROM t")


def test_two_who_write_one_table_come_one_after_the_other(database_server: str) -> None:
    """The table is one's or the other's, never both."""
    start = threading.Barrier(4)
    failed: list[Exception] = []

    def write(number: int) -> None:
        start.wait()
        try:
            write_table([{"a": number}] * 50, database_server, table="t")
        except Exception as error:
            failed.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == failed
        assert [(50, 1)] == ask(database_server, "SELECT count(*), count(DISTINCT a) FROM t")


def test_rights_and_views_stay_where_columns_do(database_server: str) -> None:
    """A dashboard that reads a view goes on doing so; where a view needs a column that goes, nothing is replaced."""
    write_table([{"a": 1}], database_server, table="t")
    do(database_server, "CREATE VIEW seen AS SELECT a FROM t")
    write_table([{"a": 2}], database_server, table="t")
    assert [(2,)] == ask(database_server, "SELECT a FROM seen")
    with pytest.raises(LibraryError, match="depend"):
        write_table([{"b": 2}], database_server, table="t")
    assert [(2,)] == ask(database_server, "SELECT a FROM seen")


def test_no_secret_is_shown(database_server: str, caplog: pytest.LogCaptureFixture, together_sandbox: Sandbox) -> None:
    """Not in a table's repr, in what is returned, in errors of any kind, nor in the log: neither the password nor the user."""
    host = database_server.rpartition("@")[2]
    user, _, quoted = database_server.partition("://")[2].partition("@")[0].partition(":")
    wrong = database_server.replace(user, "nobody-else")
    seen: list[str] = []
    with caplog.at_level(logging.DEBUG):
        write_table([{"prompt": "a fox"}], database_server, table="t")
        table = requests_from_table(f"{database_server}#t", constants=CONSTANTS)
        seen += [repr(table), str(table.source), repr(table.source), repr(Database(database_server)), str(plan(table))]
        seen += [write_table([{"a": 1}], database_server, table="u"), str(table._repr_mimebundle_())]
        run_batch(table)
        for broken in (
            wrong, database_server.replace(host, "127.0.0.1:1/x"), database_server.replace("postgresql", "postgresql+nothing"),
            database_server.replace("postgresql", "nothing"), database_server.replace(host, "127.0.0.1:port/x"), f"{database_server}?sslmode=no",
        ):  # fmt: skip
            for attempt in (
                lambda broken=broken: requests_from_table(broken, query="SELECT 1 AS prompt"),
                lambda broken=broken: write_table([{"a": 1}], broken, table="t"),
                lambda broken=broken: check_table_path(broken, table="t"),
                lambda broken=broken: run_batch(broken),
            ):
                with pytest.raises((InvalidRequest, LibraryError, ConfigurationError)) as caught:
                    attempt()
                seen += [
                    str(caught.value),
                    repr(caught.value),
                    str(caught.value.__cause__),
                    str(caught.value.__context__ or ""),
                ]
    for text in (*seen, caplog.text):
        for secret in (unquote(quoted), f"{user}:{quoted}", f"{user}:"):
            assert secret not in text


def test_a_database_is_looked_at_before_anything_is_paid(database_url: str, tmp_path: Path) -> None:
    """Whether a table could be written is known before, and finding out leaves nothing."""
    check_table_path(database_url, table="t")
    check_table_path(f"{database_url}#t")
    assert [] == [path for path in tmp_path.iterdir() if path.name.startswith("a.")]
    listed = {"sqlite": "SELECT name FROM sqlite_master", "duckdb": "SELECT table_name FROM information_schema.tables"}
    write_table([{"a": 1}], database_url, table="t")
    check_table_path(database_url, table="t")
    known = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert [("t",)] == ask(database_url, listed.get(Database(database_url).kind, known))


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
