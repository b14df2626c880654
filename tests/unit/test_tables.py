"""Tables in and out: what becomes of columns, templates, constants and bad rows, in every format and frame."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.errors import InvalidRequest
from prefect_together.requests import ImageRequest, VideoRequest
from prefect_together.storage import Storage
from prefect_together.tables import RequestTable, requests_from_table, writing

from .conftest import Place

MODEL: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro"}
ROWS: list[dict[str, Any]] = [
    {"Prompt": "a fox, asleep", "seed": 1, "width": 512, "note": "ä"},
    {"Prompt": 'a "red" fox', "seed": 2, "width": None, "note": "b"},
]


def _csv(rows: list[dict[str, Any]], separator: str = ",") -> str:
    def cell(value: Any) -> str:
        return "" if value is None else '"' + str(value).replace('"', '""') + '"'

    return "\n".join([separator.join(rows[0]), *(separator.join(map(cell, row.values())) for row in rows), ""])


def _write(folder: Path, kind: str) -> Path:
    path = folder / f"table.{kind}"
    if kind == "parquet":
        writing.write(path, ROWS)
    elif kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)) + "\n\n", encoding="utf-8")
    else:
        path.write_text(_csv(ROWS, "\t" if kind == "tsv" else ","), encoding="utf-8-sig")
    return path


def _check(table: RequestTable) -> None:
    rows = list(table)
    requests = [row.request for row in rows]
    expected = [
        ImageRequest(prompt="a fox, asleep", seed=1, width=512, height=256, **MODEL),
        ImageRequest(prompt='a "red" fox', seed=2, height=256, **MODEL),
    ]
    assert expected == requests
    assert [1, 2] == [row.number for row in rows]
    assert ["ä", "b"] == [row.columns["note"] for row in rows]
    assert 2 == len(table)
    assert requests == [row.request for row in table], "a table can be read again"


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_files(kind: str, tmp_path: Path) -> None:
    """Every format gives the same requests: names of columns match in any case, empty cells leave fields unset."""
    _check(requests_from_table(_write(tmp_path, kind), constants={**MODEL, "height": 256}))


@pytest.mark.parametrize("library", ["pandas", "polars", "lazy", "pyarrow", "duckdb", "rows"])
def test_frames(library: str) -> None:
    """Frames of every library give the same requests."""
    frame: Any = ROWS
    if library == "pandas":
        frame = pytest.importorskip("pandas").DataFrame(ROWS)
    elif library in {"polars", "lazy"}:
        frame = pytest.importorskip("polars").DataFrame(ROWS)
        frame = frame.lazy() if library == "lazy" else frame
    elif library == "pyarrow":
        frame = pytest.importorskip("pyarrow").Table.from_pylist(ROWS)
    elif library == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        frame = duckdb.from_arrow(pytest.importorskip("pyarrow").Table.from_pylist(ROWS))
    _check(requests_from_table(frame, constants={**MODEL, "height": 256}))


def test_an_object_store(bucket: Place) -> None:
    """A table in a bucket is read, and one is written there."""
    storage = Storage(bucket.url, bucket.options)
    url = f"{bucket.url}/in/table.csv"
    with pytest.raises(InvalidRequest, match="There is no table"):
        requests_from_table(url, constants=MODEL, options=bucket.options)
    storage.put_file("in/table.csv", io.BytesIO(_csv(ROWS).encode()))
    _check(requests_from_table(url, constants={**MODEL, "height": 256}, options=bucket.options))
    _check(requests_from_table(url, constants={**MODEL, "height": 256}))


def test_templates_and_column_names() -> None:
    """A template is filled from the row, a column is mapped by name, a row's own cell outranks a constant."""
    rows = [
        {"product": "teapot", "style": "ink", "prompt": "unused", "w": "640", "seed": ""},
        {"product": "", "style": "x", "w": ""},
    ]
    table = requests_from_table(
        rows, templates={"prompt": "a photo of {product}, {style}"}, columns={"width": "w"}, constants={**MODEL, "seed": 7}
    )
    first, second = table
    assert ImageRequest(prompt="a photo of teapot, ink", width=640, seed=7, **MODEL) == first.request
    assert "Row 2, column 'product': it is empty, and prompt needs it." == second.error


def test_clips_from_a_table() -> None:
    """Rows become requests of the type that is asked for; one picture is enough for a list of them."""
    (row,) = requests_from_table(
        [{"prompt": "in", "frame_images": "https://example.com/a.png"}], request=VideoRequest, constants={"model": "m"}
    )
    assert isinstance(row.request, VideoRequest)
    assert 1 == len(row.request.frame_images or ())


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        pytest.param({"prompt": "x", "Width": "wide"}, "Row 2, column 'Width': ", id="no-number"),
        pytest.param({"prompt": "", "Width": 1}, "Row 2, column 'prompt': ", id="empty"),
        pytest.param({"prompt": "x", "seed": -1}, "Row 2, column 'seed': ", id="out-of-range"),
        pytest.param({"prompt": "x", "n": 2.5}, "Row 2, column 'n': ", id="no-whole-number"),
        pytest.param([1], "Row 2: a row is a mapping", id="no-mapping"),
    ],
)
def test_a_bad_row_names_its_column_and_stops_no_other(cells: Any, said: str) -> None:
    """The error says which row and column; the rows around it are fine."""
    rows = list(requests_from_table([{"prompt": "a"}, cells, {"prompt": "b"}], constants=MODEL))
    assert [True, False, True] == [row.request is not None for row in rows]
    assert (rows[1].error or "").startswith(said)


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        pytest.param(b"prompt,seed\na,1\nb,2,3\nc,3\n", [True, False, True], id="too-many-cells"),
        pytest.param(b"prompt,seed\na\nb,2\n", [True, True], id="too-few-cells"),
        pytest.param(b"prompt,seed\n\na,1\n\n", [True], id="empty-lines"),
        pytest.param(b"prompt,seed\n\xff\xfe a,1\nb\0,2\n", [True, True], id="other-bytes"),
        pytest.param(b"prompt,seed\n", [], id="header-only"),
        pytest.param(b'prompt,seed\n"a\nfox",1\n"never closed,2\n', [True, True], id="quotes"),
    ],
)
def test_odd_files(text: bytes, outcomes: list[bool], tmp_path: Path) -> None:
    """What is odd in one line stays in that line."""
    path = tmp_path / "odd.csv"
    path.write_bytes(text)
    assert outcomes == [row.request is not None for row in requests_from_table(path, constants=MODEL)]


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        pytest.param("a.csv", "", {}, "is empty: its first line should name the columns", id="empty"),
        pytest.param("a.csv", "x,y\n1,2\n", {"constants": MODEL}, "has no column for prompt", id="no-prompt"),
        pytest.param("a.csv", "x,x\n1,2\n", {}, "two columns 'x'", id="twice"),
        pytest.param("a.csv", "x\n1\n", {"columns": {"prompt": "y"}}, "no column 'y': it has x", id="no-column"),
        pytest.param("a.csv", "x\n1\n", {"templates": {"prompt": "{z}"}}, "no column 'z'", id="template"),
        pytest.param("a.csv", "x\n1\n", {"templates": {"prompt": "{x"}}, "cannot be read", id="broken-template"),
        pytest.param("a.csv", "x\n1\n", {"constants": {"widht": 1}}, "no field 'widht'", id="no-field"),
        pytest.param("a.parquet", "x", {}, "is no Parquet file", id="no-parquet"),
        pytest.param("a.xlsx", "x", {}, "is no table", id="ending"),
    ],
)
def test_what_is_wrong_with_all_rows_is_said_at_once(
    name: str, text: str, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """Before any row is read: one sentence that names the table, the column or the field."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=said):
        requests_from_table(path, **options)


def test_no_such_table(tmp_path: Path) -> None:
    """A file that is not there, and a thing that is no table."""
    with pytest.raises(InvalidRequest, match="There is no table"):
        requests_from_table(tmp_path / "none.csv")
    with pytest.raises(InvalidRequest, match="int is no table"):
        requests_from_table(7)


def test_a_large_file_is_read_row_by_row(tmp_path: Path) -> None:
    """A table of 60 MB is looked through with little memory: rows are not collected."""
    import tracemalloc

    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("prompt,note\n")
        line = f"a fox,{'x' * 6000}\n"
        for _ in range(10_000):
            file.write(line)
    tracemalloc.start()
    assert 10_000 == sum(row.request is not None for row in requests_from_table(path, constants=MODEL))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_what_is_written_is_read_back(kind: str, tmp_path: Path) -> None:
    """Text with commas, quotes, line ends and tabs, money and gaps survive every format."""
    records: list[dict[str, Any]] = [
        {"text": 'a, "b"\n\tc', "cost": Decimal("0.03"), "seed": None},
        {"text": None, "cost": None, "seed": 7, "late": "column"},
    ]
    where = writing.write(tmp_path / "below" / f"out.{kind}", records)
    assert where == (tmp_path / "below" / f"out.{kind}").as_uri()
    back = [row.columns for row in requests_from_table(where, constants={"prompt": "x", **MODEL})]
    assert ('a, "b"\n\tc', Decimal("0.03")) == (back[0]["text"], Decimal(back[0]["cost"]))
    assert "column" == back[1]["late"]
    assert [] == list((tmp_path / "below").glob("*.partial"))
