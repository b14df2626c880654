"""Tables as frames of the libraries that people compute with, and as files, each column of its type. Reads no files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect_together.batch import table_writer
from prefect_together.batch.arrow_cells import narrowed_schema
from prefect_together.batch.table_schema import TableSchema
from prefect_together.errors import ConfigurationError


class Framed(ABC):
    """What has rows, and becomes a frame of any library, which is in memory then, or a file, which need not fit into it."""

    @abstractmethod
    def table_rows(self) -> tuple[Iterable[dict[str, Any]], Mapping[str, str], TableSchema | None]:
        """Return the rows, the types of the columns that are ours, and the columns of the table that went in."""

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
        polars, table = _installed("polars"), self.to_arrow()
        return polars.from_arrow(table.cast(narrowed_schema(table.schema)))

    def write_table(self, path: str | Path, *, table: str | None = None, options: Mapping[str, Any] | None = None) -> str:
        """Write that table, a part of it in memory at a time, and return where it is.

        Args:
            path: A path or object-store URL that ends in .csv, .tsv, .jsonl or .parquet; or a database's SQLAlchemy URL.
            table: The table of the database, which is replaced.
            options: Settings of the object store in obstore's names, for a URL; left out, those of a library in the same
                bucket, or the store's own environment variables.

        Raises:
            InvalidRequest: Its ending is of no format that we write.
            LibraryError: It cannot be written, or a batch's manifest is gone.
            ConfigurationError: The extra ``tables`` is needed and not installed.
        """
        records, types, schema = self.table_rows()
        return table_writer.write(path, records, types, options, schema, table=table)


def _installed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ConfigurationError(f"to_{name}() needs {name}: pip install {name}.") from None
