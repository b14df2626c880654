"""A single cell, whatever a library hands out: as plain Python, and as it stands in a manifest."""

# ruff: noqa: DTZ001 - tables hold moments without a zone

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from prefect_together.batch.cells import NoText, Written, as_json, is_empty, plain, text_of
from prefect_together.batch.request_table import requests_from_table

from .rows import MODEL


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(float("nan"), None, id="nan"),
        pytest.param((1, float("nan")), [1, None], id="inside"),
        pytest.param({1: Path("a/b")}, {"1": str(Path("a/b"))}, id="object"),
        pytest.param(bytearray(b"a"), b"a", id="bytes"),
    ],
)
def test_what_a_cell_is(value: Any, expected: Any) -> None:
    """Whatever a library hands out becomes plain Python."""
    assert expected == plain(value)


def test_what_numpy_and_pandas_hand_out_is_plain() -> None:
    """Their numbers, moments, gaps and arrays, in rows of a list too."""
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    assert [3, 0.5, True, "a", None, [1, 2]] == [
        plain(value)
        for value in (
            numpy.int8(3),
            numpy.float32(0.5),
            numpy.bool_(True),
            numpy.str_("a"),
            numpy.datetime64("NaT", "s"),
            numpy.array([1, 2]),
        )
    ]
    assert datetime(2026, 1, 31) == plain(numpy.datetime64("2026-01-31", "ns"))
    assert [None, None, datetime(2026, 1, 31)] == [
        plain(value) for value in (pandas.NA, pandas.NaT, pandas.Timestamp(2026, 1, 31))
    ]
    assert "2026-01-31 00:00:00.000000001" == text_of(plain(pandas.Timestamp("2026-01-31T00:00:00.000000001")))
    assert [
        "2026-01-31 00:00:00.000000001",
        timedelta(seconds=1),
        "PT1.000000001S",
        "-PT1.000000001S",
        None,
        [timedelta(seconds=1), "PT0.000000001S", None],
        timedelta(seconds=1),
        "-PT86399.999999999S",
        "1 years",
        "7 picoseconds",
        timedelta(days=3),
        datetime(2026, 1, 1),
        "20000-01-01",
    ] == [
        plain(value)
        for value in (
            numpy.datetime64("2026-01-31T00:00:00.000000001"),
            numpy.timedelta64(10**9, "ns"),
            numpy.timedelta64(10**9 + 1, "ns"),
            numpy.timedelta64(-(10**9) - 1, "ns"),
            numpy.timedelta64("NaT", "ns"),
            numpy.array([10**9, 1, "NaT"], "m8[ns]"),
            pandas.Timedelta(seconds=1),
            pandas.Timedelta(days=-1, nanoseconds=1),
            numpy.timedelta64(1, "Y"),
            numpy.timedelta64(7, "ps"),
            numpy.timedelta64(3, "D"),
            numpy.datetime64("2026", "Y"),
            numpy.datetime64("20000-01-01"),
        )
    ], "nothing of what is finer than Python's is cut off, and no moment becomes a number"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        pytest.param(b"\x89PNG\xff", "iVBOR/8=", id="bytes"),
        pytest.param(datetime(2026, 1, 31), "2026-01-31 00:00:00", id="moment"),
        pytest.param([Decimal("1.10")], ["1.10"], id="nested"),
        pytest.param(float("inf"), "inf", id="infinite"),
    ],
)
def test_what_stands_in_a_manifest(cell: Any, expected: Any) -> None:
    """Text that a reader can make the cell of again."""
    assert expected == as_json(cell)
    assert json.loads(json.dumps(as_json(cell))) == expected


def test_a_cell_that_is_no_text_is_refused() -> None:
    """An object in a template, and bytes that are none: the row says so; bytes that are text are read."""
    rows = [{"x": object()}, {"x": b"\xff\xfe"}, {"x": b"fox"}]
    found = list(requests_from_table(rows, templates={"prompt": "a {x}"}, constants={"model": "m"}))
    assert "Row 1: the template of prompt cannot be filled: it holds a object, which is no text." == found[0].error
    assert "Row 2: the template of prompt cannot be filled: it holds bytes that are no text." == found[1].error
    assert "a fox" == (found[2].request and found[2].request.title())


@pytest.mark.parametrize("cell", [Decimal("NaN"), Decimal("sNaN"), float("nan"), None])
def test_nothing_stands_there(cell: Any) -> None:
    """A number that is none, of whichever kind."""
    assert is_empty(plain(cell))


@pytest.mark.parametrize("cell", [float("inf"), float("-inf"), Decimal("Infinity"), Written("1e999")])
def test_an_infinite_number_is_no_text(cell: Any) -> None:
    """Nobody pays for "inf teapots"."""
    with pytest.raises(NoText, match="infinite"):
        text_of(cell)


@pytest.mark.parametrize(
    ("cells", "template", "expected"),
    [
        (["65", "-1", "66"], "chr {v:c}!", ["chr A!", None, "chr B!"]),
        (["1", "1e999", "3"], "{v:d}", ["1", None, "3"]),
        (["1", "1e999", "3"], "{v:.2f}", ["1.00", None, "3.00"]),
        (["1", "1e+400", "3"], "{v} x", ["1 x", "1e+400 x", "3 x"]),
        ([1.0, float("inf"), 3.0], "{v} x", ["1.0 x", None, "3.0 x"]),
    ],
)
def test_one_strange_cell_is_one_row(cells: list[Any], template: str, expected: list[str | None]) -> None:
    """It is refused by itself, and the others are asked for."""
    table = requests_from_table([{"v": cell} for cell in cells], templates={"prompt": template}, constants=MODEL)
    assert expected == [row.request and row.request.title() for row in table]
