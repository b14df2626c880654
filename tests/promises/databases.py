"""What the tests of databases ask databases themselves."""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false, reportPrivateUsage=false
# SQLAlchemy and its drivers need not be installed.

from __future__ import annotations

from typing import Any

import pytest

from prefect_together.batch.table_databases import Database

CONSTANTS: dict[str, Any] = {"model": "black-forest-labs/FLUX.2-pro", "width": 64, "height": 64, "seed": 1}


def skip_without(*modules: str) -> None:
    """Skip a test whose database needs what is not installed."""
    for name in modules:
        pytest.importorskip(name, reason=f"{name} is not installed here, which this database needs")


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows that a query finds."""
    with Database(url).connected(writes=False) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query).fetchall()]


def do(url: str, *statements: str) -> None:
    """Have statements carried out."""
    with Database(url).connected(writes=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
