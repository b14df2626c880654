"""Our columns of a table that comes out: what they are called, and of what types they are. Writes nothing."""

from __future__ import annotations

from collections.abc import Container

from prefect_together.batch.table_schema import TableSchema
from prefect_together.generations.registry import spec_named, specs


def our_name(name: str, theirs: Container[str]) -> str:
    """Return what a column of ours is called in a table that may have one of its name already."""
    while name in theirs:
        name = f"together_{name}"
    return name


def column_types(schema: TableSchema | None = None) -> dict[str, str]:
    """Return the types of the columns that are ours: those of every generation type, between what all have in common.

    Args:
        schema: The columns of the table that went in: of its generation type alone, and under names that it has not.
    """
    known = [spec_named(schema.kind)] if schema and schema.kind else specs()
    own = {name: kind for spec in known for name, kind in spec.columns.items()} | (schema.made if schema else {})
    theirs = schema.names if schema else ()
    return {our_name(name, theirs): kind for name, kind in ({"status": "string", **own, **_COMMON, **own}).items()}


_COMMON = {
    "model": "string",
    "seed": "int64",
    "cost": "money",
    "estimated_cost": "money",
    "seconds_taken": "float64",
    "reused": "bool_",
    "error": "string",
    "job_id": "string",
    "more_uris": "string",
}
