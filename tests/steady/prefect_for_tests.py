"""Prefect's server for many tests at once; ``uvicorn --factory prefect_for_tests:create_app`` runs it.

Its transactions take SQLite's lock when they begin, and wait for it. Prefect's own take it when they first write, and fail
where another has written meanwhile; the client is told 503 and tries again two seconds later, or four, or eight: three workers
on one server waited a third of their time (seen with Prefect 3.9.1).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from prefect.server.api.server import create_app as _create_app
from prefect.server.database.configurations import AioSqliteConfiguration

_begin_transaction = AioSqliteConfiguration.begin_transaction


@asynccontextmanager
async def _immediately(self: AioSqliteConfiguration, session: Any, with_for_update: bool = True) -> AsyncGenerator[Any]:
    async with _begin_transaction(self, session, with_for_update=True) as transaction:
        yield transaction


def create_app() -> Any:
    """Return the server."""
    AioSqliteConfiguration.begin_transaction = _immediately  # pyright: ignore[reportAttributeAccessIssue]
    return _create_app()
