"""Which flow run pays: the outermost, found in Prefect's API, and never at the price of a failure."""

from __future__ import annotations

import logging
import uuid

import pytest

from prefect_together.tasks import _flow_runs as runs


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without anything looked up."""
    monkeypatch.setattr(runs, "_outermost", {})


async def test_a_server_that_is_gone_costs_nothing_but_the_lookup(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without Prefect's API the run itself has to do; a warning says what that means, and the next call asks again."""

    def gone() -> object:
        raise ConnectionError("no server")

    monkeypatch.setattr(runs, "get_client", gone)
    run = str(uuid.uuid4())
    with caplog.at_level(logging.WARNING):
        assert run == await runs.outermost_flow_run(run)
    assert "cannot be looked up (ConnectionError)" in caplog.text
    assert {} == runs._outermost  # pyright: ignore[reportPrivateUsage]


async def test_a_run_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand tasks of one subflow ask the server once."""
    asked: list[str] = []

    async def climb(flow_run: str) -> str:
        asked.append(flow_run)
        return "top"

    monkeypatch.setattr(runs, "_climb", climb)
    assert ["top"] * 3 == [await runs.outermost_flow_run("sub") for _ in range(3)]
    assert ["sub"] == asked
