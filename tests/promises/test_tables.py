"""Tables go in as they are and come out as they were; what is no table, and no request, is said in one sentence for free."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import flow

from prefect_together import (
    BatchFailed,
    BatchResult,
    ImageRequest,
    Keyframe,
    Plan,
    VideoRequest,
    agenerate_image,
    expected,
    generate_batch,
    generate_image,
    plan,
    requests_from_table,
    submit_batch,
)
from prefect_together.errors import InvalidRequest, LibraryError
from prefect_together.sandbox import Sandbox
from prefect_together.storage.storage import Storage

from .asking import picture, run_batch, shown

SMALL: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro", "width": 64, "height": 64, "seed": 1}
ROWS: list[dict[str, Any]] = [
    {"n": 4, "item": "teapot", "day": date(2026, 1, 31), "price": Decimal("1.10"), "raw": b"\xff\x00"},
    {"n": None, "item": "lamp", "day": None, "price": None, "raw": None},
]
TEMPLATES = {"prompt": "{n} {item}s"}


def _frame(rows: list[dict[str, Any]]) -> Any:
    return pytest.importorskip("pandas").DataFrame(rows)


@flow
def _plan(requests: Any) -> Plan:
    return plan(requests)


def _path(folder: Path) -> Path:
    path = folder / "x.csv"
    path.write_text("prompt,model\na fox,m\n", encoding="utf-8")
    return path


def test_a_table_comes_out_as_it_went_in(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """One picture for "4 teapots", the row with a gap is refused, and the user's columns are what they were; again too."""
    parquet = pytest.importorskip("pyarrow.parquet")
    _frame(ROWS).to_parquet(tmp_path / "in.parquet")
    for kept in (1, 0):
        table = requests_from_table(tmp_path / "in.parquet", templates=TEMPLATES, constants=SMALL)
        result = run_batch(table)
        assert (kept, 1 - kept, 1) == (result.kept, result.reused, result.refused)
        assert isinstance(result.results[0].request, ImageRequest)
        assert ("4 teapots", 1) == (result.results[0].request.prompt, result.results[0].request.n)
        result.write_table(tmp_path / "out.parquet")
        before, after = parquet.read_table(tmp_path / "in.parquet"), parquet.read_table(tmp_path / "out.parquet")
        assert before.equals(after.select(before.schema.names), check_metadata=False)
        assert after.equals(result.to_table().to_native())
    assert 1 == len(together_sandbox.charges())


def test_a_frame_has_columns_of_their_types(together_sandbox: Sandbox) -> None:
    """In pandas, Polars and Arrow: gaps make no fractions of whole numbers, and money and days are what they are."""
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    table = requests_from_table(ROWS, templates=TEMPLATES, constants=SMALL)
    result = run_batch(table)
    for found in (result, table):
        arrow, pandas, polars = found.to_arrow(), found.to_pandas(), found.to_polars()
        assert ["int64", "string", "date32[day]", "decimal128(3, 2)", "binary"] == [
            str(kind) for kind in arrow.schema.types[:5]
        ]
        names = ["n", "item", "day", "price", "raw"]
        assert [f"{kind}[pyarrow]" for kind in arrow.schema.types[:5]] == [str(pandas[name].dtype) for name in names]
        assert ["Int64", "String", "Date", "Decimal", "Binary"] == [
            str(kind).partition("(")[0] for kind in polars.dtypes[:5]
        ]
        assert [4, None] == polars["n"].to_list()
        assert 4 == pandas["n"].sum()
    assert Decimal("0.03") == result.to_pandas()["estimated_cost"].sum()
    assert {"seed": "int64", "reused": "bool", "cost": "decimal128(18, 6)"} == {
        name: str(result.to_arrow().schema.field(name).type) for name in ("seed", "reused", "cost")
    }


def test_a_table_of_another_release_is_still_written(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Beside its manifest nothing says what its columns were: they are learnt from it, as before."""
    result = run_batch(requests_from_table(ROWS[:1], templates=TEMPLATES, constants=SMALL))
    (beside,) = Path(result.manifest.removeprefix("file://")).parent.glob("*.columns.json")
    beside.unlink()
    result.write_table(tmp_path / "out.parquet")
    (row,) = requests_from_table(tmp_path / "out.parquet", constants={"prompt": "x", "model": "m"})
    assert ("teapot", "2026-01-31") == (row.columns["item"], row.columns["day"])


def test_which_column_fills_which_field_is_said(together_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """In the plan, its text and its artifact, and in the log of a batch: that {n} orders no four pictures, too."""
    rows = [{"n": 4, "item": "teapot", "Seed": 1}]
    table = requests_from_table(rows, templates=TEMPLATES, constants={**SMALL, "seed": 2})
    found = _plan(table)
    assert {"prompt": ["n", "item"], "seed": ["Seed"]} == found.columns
    sentences = [
        "Columns: prompt from 'n' and 'item', seed from 'Seed'.",
        "The column 'n' fills no field of its own, for the template of prompt uses it.",
    ]
    for sentence in sentences:
        assert sentence in str(found)
        assert sentence in found.text()
    assert "from 'n' and 'item'" in "".join(str(one.data) for one in shown("plan"))
    assert [] == plan([picture()]).notes + list(plan([picture()]).columns)
    assert (2, {"prompt": ["n", "item"], "seed": ["Seed"]}) == ((found + found).send, (found + found).columns)
    with caplog.at_level(logging.INFO, logger="prefect.task_runs"):
        assert Decimal("0.03") == run_batch(table).estimated_cost == found.cost
    assert set(sentences) <= set(caplog.messages)


WRONG: dict[str, tuple[Callable[[Path], Any], str]] = {
    "name": (lambda _: "x.csv", r"requests_from_table\('x\.csv', constants="),
    "url": (lambda _: "s3://bucket/x.parquet", r"requests_from_table\('s3://bucket/x\.parquet'"),
    "path": (_path, r"requests_from_table\('.*x\.csv', constants="),
    "pandas": (lambda _: _frame(ROWS), r"a DataFrame: .*requests_from_table\(frame"),
    "polars": (lambda _: pytest.importorskip("polars").DataFrame({"prompt": ["a"]}), r"requests_from_table\(frame"),
    "lazy": (lambda _: pytest.importorskip("polars").LazyFrame({"prompt": ["a"]}), r"requests_from_table\(frame"),
    "arrow": (lambda _: pytest.importorskip("pyarrow").table({"prompt": ["a"]}), r"requests_from_table\(frame"),
    "rows": (lambda _: [{"prompt": "a"}], r"requests_from_table\(rows"),
    "text": (lambda _: "a fox", "was given a str: give a list of them"),
    "request": (lambda _: picture(), "several requests: give a list"),
    "none": (lambda _: None, "was given None: give a list of them"),
    "number": (lambda _: 7, "was given an int: give a list of them"),
    "object": (lambda _: {"a": picture()}, "was given a dict: give a list of them"),
    "lists": (
        lambda _: [[picture()], [picture()]],
        r"its first item is a list, not a request: give what is in it by itself",
    ),
    "series": (lambda _: [_frame(ROWS).iloc[0]], "its first item is a Series, not a request: requests_from_table makes"),
    "frames": (lambda _: [_frame(ROWS)], "its first item is a DataFrame, not a request: requests_from_table makes"),
    "class": (lambda _: (ImageRequest,), r"the class ImageRequest, not a request: call it"),
    "numbers": (lambda _: [7, None], r"its first item is an int, not a request\."),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("asks", [plan, generate_batch], ids=["plan", "generate_batch"])
@pytest.mark.filterwarnings("ignore:Determining the column names of a LazyFrame")
def test_what_is_no_requests(asks: Any, wrong: str, together_sandbox: Sandbox, tmp_path: Path) -> None:
    """A table that nobody made requests of, and other things: one sentence with the call to use, and nothing is sent."""
    make, said = WRONG[wrong]
    with pytest.raises(InvalidRequest, match=said):
        asks(make(tmp_path))
    assert [] == together_sandbox.requests()


def test_what_is_no_request_among_others(together_sandbox: Sandbox) -> None:
    """It stops no other, and its row says what to give instead."""
    table = requests_from_table([{"prompt": "a"}], constants={"model": "m"})
    given: list[Any] = [picture(), {"prompt": "a"}, next(iter(table)), Future[Any](), 7]
    found = plan(iter(given))
    assert (1, 4) == (found.send, found.refused)
    assert [
        "Row 2 is a dict, not a request: requests_from_table makes requests of rows.",
        "Row 3 is a TableRow, not a request: give its .request, or the whole table.",
        "Row 4 is a Future, not a request: call .result() on it, and give what comes of it.",
        "Row 5 is an int, not a request.",
    ] == found.problems


def test_futures_in_a_list(together_sandbox: Sandbox) -> None:
    """Outside of a flow, where Prefect waits for none of them: each is to be waited for."""
    with pytest.raises(InvalidRequest, match=r"its first item is a Future, not a request: call \.result\(\) on it"):
        plan([Future[Any]()])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert [] == together_sandbox.requests()


@flow
def _of_a_future(make: Any) -> str:
    future = cast("Any", generate_image).submit(picture())
    with pytest.raises(InvalidRequest) as caught:
        make(future)
    future.result()
    return str(caught.value)


FUTURES: dict[str, Callable[[Any], Any]] = {
    "frame": lambda future: VideoRequest(model="m", frame_images=[future]),
    "single": lambda future: VideoRequest(model="m", frame_images=future),
    "keyframe": lambda future: Keyframe(input_image=future),
    "nested": lambda future: VideoRequest(model="m", frame_images=[Keyframe(input_image=future)]),
    "prompt": lambda future: ImageRequest(prompt=future, model="m"),
    "number": lambda future: ImageRequest(prompt="x", model="m", seed=future),
    "picture": lambda future: ImageRequest(prompt="x", model="m", image_url=future),
    "extra": lambda future: ImageRequest(prompt="x", model="m", extra={"a": future}),
    "plan": lambda future: generate_batch([]) and plan(future),
    "expected": expected,
}


@pytest.mark.parametrize("where", FUTURES)
def test_a_future_is_no_result(where: str, together_sandbox: Sandbox) -> None:
    """Wherever it stands in a request: call .result() on it, says the error, and not how Python shows a future."""
    said = _of_a_future(FUTURES[where])
    assert "call .result() on it" in said
    assert "object at 0x" not in said


def test_an_empty_table_is_a_table(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """No rows that day: all columns are there, in the order and of the types of other days."""
    parquet = pytest.importorskip("pyarrow.parquet")
    schemas = list[Any]()
    for name, rows in (("empty", ROWS[:0]), ("full", ROWS[:1])):
        path = tmp_path / f"{name}.parquet"
        table = pytest.importorskip("pyarrow").Table.from_pylist(ROWS).slice(0, len(rows))
        parquet.write_table(table, path)
        result: BatchResult = run_batch(requests_from_table(path, templates=TEMPLATES, constants=SMALL))
        result.write_table(path)
        schemas.append(parquet.read_schema(path))
    assert schemas[0].equals(schemas[1])


def test_a_row_is_named_once(together_sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the log, in the error of the batch and in its summary, what is wrong with a row does not name it again."""
    (tmp_path / "rows.csv").write_text("prompt,steps\n,1\na fox,many\n", encoding="utf-8")
    table = requests_from_table(tmp_path / "rows.csv", constants={"model": "black-forest-labs/FLUX.2-pro"})
    with caplog.at_level("WARNING"), pytest.raises(BatchFailed) as caught:
        run_batch(table)
    assert str(caught.value).count("ow 1") == 1
    logged = [record.getMessage() for record in caplog.records if "was refused" in record.getMessage()]
    assert 2 == len(logged)
    assert all(1 == line.lower().count("row ") for line in logged)
    with caplog.at_level("WARNING"), pytest.raises(BatchFailed, match=r"row 1: it is a dict, not a request"):
        run_batch([{"prompt": "a fox"}, 7, picture(image_url=tmp_path / "no-such.png")])


@pytest.mark.parametrize("error", [LibraryError("read-only"), OSError("no room")])
def test_a_manifest_that_cannot_be_written_loses_nothing(
    error: Exception, together_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A library that takes no manifest costs no results: they are returned, with a warning that says where their list is."""
    requests = [picture("a fox", seed=1), picture("an owl", seed=2)]
    generate_batch(requests)

    async def refused(*_: object) -> None:
        raise error

    monkeypatch.setattr(Storage, "write", refused)
    monkeypatch.setattr(Storage, "write_stream", refused)
    with caplog.at_level(logging.WARNING):
        found = run_batch(requests)
    assert (2, None) == (found.reused, found.contact_sheet)
    assert all(file.verify() for file in found.media)
    assert 2 == len(found.to_table())
    (said,) = (record.getMessage() for record in caplog.records if "manifest is not in the library" in record.getMessage())
    assert found.manifest in said
    assert str(error) in said
    assert 2 == len(together_sandbox.charges())


def test_what_is_no_request_says_the_call_to_use(together_sandbox: Sandbox, tmp_path: Path) -> None:
    """Texts, files, a batch's result, and a table that is mapped: one sentence each, at once and for free."""
    made = generate_batch([picture(seed=1)])
    for wrong, said in (
        (["a fox", "an owl"], r"given a list: make requests of the texts, such as \[ImageRequest\(prompt=text"),
        (("a fox",), "given a tuple: make requests of the texts"),
        (made.media, r"given a list: make requests of the files, such as \[VideoRequest"),
        (made, r"given a BatchResult: make requests of its files, such as .* in result.media"),
        (plan([picture(seed=1)]), "given a Plan: give a list of requests"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            generate_batch(cast("Any", wrong))
    table = requests_from_table([{"prompt": "a fox"}], constants={"model": "black-forest-labs/FLUX.2-pro", "seed": 1})
    for task in (generate_image, agenerate_image):
        with pytest.raises(InvalidRequest, match=r"given a RequestTable: generate_batch\(table\)"):
            task.map(table)
    for task, said in (
        (generate_batch, r'generate_batch\(table\) takes all .*; generate_batch\.map\(\[table\] \* 4, name="…"\) has four'),
        (submit_batch, r"was given one: submit_batch\(table\) takes all its rows in one task run\.$"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            cast("Any", task).map(table, name="foxes")
    with pytest.raises(InvalidRequest, match=r"given a TableRow: give its \.request"):
        generate_image(cast("Any", next(iter(table))))
    assert 1 == len(together_sandbox.charges())
