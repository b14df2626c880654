"""One Prefect client for what is shown: opened when it is needed first, closed by whoever needs it last."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from prefect_together.ui import artifacts


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for Prefect's clients, and note when one is opened and closed."""
    noted: list[str] = []

    @asynccontextmanager
    async def client() -> AsyncIterator[object]:
        noted.append("opened")
        yield object()
        noted.append("closed")

    monkeypatch.setattr(artifacts, "get_client", client)
    return noted


async def _use() -> None:
    async with artifacts._client():  # pyright: ignore[reportPrivateUsage] - what all that is shown goes through
        pass


async def test_each_by_itself_opens_one(opened: list[str]) -> None:
    """Nobody leaves a client open."""
    await _use()
    await _use()
    assert ["opened", "closed", "opened", "closed"] == opened


async def test_a_batch_keeps_one_open(opened: list[str]) -> None:
    """All that is shown meanwhile goes through one client; where nothing is shown, none is opened."""
    async with artifacts.kept_open():
        pass
    assert [] == opened
    async with artifacts.kept_open():
        await _use()
        await _use()
        assert ["opened"] == opened
    assert ["opened", "closed"] == opened
