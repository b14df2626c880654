"""One local Together for all tests here, reset for each, and a workshop that starts workers quickly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_together import sandbox
from prefect_together.sandbox import Sandbox

from .running import Workshop, workshop

RENDER_SECONDS = 0.2


@pytest.fixture(scope="session")
def _together() -> Iterator[Sandbox]:
    with sandbox.serve(render_seconds=RENDER_SECONDS, batch_seconds=RENDER_SECONDS) as running:
        yield running


@pytest.fixture
def together(_together: Sandbox) -> Iterator[Sandbox]:
    """Yield the local Together of this session, which has forgotten what the last test did."""
    _together.reset()
    yield _together
    _together.reset()


@pytest.fixture(scope="session")
def workers() -> Iterator[Workshop]:
    """Open the workshop of this session."""
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as folder,
        workshop(Path(folder)) as running,
    ):  # short enough for a socket
        yield running


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return where the media of this test go."""
    return tmp_path / "library"
