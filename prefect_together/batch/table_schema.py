"""The columns of a table that went in, as they are written down beside a manifest. Reads no tables."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from prefect_together._internal.described import Described
from prefect_together._internal.optional import library

ENDING = ".columns.json"
"""How the name of the file ends that a schema is in, beside a manifest."""


class TableSchema(Described, BaseModel):
    """Which columns a table has, and of what types, whatever its rows were that day."""

    model_config = ConfigDict(frozen=True)

    names: list[str]
    """All columns, in order."""
    types: str | None = None
    """Their types as Arrow writes a schema down, in Base64; None where the table did not say."""
    text: bool = False
    """Whether all of them are text, as in CSV."""
    kind: str | None = None
    """The generation type of its requests."""
    made: dict[str, str] = {}
    """The columns that are made, where they depend on what is asked, with their types."""

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        types: Mapping[str, Any] | None,
        *,
        text: bool = False,
        kind: str | None = None,
        made: Mapping[str, str] | None = None,
    ) -> TableSchema:
        """Return the schema of a table.

        Args:
            names: All columns, in order.
            types: Arrow's types of them.
            text: Whether all of them are text.
            kind: The generation type of its requests.
            made: The columns that are made, where they depend on what is asked, with their types.
        """
        written = None
        if types is not None:
            schema = library("pyarrow", "Parquet files").schema(list(types.items()))
            written = base64.b64encode(schema.serialize().to_pybytes()).decode()
        return cls(names=list(names), types=written, text=text, kind=kind, made=dict(made or {}))

    def arrow(self) -> dict[str, Any]:
        """Return Arrow's type of each column whose type is known."""
        arrow = library("pyarrow", "Frames and Parquet files")
        if self.text:
            return dict.fromkeys(self.names, arrow.string())
        if self.types is None:
            return {}
        schema = arrow.ipc.read_schema(arrow.py_buffer(base64.b64decode(self.types)))
        return {field.name: field.type for field in schema}
