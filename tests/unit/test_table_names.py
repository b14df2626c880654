"""Names of columns are one idea for every source: which one fills which field, which one a template means, and typos."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch.request_table import RequestTable, requests_from_table
from prefect_together.errors import InvalidRequest
from prefect_together.generations.image import ImageRequest

from .naming_sources import ONCE, SOURCES

MODEL: dict[str, Any] = {"model": "m"}
NONE: dict[str, Any] = {}


def _prompts(table: RequestTable) -> list[str | None]:
    return [row.error or (row.request and row.request.title()) for row in table]


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind not in ONCE])
def test_two_columns_of_one_name_are_refused(kind: str, tmp_path: Path) -> None:
    """In every source, with the places of both; JSON lines lose only the row."""
    source = SOURCES[kind](["prompt", "x", "prompt"], ["draft", "-", "final"], tmp_path)
    said = "two columns 'prompt', the 1st and the 3rd"
    if kind == "jsonl":
        assert f"Row 1: it has {said}." in _prompts(requests_from_table(source, constants=MODEL))
        return
    with pytest.raises(InvalidRequest, match=said):
        requests_from_table(source, constants=MODEL)


@pytest.mark.parametrize("kind", [kind for kind in SOURCES if kind != "duckdb"])  # its names differ in more than their case
@pytest.mark.parametrize(("field", "first", "second"), [("prompt", "prompt", "Prompt"), ("seed", "SEED", "Seed")])
def test_two_columns_for_one_field_are_refused(kind: str, field: str, first: str, second: str, tmp_path: Path) -> None:
    """Both are named, and columns= decides."""
    source = SOURCES[kind](["text", first, second], ["a fox", "1", "2"], tmp_path)
    more: dict[str, Any] = NONE if field == "prompt" else {"templates": {"prompt": "{text}"}}
    with pytest.raises(InvalidRequest, match=f"two columns for {field}, '{first}' and '{second}'"):
        requests_from_table(source, constants=MODEL, **more)
    for name, value in ((first, "1"), (second, "2")):
        (row,) = requests_from_table(source, constants=MODEL, columns={field: name}, **more)
        assert value == str(getattr(row.request, field))


@pytest.mark.parametrize("kind", SOURCES)
def test_spaces_at_the_edges_of_a_name(kind: str, tmp_path: Path) -> None:
    """A column is found without them, by field, by template and by columns=; two that differ in them only are one too many."""
    source = SOURCES[kind]([" Prompt ", "size \ufeff"], ["a fox", "3"], tmp_path)
    assert ["a fox"] == _prompts(requests_from_table(source, constants=MODEL))
    assert ["a fox 3"] == _prompts(requests_from_table(source, templates={"prompt": "{prompt} {size}"}, constants=MODEL))
    assert ["3"] == _prompts(requests_from_table(source, columns={"prompt": "size"}, constants=MODEL))
    source = SOURCES[kind](["prompt", "note", "note "], ["a fox", "x", "y"], tmp_path)
    try:
        said = _prompts(requests_from_table(source, constants=MODEL))[0]
    except InvalidRequest as error:
        said = str(error)
    assert "two columns 'note', written 'note' and 'note '" in str(said)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(
    ("name", "template"),
    [
        pytest.param("product.name", "{product.name}", id="dot"),
        pytest.param("size: cm", "{size: cm}", id="colon"),
        pytest.param("size [cm]", "{size [cm]}", id="brackets"),
        pytest.param("what!", "{what!}", id="exclamation"),
        pytest.param("two words", "{ Two Words }", id="words"),
        pytest.param("Größe", "{größe}", id="letters"),
        pytest.param("Gro\u0308ße", "{Größe}", id="composed"),
        pytest.param("0", "{0}", id="number"),
    ],
)
def test_any_name_stands_in_a_template(kind: str, name: str, template: str, tmp_path: Path) -> None:
    """Whatever letters it has, in any case: found the same way in every source."""
    source = SOURCES[kind]([name], ["tea"], tmp_path)
    assert ["a tea"] == _prompts(requests_from_table(source, templates={"prompt": f"a {template}"}, constants=MODEL))


@pytest.mark.parametrize("kind", SOURCES)
def test_a_typo_is_said_at_once(kind: str, tmp_path: Path) -> None:
    """In a template and in columns=: the name in quotes, what there is, and what was meant; before any row is made."""
    source = SOURCES[kind](["Product", "style"], ["tea", "ink"], tmp_path)
    with pytest.raises(InvalidRequest, match=r"no column 'prodct'.*it has Product, style\. Did you mean 'Product'\?"):
        requests_from_table(source, templates={"prompt": "a {prodct}"}, constants=MODEL)
    with pytest.raises(InvalidRequest, match=r"no column 'stile': it has Product, style\. Did you mean 'style'\?"):
        requests_from_table(source, columns={"prompt": "stile"}, constants=MODEL)


@pytest.mark.parametrize("source", [[{"product": "tea"}], "csv"], ids=["rows", "csv"])
@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param('{"subject": "{product}"}', r"opens a second brace.*write \{\{ and \}\}", id="json"),
        pytest.param('{"n": 1} {product}', r"no column '\"n\": 1'.*written \{\{ and \}\}", id="json-without-columns"),
        pytest.param("a {product", r"is not closed; write \{\{ and \}\}", id="open"),
        pytest.param("a product}", r"closes nothing.*write \{\{ and \}\}", id="close"),
        pytest.param("a {}", r"braces with no column in them; write \{\{ and \}\}", id="nothing"),
    ],
)
def test_braces_that_are_meant_as_such(source: Any, template: str, said: str, tmp_path: Path) -> None:
    """One sentence that says how they are written."""
    table = SOURCES["csv"](["product"], ["tea"], tmp_path) if source == "csv" else source
    with pytest.raises(InvalidRequest, match=said):
        requests_from_table(table, templates={"prompt": template}, constants=MODEL)
    doubled = '{{"subject": "{product}"}}'
    assert ['{"subject": "tea"}'] == _prompts(requests_from_table(table, templates={"prompt": doubled}, constants=MODEL))


NESTED = {"a": {"b": {"c": "deep"}}, "l": ["p", "q"], "price": 2.5, "count": 7, "day": "2026-01-31", "sku": "007"}


@pytest.mark.parametrize("kind", ["rows", "jsonl", "csv", "parquet"])
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{a[b][c]} {a.b.c}", "deep deep", id="parts"),
        pytest.param("{l[0]} {l[-1]}", "p q", id="items"),
        pytest.param("{a} {l}", '{"b":{"c":"deep"}} ["p","q"]', id="whole"),
        pytest.param("{price:.2f} {price:06.2f}", "2.50 002.50", id="fractions"),
        pytest.param("{count:03d} {count:.1f}", "007 7.0", id="numbers"),
        pytest.param("{day:%d %B %Y}", "31 January 2026", id="days"),
        pytest.param("{sku:>5}", "  007", id="text"),
        pytest.param("{sku!r}", "'007'", id="conversion"),
    ],
)
def test_parts_and_formats(kind: str, template: str, expected: str, tmp_path: Path) -> None:
    """As in str.format, and the same in every source: what is nested stands in tables of text as JSON."""
    import csv
    import json

    source: Any = [NESTED]
    if kind == "jsonl":
        source = tmp_path / "a.jsonl"
        source.write_text(json.dumps(NESTED), encoding="utf-8")
    elif kind == "csv":
        source = tmp_path / "a.csv"
        cells = [
            json.dumps(cell, separators=(",", ":")) if isinstance(cell, (dict, list)) else cell for cell in NESTED.values()
        ]
        with source.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([list(NESTED), cells])
    elif kind == "parquet":
        source = tmp_path / "a.parquet"
        table = pytest.importorskip("pyarrow").Table.from_pylist([NESTED])
        pytest.importorskip("pyarrow.parquet").write_table(table, source)
    assert [expected] == _prompts(requests_from_table(source, templates={"prompt": template}, constants=MODEL))


@pytest.mark.parametrize(
    ("template", "said"),
    [
        pytest.param("{a[zzz]}", "Row 1, column 'a[zzz]': it is empty, and prompt needs it.", id="no-part"),
        pytest.param("{l[9]}", "Row 1, column 'l[9]': it is empty, and prompt needs it.", id="no-item"),
        pytest.param("{sku.upper}", "Row 1, column 'sku[upper]': it is empty, and prompt needs it.", id="attribute"),
        pytest.param(
            "{sku:.2f}", "Row 1: the template of prompt cannot be filled: it cannot be written as '.2f'", id="format"
        ),
    ],
)
def test_a_part_that_is_not_there(template: str, said: str) -> None:
    """The row says which; attributes of Python's objects are none of a table's business."""
    (found,) = _prompts(requests_from_table([NESTED], templates={"prompt": template}, constants=MODEL))
    assert (found or "").startswith(said)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_column_that_a_template_uses_fills_no_field(kind: str, tmp_path: Path) -> None:
    """{n} teapots are one picture; columns= says where it is meant for both, and constants hold."""
    source = SOURCES[kind](["n", "item", "steps", "seed"], ["4", "teapot", "9", "5"], tmp_path)
    templates = {"prompt": "{N} {item}s in {steps} steps"}
    table = requests_from_table(source, templates=templates, constants={**MODEL, "steps": 20})
    (row,) = table
    assert ImageRequest(prompt="4 teapots in 9 steps", seed=5, steps=20, **MODEL) == row.request
    assert {"prompt": ["n", "item", "steps"], "seed": ["seed"]} == table.filled()
    assert ["'n' fills no field", "'steps' fills no field"] == [note[11:].partition(" of")[0] for note in table.notes()]
    table = requests_from_table(source, templates=templates, columns={"n": "n"}, constants=MODEL)
    assert [4] == [row.request.n for row in table if isinstance(row.request, ImageRequest)]
    assert ["n"] == table.filled()["n"]


def test_a_field_that_a_template_leaves_empty() -> None:
    """A column that every request needs, and a template uses: one sentence with the way out."""
    rows = [{"model": "T", "prompt": "-"}]
    with pytest.raises(
        InvalidRequest, match=r"nothing for model: the template of prompt uses .*columns=\{'model': 'model'\}"
    ):
        requests_from_table(rows, templates={"prompt": "a car, model {model}"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"columns": {"Caption": "prompt"}}, r"columns=\{'prompt': 'Caption'\}", id="turned"),
        pytest.param({"constants": {"promt": "x"}}, "Did you mean 'prompt'", id="typo"),
        pytest.param(
            {"columns": {"prompt": "a"}, "templates": {"prompt": "{a}"}}, "by columns= and by templates=", id="both"
        ),
        pytest.param({"templates": "a {a}"}, r"templates= is a str: give it by field, templates=\{", id="no-fields"),
        pytest.param({"columns": ["a"]}, r"columns= is a list: give it by field, columns=\{", id="list"),
        pytest.param({"request": ImageRequest(prompt="x", model="m")}, "as a class: ImageRequest", id="no-class"),
        pytest.param({"templates": {"prompt": None}}, "give a text with columns in braces", id="no-text"),
    ],
)
def test_what_is_asked_for_wrongly(options: dict[str, Any], said: str) -> None:
    """One sentence that says how it is written."""
    with pytest.raises(InvalidRequest, match=said):
        requests_from_table([{"a": "x", "Caption": "y"}], **options)


def test_what_a_row_leaves_out_is_empty(tmp_path: Path) -> None:
    """Rows that name their own columns need not all have the same; twins in one row stop no other."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"x": "a", "seed": 1}\n{"y": "b"}\n{"X": "c"}\n{"x": "d", "Seed": 1, "seed": 2}\n{"x": "e", "x": "f"}\n',
        encoding="utf-8",
    )
    rows = list(requests_from_table(path, templates={"prompt": "{x}"}, constants=MODEL))
    assert [True, False, True, False, False] == [row.request is not None for row in rows]
    assert "Row 2, column 'x': it is empty, and prompt needs it." == rows[1].error
    assert "Row 4: " in (rows[3].error or "")
    assert "'Seed' and 'seed'" in (rows[3].error or "")
    assert "Row 5: it has two columns 'x', the 1st and the 2nd." == rows[4].error


def test_odd_names_of_frames() -> None:
    """Whole numbers are names as well; names of several levels, and two that read alike, are refused in one sentence."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["a fox", 1]])
    assert ["a fox"] == _prompts(requests_from_table(frame, columns={"prompt": "0"}, constants=MODEL))
    assert ["1 a fox"] == _prompts(requests_from_table(frame, templates={"prompt": "{1} {0}"}, constants=MODEL))
    levels = pandas.DataFrame([["a"]], columns=pandas.MultiIndex.from_tuples([("g", "prompt")]))
    with pytest.raises(InvalidRequest, match=r"names of 2 levels, such as \('g', 'prompt'\): give them one each"):
        requests_from_table(levels, constants=MODEL)
    with pytest.raises(InvalidRequest, match="two columns '0', the 1st and the 2nd"):
        requests_from_table(pandas.DataFrame([["a", "b"]], columns=["0", 0]), constants=MODEL)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("utf-8-sig", [None, "utf-8", "UTF8", "utf-8-sig"], id="utf-8"),
        pytest.param("utf-16", [None, "utf-16"], id="utf-16"),
        pytest.param("utf-16-le", ["utf-16-le", "UTF-16LE"], id="utf-16-le"),
        pytest.param("utf-16-be", ["utf-16-be"], id="utf-16-be"),
        pytest.param("utf-32-le", ["utf-32-le", None], id="utf-32-le"),
    ],
)
@pytest.mark.parametrize(("ending", "text"), [("csv", "prompt,x\na fox,1\n"), ("jsonl", '{"prompt": "a fox"}\n')])
def test_a_mark_at_the_beginning_is_no_letter(
    written: str, said: list[str | None], ending: str, text: str, tmp_path: Path
) -> None:
    """Whether or not the encoding is named; one that the mark speaks against is refused with what the file is."""
    path = tmp_path / f"a.{ending}"
    path.write_bytes((text if written in {"utf-8-sig", "utf-16"} else f"\ufeff{text}").encode(written))
    for encoding in said:
        assert ["a fox"] == _prompts(requests_from_table(path, constants=MODEL, encoding=encoding))
    with pytest.raises(InvalidRequest, match=r"begins with the mark of UTF-.*encoding= says 'cp1252': leave it out"):
        requests_from_table(path, constants=MODEL, encoding="cp1252")


def test_marks_of_files_that_were_put_together(tmp_path: Path) -> None:
    """Two files with marks, one behind the other: no cell and no name begins with one."""
    (tmp_path / "a.csv").write_text("\ufeff\ufeffprompt\na\n\ufeffb\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('\ufeff{"prompt": "a"}\n\ufeff{"prompt": "b"}\n', encoding="utf-8")
    for name in ("a.csv", "a.jsonl"):
        assert ["a", "b"] == _prompts(requests_from_table(tmp_path / name, constants=MODEL))


def test_a_future_in_a_cell() -> None:
    """It is not written into a prompt: the row says how to come by what was meant."""
    rows: list[dict[str, Any]] = [{"prompt": "x", "image_url": Future[str]()}, {"prompt": Future[str](), "image_url": None}]
    for found in _prompts(requests_from_table(rows, constants=MODEL)):
        assert "call .result() on it" in (found or "")
    (found,) = _prompts(requests_from_table(rows[1:], templates={"prompt": "a {prompt}"}, constants=MODEL))
    assert "it holds a Future: call .result() on it" in (found or "")
