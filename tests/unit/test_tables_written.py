"""Tables that are written: what becomes of types, gaps and missing rows, in every format, and how much is in memory."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch import table_writer as writing
from prefect_together.batch.outcome_columns import column_types
from prefect_together.batch.request_table import requests_from_table
from prefect_together.batch.table_files import check_table_path
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.storage.storage import Storage

from .conftest import Place
from .rows import MODEL, ROWS, check

TYPES = column_types()


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_what_is_written_is_read_back(kind: str, tmp_path: Path) -> None:
    """Text with commas, quotes, line ends and tabs, money and gaps survive every format."""
    records: list[dict[str, Any]] = [
        {"text": 'a, "b"\n\tc', "cost": Decimal("0.03"), "seed": None},
        {"text": None, "cost": None, "seed": 7, "late": "column"},
    ]
    where = writing.write(tmp_path / "below" / f"out.{kind}", records, TYPES)
    assert where == (tmp_path / "below" / f"out.{kind}").as_uri()
    back = [row.columns for row in requests_from_table(where, constants={"prompt": "x", **MODEL})]
    assert ('a, "b"\n\tc', Decimal("0.03")) == (back[0]["text"], Decimal(back[0]["cost"]))
    assert "column" == back[1]["late"]
    assert [] == list((tmp_path / "below").glob("*.partial"))


@pytest.mark.parametrize("place", ["file/below/out.csv", "folder.csv"], ids=["below-a-file", "a-folder"])
def test_where_no_table_can_be_written(place: str, tmp_path: Path) -> None:
    """One sentence with the path and what is wrong with it, and nothing left of the attempt."""
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LibraryError, match=f"{place} cannot be written: ") as caught:
        writing.write(tmp_path / place, [{"a": 1}], TYPES)
    assert caught.value.retryable
    assert before == sorted(tmp_path.rglob("*"))


@pytest.mark.slow
def test_a_table_is_written_a_part_at_a_time(tmp_path: Path) -> None:
    """20,000 rows of 40 MB are written as Parquet with little memory, and types that show late are found."""
    import tracemalloc

    def records() -> Iterator[dict[str, Any]]:
        for number in range(20_000):
            yield {"text": "x" * 2000, "late": 1.5 if number > 15_000 else number, "mixed": "a" if number > 15_000 else 1}

    writing.write(tmp_path / "first.parquet", [{"text": "x"}], TYPES)  # what is imported for it does not count
    tracemalloc.start()
    path = tmp_path / "large.parquet"
    writing.write(path, records(), TYPES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25_000_000
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.ParquetFile(path)
    assert ["string", "double", "string"] == [str(field.type) for field in found.schema_arrow]
    assert 20_000 == found.metadata.num_rows
    assert found.num_row_groups > 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([None, None], "string", id="nothing"),
        pytest.param([None, True], "bool", id="yes-no"),
        pytest.param([1, "a"], "string", id="mixed"),
        pytest.param([True, 1], "string", id="yes-and-one"),
        pytest.param([1, 0.5], "double", id="fractions"),
        pytest.param([1, 2**80], "decimal128(38, 0)", id="beyond-64-bits"),
        pytest.param([1, 2**800], "string", id="too-large"),
        pytest.param([{"a": 1}, {"a": 2, "b": "x"}], "struct<a: int64, b: string>", id="nested"),
    ],
)
def test_types_of_columns(values: list[Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column's type holds all its values, wherever in the table they stand; the frame agrees with the file."""
    monkeypatch.setattr(writing, "_ROWS", 1)
    records = [{"own": value, "status": "kept"} for value in values]
    path = tmp_path / "a.parquet"
    writing.write(path, records, TYPES)
    parquet = pytest.importorskip("pyarrow.parquet")
    assert expected == str(parquet.read_schema(path).field("own").type)
    assert parquet.read_table(path).equals(writing.frame(records, TYPES).to_native())


def test_our_names_in_a_users_table_keep_their_types(tmp_path: Path) -> None:
    """A column of numbers that is called status stays one, and ours beside it is text."""
    writing.write(
        tmp_path / "a.parquet", [{"status": 7, "together_status": None, "together_cost": "0.03", "seed": 2**62}], TYPES
    )
    schema = pytest.importorskip("pyarrow.parquet").read_schema(tmp_path / "a.parquet")
    assert ["int64", "string", "decimal128(18, 6)", "int64"] == [str(field.type) for field in schema]
    writing.write(tmp_path / "b.parquet", [{"size": 1.5, "cost": "dear", "seconds_taken": 2}], TYPES)
    schema = pytest.importorskip("pyarrow.parquet").read_schema(tmp_path / "b.parquet")
    assert ["double", "string", "double"] == [str(field.type) for field in schema]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_no_rows_still_have_columns(kind: str, tmp_path: Path) -> None:
    """The table of an empty batch can be read again."""
    writing.write(tmp_path / f"a.{kind}", [], TYPES)
    table = requests_from_table(tmp_path / f"a.{kind}", constants={"prompt": "x"})
    assert [] == list(table)
    assert "sha256" in (table.source.columns() or [])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_in_buckets(kind: str, bucket: Place) -> None:
    """Both ways, with options of their own, or with those of a library in the same bucket; secrets are not shown."""
    root = bucket.url.rpartition("/")[0]
    for name, options in (("own", bucket.options), ("library", None)):
        if options is None:
            Storage(f"{root}/the library", bucket.options)
        url = writing.write(f"{root}/tables/{name}.{kind}", ROWS, TYPES, options)
        table = requests_from_table(url, constants={**MODEL, "height": 256}, options=options)
        check(table)
        assert "secret" not in repr(table.source)


@pytest.mark.parametrize("name", [".csv", "new/.parquet", "new"])
def test_a_table_needs_a_name(name: str, tmp_path: Path) -> None:
    """An ending alone, or a name without one, is no table; nothing is made on the way to finding out."""
    with pytest.raises(InvalidRequest):
        check_table_path(tmp_path / name)
    assert [] == list(tmp_path.iterdir())


def test_looking_whether_a_table_can_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Neither a file nor a folder that was not there, and the name in the sentence is the user's own."""
    check_table_path(tmp_path / "new" / "deep" / "a.csv")
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError) as caught:
        check_table_path(tmp_path / "file" / "a.csv")
    assert f"The table {tmp_path / 'file' / 'a.csv'} cannot be written" in caught.value.what
    assert "is a file" in caught.value.advice
    assert ["file"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_rows_of_ones_own(kind: str, tmp_path: Path) -> None:
    """They are a table as well: money exact, columns in which nothing stands of the type that was said, gaps empty."""
    rows = [{"picture": "fox", "score": None, "cost": Decimal("0.0003074")}, {"picture": None, "tags": ["a", "b"]}]
    columns = {"picture": str, "score": int, "cost": Decimal, "tags": list[str]}
    where = writing.write_table(rows, tmp_path / f"out.{kind}", columns=columns)
    first, second = (row.columns for row in requests_from_table(where, constants={"prompt": "x", **MODEL}))
    assert ("fox", Decimal("0.0003074")) == (first["picture"], Decimal(str(first["cost"])))
    assert ["a", "b"] == (json.loads(second["tags"]) if isinstance(second["tags"], str) else second["tags"])
    if kind == "parquet":
        types = pytest.importorskip("pyarrow.parquet").read_schema(tmp_path / "out.parquet")
        assert ["string", "int64", "decimal128(24, 12)"] == [str(types.field(name).type) for name in list(columns)[:3]]


MOMENT = datetime(2026, 11, 28, 8, 30, tzinfo=timezone.utc)
TYPED: dict[str, tuple[Any, str]] = {
    "day": (date(2026, 11, 28), "date32[day]"),
    "at": (MOMENT, "timestamp[us, tz=UTC]"),
    "elsewhere": (MOMENT.astimezone(timezone(timedelta(hours=5))), "timestamp[us, tz=UTC]"),
    "here": (datetime(2026, 11, 28, 8, 30), "timestamp[us]"),  # noqa: DTZ001
    "clock": (time(8, 30), "time64[us]"),
    "took": (timedelta(days=1, seconds=2.5), "duration[us]"),
    "raw": (b"\x00\xff", "binary"),
    "price": (Decimal("0.03"), "decimal128(24, 12)"),
    "exact": (Decimal("12345678901234567890.1234567890123"), "decimal128(38, 13)"),
    "ratio": (float("inf"), "double"),
    "good": (True, "bool"),
    "count": (7, "int64"),
}


def test_columns_are_of_the_types_of_their_cells(tmp_path: Path) -> None:
    """Dates, times, exact numbers and bytes as well, however late the first of them comes; nothing is rounded or lost."""
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"mixed": date(2026, 1, 1), "never": None},
        *[dict.fromkeys(TYPED)] * 5000,
        {**{n: v for n, (v, _) in TYPED.items()}, "mixed": 7},
    ]
    writing.write_table(rows, path := tmp_path / "out.parquet", columns={"never": date})
    table = parquet.read_table(path)
    assert {**{name: kind for name, (_, kind) in TYPED.items()}, "mixed": "string", "never": "date32[day]"} == {
        field.name: str(field.type) for field in table.schema
    }
    last = table.slice(5001).to_pylist()[0]
    assert {name: value for name, (value, _) in TYPED.items()} == {name: last[name] for name in TYPED}
    assert "7" == last["mixed"]
    # What a later batch is made of them is the same in every format.
    writing.write_table(
        [{name: cell for name, cell in row.items() if name != "never"} for row in rows], path.with_suffix(".csv")
    )
    written = path.with_suffix(".csv").read_text(encoding="utf-8").splitlines()[-1]
    moments = "2026-11-28,2026-11-28 08:30:00+00:00,2026-11-28 13:30:00+05:00,2026-11-28 08:30:00,08:30:00,P1DT2.5S"
    assert written.startswith(f"7,{moments},AP8=,0.03,")
    assert written.endswith(",0.03,12345678901234567890.1234567890123,inf,true,7")


def test_a_type_that_no_column_has(tmp_path: Path) -> None:
    """One sentence, and nothing is written."""
    with pytest.raises(InvalidRequest, match=r"A column cannot be of <class 'dict'>: give str, int, float, bool, Decimal"):
        writing.write_table([{"a": {}}], tmp_path / "out.csv", columns={"a": dict})
    assert [] == list(tmp_path.iterdir())


class _WritesItself:
    def write_table(self, path: str) -> str:
        return path

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter([("kept", 1)])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (_WritesItself(), "and not of a _WritesItself: it writes itself, by its write_table(path)"),
        ("rows.csv", "A table is written of rows, such as a list of dicts, and not of a str."),
        ({"a": 1}, "and not of a dict."),
        (7, "and not of an int."),
        (None, "and not of a NoneType."),
        ([{"a": 1}, ("a", 1)], "Row 2 is a tuple: give a mapping"),
        ([["a"]], "Row 1 is a list: give a mapping"),
    ],
)
def test_what_is_no_row_is_told(rows: Any, said: str, tmp_path: Path) -> None:
    """One sentence, and nothing is written."""
    with pytest.raises(InvalidRequest) as caught:
        writing.write_table(rows, tmp_path / "out.csv")
    assert said in str(caught.value)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_is_replaced_keeps_its_mode_and_its_links(kind: str, tmp_path: Path) -> None:
    """A link goes on leading to the table, one that led nowhere too; who may read it is whoever might before."""
    real, link = tmp_path / "shared" / f"a.{kind}", tmp_path / f"link.{kind}"
    real.parent.mkdir()
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    nowhere = tmp_path / f"nowhere.{kind}"
    nowhere.symlink_to(tmp_path / "later" / f"b.{kind}")
    for place in (link, nowhere):
        check_table_path(place)
        assert place.as_uri() == writing.write_table([{"a": 1}], place)
        assert place.is_symlink()
        assert b"old" != place.read_bytes()
    assert 0o640 == stat.S_IMODE(real.stat().st_mode)
    writing.write_table([{"a": 1}], real)
    assert 0o640 == stat.S_IMODE(real.stat().st_mode)
    assert [real] == list(real.parent.iterdir())
