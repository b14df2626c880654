"""The columns of a user's own table in the table that comes out: types, values and gaps as they were, in every format."""

# ruff: noqa: DTZ001 - tables hold moments without a zone

from __future__ import annotations

import base64
import csv
import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch import table_writer as writing
from prefect_together.batch.cells import as_json
from prefect_together.batch.outcome_columns import column_types
from prefect_together.batch.request_table import requests_from_table
from prefect_together.batch.results import BatchItem
from prefect_together.generations.image import ImageRequest

from .rows import MODEL


def _arrow_table() -> Any:
    """Return a table with a column of each kind of type, each with a gap."""
    arrow = pytest.importorskip("pyarrow")
    moment, day = datetime(2026, 1, 31, 12, 0, 5), date(2026, 1, 31)
    columns: dict[str, tuple[Any, Any]] = {
        "ns": (1_580_000_000_000_000_123, arrow.timestamp("ns")),
        "zoned": (1_580_000_000_000_000_123, arrow.timestamp("ns", "Europe/Berlin")),
        "us": (moment, arrow.timestamp("us")),
        "old": (datetime(1960, 1, 1), arrow.timestamp("s", "UTC")),
        "date32": (day, arrow.date32()),
        "date64": (day, arrow.date64()),
        "time": (time(1, 2, 3, 5), arrow.time64("us")),
        "time_ns": (3_723_000_000_005, arrow.time64("ns")),
        "time_s": (time(1, 2, 3), arrow.time32("s")),
        "duration": (timedelta(days=-1, microseconds=5), arrow.duration("us")),
        "duration_ns": (90_061_000_000_005, arrow.duration("ns")),
        "duration_negative": (-90_061_000_000_005, arrow.duration("ns")),
        "duration_s": (timedelta(hours=1), arrow.duration("s")),
        "decimal": (Decimal("1.10"), arrow.decimal128(10, 2)),
        "long": (Decimal("-12345678901234567890123456789012345.50"), arrow.decimal256(50, 2)),
        "binary": (b"\x89PNG\x00\xff", arrow.binary()),
        "fixed": (b"ab", arrow.binary(2)),
        "float32": (0.1, arrow.float32()),
        "infinite": (float("inf"), arrow.float64()),
        "nan": (float("nan"), arrow.float64()),
        "nan32": (float("nan"), arrow.float32()),
        "nans": ([float("nan"), None, 1.5], arrow.list_(arrow.float64())),
        "score": ({"a": float("nan")}, arrow.struct([("a", arrow.float64())])),
        "int8": (1, arrow.int8()),
        "uint64": (2**64 - 1, arrow.uint64()),
        "bool": (True, arrow.bool_()),
        "large": ("x", arrow.large_string()),
        "category": ("x", arrow.dictionary(arrow.int8(), arrow.string())),
        "list": ([moment, None], arrow.list_(arrow.timestamp("us"))),
        "struct": ({"a": 1, "b": b"\xff"}, arrow.struct([("a", arrow.int32()), ("b", arrow.binary())])),
        "map": ([("k", Decimal("1.5"))], arrow.map_(arrow.string(), arrow.decimal128(5, 1))),
        "status": ("mine", arrow.string()),
    }
    arrays = {name: arrow.array([value, None], kind) for name, (value, kind) in columns.items()}
    return arrow.table({"prompt": ["a fox", "a hen"], **arrays})


def _came_out(table: Any, rows: list[int], path: Path) -> Any:
    """Write what came of some rows of a table, by way of a manifest's lines, and return what is read again."""
    requests = requests_from_table(table, constants=MODEL)
    schema = requests.schema({})
    lines = [as_json(dict(row.columns)) for row in requests]
    items = [BatchItem(row=row + 1, outcome="failed", columns=json.loads(json.dumps(lines[row]))) for row in rows]
    writing.write(path, [item.record(schema) for item in items], column_types(schema), theirs=schema)
    return pytest.importorskip("pyarrow.parquet").read_table(path)


@pytest.mark.parametrize("rows", [[0, 1], [1], []], ids=["all", "gaps", "none"])
@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_own_columns_come_back_as_they_were(kind: str, rows: list[int], tmp_path: Path) -> None:
    """Every type, every value, whatever rows there are that day; ours beside them, under a name that is free."""
    parquet = pytest.importorskip("pyarrow.parquet")
    table, source = _arrow_table(), tmp_path / "in.parquet"
    parquet.write_table(table, source)
    out = _came_out(source if kind == "parquet" else table, rows, tmp_path / "out.parquet")
    back = parquet.read_table(source)  # Parquet itself has no seconds, and its own names for what lists hold
    for field in back.schema:
        assert field.type == out.schema.field(field.name).type, field.name
        cells = back.column(field.name).to_pylist()
        # As they are shown, for a NaN is not equal to itself.
        assert repr([cells[row] for row in rows]) == repr(out.column(field.name).to_pylist()), field.name
    ours = out.schema.names[len(back.schema) :]
    assert ["together_status", "uri", "sha256"] == ours[:3]
    assert ["string", "int64", "decimal128(18, 6)", "bool"] == [
        str(out.schema.field(name).type) for name in ("together_status", "size", "cost", "reused")
    ]


def test_own_columns_in_tables_of_text(tmp_path: Path) -> None:
    """CSV and JSON lines hold text that a reader can make the cells of again."""
    requests = requests_from_table(_arrow_table(), constants=MODEL)
    schema = requests.schema({})
    item = BatchItem(row=1, outcome="kept", columns=as_json(dict(next(iter(requests)).columns)))
    for ending in ("csv", "jsonl"):
        writing.write(tmp_path / f"a.{ending}", [item.record(schema)], column_types(schema), theirs=schema)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        (cells,) = csv.DictReader(file)
    (line,) = map(json.loads, (tmp_path / "a.jsonl").read_text("utf-8").splitlines())
    for found in (cells, line):
        assert b"\x89PNG\x00\xff" == base64.b64decode(found["binary"])
        assert datetime(2026, 1, 31, 12, 0, 5) == datetime.fromisoformat(found["us"])
        assert Decimal("1.10") == Decimal(found["decimal"])
        assert date(2026, 1, 31) == date.fromisoformat(found["date32"])
    assert {"a": 1, "b": "/w=="} == json.loads(cells["struct"]) == line["struct"]
    assert ("true", True) == (cells["bool"], line["bool"])
    assert all(math.isnan(float(found["nan"])) for found in (cells, line))
    assert ("false", False) == (cells["reused"], line["reused"])


@pytest.mark.parametrize("kind", ["pandas", "polars", "rows"])
def test_types_of_frames_and_rows(kind: str, tmp_path: Path) -> None:
    """A frame's types are its own; those of a list's rows hold all its cells, where they are Python's."""
    rows: list[dict[str, Any]] = [
        {"prompt": "a", "day": date(2026, 1, 31), "price": Decimal("1.10"), "raw": b"\xff", "mixed": 1, "gap": 1},
        {"prompt": "b", "day": None, "price": None, "raw": None, "mixed": "x", "gap": None},
    ]
    source: Any = rows
    if kind == "pandas":
        source = pytest.importorskip("pandas").DataFrame(rows)
    elif kind == "polars":
        source = pytest.importorskip("polars").DataFrame(rows, strict=False)
    out = _came_out(source, [1], tmp_path / "out.parquet")
    found = [str(out.schema.field(name).type).removeprefix("large_") for name in rows[0]]
    assert ["string", "date32[day]"] == found[:2]
    assert found[2].startswith("decimal128")
    assert ["binary", "string", "double" if kind == "pandas" else "int64"] == found[3:]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_empty_table_has_its_columns(kind: str, tmp_path: Path) -> None:
    """The user's first, then ours, all of the types that they have on other days."""
    source = tmp_path / "in.csv"
    source.write_text("prompt,sku\n", encoding="utf-8")
    schema = requests_from_table(source, constants=MODEL).schema({})
    path = tmp_path / f"out.{kind}"
    writing.write(path, [], column_types(schema), theirs=schema)
    full = BatchItem(row=1, outcome="kept", columns={"prompt": "a", "sku": "b"}).record(schema)
    names = requests_from_table(path, constants={"prompt": "x", **MODEL}).source.columns()
    assert ["prompt", "sku", "status", "uri"] == (names or [])[:4]
    assert list(full) == names
    if kind == "parquet":
        types = pytest.importorskip("pyarrow.parquet").read_schema(path)
        assert ["string", "int64", "decimal128(18, 6)", "double", "bool"] == [
            str(types.field(name).type) for name in ("sku", "seed", "cost", "seconds_taken", "reused")
        ]


def test_results_of_results(tmp_path: Path) -> None:
    """A table that came out goes in again, as often as one likes: nobody's column is overwritten."""
    path = tmp_path / "a.csv"
    path.write_text("prompt,status\na,mine\n", encoding="utf-8")
    for turn in range(3):
        schema = requests_from_table(path, constants=MODEL).schema({})
        (row,) = requests_from_table(path, constants=MODEL)
        item = BatchItem(row=1, outcome="kept", error=f"turn {turn}", columns=dict(row.columns))
        writing.write(path, [item.record(schema)], column_types(schema), theirs=schema)
    (row,) = requests_from_table(path, constants=MODEL)
    assert ["mine", "turn 0", "turn 1", "turn 2"] == [
        row.columns[name] for name in ("status", "error", "together_error", "together_together_error")
    ]


@pytest.mark.parametrize("kind", ["arrow", "polars", "parquet"])
def test_a_nan_asks_for_nothing_and_is_carried_along(kind: str, tmp_path: Path) -> None:
    """Where a table tells a NaN from a gap, it fills no field and no template, as a gap does, and stays what it is."""
    arrow = pytest.importorskip("pyarrow")
    table: Any = arrow.table({"prompt": ["a", "b"], "seed": [float("nan"), 3.0], "scores": [[1.0, float("nan")], None]})
    source: Any = table
    if kind == "polars":
        source = pytest.importorskip("polars").from_arrow(table)
    elif kind == "parquet":
        source = tmp_path / "a.parquet"
        pytest.importorskip("pyarrow.parquet").write_table(table, source)
    first, second = requests_from_table(source, constants=MODEL)
    assert [ImageRequest(prompt="a", **MODEL), ImageRequest(prompt="b", seed=3, **MODEL)] == [first.request, second.request]
    assert "nan [1.0, nan]" == f"{first.columns['seed']} {first.columns['scores']}"
    assert {"seed": "nan", "scores": [1.0, "nan"]} == {name: as_json(first.columns[name]) for name in ("seed", "scores")}
    refused, taken = requests_from_table(source, templates={"prompt": "take {seed}"}, constants=MODEL)
    assert "Row 1, column 'seed': it is empty, and prompt needs it." == refused.error
    assert "take 3" == (taken.request and taken.request.title())
    (listed, _) = requests_from_table(source, templates={"prompt": "of {scores}"}, constants=MODEL)
    assert "of [1.0,null]" == (listed.request and listed.request.title())
