"""The same table is the same requests, whatever it came in: every kind of cell, in every format and frame that can hold it."""

# ruff: noqa: DTZ001 - tables hold moments without a zone

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch.request_table import requests_from_table
from prefect_together.generations.image import ImageRequest
from prefect_together.generations.video import VideoRequest

MODEL: dict[str, Any] = {"model": "m"}
COLUMNS: dict[str, tuple[list[Any], list[str | None]]] = {
    "whole": ([3, None, 5], ["3", None, "5"]),
    "large": ([3, None, 2**60], ["3", None, str(2**60)]),
    "full": ([3, 4, 5], ["3", "4", "5"]),
    "fraction": ([0.1, 2.5, 3.0], ["0.1", "2.5", "3.0"]),
    "text": ([" teapots\t", "  ", "cups"], ["teapots", None, "cups"]),
    "day": ([date(2026, 1, 31), date(2026, 2, 1), None], ["2026-01-31", "2026-02-01", None]),
    "moment": (
        [datetime(2026, 1, 31, 12, 0, 5), datetime(2026, 2, 1, 0, 0, 0, 250_000), None],
        ["2026-01-31 12:00:05", "2026-02-01 00:00:00.25", None],
    ),
    "midnights": ([datetime(2026, 1, 31), datetime(2026, 2, 1), None], ["2026-01-31", "2026-02-01", None]),
    "some midnights": (
        [datetime(2026, 1, 31), datetime(2026, 2, 1, 8), None],
        ["2026-01-31 00:00:00", "2026-02-01 08:00:00", None],
    ),
    "zoned": (
        [datetime(2026, 1, 31, 1, 2, 3, tzinfo=timezone.utc), datetime(2026, 2, 1, tzinfo=timezone.utc), None],
        ["2026-01-31 01:02:03+00:00", "2026-02-01 00:00:00+00:00", None],
    ),
    "clock": ([time(10, 30), time(0, 0, 1), None], ["10:30:00", "00:00:01", None]),
    "price": ([Decimal("1.10"), Decimal("20.00"), None], ["1.10", "20.00", None]),
    "yes": ([True, False, None], ["True", "False", None]),
}
SHORT = ["fraction"]
"""What Arrow writes into CSV as whole numbers where it can."""


def _rows() -> list[dict[str, Any]]:
    return [{name: cells[row] for name, (cells, _) in COLUMNS.items()} for row in range(3)]


def _by_hand(path: Path) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(COLUMNS))
        writer.writeheader()
        writer.writerows(_rows())
    return path


def _lines(path: Path, show: Callable[[Any], str]) -> Path:
    path.write_text("\n".join(json.dumps(row, default=show) for row in _rows()), encoding="utf-8")
    return path


def _without_gaps(path: Path) -> Path:
    rows = [{name: cell for name, cell in row.items() if cell is not None} for row in _rows()]
    path.write_text("\n".join(json.dumps(row, default=str) for row in rows), encoding="utf-8")
    return path


def _written(path: Path, write: Callable[[str], Any]) -> Path:
    write(str(path))
    return path


def _arrow() -> Any:
    return pytest.importorskip("pyarrow").Table.from_pylist(_rows())


def _pandas() -> Any:
    return pytest.importorskip("pandas").DataFrame(_rows())


def _polars() -> Any:
    return pytest.importorskip("polars").DataFrame(_rows())


def _duckdb() -> Any:
    return pytest.importorskip("duckdb").from_arrow(_arrow())


def _arrow_csv(path: Path) -> Path:
    return _written(path, lambda to: pytest.importorskip("pyarrow.csv").write_csv(_arrow(), to))


def _arrow_parquet(path: Path) -> Path:
    return _written(path, lambda to: pytest.importorskip("pyarrow.parquet").write_table(_arrow(), to))


SOURCES: dict[str, Callable[[Path], Any]] = {
    "rows": lambda _: _rows(),
    "csv": lambda folder: _by_hand(folder / "a.csv"),
    "csv-pandas": lambda folder: _written(folder / "a.csv", lambda to: _pandas().to_csv(to, index=False)),
    "csv-polars": lambda folder: _written(folder / "a.csv", lambda to: _polars().write_csv(to)),
    "csv-arrow": lambda folder: _arrow_csv(folder / "a.csv"),
    "csv-duckdb": lambda folder: _written(folder / "a.csv", lambda to: _duckdb().write_csv(to)),
    "tsv-pandas": lambda folder: _written(folder / "a.tsv", lambda to: _pandas().to_csv(to, index=False, sep="\t")),
    "jsonl": lambda folder: _lines(folder / "a.jsonl", str),
    "jsonl-iso": lambda folder: _lines(folder / "a.jsonl", lambda cell: getattr(cell, "isoformat", cell.__str__)()),
    "jsonl-without-gaps": lambda folder: _without_gaps(folder / "a.jsonl"),
    "jsonl-polars": lambda folder: _written(folder / "a.jsonl", lambda to: _polars().write_ndjson(to)),
    "parquet": lambda folder: _arrow_parquet(folder / "a.parquet"),
    "parquet-pandas": lambda folder: _written(folder / "a.parquet", lambda to: _pandas().to_parquet(to)),
    "parquet-polars": lambda folder: _written(folder / "a.parquet", lambda to: _polars().write_parquet(to)),
    "pandas": lambda _: _pandas(),
    "pandas-nullable": lambda _: _pandas().convert_dtypes(),
    "pandas-of-arrow": lambda _: _arrow().to_pandas(),
    "polars": lambda _: _polars(),
    "polars-lazy": lambda _: _polars().lazy(),
    "arrow": lambda _: _arrow(),
    "duckdb": lambda _: _duckdb(),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_table_is_the_same_requests(source: str, tmp_path: Path) -> None:
    """Each kind of cell makes the same text in a template, and the same field; where nothing stands, the row is refused."""
    table = SOURCES[source](tmp_path)
    for name, (_, expected) in COLUMNS.items():
        if source == "csv-arrow" and name in SHORT:
            continue
        rows = list(requests_from_table(table, templates={"prompt": f"{{{name}}}"}, constants=MODEL))
        assert expected == [row.request and row.request.title() for row in rows], name
        for row, text in zip(rows, expected, strict=True):
            said = f"Row {row.number}, column {name!r}: it is empty, and prompt needs it."
            assert (None if text else said) == row.error
        filled = requests_from_table(table, columns={"prompt": name}, constants=MODEL)
        assert expected == [row.request and row.request.title() for row in filled], name


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(["3.0", "", "5.0"], ["3", "5"], id="whole-with-gaps"),
        pytest.param(["3.0", "", "1e+16"], ["3", "10000000000000000"], id="large-with-gaps"),
        pytest.param(["3.0", "4.0"], ["3.0", "4.0"], id="no-gaps"),
        pytest.param(["3.0", "", "2.5"], ["3.0", "2.5"], id="fractions"),
        pytest.param(["3.0", "", "beta"], ["3.0", "beta"], id="words"),
        pytest.param(["3.00", "", "5.00"], ["3.00", "5.00"], id="money"),
        pytest.param(["TRUE", "", "false"], ["True", "False"], id="yes-no"),
        pytest.param(["true", "maybe"], ["true", "maybe"], id="words-among-yes-no"),
        pytest.param(["2026-01-31", "2026-02-01T00:00:00"], ["2026-01-31", "2026-02-01"], id="days"),
        pytest.param(["2026-01-31T00:00:00Z"], ["2026-01-31 00:00:00+00:00"], id="zone"),
        pytest.param(["007", "1e3"], ["007", "1e3"], id="no-numbers"),
    ],
)
def test_a_file_of_text_reads_by_column(cells: list[str], expected: list[str], tmp_path: Path) -> None:
    """In CSV it is the whole column that tells 3.0 from 3 and a day from a moment, however many rows are taken."""
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{cell},\n" for cell in cells), encoding="utf-8")
    for rows in (None, 1):
        found = requests_from_table(path, templates={"prompt": "{x}"}, constants=MODEL, rows=rows)
        texts = [row.request.title() for row in found if row.request]
        assert expected[: rows or len(expected)] == texts


@pytest.mark.parametrize("kind", ["rows", "jsonl", "pandas", "polars", "parquet"])
def test_text_stays_text_where_the_table_knows_it(kind: str, tmp_path: Path) -> None:
    """A version "3.0" beside a gap is no number."""
    rows = [{"v": "3.0", "w": "true"}, {"v": None, "w": None}]
    source: Any = rows
    if kind == "jsonl":
        source = tmp_path / "a.jsonl"
        source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    elif kind == "pandas":
        source = pytest.importorskip("pandas").DataFrame(rows)
    elif kind in {"polars", "parquet"}:
        source = pytest.importorskip("polars").DataFrame(rows)
        source = _written(tmp_path / "a.parquet", source.write_parquet) if kind == "parquet" else source
    (first, _) = requests_from_table(source, templates={"prompt": "{v} {w}"}, constants=MODEL)
    assert "3.0 true" == (first.request and first.request.title())


def test_small_fractions_are_as_they_look(tmp_path: Path) -> None:
    """0.1 in 32 bits is 0.1, and 1.10 in JSON is 1.10."""
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"x": [0.1]}, schema={"x": polars.Float32})
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": 1.10}\n{"x": 1e3}', encoding="utf-8")
    found = [
        row.request.title()
        for table in (frame, path)
        for row in requests_from_table(table, templates={"prompt": "{x}"}, constants=MODEL)
        if row.request
    ]
    assert ["0.1", "1.10", "1000.0"] == found


@pytest.mark.parametrize("kind", ["pandas", "pandas-of-parquet", "polars", "rows", "csv"])
def test_lists_of_files(kind: str, tmp_path: Path) -> None:
    """A cell that holds a list fills a field of several files: numpy's arrays too, and JSON in a table of text."""
    pictures = ["https://example.com/a.png", "https://example.com/b.png"]
    rows: list[dict[str, Any]] = [{"prompt": "[a] fox", "reference_images": pictures}]
    source: Any = rows
    if kind == "csv":
        source = tmp_path / "a.csv"
        with source.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["prompt", "reference_images"], ["[a] fox", json.dumps(pictures)]])
    elif kind == "polars":
        source = pytest.importorskip("polars").DataFrame(rows)
    elif kind == "pandas":
        source = pytest.importorskip("pandas").DataFrame(rows)
    elif kind == "pandas-of-parquet":
        pandas = pytest.importorskip("pandas")
        source = pandas.read_parquet(_written(tmp_path / "a.parquet", pandas.DataFrame(rows).to_parquet))
        assert "ndarray" == type(source["reference_images"][0]).__name__
    (row,) = requests_from_table(source, constants=MODEL)
    assert ImageRequest(prompt="[a] fox", reference_images=pictures, **MODEL) == row.request
    assert [pictures] == [row.columns["reference_images"] if kind != "csv" else pictures]


def test_numbers_fill_fields_of_any_kind() -> None:
    """Whole numbers that came as fractions, numbers in a field of text, texts in a field of numbers."""
    rows = [
        {"prompt": 7, "seed": 3.0, "seconds": 6.0, "guidance_scale": "7.5", "generate_audio": "TRUE"},
        {"prompt": "7", "seed": "3", "seconds": "6", "guidance_scale": 7.5, "generate_audio": True},
    ]
    expected = VideoRequest(prompt="7", seed=3, seconds=6, guidance_scale=7.5, generate_audio=True, **MODEL)
    assert [expected, expected] == [row.request for row in requests_from_table(rows, request=VideoRequest, constants=MODEL)]
