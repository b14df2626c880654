"""JSON: whatever a table or a request may hold is written, and read as it was."""

from __future__ import annotations

import math
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from prefect_together._internal import json as jsons


@pytest.mark.parametrize("write", [jsons.compact, jsons.readable])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"a": [1, 2.5, None, True, "狐"]}, {"a": [1, 2.5, None, True, "狐"]}, id="plain"),
        pytest.param({"cost": Decimal("0.03")}, {"cost": "0.03"}, id="money"),
        pytest.param({"n": 2**70 + 1}, {"n": 2**70 + 1}, id="beyond-64-bits"),
        pytest.param({3: "three"}, {"3": "three"}, id="a-key-that-is-no-text"),
        pytest.param({"a": "half \ud800"}, {"a": "half ?"}, id="half-a-surrogate-pair"),
        pytest.param({"a": datetime(2026, 11, 22, 8, tzinfo=timezone.utc)}, {"a": "2026-11-22 08:00:00+00:00"}, id="time"),
        pytest.param({"a": date(2026, 11, 22)}, {"a": "2026-11-22"}, id="day"),
        pytest.param({"a": math.nan}, {"a": None}, id="not-a-number"),
    ],
)
def test_what_is_written_is_read(write: Any, value: Any, expected: Any) -> None:
    """Also what the fast writer refuses."""
    assert expected == jsons.read(write(value))


def test_lines_are_for_people_and_one_line_for_files() -> None:
    """One value a line, or all of them in one."""
    assert b'{"a":1,"b":[2]}' == jsons.compact({"a": 1, "b": [2]})
    assert b'{\n  "a": 1,\n  "b": [\n    2\n  ]\n}\n' == jsons.readable({"a": 1, "b": [2]})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"{'a': 1}"])
def test_what_is_no_json_is_said(data: bytes) -> None:
    """The error is the one that everybody catches."""
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the library's
        jsons.read(data)


def test_what_only_python_writes_is_read() -> None:
    """Manifests of earlier releases hold NaN."""
    assert math.isnan(jsons.read(b'{"a": NaN}')["a"])
