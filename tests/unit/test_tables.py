"""Tables in and out: what becomes of columns, templates, constants and bad rows, in every format and frame."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch import table_writer as writing
from prefect_together.batch.request_table import requests_from_table
from prefect_together.errors import InvalidRequest
from prefect_together.generations.image import ImageRequest
from prefect_together.generations.video import VideoRequest
from prefect_together.storage.storage import Storage

from .conftest import Place
from .rows import MODEL, ROWS, check

NONE: dict[str, Any] = {}


def _csv(rows: list[dict[str, Any]], separator: str = ",") -> str:
    def cell(value: Any) -> str:
        return "" if value is None else '"' + str(value).replace('"', '""') + '"'

    return "\n".join([separator.join(rows[0]), *(separator.join(map(cell, row.values())) for row in rows), ""])


def _write(folder: Path, kind: str) -> Path:
    path = folder / f"table.{kind}"
    if kind == "parquet":
        writing.write(path, ROWS, {})
    elif kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)) + "\n\n", encoding="utf-8")
    else:
        path.write_text(_csv(ROWS, "\t" if kind == "tsv" else ","), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_files(kind: str, tmp_path: Path) -> None:
    """Every format gives the same requests: names of columns match in any case, empty cells leave fields unset."""
    check(requests_from_table(_write(tmp_path, kind), constants={**MODEL, "height": 256}))


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
    check(requests_from_table(frame, constants={**MODEL, "height": 256}))


def test_an_object_store(bucket: Place) -> None:
    """A table in a bucket is read, and one is written there."""
    storage = Storage(bucket.url, bucket.options)
    url = f"{bucket.url}/in/table.csv"
    with pytest.raises(InvalidRequest, match="There is no table"):
        requests_from_table(url, constants=MODEL, options=bucket.options)
    storage.put_file("in/table.csv", io.BytesIO(_csv(ROWS).encode()))
    check(requests_from_table(url, constants={**MODEL, "height": 256}, options=bucket.options))
    check(requests_from_table(url, constants={**MODEL, "height": 256}))


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
        pytest.param(b"prompt,note\n\xff\xfe a,1\nb\0,2\nc,\xe9\n", [False, False, True], id="other-bytes"),
        pytest.param(b"prompt,,\na,,\nb,1,\n", [True, True], id="columns-without-names"),
        pytest.param(b"prompt,seed\n", [], id="header-only"),
        pytest.param(b'prompt,seed\n"a\nfox",1\n"never closed,2\nb,3\nc,4', [True, False, True, True], id="never-closed"),
        pytest.param(b'prompt,note\na,"x\nb,y\nc,"z"\nd,4', [False, True, True, True], id="closed-elsewhere"),
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
        pytest.param("a.csv", "x;y\n1;2\n", {}, "separated by ';'", id="semicolons"),
        pytest.param("a.csv", "PK\x03\x04", {}, "is no text: it is a spreadsheet", id="spreadsheet"),
        pytest.param("a.jsonl", "x\0y\0", {}, "is no text: .*NUL bytes", id="wide-without-mark"),
        pytest.param("a.csv", "x\n", {"encoding": "klingon"}, "no encoding 'klingon'", id="no-encoding"),
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
    for name in ("none.csv", "none.jsonl", "none.parquet"):
        with pytest.raises(InvalidRequest, match="There is no table"):
            requests_from_table(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InvalidRequest, match="cannot be read: Is a directory"):
        requests_from_table(tmp_path / "folder.csv")
    with pytest.raises(InvalidRequest, match="int is no table"):
        requests_from_table(7)


@pytest.mark.parametrize(
    ("kind", "ending", "options"),
    [
        pytest.param("utf-8-sig", "csv", NONE, id="marked-utf-8"),
        pytest.param("utf-16", "csv", NONE, id="marked-utf-16"),
        pytest.param("utf-16", "jsonl", NONE, id="marked-utf-16-json"),
        pytest.param("utf-16-le", "csv", {"encoding": "utf-16-le"}, id="utf-16"),
        pytest.param("cp1252", "csv", {"encoding": "cp1252"}, id="cp1252"),
    ],
)
def test_encodings(kind: str, ending: str, options: dict[str, Any], tmp_path: Path) -> None:
    """What the file says it is in needs no word, the rest needs one."""
    path = tmp_path / f"a.{ending}"
    path.write_bytes(('prompt\n"a café"\n' if ending == "csv" else '{"prompt": "a café"}\n').encode(kind))
    assert ["a café"] == [row.columns["prompt"] for row in requests_from_table(path, constants=MODEL, **options)]


def test_what_a_cell_cannot_mean_is_not_paid_for(tmp_path: Path) -> None:
    """Bytes of another encoding and NUL are named with row and column; in a column that no request uses they are mended."""
    path = tmp_path / "a.csv"
    path.write_bytes("prompt,note\na café,1\nb,é\n".encode("cp1252") + b"c\0,2\n")
    rows = list(requests_from_table(path, constants=MODEL))
    assert "Row 1, column 'prompt': it holds bytes that are not in the table's encoding" in (rows[0].error or "")
    assert "Row 3, column 'prompt': it holds a NUL character." == rows[2].error
    assert (None, "\ufffd") == (rows[1].error, rows[1].columns["note"])


def test_why_a_line_is_no_row(tmp_path: Path) -> None:
    """The error says what a person has to look for."""
    path = tmp_path / "a.csv"
    path.write_text('prompt,note\na,"x"y\nb,1,2\nc,"open\nd,\n', encoding="utf-8")
    assert [
        "Row 1: a quotation mark stands inside a quoted cell, where it is written twice.",
        "Row 2: it has 3 cells for 2 columns.",
        "Row 3: a quotation mark is opened in column 'note' and closed nowhere.",
        None,
    ] == [row.error for row in requests_from_table(path, constants=MODEL)]


def test_tabs_without_quoting(tmp_path: Path) -> None:
    """What other programs than spreadsheets write holds quotation marks as they are, at the start of a cell too."""
    path = tmp_path / "a.tsv"
    path.write_text('prompt\tnote\n"Starry" night\tx\n"open\ty\n"a ""b""\nc"\tz\nlast\t\n', encoding="utf-8")
    prompts = [row.columns["prompt"] for row in requests_from_table(path, constants=MODEL)]
    assert ['"Starry" night', '"open', 'a "b"\nc', "last"] == prompts


def test_a_picture_is_no_table(tmp_path: Path) -> None:
    """A file with the wrong ending is called what it is."""
    for ending in ("csv", "jsonl"):
        path = tmp_path / f"a.{ending}"
        path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        with pytest.raises(InvalidRequest, match="a file of type image/png"):
            requests_from_table(path)


def test_a_damaged_parquet_file_gives_the_rows_before_the_damage(tmp_path: Path) -> None:
    """The row from which on nothing can be read is named."""
    path = tmp_path / "a.parquet"
    writing.write(path, [{"prompt": f"fox {number} " * 9} for number in range(20_000)], {})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = b"\xaa" * 3000
    path.write_bytes(data)
    *good, bad = requests_from_table(path, constants=MODEL)
    assert good
    assert all(row.request for row in good)
    assert f"Row {len(good) + 1}: it cannot be read, nor can what comes after it" in (bad.error or "")


READER = """
import resource, sys
from prefect_together.batch.request_table import requests_from_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = [row.error for row in requests_from_table(sys.argv[1], constants={"model": "m"}, rows=1000)]
print(len(rows), rows[1] or "", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, sep="|")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "head", "body", "tail", "expected"),
    [
        pytest.param("csv", b"prompt,note\na,1\nb,", b"x", b"\nc,2\n", 3, id="csv-cell"),
        pytest.param("jsonl", b'{"prompt":"a"}\n{"prompt":"', b"x", b'"}\n{"prompt":"c"}\n', 3, id="json-line"),
        pytest.param("csv", b"prompt,note\n", b"a fox," + b"x" * 993 + b"\n", b"", 1000, id="csv-rows"),
    ],
)
def test_a_gigabyte(ending: str, head: bytes, body: bytes, tail: bytes, expected: int, tmp_path: Path) -> None:
    """A row of 1 GB is a bad row, the rows around it are good; the first rows of 1 GB are read alone; memory stays small."""
    path = tmp_path / f"large.{ending}"
    block = body * (10_000_000 // len(body))
    try:
        with path.open("wb") as file:
            file.write(head)
            for _ in range(100):
                file.write(block)
            file.write(tail)
        assert path.stat().st_size >= 1_000_000_000
        run = subprocess.run([sys.executable, "-c", READER, str(path)], capture_output=True, text=True, check=True)
    finally:
        path.unlink()
    count, error, grown = run.stdout.strip().split("|")
    assert expected == int(count)
    assert ("more than 16,777,216 characters" in error) == (expected == 3)
    assert int(grown) < 80


def test_columns_that_fill_no_field_by_their_name() -> None:
    """Where the table came out of another batch, only what is named fills a field; all columns are carried along."""
    rows = [{"uri": "a fox", "prompt": "a hare", "seed": 3, "model": "other"}]
    table = requests_from_table(rows, columns={"prompt": "uri"}, constants={"model": "m"}, by_name=False)
    (row,) = table
    assert row.request == ImageRequest(prompt="a fox", model="m")
    assert rows[0] == dict(row.columns)
    assert {"prompt": ["uri"]} == table.filled()
