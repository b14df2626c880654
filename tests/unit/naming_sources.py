"""One row under given names, as every kind of source of a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _csv(names: list[str], cells: list[str], folder: Path) -> Any:
    path = folder / "a.csv"
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in line) for line in (names, cells)), encoding="utf-8")
    return path


def _jsonl(names: list[str], cells: list[str], folder: Path) -> Any:
    path = folder / "a.jsonl"
    path.write_text("{" + ", ".join(f'"{n}": "{c}"' for n, c in zip(names, cells, strict=True)) + "}", encoding="utf-8")
    return path


def _arrow(names: list[str], cells: list[str], folder: Path) -> Any:
    arrow = pytest.importorskip("pyarrow")
    return arrow.table([arrow.array([cell]) for cell in cells], names=names)


def _parquet(names: list[str], cells: list[str], folder: Path) -> Any:
    pytest.importorskip("pyarrow.parquet").write_table(_arrow(names, cells, folder), folder / "a.parquet")
    return folder / "a.parquet"


def _pandas(names: list[str], cells: list[str], folder: Path) -> Any:
    return pytest.importorskip("pandas").DataFrame([cells], columns=names)


def _duckdb(names: list[str], cells: list[str], folder: Path) -> Any:
    asked = ", ".join(f"'{cell}' AS \"{name}\"" for name, cell in zip(names, cells, strict=True))
    return pytest.importorskip("duckdb").sql(f"SELECT {asked}")


def _rows(names: list[str], cells: list[str], folder: Path) -> Any:
    return [dict(zip(names, cells, strict=True))]


def _polars(names: list[str], cells: list[str], folder: Path) -> Any:
    return pytest.importorskip("polars").DataFrame(_rows(names, cells, folder))


ONCE: dict[str, Callable[[list[str], list[str], Path], Any]] = {"rows": _rows, "polars": _polars}
"""Sources that cannot have a name twice."""
SOURCES = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "pandas": _pandas,
    "arrow": _arrow,
    "duckdb": _duckdb,
    **ONCE,
}
