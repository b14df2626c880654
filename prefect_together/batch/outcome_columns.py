"""Our columns of a table that comes out: what they are called, and of what types they are. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable

from prefect_together.batch.table_schema import TableSchema
from prefect_together.generations.registry import spec_named, specs
from prefect_together.generations.spec import COMMON_COLUMNS


def our_names(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """Return what columns of ours are called in a table that may have some of their names already.

    Args:
        ours: What they are called otherwise.
        theirs: The names of its own columns, in capitals or not: databases tell them not apart.
    """
    taken, names = {name.casefold() for name in theirs}, list[str]()
    for name in ours:
        while name.casefold() in taken:
            name = f"together_{name}"  # noqa: PLW2901 - until it is another one
        names.append(name)
    return names


def column_types(schema: TableSchema | None = None) -> dict[str, str]:
    """Return the types of the columns that are ours: those of every generation type, between what all have in common.

    Args:
        schema: The columns of the table that went in: of its generation type alone, and under names that it has not.
    """
    known = [spec_named(schema.kind)] if schema and schema.kind else specs()
    own = {name: kind for spec in known for name, kind in spec.columns.items()} | (schema.made if schema else {})
    ours = {"status": "string", **own, **COMMON_COLUMNS, **own}
    return dict(zip(our_names(ours, schema.names if schema else ()), ours.values(), strict=True))
