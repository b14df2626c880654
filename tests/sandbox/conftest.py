"""A fresh sandbox and a client with a key for each test; both speak real HTTP on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from prefect_together import sandbox


@pytest.fixture
def together() -> Iterator[sandbox.Sandbox]:
    """Run a sandbox whose jobs are done as soon as they are made."""
    with sandbox.serve(render_seconds=0) as running:
        yield running


@pytest.fixture
def client(together: sandbox.Sandbox) -> Iterator[httpx.Client]:
    """Give a client of that sandbox that follows redirects."""
    headers = {"Authorization": f"Bearer {together.api_key}"}
    with httpx.Client(base_url=together.url, headers=headers, follow_redirects=True, timeout=30) as ready:
        yield ready
