"""Flows run on the Prefect server that all tests share, whichever test comes first."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _server(prefect_server: object) -> None:
    """Start the server, or find it started."""
