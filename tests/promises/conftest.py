"""Flows against a local Together: every test counts what reached the server and what was charged there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_together.generations.policy import Pace


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
