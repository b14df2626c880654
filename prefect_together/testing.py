"""A pytest fixture for flows that use Together: `pytest_plugins = ["prefect_together.testing"]`; tests nothing itself.

def test_my_flow(together_sandbox):
    my_flow("a red fox")
    assert together_sandbox.count("/v1/images/generations") == 1
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_together import sandbox

RENDER_SECONDS = 0.2
"""How long a video job or a batch takes in tests."""


@pytest.fixture
def together_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sandbox.Sandbox]:
    """Start a local Together for one test, point the environment at it, and yield its handle.

    `TOGETHER_BASE_URL`, `TOGETHER_API_KEY` and `PREFECT_INTEGRATIONS_TOGETHER_LIBRARY` (a fresh folder) are set for the
    test and put back after it. The handle counts charges and lets things go wrong: see `prefect_together.sandbox`.
    """
    with sandbox.serve(render_seconds=RENDER_SECONDS, batch_seconds=RENDER_SECONDS) as running:
        monkeypatch.setenv("TOGETHER_BASE_URL", running.url)
        monkeypatch.setenv("TOGETHER_API_KEY", running.api_key)
        monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "library"))
        yield running
