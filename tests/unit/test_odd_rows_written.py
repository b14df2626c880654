"""Rows that no format takes as they are: names that are no text or differ by capitals, objects without fields, frames, futures."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import Future
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from prefect_together import write_table
from prefect_together.batch.request_table import requests_from_table
from prefect_together.batch.results import BatchItem
from prefect_together.errors import InvalidRequest

from .rows import MODEL


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sqlite"])
def test_names_that_are_no_text_are_written_as_text(kind: str, tmp_path: Path) -> None:
    """A pivot has years for its columns."""
    rows = [{2025: 5, 2026: 6}, {2025: 7}]
    if kind == "sqlite":
        write_table(cast("Any", rows), f"sqlite:///{tmp_path}/a.db#a")
        cells = _of(tmp_path / "a.db")
    else:
        written = write_table(cast("Any", rows), tmp_path / f"a.{kind}")
        cells = [row.columns for row in requests_from_table(written, constants={"prompt": "x", **MODEL})]
    assert [("5", "6"), ("7", "None")] == [(str(row["2025"]), str(row.get("2026") or None)) for row in cells]


def _of(path: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM a")]


def test_names_that_differ_by_capitals_go_into_a_database(tmp_path: Path) -> None:
    """SQLite tells them not apart: the second has a number."""
    write_table([{"Sku": 1, "sku": 2, "sku_2": 3}], f"sqlite:///{tmp_path}/a.db#a")
    assert [{"Sku": 1, "sku_2": 2, "sku_2_2": 3}] == _of(tmp_path / "a.db")


def test_names_that_differ_by_capitals_go_into_duckdb(tmp_path: Path) -> None:
    """As there, with exact numbers of any size beside them, in lists of any kind too."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("duckdb_engine")
    rows = [{"Sku": 1, "sku": 2, "large": Decimal(10**40), "many": [Decimal(10**40)]}]
    write_table(rows, f"duckdb:///{tmp_path}/a.duckdb#a")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as database:
        found = database.sql('SELECT "Sku", "sku_2", "large" FROM a').fetchall()
    assert [(1, 2, str(10**40))] == found


@pytest.mark.parametrize("cell", [{}, {"a": {}}, [{}], [{"a": []}]])
def test_objects_without_fields_are_text_in_parquet(cell: Any, tmp_path: Path) -> None:
    """Parquet has no type for them."""
    parquet = pytest.importorskip("pyarrow.parquet")
    where = write_table([{"a": cell}, {"a": None}], tmp_path / "a.parquet")
    (kept, none) = parquet.read_table(where.removeprefix("file://"))["a"].to_pylist()
    assert cell == (json.loads(kept) if isinstance(kept, str) else kept)
    assert none is None


def test_what_still_runs_is_no_cell(tmp_path: Path) -> None:
    """One sentence with the row, the column and what to do."""
    with pytest.raises(InvalidRequest, match=r"Row 2 has a Future in 'a': call \.result\(\) on it"):
        write_table([{"a": 1}, {"a": Future()}], tmp_path / "a.csv")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("library", "way"),
    [("pandas", r'to_dict\("records"\)'), ("polars", r"rows\(named=True\)"), ("pyarrow", r"to_pylist\(\)")],
)
def test_a_frame_is_told_how_to_become_rows(library: str, way: str, tmp_path: Path) -> None:
    """And what it says gives the rows."""
    frames = pytest.importorskip(library)
    frame = frames.table({"a": [1]}) if library == "pyarrow" else frames.DataFrame({"a": [1]})
    with pytest.raises(InvalidRequest, match=way):
        write_table(frame, tmp_path / "a.csv")


def test_own_columns_in_capitals_stand_beside_ours() -> None:
    """A column of the user's that is called Status leaves ours another name, as one called status does."""
    item = BatchItem(row=1, outcome="kept", columns={"Status": "new", "COST": "3"})
    record = item.record()
    assert ("new", "kept", "3") == (record["Status"], record["together_status"], record["COST"])
    assert "together_cost" in record
    assert len(record) == len({name.casefold() for name in record})
