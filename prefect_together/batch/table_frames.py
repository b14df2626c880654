"""Tables as frames of the libraries that people compute with, each column of the type that it has. Reads no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from prefect_together.batch import table_writer
from prefect_together.batch.table_schema import TableSchema
from prefect_together.errors import ConfigurationError


class Framed:
    """What has rows, and becomes a frame of any library. All of it is in memory then. Needs the extra ``tables``."""

    def table_rows(self) -> tuple[Iterable[dict[str, Any]], Mapping[str, str], TableSchema | None]:
        """Return the rows, the types of the columns that are ours, and the columns of the table that went in."""
        raise NotImplementedError

    def to_table(self) -> Any:
        """Return a narwhals DataFrame with one row for each request: its own columns, then what came of it.

        Raises:
            ConfigurationError: The extra ``tables`` is not installed.
        """
        return table_writer.frame(*self.table_rows())

    def to_arrow(self) -> Any:
        """Return the same as a ``pyarrow.Table``: whole numbers, amounts of money, days and lists are what they are.

        Raises:
            ConfigurationError: The extra ``tables`` is not installed.
        """
        return self.to_table().to_native()

    def to_pandas(self) -> Any:
        """Return the same as a pandas DataFrame, whose columns have Arrow's types.

        So a gap makes no fractions of whole numbers, and no floats of money: ``seed`` is ``int64[pyarrow]``.

        Raises:
            ConfigurationError: pandas, or the extra ``tables``, is not installed.
        """
        pandas = _installed("pandas")
        return self.to_arrow().to_pandas(types_mapper=pandas.ArrowDtype)

    def to_polars(self) -> Any:
        """Return the same as a Polars DataFrame.

        Raises:
            ConfigurationError: Polars, or the extra ``tables``, is not installed.
        """
        return _installed("polars").from_arrow(self.to_arrow())


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ConfigurationError(f"to_{name}() needs {name}: pip install {name}.") from None
