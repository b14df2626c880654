"""One local Together for all tests here, reset for each, and a workshop that starts workers quickly."""

from __future__ import annotations

import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_together import sandbox
from prefect_together.sandbox import Sandbox

from .running import Workshop, workshop
from .samples import DEDICATED

RENDER_SECONDS = 0.2


@pytest.fixture(scope="session")
def _together() -> Iterator[Sandbox]:
    with sandbox.serve(render_seconds=RENDER_SECONDS, batch_seconds=RENDER_SECONDS, dedicated=[DEDICATED]) as running:
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


@pytest.fixture
def bucket(s3_endpoint: str) -> dict[str, Any]:
    """Make a bucket and return where it is."""
    s3 = {"endpoint": s3_endpoint, "access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}
    name = f"kills-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(f"{s3_endpoint}/{name}", method="PUT")
    with urllib.request.urlopen(request, timeout=30):
        return {"library": f"s3://{name}/media", "options": s3}
