"""Numbers that programs write in several ways, and those that not every format holds: one text for each, and exact columns."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together import requests_from_table, write_table
from prefect_together.batch import table_writer as writing
from prefect_together.batch.frames import Frame
from prefect_together.batch.table_databases import Database
from prefect_together.batch.table_frames import Framed
from prefect_together.batch.table_schema import TableSchema
from prefect_together.generations.image import ImageRequest

WHOLE = 2**70 + 1
OWN = {"count": "int64", "share": "float64", "counts": "list_int64"}


def prompts(table: Any) -> list[str]:
    """Return what is asked by the cells of the column n."""
    rows = requests_from_table(table, templates={"prompt": "{n}"}, constants={"model": "m"})
    return [row.request.prompt if isinstance(row.request, ImageRequest) else str(row.error) for row in rows]


def column(values: Iterable[Any], path: Path, *, name: str = "count") -> tuple[str, list[Any]]:
    """Return the type and the cells of a column in a Parquet file."""
    parquet = pytest.importorskip("pyarrow.parquet")
    writing.write(path, [{name: value, "status": "kept"} for value in values], OWN)
    found = parquet.read_table(path).column(name)
    return str(found.type), found.to_pylist()


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1e16", "10000000000000000.0"),
        ("1E+16", "10000000000000000.0"),
        ("1e-7", "0.0000001"),
        ("-2.5e-05", "-0.000025"),
        ("1.5e300", f"{1.5e300:.1f}"),
        ("123456789012345680.0", "123456789012345680.0"),
        ("1.152921504606847e+18", f"{2**60}.0"),
        ("1152921504606847000.0", f"{2**60}.0"),
        ("0.00001", "0.00001"),
    ],
)
def test_one_text_for_one_number(written: str, text: str, tmp_path: Path) -> None:
    """In JSON lines, CSV, rows of Python and frames: an exponent is how a program writes, and nothing that is meant."""
    lines, commas = tmp_path / "a.jsonl", tmp_path / "a.csv"
    lines.write_text(f'{{"n": {written}}}\n', encoding="utf-8")
    commas.write_text(f"n\n{written}\n", encoding="utf-8")
    number = float(written)
    frames = [pytest.importorskip(name).DataFrame({"n": [number]}) for name in ("pandas", "polars")]
    assert {text} == {prompt for table in (lines, commas, [{"n": number}], *frames) for prompt in prompts(table)}


def test_what_is_exact_is_not_rounded(tmp_path: Path) -> None:
    """More digits than a fraction holds, where the format keeps them: in CSV, in JSON, and as exact numbers with gaps beside them."""
    commas, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    commas.write_text("n\n20251128123456789.25\n1\n", encoding="utf-8")
    lines.write_text('{"n": 12345678901234567.89}\n', encoding="utf-8")
    assert (["20251128123456789.25", "1"], ["12345678901234567.89"]) == (prompts(commas), prompts(lines))
    arrow = pytest.importorskip("pyarrow")
    exact = arrow.table({"n": arrow.array([Decimal("12345678901234567.0"), None], arrow.decimal128(38, 1))})
    assert "12345678901234567" == prompts(exact)[0]


def test_an_exponent_among_texts_is_a_text(tmp_path: Path) -> None:
    """A code of a product is no number where others in its column are none; in JSON a text is one everywhere."""
    commas, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    commas.write_text("n\n1e16\nK9\n", encoding="utf-8")
    lines.write_text('{"n": "1e16"}\n', encoding="utf-8")
    assert (["1e16", "K9"], ["1e16"]) == (prompts(commas), prompts(lines))
    commas.write_text("n\n007\n1e3\n", encoding="utf-8")
    assert ["007", "1e3"] == prompts(commas)
    commas.write_text("n\n1e999\n2\n", encoding="utf-8")
    assert ["1e999", "2"] == prompts(commas)


@pytest.mark.parametrize("rows", [1, 4096], ids=["in-parts", "at-once"])
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param([1, None, 2**63 - 1], "int64", id="64-bits"),
        pytest.param([1, None, 2**63], "decimal128(38, 0)", id="beyond"),
        pytest.param([-(10**38) + 1, 7], "decimal128(38, 0)", id="38-digits"),
        pytest.param([7, 10**38], "string", id="39-digits"),
        pytest.param([10**38, WHOLE], "string", id="39-digits-first"),
    ],
)
def test_whole_numbers_are_exact(
    values: list[Any], kind: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 bits, then 38 digits, then text: by the largest number of the column, wherever it stands; nothing is rounded."""
    monkeypatch.setattr(writing, "_ROWS", rows)
    for name in ("count", "own"):  # a column of a schema, and one of the user's
        found, cells = column(values, tmp_path / f"{name}.parquet", name=name)
        assert kind == found
        assert values == [None if cell is None else int(cell) for cell in cells]


@pytest.mark.parametrize("values", [[1.5, WHOLE], [WHOLE, 1.5], [WHOLE, 2]])
def test_a_column_of_numbers_stays_one(values: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the schema calls a number is a number of 64 bits, however many digits the model wrote."""
    monkeypatch.setattr(writing, "_ROWS", 1)
    assert ("double", list(map(float, values))) == column(values, tmp_path / "a.parquet", name="share")


@pytest.mark.parametrize("values", [[1.5, WHOLE], [WHOLE, 1.5]])
def test_fractions_beside_large_whole_numbers_are_not_rounded(
    values: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No type holds both exactly, so that they are text."""
    monkeypatch.setattr(writing, "_ROWS", 1)
    assert ("string", list(map(str, values))) == column(values, tmp_path / "a.parquet", name="own")


def test_lists_of_large_whole_numbers_are_json(tmp_path: Path) -> None:
    """They are as they were written: no type of lists holds them in every database."""
    kind, cells = column([[1], [WHOLE]], tmp_path / "a.parquet", name="counts")
    assert ("string", [[1], [WHOLE]]) == (kind, list(map(json.loads, cells)))


def test_rows_of_ones_own_with_money_and_large_whole_numbers(tmp_path: Path) -> None:
    """An amount with a fraction beside a large whole number: both exactly."""
    write_table([{"n": Decimal("0.5")}, {"n": WHOLE}], tmp_path / "a.parquet")
    found = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "a.parquet").column("n")
    assert ("decimal128(38, 1)", [Decimal("0.5"), Decimal(WHOLE)]) == (str(found.type), found.to_pylist())


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_databases_keep_large_whole_numbers(kind: str, tmp_path: Path) -> None:
    """As exact numbers; in SQLite, which has none beyond 64 bits, as text."""
    pytest.importorskip("duckdb_engine" if kind == "duckdb" else "sqlalchemy")
    arrow = pytest.importorskip("pyarrow")
    frame = Frame(arrow.table({"large": arrow.array([2**64 - 1], arrow.uint64()), "more": [Decimal(WHOLE)]}))
    url = f"{kind}:///{tmp_path}/a.{kind}"
    schema = TableSchema.of(frame.names, frame.types())
    records = [{"large": 2**64 - 1, "more": str(WHOLE), "count": WHOLE}]
    writing.write(url, records, OWN, None, schema, table="t")
    with Database(url).connected(writes=False) as connection:
        (row,) = connection.exec_driver_sql("SELECT * FROM t").fetchall()
    assert [2**64 - 1, WHOLE, WHOLE] == list(map(int, row))
    assert {str if kind == "sqlite" else Decimal} == {type(cell) for cell in row[1:]}


class _Held(Framed):
    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def table_rows(self) -> tuple[Iterable[dict[str, Any]], dict[str, str], TableSchema]:
        """Return the rows of a frame as a manifest has them."""
        rows = [{name: str(cell) for name, cell in row.items()} for row in self._frame.rows()]
        return rows, {}, TableSchema.of(self._frame.names, self._frame.types())


@pytest.mark.parametrize(("precision", "expected"), [(60, f"{10**45}.00"), (30, "7.00")])
def test_numbers_of_256_bits(precision: int, expected: str, tmp_path: Path) -> None:
    """Polars and DuckDB have none: as exact numbers of 38 digits where their type fits, else as text; Parquet keeps them."""
    arrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    cells = arrow.array([Decimal(expected), None], arrow.decimal256(precision, 2))
    held = _Held(Frame(arrow.table({"n": cells.slice(0, 1)})))
    exact = precision <= 38
    found = held.to_polars()["n"]
    assert (polars.Decimal(precision, 2) if exact else polars.String) == found.dtype
    assert expected == str(found[0])
    held.write_table(tmp_path / "a.parquet")
    parquet = pytest.importorskip("pyarrow.parquet")
    assert f"decimal256({precision}, 2)" == str(parquet.read_schema(tmp_path / "a.parquet").field("n").type)
    pytest.importorskip("duckdb_engine")
    url = f"duckdb:///{tmp_path}/a.duckdb"
    held.write_table(url, table="t")
    with Database(url).connected(writes=False) as connection:
        assert [(expected,)] == [(str(row[0]),) for row in connection.exec_driver_sql("SELECT n FROM t").fetchall()]


def test_times_of_day_keep_their_offset(tmp_path: Path) -> None:
    """Arrow has none with an offset, so they are text: in prompts, in what is written, and out of DuckDB's frames."""
    at = time(10, 30, tzinfo=timezone(timedelta(hours=2)))
    said = "10:30:00+02:00"
    duckdb, parquet = pytest.importorskip("duckdb"), pytest.importorskip("pyarrow.parquet")
    relation = duckdb.connect().sql("""SELECT TIMETZ '10:30:00+02' AS n, 1 AS "a""b" """)
    for table in (relation, [{"n": at}], pytest.importorskip("pandas").DataFrame({"n": [at]})):
        assert [said] == prompts(table)
    write_table([{"n": at}], tmp_path / "a.parquet")
    assert [said] == parquet.read_table(tmp_path / "a.parquet").column("n").to_pylist()
    assert "string" == str(Frame(pytest.importorskip("pandas").DataFrame({"n": [at]})).types()["n"])
