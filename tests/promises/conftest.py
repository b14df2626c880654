"""Flows against a local Together: every test counts what reached the server and what was charged there."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.types import SecretDict

from prefect_together import MediaLibrary
from prefect_together.batch.table_databases import Database
from prefect_together.engine import batch_output, batch_record
from prefect_together.generations import registry
from prefect_together.generations.policy import Pace
from prefect_together.tasks._editing import caption_drawing
from prefect_together.tasks._editing.fonts import fonts

from . import own_server
from .databases import skip_without
from .own_server import Endpoint
from .own_types import CAPTION, SKETCH


@pytest.fixture(autouse=True)
def _environment(prefect_server: object) -> None:
    """Give every test here a Prefect server."""


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for jobs ten times a second: a sandbox renders in a fraction of one."""

    def pauses(self: Pace) -> Iterator[float]:
        while True:
            yield 0.1

    monkeypatch.setattr(Pace, "pauses", pauses)


@pytest.fixture(autouse=True)
def _quick_retries_of_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch a file again at once."""

    def at_once(tries: int, *, first: float, longest: float) -> float:
        return 0.02

    monkeypatch.setattr("prefect_together.engine.ingest.backoff", at_once)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    """Register the two types, and run a server that knows them."""
    for spec in (CAPTION, SKETCH):
        registry.register(spec)
    with own_server.serve() as running:
        monkeypatch.setenv("TOGETHER_BASE_URL", running.url)
        monkeypatch.setenv("TOGETHER_API_KEY", own_server.KEY)
        monkeypatch.setenv("PREFECT_INTEGRATIONS_TOGETHER_LIBRARY", str(tmp_path / "library"))
        yield running
    for spec in (CAPTION, SKETCH):
        registry.unregister(spec.kind)


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once for what is late."""
    monkeypatch.setattr(batch_output, "LOOK_AGAIN", 0.05)
    monkeypatch.setattr("prefect_together.engine.batch_taking.LOOK_AGAIN", 0.05)
    monkeypatch.setattr("prefect_together.engine.batch_taking.NAMED_WITHIN", 3.0)
    monkeypatch.setattr(batch_record, "LOOK_AGAIN", 0.02)


@pytest.fixture
def library(tmp_path: Path) -> MediaLibrary:
    """Return a library of this test."""
    return MediaLibrary(url=str(tmp_path / "library"))


@pytest.fixture
def only_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a machine without fonts but the one that Pillow brings along."""
    monkeypatch.setattr(caption_drawing, "fonts", lambda: (font for font in fonts() if font.path is None))


@pytest.fixture
def bucket(s3_endpoint: str) -> MediaLibrary:
    """Make a bucket, and a library in it."""
    name = f"promises-{uuid.uuid4().hex[:12]}"
    with urllib.request.urlopen(urllib.request.Request(f"{s3_endpoint}/{name}", method="PUT"), timeout=30):
        options = {"endpoint": s3_endpoint, "region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}
        return MediaLibrary(url=f"s3://{name}/media", options=SecretDict(options))


@pytest.fixture
def database_server(postgresql: str) -> str:
    """Return the URL of an empty database of PostgreSQL."""
    skip_without("psycopg")
    with Database(postgresql).connected(writes=True) as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    return postgresql


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/a.db"
    if request.param == "duckdb":
        skip_without("duckdb", "duckdb_engine")
        return f"duckdb:///{tmp_path}/a.duckdb"
    return str(request.getfixturevalue("database_server"))
